package farm

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

const (
	// visitLasts is the length of a visit's turn at a host; it ends between pages only.
	visitLasts = 20 * time.Second
	// visitsPerTab bounds the visits of one worker: one that waits for its
	// host's clock holds no tab.
	visitsPerTab = 8
	// finishing is how many pages of one visit may be on their way from the tab
	// to the database; the types of a new table wait for its first pages.
	finishing = 2 * samplePages
	// roomPatience is how long a visit waits for room at this worker before it goes
	// to any other: long enough not to go round and round where all are busy.
	roomPatience = time.Second
	// farewell is the time to tell the database what was not finished.
	farewell = 5 * time.Second
	// lookAgain is how often a worker looks whether the run it came for has ended.
	lookAgain = 100 * time.Millisecond
	// lastPages is the time that pages of other runs have to end once the run
	// that the worker came for has ended.
	lastPages = 5 * time.Second
	// outage is for how long a worker that came for one run waits for a database
	// that went away.
	outage = 10 * time.Minute
	// settled is how long the work must go on before a further failure counts as
	// the first of an outage: a database without room answers, and fails again.
	settled = 15 * time.Second
)

// worker is this process as one of the workers of the farm: it does what the
// queue hands out, for any run.
type worker struct {
	farm    *Farm
	room    *room
	drain   <-chan struct{} // closed: pages in flight are finished, no more are begun
	serving *ServeOptions   // nil for a worker that came for one run
	own     int64           // the run it came for, 0 for any

	loading sync.Mutex // held while a run is read
	mu      sync.Mutex // guards runs
	runs    map[int64]*work

	telling sync.Mutex // one watch call at a time
	watch   func(Event)
}

func (f *Farm) newWorker(drain <-chan struct{}, watch func(Event)) *worker {
	if watch == nil {
		watch = func(Event) {}
	}
	return &worker{farm: f, room: newRoom(f.Tabs), drain: drain, runs: map[int64]*work{}, watch: watch}
}

// ServeOptions say who looks at a worker. All may be nil; they are called from
// several goroutines.
type ServeOptions struct {
	Watch      func(Event)           // one call at a time
	Beat       func()                // the worker moves: every few seconds
	Registered func(registered bool) // the database counts it among the workers, or no more
}

// Serve works on pages of every running run, and starts what is due by a
// schedule, until drain is closed and the pages in flight are finished, or ctx
// ends, and they are given back at once. A database that goes away is waited
// for. Errors are those that no waiting mends; a page's own fate is in the
// database and in Watch.
func (f *Farm) Serve(ctx context.Context, drain <-chan struct{}, o ServeOptions) error {
	if o.Beat == nil {
		o.Beat = func() {}
	}
	if o.Registered == nil {
		o.Registered = func(bool) {}
	}
	w := f.newWorker(drain, o.Watch)
	w.serving = &o
	return w.serve(ctx, 0)
}

// Work is one more worker until a run has ended. When drain is closed the pages
// in flight are finished and the run is left to go on later, or to the other
// workers; when ctx ends they are given back at once. A database that goes away
// is waited for, for ten minutes.
func (f *Farm) Work(ctx context.Context, drain <-chan struct{}, runID int64, watch func(Event)) error {
	state, err := f.Store.RunState(ctx, runID)
	if err != nil || state != store.RunRunning && state != store.RunStopped {
		return err
	}
	ended, leave := make(chan struct{}), make(chan struct{})
	w := f.newWorker(leave, watch)
	w.own = runID
	if err := w.ready(ctx, runID); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	watching.Go(func() {
		defer close(leave)
		select {
		case <-drain:
		case <-ended:
		case <-ctx.Done():
		}
	})
	watching.Go(func() {
		if w.untilEnded(ctx, runID, leave) {
			close(ended)
			if sleep(ctx, lastPages) == nil {
				cancel(errEnded)
			}
		}
	})
	err = w.serve(ctx, outage)
	if errors.Is(err, errEnded) {
		err = nil
	}
	cancel(nil)
	watching.Wait()
	return errors.Join(err, f.leave(ctx, runID))
}

// errEnded ends the pages of other runs once the run of this worker has ended.
var errEnded = errors.New("the run has ended")

// ready says before the work begins what this worker lacks for the run that it
// came for, and makes a stopped run go on.
func (w *worker) ready(ctx context.Context, runID int64) error {
	_, release, err := w.open(ctx, runID)
	var lack *lackError
	if errors.As(err, &lack) {
		return lack.err
	}
	if err != nil {
		return err
	}
	release()
	return w.farm.Store.ResumeRun(ctx, runID)
}

// untilEnded is true when the run has ended, false when the worker leaves before.
// A run that another worker stopped goes on: this one is still here for it.
func (w *worker) untilEnded(ctx context.Context, runID int64, leave <-chan struct{}) bool {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-leave:
			return false
		case <-ticker.C:
		}
		state, err := w.farm.Store.RunState(ctx, runID)
		switch {
		case err != nil: // the work itself notices, if it stays so
		case state == store.RunStopped:
			if err := w.farm.Store.ResumeRun(ctx, runID); err != nil {
				w.farm.Log.Debug("run does not go on", "run", runID, "error", err)
			}
		case state != store.RunRunning:
			return true
		}
	}
}

// leave writes down how a run stands when the worker that came for it leaves.
func (f *Farm) leave(ctx context.Context, runID int64) error {
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	err := f.Store.EndRun(bye, runID, store.RunDone)
	if errors.Is(err, store.ErrUnfinished) {
		err = f.Store.EndRun(bye, runID, store.RunStopped)
	}
	return err
}

// serve works until the worker is to leave. A database that goes away is waited
// for, at most for patience; 0 is for ever.
func (w *worker) serve(ctx context.Context, patience time.Duration) error {
	quit := make(chan struct{})
	var hurried sync.WaitGroup
	defer hurried.Wait()
	defer close(quit)
	hurried.Go(func() {
		select {
		case <-w.drain:
		case <-quit:
		}
		w.hurry() // what is loaded from now on is hurried at once
	})
	var away time.Time // since when; zero while the database is there
	for begun := false; ; {
		began := time.Now()
		err := w.session(ctx, func() {
			if begun && !away.IsZero() {
				w.farm.Log.Warn("the database is back, the work goes on", "away", began.Sub(away).Round(time.Second))
			}
			begun = true
		})
		if time.Since(began) > settled {
			away = time.Time{}
		}
		switch {
		case err == nil, ctx.Err() != nil, !begun, !store.Passes(err):
			return err
		case isClosed(w.drain):
			return nil // what it held goes to others, or to who comes next
		case away.IsZero():
			away = time.Now()
			w.farm.Log.Warn("the database is away; pages in work are fetched again when it is back", "error", cause(err))
		case patience > 0 && time.Since(away) > patience:
			return err
		}
		if w.serving != nil {
			w.serving.Beat()
		}
		select {
		case <-time.After(min(time.Second+time.Since(away)/4, 5*time.Second)):
		case <-ctx.Done():
		case <-w.drain:
		}
	}
}

// session registers, works, and takes its leave. begun is called in between.
func (w *worker) session(ctx context.Context, begun func()) error {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	registered, err := w.farm.Store.Register(ctx, fmt.Sprintf("%s/%d", name, os.Getpid()))
	if err != nil {
		return err
	}
	begun()
	jobs := store.Jobs{
		Visits: visitsPerTab * w.farm.Tabs, Longest: w.farm.PageLimit + visitLasts + time.Minute,
		Room: w.enter, Visit: w.visit, Plan: w.plan,
	}
	if w.serving != nil {
		jobs.Tick, jobs.Beat = w.farm.tick, w.serving.Beat
		w.serving.Registered(true)
		defer w.serving.Registered(false)
	}
	err = registered.Work(ctx, w.drain, jobs)
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if cerr := registered.Close(bye); err == nil || !store.Passes(cerr) { // else the next worker takes over what this one held
		err = errors.Join(err, cerr)
	}
	return err
}

// enter gives room to a visit, and how it gives it back.
func (w *worker) enter(ctx context.Context) (leave func(), ok bool) {
	if !w.room.enter(ctx, roomPatience) {
		return nil, false
	}
	return sync.OnceFunc(w.room.away), true
}

// plan reads the sources of a run to their end.
func (w *worker) plan(ctx context.Context, p *store.Planning) error {
	known, release, err := w.open(ctx, p.Run.ID)
	if err != nil {
		return err
	}
	defer release()
	pages := w.farm.newPages(ctx, known.recipe, known.inputs, p.Run.Limit, p.Run.StartedAt)
	err = p.Add(ctx, w.untilDrained(pages), func(string) store.Pace { return paceOf(known.recipe) })
	if errors.Is(err, errDrained) {
		return nil // the next worker begins again
	}
	return err
}

// errDrained ends the reading of sources when the worker is to leave.
var errDrained = errors.New("the worker leaves")

func (w *worker) untilDrained(pages iter.Seq2[store.NewPage, error]) iter.Seq2[store.NewPage, error] {
	return func(yield func(store.NewPage, error) bool) {
		for p, err := range pages {
			if isClosed(w.drain) {
				yield(store.NewPage{}, errDrained)
				return
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// hurry decides what types are not decided: nobody waits for more pages.
func (w *worker) hurry() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, known := range w.runs {
		known.types.hurry()
	}
}

func (w *worker) tell(e Event) {
	w.telling.Lock()
	defer w.telling.Unlock()
	w.watch(e)
}

func (w *work) tell(e Event) {
	e.RunID = w.run.ID
	w.worker.tell(e)
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}
