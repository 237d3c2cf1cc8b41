package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// Jobs is what a worker does with the jobs that the queue hands out. The
// functions are called from several goroutines. Their contexts end with the
// worker, and with Longest; what they return as an error ends Work with it.
type Jobs struct {
	Visits  int           // at once; a visit that waits for its host's clock counts
	Longest time.Duration // longest time of a visit
	Visit   func(ctx context.Context, v *Visit) error
	// Room says whether there is room for a visit, after a short wait for it; what
	// has none goes to any worker. Nil always has. leave gives the room back: at the
	// visit's end, or before by Visit.LeaveRoom.
	Room func(ctx context.Context) (leave func(), ok bool)
	Plan func(ctx context.Context, p *Planning) error
	// Tick starts what is due by a schedule; nil leaves that to other workers.
	Tick func(ctx context.Context) error
	Beat func() // called every few seconds where Tick is, as a sign of life
}

// The kinds of jobs. Their arguments are what makes them unique.
type (
	visitArgs struct {
		Host  string `json:"host"`
		Slot  int16  `json:"slot"`
		Epoch int64  `json:"epoch"`
	}
	planArgs struct {
		Run   int64 `json:"run"`
		Epoch int64 `json:"epoch"`
	}
	finishArgs struct {
		Run int64 `json:"run"`
	}
	tickArgs struct{}
)

func (visitArgs) Kind() string  { return "visit" }
func (planArgs) Kind() string   { return "plan" }
func (finishArgs) Kind() string { return "finish" }
func (tickArgs) Kind() string   { return "tick" }

// The queues. Ticks have their own: only workers that start schedules look there.
const (
	visitQueue  = "visit"
	coarseQueue = "coarse"
	tickQueue   = "tick"
)

const (
	// river's schema, where everything internal is.
	riverSchema = "tabfarm_internal"
	// River's own names, see its documentation. A snoozed job that is due tells
	// nobody, it waits for the next poll.
	fetchCooldown = 20 * time.Millisecond
	fetchPoll     = 250 * time.Millisecond
	// coarseLimit is the time of a job that is no visit and no plan.
	coarseLimit = time.Minute
	// rescueAfter is when River gives up on a short job of a dead worker. Visits
	// and plans have longer times of their own and are rescued by the reaper.
	rescueAfter = 2 * time.Minute
	// kept is how long ended jobs can be looked at.
	kept = 10 * time.Minute
	// jobTries bounds what River tries by itself; every error of a job is logged.
	jobTries = 1000
	// tickEvery is the time between two looks for what is due by a schedule.
	tickEvery = 5 * time.Second
	// tickLimit is the longest time to start what is due.
	tickLimit = 15 * time.Minute
	// leaving is the time that visits have to give their pages back once they
	// were told to stop.
	leaving = 10 * time.Second
)

// clientName and the worker's id are the name under which River notes who has a job.
const clientName = "tabfarm-"

const (
	reaped  = 1 // priority of visits that a dead worker left
	ordinal = 2 // priority of all other jobs
)

// liveStates are the states in which a job keeps another one like it out. Not
// completed: a slot is queued again under the same epoch.
var liveStates = []rivertype.JobState{
	rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRunning,
	rivertype.JobStateRetryable, rivertype.JobStateScheduled,
}

// newInserter makes a River client that only inserts.
func newInserter(pool *pgxpool.Pool, log *slog.Logger) (*river.Client[pgx.Tx], error) {
	return river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: riverSchema, Logger: quieter(log)})
}

// place is a slot and the epoch of its job.
type place struct {
	Host  string
	Slot  int16
	Epoch int64
}

// insertVisits makes the jobs of slots that were just flagged as queued.
func (s *Store) insertVisits(ctx context.Context, tx pgx.Tx, places []place, priority int) error {
	if len(places) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(places))
	for i, p := range places {
		params[i] = river.InsertManyParams{Args: visitArgs(p), InsertOpts: &river.InsertOpts{
			Queue: visitQueue, Priority: priority, MaxAttempts: jobTries,
			UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates},
		}}
	}
	_, err := s.river.InsertManyTx(ctx, tx, params)
	return err
}

// insertPlan makes the job that adds the rest of a run's pages.
func (s *Store) insertPlan(ctx context.Context, tx pgx.Tx, a planArgs) error {
	_, err := s.river.InsertTx(ctx, tx, a, &river.InsertOpts{
		Queue: coarseQueue, MaxAttempts: jobTries, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: liveStates},
	})
	return err
}

// insertFinishes makes the jobs that end runs. They are not unique: one that a
// dead worker has in its hands must not keep a new one out, and to end a run
// twice does nothing.
func (s *Store) insertFinishes(ctx context.Context, tx pgx.Tx, runs []int64) error {
	if len(runs) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(runs))
	for i, run := range runs {
		params[i] = river.InsertManyParams{Args: finishArgs{run}, InsertOpts: &river.InsertOpts{Queue: coarseQueue, MaxAttempts: jobTries}}
	}
	_, err := s.river.InsertManyTx(ctx, tx, params)
	return err
}

// queueWork is one worker at the queue.
type queueWork struct {
	w    *Worker
	jobs Jobs
	ctx  context.Context   // ends with the work
	stop func(cause error) // ends it
}

// Work does the jobs that the queue hands out, until leave is closed and what
// was in work by then has ended: nil. Errors: that of a job, ErrWorkerLost,
// ErrUnreachable, the cause of ctx. It waits for all it started, for a bounded
// time.
func (w *Worker) Work(ctx context.Context, leave <-chan struct{}, jobs Jobs) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := &queueWork{w: w, jobs: jobs, ctx: ctx, stop: cancel}
	client, err := q.client()
	if err != nil {
		return fmt.Errorf("start queue: %w", err)
	}
	// River's own stop would wait for running jobs without telling them why.
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return translate("start queue", err)
	}
	ticking := make(chan struct{})
	go func() {
		defer close(ticking)
		q.ticks(leave)
	}()
	select {
	case <-leave:
		soft, done := context.WithCancel(context.Background())
		release := context.AfterFunc(ctx, done) // a second signal, or the worker is lost
		err = client.Stop(soft)
		release()
		done()
	case <-ctx.Done():
	case <-w.lost:
		cancel(ErrWorkerLost)
	}
	cause := context.Cause(ctx)
	cancel(cause)
	<-ticking
	if cause == nil && err == nil {
		return nil
	}
	bye, done := context.WithTimeout(context.Background(), leaving)
	defer done()
	if err := client.StopAndCancel(bye); err != nil {
		w.s.cfg.Log.Warn("the queue did not stop in time", "error", err)
	}
	return cause
}

func (q *queueWork) client() (*river.Client[pgx.Tx], error) {
	workers := river.NewWorkers()
	river.AddWorker(workers, &visitWorker{q: q})
	river.AddWorker(workers, &planWorker{q: q})
	river.AddWorker(workers, &finishWorker{q: q})
	river.AddWorker(workers, &tickWorker{q: q}) // also where none are taken: who leads must know all kinds
	queues := map[string]river.QueueConfig{
		visitQueue:  {MaxWorkers: max(q.jobs.Visits, 1)},
		coarseQueue: {MaxWorkers: 4},
	}
	if q.jobs.Tick != nil {
		queues[tickQueue] = river.QueueConfig{MaxWorkers: 1}
	}
	s := q.w.s
	return river.NewClient(riverpgxv5.New(s.pool), &river.Config{
		Schema: riverSchema, ID: fmt.Sprint(clientName, q.w.id), Queues: queues, Workers: workers,
		FetchCooldown: fetchCooldown, FetchPollInterval: fetchPoll,
		JobTimeout: coarseLimit, RescueStuckJobsAfter: rescueAfter, RetryPolicy: everySecond{},
		CompletedJobRetentionPeriod: kept, CancelledJobRetentionPeriod: kept, DiscardedJobRetentionPeriod: kept,
		ErrorHandler: jobErrors{s.cfg.Log}, Logger: quieter(s.cfg.Log),
	})
}

// ticks inserts a job now and then that looks for what is due by a schedule. All
// workers do; one job for each period comes of it.
func (q *queueWork) ticks(leave <-chan struct{}) {
	if q.jobs.Tick == nil {
		return
	}
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for {
		_, err := q.w.s.river.Insert(q.ctx, tickArgs{}, &river.InsertOpts{
			Queue: tickQueue, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByPeriod: tickEvery},
		})
		if err != nil && q.ctx.Err() == nil {
			q.w.s.cfg.Log.Warn("schedules were not looked at", "error", err)
		}
		q.jobs.Beat()
		select {
		case <-leave:
			return
		case <-q.ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// within gives a job's context that ends with the work, for the work's reason.
func (q *queueWork) within(job context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(job)
	release := context.AfterFunc(q.ctx, func() { cancel(context.Cause(q.ctx)) })
	return ctx, func() {
		release()
		cancel(nil)
	}
}

// everySecond tries a job again that ended with an error.
type everySecond struct{}

// NextRetry makes it a river.ClientRetryPolicy.
func (everySecond) NextRetry(*rivertype.JobRow) time.Time { return time.Now().Add(time.Second) }

// jobErrors logs what River itself would only tell at its level info.
type jobErrors struct{ log *slog.Logger }

// HandleError makes it a river.ErrorHandler.
func (e jobErrors) HandleError(_ context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	e.log.Warn("job failed", "kind", job.Kind, "job", job.ID, "attempt", job.Attempt, "error", err)
	return nil
}

// HandlePanic makes it a river.ErrorHandler. Panics are caught before River does.
func (e jobErrors) HandlePanic(_ context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	e.log.Error("job panicked", "kind", job.Kind, "job", job.ID, "value", value, "trace", trace)
	return nil
}

// visitWorker works on jobs of the kind visit.
type visitWorker struct {
	river.WorkerDefaults[visitArgs]
	q *queueWork
}

// Timeout is beyond the longest visit: until then nobody rescues its job, for
// the reaper does.
func (w *visitWorker) Timeout(*river.Job[visitArgs]) time.Duration { return w.q.jobs.Longest }

// Work is one turn at one slot.
func (w *visitWorker) Work(ctx context.Context, job *river.Job[visitArgs]) error {
	within, done := w.q.within(ctx)
	defer done()
	leave := func() {}
	if w.q.jobs.Room != nil {
		var ok bool
		if leave, ok = w.q.jobs.Room(within); !ok {
			return river.JobSnooze(0)
		}
	}
	defer leave()
	v, err := w.q.w.openVisit(within, place(job.Args))
	if err != nil {
		return w.q.failed(err)
	}
	if v == nil {
		return nil // of an older epoch
	}
	if !v.surplus {
		v.room = leave
		if err := w.q.jobs.Visit(within, v); err != nil {
			w.q.stop(err)
		}
	}
	// Not within: the end is told to the database also when the work was stopped.
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving/2)
	defer cancel()
	wait, more, err := v.leave(bye, func(ctx context.Context, tx pgx.Tx) error {
		_, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err != nil {
		return w.q.failed(err)
	}
	if !more {
		return nil
	}
	return river.JobSnooze(wait)
}

// failed logs what hindered a job, and has it come again: an error given to
// River would be kept with the job, each time anew.
func (q *queueWork) failed(err error) error {
	if errors.Is(err, ErrUnreachable) || errors.Is(err, ErrWorkerLost) {
		q.stop(err)
	}
	if q.ctx.Err() == nil {
		q.w.s.cfg.Log.Warn("job was put off", "error", err)
	}
	return river.JobSnooze(time.Second)
}

// finishWorker works on jobs of the kind finish.
type finishWorker struct {
	river.WorkerDefaults[finishArgs]
	q *queueWork
}

// Work ends a run whose pages have all ended.
func (w *finishWorker) Work(ctx context.Context, job *river.Job[finishArgs]) error {
	err := w.q.w.s.EndRun(ctx, job.Args.Run, RunDone)
	if err == nil || errors.Is(err, ErrUnfinished) || errors.Is(err, ErrNoRun) {
		return nil // pages may have been opened again
	}
	return w.q.failed(err)
}

// tickWorker works on jobs of the kind tick.
type tickWorker struct {
	river.WorkerDefaults[tickArgs]
	q *queueWork
}

// Timeout lets sources be read that answer slowly. Other workers look meanwhile.
func (w *tickWorker) Timeout(*river.Job[tickArgs]) time.Duration { return tickLimit }

// Work starts what is due.
func (w *tickWorker) Work(ctx context.Context, _ *river.Job[tickArgs]) error {
	within, done := w.q.within(ctx)
	defer done()
	if err := w.q.jobs.Tick(within); err != nil && within.Err() == nil {
		w.q.w.s.cfg.Log.Warn("schedules were not looked at", "error", err)
	}
	return nil // the next period has a job of its own
}

// quieter turns what River logs into lines for -v: it warns of every lost
// connection in many places at once, and the worker tells it once.
func quieter(log *slog.Logger) *slog.Logger { return slog.New(demoted{log.Handler()}) }

type demoted struct{ slog.Handler }

// Enabled makes it a slog.Handler, as the next two do.
func (d demoted) Enabled(ctx context.Context, level slog.Level) bool {
	return level > slog.LevelDebug && d.Handler.Enabled(ctx, slog.LevelDebug)
}

func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	r = r.Clone()
	r.Level = slog.LevelDebug
	return d.Handler.Handle(ctx, r)
}

func (d demoted) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demoted{d.Handler.WithAttrs(attrs)}
}

func (d demoted) WithGroup(name string) slog.Handler { return demoted{d.Handler.WithGroup(name)} }
