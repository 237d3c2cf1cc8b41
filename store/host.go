package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// When a host is paused, and for how long. After the last pause, the sixth, an
// hour has passed without an answer.
const (
	enough       = 10 // failed tries in a row
	spare        = 10 // pages that wait: fewer are sooner through their tries
	firstPause   = time.Minute
	longestPause = 30 * time.Minute
	maxPauses    = 6
	// probing is how long others keep off a host that one page probes, unless that
	// page ends earlier.
	probing = 2 * time.Minute
	// firstPush and longestPush are for hosts that ask to be left alone and do not
	// say how long; each time in a row is twice the last.
	firstPush   = 10 * time.Second
	longestPush = 2 * time.Minute
)

// Trouble is a try at a page that its host failed.
type Trouble struct {
	Reason string        // outcome of the try
	Busy   bool          // the host asks to be left alone: HTTP 429 or 503
	After  time.Duration // how long to leave it alone, busy or not; 0: unsaid
}

// Treatment is what trouble leads to.
type Treatment struct {
	Push    time.Duration // the host is left alone for so long
	Paused  time.Duration // the host is paused for so long; 0: it is not
	Begins  bool          // the pause begins with this trouble
	GiveUp  bool          // the host was paused often enough: GiveUp is to be called
	Waiting int           // pages that wait for the host, where a pause begins
}

// Trouble notes that the host failed, moves its clock, and pauses it when it only
// fails. What happens is decided by the database's clock while the host's row is
// locked: of many that fail at once one begins the pause. What becomes of pages that
// began before the pause counts nothing until it is over.
func (v *Visit) Trouble(ctx context.Context, t Trouble) (p Treatment, err error) {
	err = v.w.s.transact(ctx, "note the host's trouble", func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `WITH o AS MATERIALIZED (SELECT * FROM tabfarm_internal.host WHERE host = $1 FOR NO KEY UPDATE),
h AS MATERIALIZED (SELECT *, clock_timestamp() AS now FROM o),
d AS MATERIALIZED (
    SELECT *, paused_until > now AS resting,
        CASE WHEN paused_until <= now AND failures + 1 >= $9 THEN $10 <= (SELECT count(*) FROM (
            SELECT FROM tabfarm_internal.run_host rh
            JOIN tabfarm_internal.run r ON r.id = rh.run_id AND r.state = 'running'
            JOIN tabfarm_internal.page p ON p.run_id = rh.run_id AND p.host = rh.host AND p.state = 0
            WHERE rh.host = $1 LIMIT $10) s) ELSE false END AS due,
        CASE WHEN $4::interval > interval '0' THEN greatest(pushed_until, now + $4)
             WHEN NOT $3::boolean THEN pushed_until
             WHEN pushed_until > now THEN pushed_until -- asked together with the one who pushed
             ELSE now + least($5::interval * 2 ^ least(pushes, 10), $6::interval) END AS pushed
    FROM h),
n AS MATERIALIZED (
    SELECT *, due AND pauses < $11::integer AS begins,
        CASE WHEN due AND pauses < $11::integer THEN greatest(now + least($7::interval * 2 ^ pauses, $8::interval), pushed) ELSE paused_until END AS until
    FROM d)
UPDATE tabfarm_internal.host h SET reason = $2, failures = h.failures + CASE WHEN n.resting THEN 0 ELSE 1 END,
    pauses = CASE WHEN n.begins THEN n.pauses + 1 WHEN n.resting OR n.due THEN n.pauses ELSE 0 END, paused_until = n.until,
    pushes = CASE WHEN $3 AND n.pushed_until <= n.now THEN least(n.pushes + 1, 1000) ELSE n.pushes END, pushed_until = n.pushed,
    next_start = CASE WHEN n.begins THEN greatest(n.next_start, n.until)
                      WHEN n.pauses > 0 AND NOT n.resting AND NOT n.due THEN greatest(n.pushed, n.now + n.min_delay) -- no probe any more
                      WHEN $3 OR $4 > interval '0' THEN greatest(n.next_start, n.pushed)
                      ELSE n.next_start END
FROM n WHERE h.host = n.host
RETURNING CASE WHEN $3 OR $4 > interval '0' THEN greatest(n.pushed - n.now, interval '0') ELSE interval '0' END, greatest(n.until - n.now, interval '0'), n.begins, n.due AND NOT n.begins`,
			v.Host, clean(t.Reason), t.Busy, t.After, firstPush, longestPush, firstPause, longestPause, enough, spare, maxPauses).
			Scan(&p.Push, &p.Paused, &p.Begins, &p.GiveUp)
	})
	if err != nil || !p.Begins {
		return p, err
	}
	err = v.w.s.pool.QueryRow(ctx, `SELECT count(*) FROM tabfarm_internal.run_host rh
JOIN tabfarm_internal.run r ON r.id = rh.run_id AND r.state = 'running'
JOIN tabfarm_internal.page p ON p.run_id = rh.run_id AND p.host = rh.host AND p.state = 0 WHERE rh.host = $1`, v.Host).Scan(&p.Waiting)
	return p, translate("count waiting pages", err)
}

// Answered notes that the host answers: its failures are over, and the pages that
// wait behind a probe may come. A time that it asked to be left alone for holds on.
func (v *Visit) Answered(ctx context.Context) error {
	_, err := v.w.s.pool.Exec(ctx, `UPDATE tabfarm_internal.host SET failures = 0, reason = NULL, pauses = 0, paused_until = 'epoch',
    pushes = CASE WHEN pushed_until > clock_timestamp() THEN pushes ELSE 0 END,
    next_start = CASE WHEN pauses > 0 THEN greatest(pushed_until, least(next_start, clock_timestamp() + min_delay)) ELSE next_start END
WHERE host = $1 AND failures > 0 AND paused_until <= clock_timestamp()`, v.Host)
	return translate("note the host's answer", err)
}

// givenUp is how many pages are given up in one transaction.
const givenUp = 10000

// GiveUp ends the pages of running runs that wait for the host, and forgets its
// trouble: pages that come later are tried. It says how many they are, by run.
func (v *Visit) GiveUp(ctx context.Context, outcome, message string) (map[int64]int, error) {
	runs, err := v.running(ctx)
	if err != nil {
		return nil, err
	}
	ended := map[int64]int{}
	for _, run := range runs {
		for n := givenUp; n == givenUp; ended[run] += n {
			err := v.w.s.transact(ctx, "give pages up", func(tx pgx.Tx) error {
				if _, err := tx.Exec(ctx, "SELECT FROM tabfarm_internal.run WHERE id = $1 FOR SHARE", run); err != nil {
					return err
				}
				tag, err := tx.Exec(ctx, `WITH p AS MATERIALIZED (
    SELECT id FROM tabfarm_internal.page WHERE run_id = $1 AND host = $2 AND state = 0
      AND EXISTS (SELECT FROM tabfarm_internal.run WHERE id = $1 AND state = 'running')
    ORDER BY priority, id LIMIT $3 FOR UPDATE SKIP LOCKED)
UPDATE tabfarm_internal.page SET state = 2, ok = false, outcome = $4, message = $5, finished_at = clock_timestamp()
FROM p WHERE page.id = p.id`, run, v.Host, givenUp, clean(outcome), clean(message))
				n = int(tag.RowsAffected())
				return err
			})
			if err != nil {
				return ended, err
			}
		}
	}
	return ended, v.Answered(ctx)
}

// running are the running runs that have pages on the host.
func (v *Visit) running(ctx context.Context) ([]int64, error) {
	rows, err := v.w.s.pool.Query(ctx, `SELECT r.id FROM tabfarm_internal.run r JOIN tabfarm_internal.run_host rh ON rh.run_id = r.id
WHERE rh.host = $1 AND r.state = 'running' ORDER BY r.id`, v.Host)
	if err != nil {
		return nil, translate("find runs of the host", err)
	}
	runs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return runs, translate("find runs of the host", err)
}

// TryHosts ends the pauses of the hosts of a run, for somebody who begins or goes
// on with it by hand: one page of each is tried at once. The jobs that wait for the
// end of the pause are replaced, except where pages are in hand.
func (s *Store) TryHosts(ctx context.Context, run int64) error {
	return s.transact(ctx, "end pauses", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `WITH h AS MATERIALIZED (
    SELECT host FROM tabfarm_internal.host WHERE pauses > 0 AND host IN (SELECT host FROM tabfarm_internal.run_host WHERE run_id = $1)
    ORDER BY host FOR NO KEY UPDATE)
UPDATE tabfarm_internal.host SET paused_until = 'epoch', next_start = greatest(pushed_until, clock_timestamp())
FROM h WHERE host.host = h.host RETURNING host.host`, run)
		if err != nil {
			return err
		}
		hosts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil || len(hosts) == 0 {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT FROM tabfarm_internal.slot WHERE host = ANY ($1) ORDER BY host, slot FOR NO KEY UPDATE", hosts); err != nil {
			return err
		}
		rows, err = tx.Query(ctx, `UPDATE tabfarm_internal.slot s SET epoch = epoch + 1, worker = NULL
WHERE host = ANY ($1) AND queued AND NOT EXISTS (
    SELECT FROM tabfarm_internal.page p WHERE p.host = s.host AND p.slot = s.slot AND p.state = 1)
RETURNING s.host, s.slot, s.epoch`, hosts)
		if err != nil {
			return err
		}
		places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place])
		if err != nil {
			return err
		}
		return s.insertVisits(ctx, tx, places, ordinal)
	})
}
