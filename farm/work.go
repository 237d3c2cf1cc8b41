package farm

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// work is what a worker knows of one run.
type work struct {
	farm     *Farm
	worker   *worker
	run      store.Run
	recipe   *recipe.Recipe
	inputs   *inputs // of the recipe, with the run's copy of its files
	types    *typing
	sessions map[string]session // by the name in the recipe
	slowed   sync.Map           // hosts whose robots.txt's crawl-delay is written down
	owned    sync.Map           // hosts that may be asked without a pace

	used  int       // visits that have it in hand; guarded by worker.mu
	since time.Time // of the last use; guarded by worker.mu
}

const (
	// idleWork is how long a run is kept ready that no visit asked for.
	idleWork = 5 * time.Minute
	// avoided is for how long a worker leaves a run to others for which it lacks
	// something.
	avoided = time.Minute
)

// lackError says what this worker lacks for the pages of a run: a session, a
// secret, the right to ask a host. Another worker may have it.
type lackError struct{ err error }

func (e *lackError) Error() string { return e.err.Error() }
func (e *lackError) Unwrap() error { return e.err }

// foreign says that another process came with the run, or this one with another
// run: what the settings here refuse may be allowed there.
func (w *work) foreign() bool {
	if w.worker.own != 0 {
		return w.worker.own != w.run.ID
	}
	return w.run.Attached
}

// open gives what is known of a run; release is called when the visit needs it no
// more. Error: *lackError, and those of the database.
func (w *worker) open(ctx context.Context, runID int64) (_ *work, release func(), err error) {
	known := w.use(runID, nil)
	if known == nil {
		w.loading.Lock() // one is loaded at a time, and once
		defer w.loading.Unlock()
		known = w.use(runID, nil)
	}
	if known == nil {
		loaded, err := w.load(ctx, runID)
		if err != nil {
			return nil, nil, err
		}
		known = w.use(runID, loaded)
	}
	return known, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		known.used--
		known.since = time.Now()
	}, nil
}

// use counts one more user of a run that is ready, or was just loaded; nil where
// it is neither.
func (w *worker) use(runID int64, loaded *work) *work {
	w.mu.Lock()
	defer w.mu.Unlock()
	if loaded != nil {
		w.dropIdle()
		w.runs[runID] = loaded
	}
	known := w.runs[runID]
	if known != nil {
		known.used++
	}
	return known
}

// dropIdle forgets runs that nobody asks for any more. Called with w.mu held.
func (w *worker) dropIdle() {
	for id, known := range w.runs {
		if known.used == 0 && time.Since(known.since) > idleWork {
			known.types.hurry() // ends its timers
			delete(w.runs, id)
		}
	}
}

// load reads a run from the database, with all that its pages need.
func (w *worker) load(ctx context.Context, runID int64) (*work, error) {
	run, err := w.farm.Store.RunByID(ctx, runID)
	if err != nil {
		return nil, err
	}
	r, err := recipe.Parse(run.File, run.Text)
	if err != nil {
		return nil, &lackError{err} // it was made by a newer tabfarm
	}
	if m := r.Unsupported(); len(m) > 0 {
		return nil, &lackError{m}
	}
	sessions, err := w.farm.loadSessions(r)
	if err != nil {
		return nil, &lackError{err}
	}
	for i := range r.Kinds {
		if _, err := w.farm.secrets(&r.Kinds[i]); err != nil {
			return nil, &lackError{err}
		}
	}
	in := w.farm.inputs(r)
	in.files = run.Files // complete: they were read when the run began
	known := &work{farm: w.farm, worker: w, run: run, recipe: r, inputs: in, sessions: sessions, types: newTyping(w.farm.Store, r)}
	open, err := w.farm.Store.OpenPages(ctx, runID, samplePages)
	if err != nil {
		return nil, err
	}
	known.types.expect(open)
	if isClosed(w.drain) {
		known.types.hurry()
	}
	return known, nil
}

// visit is one bounded turn at one host, for pages of any run. Pages are opened
// one after the other; what follows after the tab was given back goes on beside
// the next page, when the visit needs no room any more. The error is one that
// ends the worker.
func (w *worker) visit(ctx context.Context, v *store.Visit) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var pages sync.WaitGroup
	places := make(chan struct{}, finishing)
	for until := time.Now().Add(visitLasts); time.Now().Before(until) && !isClosed(w.drain); {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		claimed, err := v.Claim(ctx, 1)
		if err != nil {
			cancel(err)
		}
		if ctx.Err() != nil || len(claimed) == 0 {
			break
		}
		loaded := make(chan struct{})
		pages.Go(func() {
			defer func() { <-places }()
			if err := guard(func() error { return w.take(ctx, v, claimed[0], sync.OnceFunc(func() { close(loaded) })) }); err != nil {
				cancel(err)
			}
		})
		<-loaded
	}
	v.LeaveRoom()
	pages.Wait()
	switch err := context.Cause(ctx); {
	case errors.Is(err, store.ErrFenced), errors.Is(err, context.DeadlineExceeded):
		return nil // another has this host now, or the job's time is over: its pages were given back
	default:
		return err
	}
}

// take finds the run of a claimed page and does the page. One for which this
// worker lacks something is left to others.
func (w *worker) take(ctx context.Context, v *store.Visit, p store.Page, loaded func()) error {
	defer loaded()
	known, release, err := w.open(ctx, p.RunID)
	if err == nil {
		defer release()
		err = known.page(ctx, v, p, loaded)
	}
	var lack *lackError
	if !errors.As(err, &lack) {
		return err
	}
	if p.RunID == w.own { // nobody else is waited for
		return errors.Join(lack.err, giveBack(ctx, v, p))
	}
	v.Avoid(p.RunID, avoided)
	w.farm.Log.Warn("this worker lacks what a run needs, and leaves it to others", "run", p.RunID, "cause", err)
	return giveBack(ctx, v, p)
}
