package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
)

// SetTimes shortens or stretches the periods by which workers live.
func (s *Store) SetTimes(beat, stale, sweep time.Duration) {
	s.times = workerTimes{beat: beat, stale: stale, sweep: sweep}
}

// SetChunk makes the chunks of planning smaller.
func (s *Store) SetChunk(pages int) { s.chunk = pages }

// ID is the worker's id.
func (w *Worker) ID() int32 { return w.id }

// CleanJSON is cleanJSON.
func CleanJSON(doc string) string { return cleanJSON(doc) }

// SharesBackends says what Open found out about a pooler.
func (s *Store) SharesBackends() bool { return s.pooler }

// SeesTable says whether a look at a result table within a transaction finds it.
func (s *Store) SeesTable(ctx context.Context, tx pgx.Tx, name string) (bool, error) {
	t, err := s.loadTable(ctx, tx, name)
	return t != nil, err
}

// NothingError says that no slot can be handed out now.
type NothingError struct {
	Next   time.Time // when to look again; zero when no page is pending
	Leased bool      // pages are in the hands of visits and may come back
}

func (e *NothingError) Error() string {
	return fmt.Sprintf("no visit before %s, leased: %t", e.Next, e.Leased)
}

// OpenVisit begins a visit as its job would, at a host that has a due page of the
// run (0: any), without the queue; a stopped run goes on. Slots in hand are those that have a worker:
// Close says that the job is known to wait.
func (w *Worker) OpenVisit(ctx context.Context, run int64) (*Visit, error) {
	for {
		var p place
		err := w.s.pool.QueryRow(ctx, `SELECT s.host, s.slot, s.epoch FROM tabfarm_internal.slot s JOIN tabfarm_internal.host h USING (host)
WHERE s.queued AND s.worker IS NULL AND s.slot < h.concurrency AND NOT h.paused
  AND h.next_start <= clock_timestamp() + greatest(h.min_delay, interval '1 s')
  AND EXISTS (SELECT FROM tabfarm_internal.page p JOIN tabfarm_internal.run r ON r.id = p.run_id AND r.state = 'running'
              WHERE p.host = s.host AND p.state = 0 AND p.not_before <= clock_timestamp() AND $1::bigint IN (0, p.run_id))
ORDER BY s.taken_at, random() LIMIT 1`, run).Scan(&p.Host, &p.Slot, &p.Epoch)
		if errors.Is(err, pgx.ErrNoRows) {
			if stopped, err := w.s.RunByID(ctx, run); err == nil && stopped.State == RunStopped {
				if err := w.s.ResumeRun(ctx, run); err != nil {
					return nil, err
				}
				continue
			}
			return nil, w.s.nothing(ctx, run)
		}
		if err != nil {
			return nil, err
		}
		v, err := w.openAt(ctx, p)
		if v != nil || err != nil {
			return v, err
		}
	}
}

// openAt is begin for one of several that may want the slot.
func (w *Worker) openAt(ctx context.Context, p place) (v *Visit, err error) {
	v = &Visit{Host: p.Host, Slot: int(p.Slot), w: w, epoch: p.Epoch}
	err = w.s.transact(ctx, "open visit", func(tx pgx.Tx) error {
		var free bool
		if err := tx.QueryRow(ctx, "SELECT worker IS NULL AND queued AND epoch = $3 FROM tabfarm_internal.slot WHERE host = $1 AND slot = $2 FOR NO KEY UPDATE", p.Host, p.Slot, p.Epoch).Scan(&free); err != nil {
			return err
		}
		if !free {
			v = nil
			return nil
		}
		return v.begin(ctx, tx)
	})
	if hasCodeOf(err, codeForeignKey) {
		return nil, ErrWorkerLost
	}
	return v, err
}

func (s *Store) nothing(ctx context.Context, run int64) error {
	var next *time.Time
	n := &NothingError{}
	err := s.pool.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tabfarm_internal.page p WHERE p.state = 1 AND $1::bigint IN (0, p.run_id)),
  (SELECT min(greatest(p.not_before, h.next_start, clock_timestamp())) FROM tabfarm_internal.page p
   JOIN tabfarm_internal.run r ON r.id = p.run_id JOIN tabfarm_internal.host h ON h.host = p.host
   WHERE p.state = 0 AND r.state IN ('running', 'stopped') AND $1::bigint IN (0, p.run_id))`, run).Scan(&n.Leased, &next)
	if err != nil {
		return err
	}
	if next != nil {
		n.Next = *next
	}
	return n
}

// Close ends a visit as its job does, and says that the job is known to wait or
// to be completed.
func (v *Visit) Close(ctx context.Context) error {
	_, _, err := v.leave(ctx, func(context.Context, pgx.Tx) error { return nil })
	if err != nil {
		return err
	}
	v.epoch = -1 // the job of a visit that is over may be another's
	_, err = v.w.s.pool.Exec(ctx, "UPDATE tabfarm_internal.slot SET worker = NULL WHERE host = $1 AND slot = $2 AND turn = $3", v.Host, v.Slot, v.turn+1)
	return err
}

// DepthOf is Depth with other caps.
func (s *Store) DepthOf(ctx context.Context, pages, hosts int) (Depth, error) {
	return s.depth(ctx, pages, hosts)
}

// PlanNow adds pages to a run as its job would.
func (w *Worker) PlanNow(ctx context.Context, run int64, pages iter.Seq2[NewPage, error], pace func(string) Pace) error {
	a := planArgs{Run: run}
	if err := w.s.pool.QueryRow(ctx, "SELECT plan_epoch FROM tabfarm_internal.run WHERE id = $1", run).Scan(&a.Epoch); err != nil {
		return err
	}
	p, err := w.beginPlan(ctx, a)
	if err != nil {
		return err
	}
	return p.Add(ctx, pages, pace)
}
