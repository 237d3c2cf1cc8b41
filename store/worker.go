package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// workerTimes are the periods by which workers live. Tests shorten them.
type workerTimes struct {
	beat  time.Duration // between two heartbeats, and two looks for dead workers
	stale time.Duration // a heartbeat older than this is that of a stopped process
	sweep time.Duration // between two repairs of what no wake-up reached
}

var defaultTimes = workerTimes{beat: 2 * time.Second, stale: 15 * time.Second, sweep: time.Minute}

// lockClass is the first half of the advisory locks of workers ("tabf"); the
// second half is the worker's id.
const lockClass = 0x74616266

// lockSettings let the server notice within 15 s that the machine of a worker is
// gone: a machine without power closes no connection.
const lockSettings = `;
SET statement_timeout TO '10s';
SET tcp_keepalives_idle TO 5;
SET tcp_keepalives_interval TO 2;
SET tcp_keepalives_count TO 3;
SET tcp_user_timeout TO 10000;
SET application_name TO 'tabfarm worker'`

// Worker is a living process that may hold slots. It lives as long as the
// session lock on a connection of its own does.
type Worker struct {
	s    *Store
	id   int32
	conn *pgx.Conn     // of the goroutine live until it has ended
	stop func()        // ends live and reap
	lost chan struct{} // closed by live
	done sync.WaitGroup

	mu      sync.Mutex // guards what follows
	avoided map[int64]time.Time
}

// avoid leaves the pages of a run to other workers for a time.
func (w *Worker) avoid(run int64, d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.avoided == nil {
		w.avoided = map[int64]time.Time{}
	}
	w.avoided[run] = time.Now().Add(d)
}

// avoids says whether the pages of a run are left to others.
func (w *Worker) avoids(run int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	until, ok := w.avoided[run]
	if ok && time.Now().After(until) {
		delete(w.avoided, run)
		return false
	}
	return ok
}

// Register makes this process a worker and takes over from dead ones. name is for
// people, such as host/pid. Errors: ErrPooler, ErrUnreachable, ErrNotMigrated.
func (s *Store) Register(ctx context.Context, name string) (*Worker, error) {
	if err := s.direct(); err != nil {
		return nil, err
	}
	conf := s.pool.Config().ConnConfig
	conf.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, settings+lockSettings).ReadAll()
		return err
	}
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 5 * time.Second, Interval: 2 * time.Second, Count: 3}}
	conf.DialFunc = dialer.DialContext
	conn, err := pgx.ConnectConfig(ctx, conf)
	if err != nil {
		return nil, translate("register worker", err)
	}
	w := &Worker{s: s, conn: conn, lost: make(chan struct{})}
	if err := w.register(ctx, name); err != nil {
		_ = conn.Close(ctx) // the error above says more
		return nil, s.lookError("register worker", err)
	}
	if clock, err := s.checkClock(ctx); err == nil && clock.State == CheckWarn {
		s.cfg.Log.Warn(clock.Text+": waits of hosts will be wrong by that", "fix", clock.Fix)
	}
	if err := s.reap(ctx, w.id); err != nil {
		_ = conn.Close(ctx) // frees the lock; others reap what was registered
		return nil, err
	}
	live, stop := context.WithCancel(context.WithoutCancel(ctx))
	w.stop = stop
	w.done.Go(func() { w.live(live) })
	w.done.Go(func() { w.reaping(live) })
	return w, nil
}

// register takes the id, then its lock, then writes the row: never a row without its lock.
func (w *Worker) register(ctx context.Context, name string) error {
	if err := w.conn.QueryRow(ctx, "SELECT nextval('tabfarm_internal.worker_id')::integer").Scan(&w.id); err != nil {
		return err
	}
	if _, err := w.conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", lockClass, w.id); err != nil {
		return err
	}
	_, err := w.conn.Exec(ctx, "INSERT INTO tabfarm_internal.worker (id, name, heartbeat) VALUES ($1, $2, clock_timestamp())", w.id, clean(name))
	return err
}

// Lost is closed when the worker no longer counts as alive: its lock's
// connection broke, or others reaped it while the process stood still. Its
// visits are to be cancelled; a new Register goes on.
func (w *Worker) Lost() <-chan struct{} { return w.lost }

// live renews the heartbeat and waits on the lock's connection in between, so
// that its end is noticed at once. Where nothing comes back any more the worker
// is lost before others take over from it: it stops by itself.
func (w *Worker) live(ctx context.Context) {
	for {
		wait, cancel := context.WithTimeout(ctx, w.s.times.beat)
		_, err := w.conn.WaitForNotification(wait) // nothing is listened to; a timeout leaves the connection whole
		cancel()
		if err == nil || pgconn.Timeout(err) {
			err = w.beat(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			w.s.cfg.Log.Info("worker lost", "worker", w.id, "error", err)
			close(w.lost)
			return
		}
	}
}

// beat renews the heartbeat. Error: ErrWorkerLost when others have taken over.
func (w *Worker) beat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, w.s.times.stale/2)
	defer cancel()
	tag, err := w.conn.Exec(ctx, "UPDATE tabfarm_internal.worker SET heartbeat = clock_timestamp() WHERE id = $1", w.id)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrWorkerLost
	}
	return err
}

// reaping looks for dead workers and for what no wake-up reached.
func (w *Worker) reaping(ctx context.Context) {
	beat, sweep := time.NewTicker(w.s.times.beat), time.NewTicker(w.s.times.sweep)
	defer beat.Stop()
	defer sweep.Stop()
	if err := w.s.sweep(ctx); err != nil && ctx.Err() == nil {
		w.s.cfg.Log.Warn("the queue was not looked through", "error", err)
	}
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-w.lost:
			return
		case <-beat.C:
			err = w.s.reap(ctx, w.id)
		case <-sweep.C:
			err = w.s.sweep(ctx)
		}
		if err != nil && ctx.Err() == nil {
			w.s.cfg.Log.Warn("dead workers were not looked for", "error", err)
		}
	}
}

// Close gives back what the worker's visits still hold, the tries not counted,
// and ends the worker. It is called once, also when the worker is lost.
func (w *Worker) Close(ctx context.Context) error {
	w.stop()
	w.done.Wait()
	err := w.s.transact(ctx, "end worker", func(tx pgx.Tx) error {
		return w.s.retire(ctx, tx, w.id, 1)
	})
	_ = w.conn.Close(ctx) // the lock ends with the connection, however that ends
	return err
}

// reap retires dead workers: those whose lock is free, and those who have not
// renewed their heartbeat although they hold it.
func (s *Store) reap(ctx context.Context, self int32) error {
	rows, err := s.pool.Query(ctx, "SELECT id FROM tabfarm_internal.worker WHERE id <> $1 ORDER BY id", self)
	if err != nil {
		return translate("look for dead workers", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return translate("look for dead workers", err)
	}
	took := false
	for _, id := range ids {
		err := s.transact(ctx, "take over from worker", func(tx pgx.Tx) error {
			var dead bool
			err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1, id) OR heartbeat < clock_timestamp() - $3::interval
FROM tabfarm_internal.worker WHERE id = $2 FOR UPDATE SKIP LOCKED`, lockClass, id, s.times.stale).Scan(&dead)
			if errors.Is(err, pgx.ErrNoRows) || err == nil && !dead {
				return nil
			}
			if err != nil {
				return err
			}
			s.cfg.Log.Info("taking over from a dead worker", "worker", id)
			took = true
			return s.retire(ctx, tx, id, 0)
		})
		if err != nil {
			return fmt.Errorf("worker %d: %w", id, err)
		}
	}
	if !took {
		return nil
	}
	// Jobs that it had got and not begun are still in its hands.
	return s.transact(ctx, "repair the queue", func(tx pgx.Tx) error { return s.repairJobs(ctx, tx) })
}

// retire takes all slots from a worker and deletes it. uncount is what is taken
// off the tries of its pages. The turns rise first, so that nothing the worker
// may still do has an effect; its leased pages then go back.
func (s *Store) retire(ctx context.Context, tx pgx.Tx, id int32, uncount int) error {
	if _, err := tx.Exec(ctx, "SELECT FROM tabfarm_internal.worker WHERE id = $1 FOR UPDATE", id); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, "SELECT DISTINCT host FROM tabfarm_internal.slot WHERE worker = $1 ORDER BY host", id)
	if err != nil {
		return err
	}
	hosts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if err := s.wakeAt(ctx, tx, hosts, reaped); err != nil {
		return err
	}
	// A job of the old epoch may be in the dead worker's hands for ever; one of
	// the new epoch takes its place.
	rows, err = tx.Query(ctx, "UPDATE tabfarm_internal.slot SET epoch = epoch + 1, turn = turn + 1, worker = NULL WHERE worker = $1 RETURNING host, slot, epoch, turn", id)
	if err != nil {
		return err
	}
	var places []place
	var turns []int64
	var p place
	var turn int64
	if _, err := pgx.ForEachRow(rows, []any{&p.Host, &p.Slot, &p.Epoch, &turn}, func() error {
		places, turns = append(places, p), append(turns, turn)
		return nil
	}); err != nil {
		return err
	}
	for i, p := range places {
		if err := takeBack(ctx, tx, p.Host, p.Slot, turns[i], uncount); err != nil {
			return err
		}
	}
	if err := s.insertVisits(ctx, tx, places, reaped); err != nil {
		return err
	}
	if err := s.planAgain(ctx, tx, "r.planner = $1", id); err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "DELETE FROM tabfarm_internal.worker WHERE id = $1", id)
	return err
}

// planAgain gives the plans of some runs r to new jobs, which fence the old ones.
func (s *Store) planAgain(ctx context.Context, tx pgx.Tx, where string, args ...any) error {
	rows, err := tx.Query(ctx, "UPDATE tabfarm_internal.run r SET plan_epoch = plan_epoch + 1, planner = NULL WHERE "+where+" RETURNING id, plan_epoch", args...)
	if err != nil {
		return err
	}
	plans, err := pgx.CollectRows(rows, pgx.RowToStructByPos[planArgs])
	if err != nil {
		return err
	}
	for _, a := range plans {
		if err := s.insertPlan(ctx, tx, a); err != nil {
			return err
		}
	}
	return nil
}

// takeBack makes pages pending that are leased under a turn of a slot before the
// given one. Those of a run that was closed meanwhile are cancelled instead: the
// run is locked first, so that it cannot be closed in between.
func takeBack(ctx context.Context, tx pgx.Tx, host string, slot int16, before int64, uncount int) error {
	const leased = "p.host = $1 AND p.slot = $2 AND p.state = 1 AND p.turn < $3"
	_, err := tx.Exec(ctx, `SELECT FROM tabfarm_internal.run WHERE id IN
    (SELECT p.run_id FROM tabfarm_internal.page p WHERE `+leased+`) ORDER BY id FOR SHARE`, host, slot, before)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, "UPDATE tabfarm_internal.page p SET "+backColumns+`, attempt = greatest(attempt - $4, 0)
FROM tabfarm_internal.run r WHERE r.id = p.run_id AND `+leased, host, slot, before, uncount)
	return err
}

// backColumns put a page p of run r back: pending, or cancelled with its run.
const backColumns = `state = CASE WHEN r.state IN ` + openStates + ` THEN 0 ELSE 2 END,
    ok = CASE WHEN r.state IN ` + openStates + ` THEN NULL ELSE false END,
    outcome = CASE WHEN r.state IN ` + openStates + ` THEN NULL ELSE 'cancelled' END,
    finished_at = CASE WHEN r.state IN ` + openStates + ` THEN NULL ELSE clock_timestamp() END,
    slot = NULL, turn = NULL`

// sweep repairs what should not happen, and what people do to the queue by hand:
// pending pages of running runs on hosts none of whose slots is queued, slots and
// plans whose job is gone, runs that nobody ended.
func (s *Store) sweep(ctx context.Context) error {
	rows, err := s.pool.Query(ctx, `SELECT DISTINCT rh.host FROM tabfarm_internal.run_host rh
JOIN tabfarm_internal.run r ON r.id = rh.run_id AND r.state = 'running'
WHERE NOT EXISTS (SELECT FROM tabfarm_internal.slot s JOIN tabfarm_internal.host h USING (host)
                  WHERE s.host = rh.host AND s.queued AND s.slot < h.concurrency)
  AND EXISTS (SELECT FROM tabfarm_internal.page p WHERE p.run_id = rh.run_id AND p.host = rh.host AND p.state = 0)
ORDER BY rh.host`)
	if err != nil {
		return translate("look for forgotten pages", err)
	}
	hosts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return translate("look for forgotten pages", err)
	}
	if len(hosts) > 0 {
		s.cfg.Log.Info("pending pages had no slot queued", "hosts", len(hosts))
		if err := s.transact(ctx, "queue forgotten pages", func(tx pgx.Tx) error { return s.wake(ctx, tx, hosts) }); err != nil {
			return err
		}
	}
	return s.transact(ctx, "repair the queue", func(tx pgx.Tx) error { return s.repairJobs(ctx, tx) })
}

// repairJobs makes jobs anew that are gone although somebody counts on them. One
// in the hands of a worker that is no more is gone too: River would rescue a visit
// after minutes, and a plan never.
func (s *Store) repairJobs(ctx context.Context, tx pgx.Tx) error {
	const gone = `NOT EXISTS (SELECT FROM tabfarm_internal.river_job j
    WHERE (j.state IN ('available', 'pending', 'retryable', 'scheduled') OR j.state = 'running'
           AND j.attempted_by[cardinality(j.attempted_by)] IN (SELECT '` + clientName + `' || w.id FROM tabfarm_internal.worker w)) AND j.kind = `
	rows, err := tx.Query(ctx, `SELECT DISTINCT s.host FROM tabfarm_internal.slot s WHERE s.queued AND `+gone+`'visit'
    AND j.args = jsonb_build_object('host', s.host, 'slot', s.slot, 'epoch', s.epoch)) ORDER BY s.host`)
	if err != nil {
		return err
	}
	hosts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, "SELECT FROM tabfarm_internal.slot WHERE host = ANY ($1) ORDER BY host, slot FOR NO KEY UPDATE", hosts); err != nil {
		return err
	}
	rows, err = tx.Query(ctx, `UPDATE tabfarm_internal.slot s SET epoch = epoch + 1, turn = turn + 1, worker = NULL
WHERE s.host = ANY ($1) AND s.queued AND `+gone+`'visit'
    AND j.args = jsonb_build_object('host', s.host, 'slot', s.slot, 'epoch', s.epoch)) RETURNING host, slot, epoch`, hosts)
	if err != nil {
		return err
	}
	places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place])
	if err != nil {
		return err
	}
	if len(places) > 0 {
		s.cfg.Log.Info("queued slots had no job", "slots", len(places))
	}
	if err := s.insertVisits(ctx, tx, places, ordinal); err != nil {
		return err
	}
	err = s.planAgain(ctx, tx, "r.state = 'running' AND NOT r.planned AND "+gone+`'plan'
    AND j.args = jsonb_build_object('run', r.id, 'epoch', r.plan_epoch))`)
	if err != nil {
		return err
	}
	return s.finishRuns(ctx, tx, "true")
}
