package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// Planning is a worker's work at adding the rest of the pages of a run.
type Planning struct {
	Run  Run
	w    *Worker
	args planArgs
	done bool
}

// planTries is how often a source is read anew that cannot be read to its end.
const planTries = 6

// planWorker works on jobs of the kind plan.
type planWorker struct {
	river.WorkerDefaults[planArgs]
	q *queueWork
}

// Timeout is none: sources are read at the pace of their hosts. Those of a dead
// worker are rescued by the reaper.
func (w *planWorker) Timeout(*river.Job[planArgs]) time.Duration { return -1 }

// NextRetry waits 5 s, 10 s, 20 s and so on before a source is read anew.
func (w *planWorker) NextRetry(job *river.Job[planArgs]) time.Time {
	return time.Now().Add(5 * time.Second << min(max(job.Attempt-1, 0), 6))
}

// Work reads the sources of a run from their beginning: pages that are there
// already are known by their addresses.
func (w *planWorker) Work(ctx context.Context, job *river.Job[planArgs]) error {
	within, done := w.q.within(ctx)
	defer done()
	p, err := w.q.w.beginPlan(within, job.Args)
	if errors.Is(err, ErrFenced) {
		return nil // planned, stopped, or another's now
	}
	if err != nil {
		return w.q.failed(err)
	}
	err = w.q.jobs.Plan(within, p)
	switch {
	case err == nil && p.done, errors.Is(err, ErrFenced):
		return nil
	case err == nil, w.q.ctx.Err() != nil:
		return river.JobSnooze(0) // left in the middle
	case errors.Is(err, ErrUnreachable):
		return w.q.failed(err)
	case job.Attempt < planTries:
		return err
	}
	if err := p.fail(ctx, err); err != nil {
		return w.q.failed(err)
	}
	return nil
}

// beginPlan takes the planning of a run. Error: ErrFenced.
func (w *Worker) beginPlan(ctx context.Context, a planArgs) (*Planning, error) {
	p := &Planning{w: w, args: a}
	err := w.s.transact(ctx, "begin planning", func(tx pgx.Tx) error {
		if err := p.hold(ctx, tx); err != nil {
			return err
		}
		var err error
		p.Run, err = findRun(ctx, tx, "WHERE r.id = $1", a.Run)
		return err
	})
	if hasCodeOf(err, codeForeignKey) {
		return nil, ErrWorkerLost // its row is gone
	}
	return p, err
}

// hold locks the run, if it is still this planning's.
func (p *Planning) hold(ctx context.Context, tx pgx.Tx) error {
	tag, err := tx.Exec(ctx, `UPDATE tabfarm_internal.run SET planner = $3
WHERE id = $1 AND plan_epoch = $2 AND NOT planned AND state = 'running'`, p.args.Run, p.args.Epoch, p.w.id)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrFenced
	}
	return err
}

// Add adds pages to the run in chunks, each with its hosts in a transaction of
// its own; those of an address that the run has are left out. Errors: ErrFenced,
// and that of pages; what was added by then stays.
func (p *Planning) Add(ctx context.Context, pages iter.Seq2[NewPage, error], pace func(host string) Pace) error {
	s := p.w.s
	stage, err := s.newStage(ctx, pages)
	if err != nil {
		return translate("add pages", err)
	}
	defer stage.drop(ctx)
	for !stage.ended {
		hosts, err := stage.fill(ctx)
		if err != nil {
			return translate("read pages of the run", err)
		}
		if err := s.transactOn(ctx, stage.conn.Conn(), "add pages", func(tx pgx.Tx) error { return p.addChunk(ctx, tx, stage, hosts, pace) }); err != nil {
			return err
		}
	}
	p.done = true
	return nil
}

func (p *Planning) addChunk(ctx context.Context, tx pgx.Tx, stage *stage, hosts []string, pace func(string) Pace) error {
	if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout TO 0"); err != nil {
		return err
	}
	if err := p.hold(ctx, tx); err != nil {
		return err
	}
	if err := insertPages(ctx, tx, p.args.Run); err != nil {
		return err
	}
	if err := newHosts(ctx, tx, p.args.Run, hosts, pace); err != nil {
		return err
	}
	if stage.ended {
		if err := p.end(ctx, tx, nil); err != nil {
			return err
		}
	}
	return p.w.s.wake(ctx, tx, hosts)
}

// end says that the run gets no more pages by its sources. A run whose pages had
// all ended by then is done.
func (p *Planning) end(ctx context.Context, tx pgx.Tx, problem error) error {
	var text *string
	if problem != nil {
		words := clean(problem.Error())
		text = &words
	}
	if _, err := tx.Exec(ctx, "UPDATE tabfarm_internal.run SET planned = true, planner = NULL, problem = $2 WHERE id = $1", p.args.Run, text); err != nil {
		return err
	}
	return p.w.s.finishRuns(ctx, tx, "r.id = $1", p.args.Run)
}

// fail ends the planning with what hinders it; the pages that the run has by then
// are fetched.
func (p *Planning) fail(ctx context.Context, problem error) error {
	return p.w.s.transact(ctx, "end planning", func(tx pgx.Tx) error {
		err := p.hold(ctx, tx)
		if errors.Is(err, ErrFenced) {
			return nil
		}
		if err != nil {
			return err
		}
		return p.end(ctx, tx, problem)
	})
}

// finishRuns makes the jobs that end those running runs that are planned and have
// no page left. Asked in the order of an index: else Postgres, which knows of many
// pages that wait, reads the table from its begin, past all that have ended.
func (s *Store) finishRuns(ctx context.Context, tx pgx.Tx, where string, args ...any) error {
	rows, err := tx.Query(ctx, `SELECT r.id FROM tabfarm_internal.run r WHERE r.state = 'running' AND r.planned AND `+where+`
  AND (SELECT p.id FROM tabfarm_internal.page p WHERE p.run_id = r.id AND p.state = 0 ORDER BY p.run_id, p.host, p.priority, p.id LIMIT 1) IS NULL
  AND (SELECT p.id FROM tabfarm_internal.page p WHERE p.run_id = r.id AND p.state = 1 ORDER BY p.host, p.slot LIMIT 1) IS NULL`, args...)
	if err != nil {
		return err
	}
	runs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return err
	}
	return s.insertFinishes(ctx, tx, runs)
}
