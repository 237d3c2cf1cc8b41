package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// Visit is a worker's turn at one slot of one host, for pages of any run. Its
// methods may be called from several goroutines. ErrFenced from any of them says
// that the slot has gone to another; nothing was changed then.
type Visit struct {
	Host string
	Slot int
	w    *Worker
	turn int64

	epoch   int64       // of its job
	surplus bool        // its slot is beyond the host's concurrency, which was lowered
	room    func()      // gives back the room that the visit was given; nil where none was
	claimed atomic.Bool // a page was
}

// Page is a page in the hands of a visit.
type Page struct {
	ID, RunID                int64
	Kind, Host, URL, Address string
	Vars                     map[string]string
	Attempt                  int // 1 for the first
	Pushed                   int // times before that its host asked to be left alone, which are no tries
}

// openVisit begins the visit of a job. It is nil when the job is of an older epoch.
func (w *Worker) openVisit(ctx context.Context, at place) (*Visit, error) {
	v := &Visit{Host: at.Host, Slot: int(at.Slot), w: w, epoch: at.Epoch}
	err := w.s.transact(ctx, "open visit", func(tx pgx.Tx) error { return v.begin(ctx, tx) })
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil, nil
	case hasCodeOf(err, codeForeignKey):
		return nil, ErrWorkerLost // its row is gone
	}
	return v, err
}

// begin takes the slot under a new turn, and back what a dead visit left there.
func (v *Visit) begin(ctx context.Context, tx pgx.Tx) error {
	err := tx.QueryRow(ctx, `UPDATE tabfarm_internal.slot SET turn = turn + 1, worker = $4, taken_at = clock_timestamp()
WHERE host = $1 AND slot = $2 AND epoch = $3 AND queued RETURNING turn`, v.Host, v.Slot, v.epoch, v.w.id).Scan(&v.turn)
	if err != nil {
		return err
	}
	// A later statement: who lowers the concurrency holds the slots until it is lowered.
	if err := tx.QueryRow(ctx, "SELECT concurrency <= $2 FROM tabfarm_internal.host WHERE host = $1", v.Host, v.Slot).Scan(&v.surplus); err != nil {
		return err
	}
	return takeBack(ctx, tx, v.Host, int16(v.Slot), v.turn, 0)
}

// hasCodeOf is hasCode for an error that translate has been at.
func hasCodeOf(err error, code string) bool {
	var e *StatementError
	return errors.As(err, &e) && e.Code == code
}

// Claim leases up to n due pages under this visit's turn. Of several runs that of
// higher priority is first, among equals the one that was not claimed from for
// longest; of its pages those of higher priority, then the older ones. Each claim
// counts as a try. No page and no error: nothing is due here now, or the host's
// turn is far off.
func (v *Visit) Claim(ctx context.Context, n int) ([]Page, error) {
	runs, err := v.runs(ctx)
	if err != nil {
		return nil, err
	}
	runs = slices.DeleteFunc(runs, v.w.avoids)
	var pages []Page
	for _, run := range runs {
		if len(pages) == n {
			break
		}
		more, err := v.claim(ctx, run, n-len(pages))
		if err != nil {
			return pages, err
		}
		pages = append(pages, more...)
		if len(more) > 0 && len(runs) > 1 {
			if err := v.claimedFrom(ctx, run); err != nil {
				return pages, err
			}
		}
	}
	if len(pages) == 0 {
		return nil, v.mine(ctx)
	}
	v.claimed.Store(true)
	return pages, nil
}

// claimedFrom sends a run behind those that it shares the host with. Not in the
// claim's transaction: SetPace locks this row before the slots.
func (v *Visit) claimedFrom(ctx context.Context, run int64) error {
	_, err := v.w.s.pool.Exec(ctx, "UPDATE tabfarm_internal.run_host SET claimed_at = clock_timestamp() WHERE run_id = $1 AND host = $2", run, v.Host)
	return translate("claim pages", err)
}

// Patience is how long a visit waits for its host's turn; where that is farther
// off, nothing is claimed, and the visit ends and comes again.
const Patience = 10 * time.Second

// LeaveRoom gives back the room of Jobs.Room: the visit claims nothing more.
func (v *Visit) LeaveRoom() {
	if v.room != nil {
		v.room()
	}
}

// Avoid leaves the pages of a run to other workers for a time.
func (v *Visit) Avoid(run int64, d time.Duration) { v.w.avoid(run, d) }

// runs are the runs that the visit claims pages of, in their order.
func (v *Visit) runs(ctx context.Context) ([]int64, error) {
	rows, err := v.w.s.pool.Query(ctx, `SELECT r.id FROM tabfarm_internal.run r JOIN tabfarm_internal.run_host rh ON rh.run_id = r.id
JOIN tabfarm_internal.host h ON h.host = rh.host
WHERE rh.host = $1 AND r.state = 'running' AND NOT h.paused AND h.next_start <= clock_timestamp() + $2::interval
ORDER BY r.priority DESC, rh.claimed_at, r.id`, v.Host, Patience)
	if err != nil {
		return nil, translate("claim pages", err)
	}
	runs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return runs, translate("claim pages", err)
}

// claim leases pages of one run. FOR SHARE on the slot's row: whoever takes the
// slot away waits, and then sees the leases.
func (v *Visit) claim(ctx context.Context, run int64, n int) (pages []Page, err error) {
	err = v.w.s.transact(ctx, "claim pages", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `WITH f AS MATERIALIZED (
    SELECT FROM tabfarm_internal.slot WHERE host = $1 AND slot = $2 AND turn = $3 FOR SHARE),
p AS MATERIALIZED (
    SELECT id FROM tabfarm_internal.page
    WHERE run_id = $4 AND host = $1 AND state = 0 AND not_before <= clock_timestamp() AND EXISTS (SELECT FROM f)
      AND EXISTS (SELECT FROM tabfarm_internal.run WHERE id = $4 AND state = 'running')
    ORDER BY priority, id LIMIT $5 FOR UPDATE SKIP LOCKED)
UPDATE tabfarm_internal.page SET state = 1, attempt = attempt + 1, slot = $2, turn = $3, started_at = clock_timestamp()
FROM p WHERE page.id = p.id
RETURNING page.id, run_id, kind, host, url, address, vars, attempt, pushed, priority`, v.Host, v.Slot, v.turn, run, n)
		if err != nil {
			return err
		}
		type claimed struct {
			page     Page
			priority int
		}
		got, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c claimed, err error) {
			var vars []byte
			p := &c.page
			if err := row.Scan(&p.ID, &p.RunID, &p.Kind, &p.Host, &p.URL, &p.Address, &vars, &p.Attempt, &p.Pushed, &c.priority); err != nil {
				return c, err
			}
			return c, json.Unmarshal(vars, &p.Vars)
		})
		if err != nil {
			return err
		}
		slices.SortFunc(got, func(a, b claimed) int { // RETURNING keeps no order
			return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.page.ID, b.page.ID))
		})
		pages = pages[:0]
		for _, c := range got {
			pages = append(pages, c.page)
		}
		return nil
	})
	return pages, err
}

// mine is ErrFenced unless the visit still has its turn.
func (v *Visit) mine(ctx context.Context) error {
	var there bool
	err := v.w.s.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM tabfarm_internal.slot WHERE host = $1 AND slot = $2 AND turn = $3)", v.Host, v.Slot, v.turn).Scan(&there)
	if err == nil && !there {
		return ErrFenced
	}
	return translate("look at the slot", err)
}

// TakeTurn reserves the next start of a page on the host if it is due: 0. Else it
// reserves nothing and says how long it is until then; another may be first. On a
// host that was paused the page is a probe, and keeps others off until it is known
// how it went.
func (v *Visit) TakeTurn(ctx context.Context) (wait time.Duration, err error) {
	var taken, mine bool
	// A host without a pace has nothing to reserve, so nothing is written.
	err = v.w.s.pool.QueryRow(ctx, `WITH mine AS MATERIALIZED (
    SELECT FROM tabfarm_internal.slot WHERE host = $1 AND slot = $2 AND turn = $3),
due AS MATERIALIZED (
    SELECT min_delay = interval '0' AND pauses = 0 AS free FROM tabfarm_internal.host
    WHERE host = $1 AND next_start <= clock_timestamp() AND NOT paused AND EXISTS (SELECT FROM mine)),
taken AS (
    UPDATE tabfarm_internal.host SET next_start = greatest(next_start, clock_timestamp()) +
        CASE WHEN pauses > 0 THEN greatest(min_delay, $4::interval) ELSE min_delay END
    WHERE host = $1 AND next_start <= clock_timestamp() AND NOT paused AND EXISTS (SELECT FROM due WHERE NOT free)
    RETURNING 1)
SELECT EXISTS (SELECT FROM taken) OR EXISTS (SELECT FROM due WHERE free), EXISTS (SELECT FROM mine)`,
		v.Host, v.Slot, v.turn, probing).Scan(&taken, &mine)
	switch {
	case err != nil:
		return 0, translate("take the host's turn", err)
	case taken:
		return 0, nil
	case !mine:
		return 0, ErrFenced
	}
	// A later statement: the first one may have waited for another's reservation,
	// which its snapshot does not show.
	err = v.w.s.pool.QueryRow(ctx, `SELECT CASE WHEN paused THEN greatest(next_start - clock_timestamp(), interval '5 s') ELSE next_start - clock_timestamp() END
FROM tabfarm_internal.host WHERE host = $1`, v.Host).Scan(&wait)
	return max(wait, time.Millisecond), translate("take the host's turn", err)
}

// GiveBack makes leased pages pending again as if they had not been claimed.
func (v *Visit) GiveBack(ctx context.Context, ids ...int64) error {
	return v.back(ctx, "give pages back", ids, backing{uncount: 1})
}

// Retry makes a leased page pending again, due after a time. Its try counts;
// outcome and message tell how it went.
func (v *Visit) Retry(ctx context.Context, id int64, after time.Duration, outcome, message string) error {
	words := clean(outcome + ": " + message)
	return v.back(ctx, "put page back", []int64{id}, backing{after: after, message: &words})
}

// Wait is Retry for a try that does not count, because it was the host's fault.
// pushed says that the host asked to be left alone; the page keeps count of these.
func (v *Visit) Wait(ctx context.Context, id int64, after time.Duration, pushed bool, outcome, message string) error {
	words := clean(outcome + ": " + message)
	b := backing{uncount: 1, after: after, message: &words}
	if pushed {
		b.pushed = 1
	}
	return v.back(ctx, "put page back", []int64{id}, b)
}

// backing is how pages are put back.
type backing struct {
	uncount, pushed int // taken off the tries; added to the pushes
	after           time.Duration
	message         *string // nil keeps the last one
}

func (v *Visit) back(ctx context.Context, verb string, ids []int64, b backing) error {
	if len(ids) == 0 {
		return nil
	}
	return v.w.s.transact(ctx, verb, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT FROM tabfarm_internal.run WHERE id IN
    (SELECT run_id FROM tabfarm_internal.page WHERE id = ANY ($1)) ORDER BY id FOR SHARE`, ids); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE tabfarm_internal.page p SET "+backColumns+`, attempt = greatest(attempt - $5, 0), pushed = pushed + $8,
    not_before = clock_timestamp() + $6::interval, message = coalesce($7, message)
FROM tabfarm_internal.run r WHERE r.id = p.run_id AND p.id = ANY ($1)
  AND p.state = 1 AND p.host = $2 AND p.slot = $3 AND p.turn = $4`, ids, v.Host, v.Slot, v.turn, b.uncount, b.after, b.message, b.pushed)
		if err != nil {
			return err
		}
		if tag.RowsAffected() != int64(len(ids)) {
			return ErrFenced
		}
		return nil
	})
}

const (
	// crowded is when a visit comes again that found nothing to do although pages
	// are due: they are in other hands, or not for this worker.
	crowded = 500 * time.Millisecond
	// early is how long before its time a visit comes again that waits for long:
	// River is up to 5 s late then, and the visit itself waits for the moment.
	early = 5 * time.Second
)

// leave gives back what is leased, the tries not counted. Where no page of a
// running run waits on the host, or the slot is beyond the host's concurrency, it
// frees the slot, and complete ends the job in the same transaction. Else more is
// true, and the job is to come again after wait. A visit that was fenced has
// nothing to end.
func (v *Visit) leave(ctx context.Context, complete func(context.Context, pgx.Tx) error) (wait time.Duration, more bool, err error) {
	s := v.w.s
	err = s.transact(ctx, "end visit", func(tx pgx.Tx) error {
		more = false
		// Lock first, look in a later statement: pages that a waker inserts
		// meanwhile are either seen, or their waker finds the slot unqueued. All
		// slots of the host, in the order of wakers, because all may be queued below.
		if _, err := tx.Exec(ctx, "SELECT FROM tabfarm_internal.slot WHERE host = $1 ORDER BY slot FOR NO KEY UPDATE", v.Host); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, "UPDATE tabfarm_internal.slot SET turn = turn + 1 WHERE host = $1 AND slot = $2 AND turn = $3", v.Host, v.Slot, v.turn)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return v.part(ctx, tx)
		}
		if err := takeBack(ctx, tx, v.Host, int16(v.Slot), v.turn+1, 1); err != nil {
			return err
		}
		// Also where others wait: they may be of other runs.
		if err := s.finishRuns(ctx, tx, "r.id IN (SELECT run_id FROM tabfarm_internal.run_host WHERE host = $1)", v.Host); err != nil {
			return err
		}
		var pages, mine bool
		if wait, pages, mine, err = v.look(ctx, tx); err != nil {
			return err
		}
		more = pages && mine
		if !more {
			if _, err := tx.Exec(ctx, "UPDATE tabfarm_internal.slot SET queued = false, worker = NULL WHERE host = $1 AND slot = $2", v.Host, v.Slot); err != nil {
				return err
			}
		}
		if pages {
			// All slots of the host: pages that this visit put back are for any of
			// them, and this one may be beyond a lowered concurrency.
			if err := s.wake(ctx, tx, []string{v.Host}); err != nil {
				return err
			}
		}
		if more {
			return nil
		}
		return complete(ctx, tx)
	})
	if !v.claimed.Load() {
		wait = max(wait, crowded)
	}
	return wait, more, err
}

// part is the end of a fenced visit whose slot has no newer job: two work at this
// one, because River took it for stuck. It knows jobs by their number alone, and
// ends this one for both. So the slot gets another, which fences the newer turn too.
func (v *Visit) part(ctx context.Context, tx pgx.Tx) error {
	p := place{Host: v.Host, Slot: int16(v.Slot)}
	err := tx.QueryRow(ctx, `UPDATE tabfarm_internal.slot SET epoch = epoch + 1, turn = turn + 1, worker = NULL
WHERE host = $1 AND slot = $2 AND epoch = $3 AND queued RETURNING epoch`, v.Host, v.Slot, v.epoch).Scan(&p.Epoch)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	return v.w.s.insertVisits(ctx, tx, []place{p}, ordinal)
}

// look says whether a page of a running run waits on the host, how long the next
// one has to, and whether the slot is within the host's concurrency.
func (v *Visit) look(ctx context.Context, tx pgx.Tx) (wait time.Duration, pages, mine bool, err error) {
	const waiting = `FROM tabfarm_internal.run r JOIN tabfarm_internal.run_host rh ON rh.run_id = r.id
    CROSS JOIN LATERAL (SELECT p.not_before FROM tabfarm_internal.page p WHERE p.run_id = r.id AND p.host = $1 AND p.state = 0 `
	var page, host *time.Duration
	err = tx.QueryRow(ctx, `SELECT CASE WHEN EXISTS (SELECT `+waiting+`AND p.not_before <= clock_timestamp() LIMIT 1) p WHERE rh.host = $1 AND r.state = 'running') THEN interval '0'
    ELSE (SELECT min(p.not_before) - clock_timestamp() `+waiting+`ORDER BY p.not_before LIMIT 1) p WHERE rh.host = $1 AND r.state = 'running') END,
    (SELECT next_start - clock_timestamp() FROM tabfarm_internal.host WHERE host = $1 AND NOT paused),
    (SELECT concurrency > $2 FROM tabfarm_internal.host WHERE host = $1)`,
		v.Host, v.Slot).Scan(&page, &host, &mine)
	if err != nil || page == nil || host == nil {
		return 0, false, mine, err
	}
	wait = max(*page, *host, 0)
	if wait > early {
		wait -= early
	}
	return wait, true, mine, nil
}
