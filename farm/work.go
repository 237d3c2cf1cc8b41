package farm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/recipe"
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
	// lookAgain is how often a worker without work looks for some: other workers
	// give pages back without telling.
	lookAgain = 250 * time.Millisecond
	// farewell is the time to tell the database what was not finished.
	farewell = 5 * time.Second
)

// work is one worker at one run.
type work struct {
	farm     *Farm
	run      store.Run
	recipe   *recipe.Recipe
	inputs   *inputs // of the recipe, with the run's copy of its files
	worker   *store.Worker
	types    *typing
	sessions map[string]session // by the name in the recipe
	drain    <-chan struct{}
	freed    chan struct{} // a visit ended; capacity 1
	slowed   sync.Map      // hosts whose robots.txt's crawl-delay is written down
	owned    sync.Map      // hosts that may be asked without a pace

	mu    sync.Mutex // one watch call at a time
	watch func(Event)
}

// Work works on a run until every page of it has ended. When drain is closed the
// pages in flight are finished and the run is left to go on later; when ctx ends
// they are given back at once. Errors are those that stop a run: of the
// database, of the browser; a page's own fate is in the database and in watch.
func (f *Farm) Work(ctx context.Context, drain <-chan struct{}, runID int64, watch func(Event)) error {
	run, err := f.Store.RunByID(ctx, runID)
	if err != nil {
		return err
	}
	r, err := recipe.Parse(run.File, run.Text)
	if err != nil {
		return fmt.Errorf("read recipe of run %d: %w", runID, err)
	}
	sessions, err := f.loadSessions(r)
	if err != nil {
		return err
	}
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	worker, err := f.Store.Register(ctx, fmt.Sprintf("%s/%d", name, os.Getpid()))
	if err != nil {
		return err
	}
	w := &work{
		farm: f, run: run, recipe: r, inputs: f.inputs(r), worker: worker, sessions: sessions, drain: drain,
		types: newTyping(f.Store, r), freed: make(chan struct{}, 1), watch: watch,
	}
	if w.watch == nil {
		w.watch = func(Event) {}
	}
	w.inputs.files = run.Files // complete: they were read when the run began
	err = w.loop(ctx)
	w.types.hurry() // nobody waits any more; this ends its timers
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	return errors.Join(err, worker.Close(bye), w.end(bye))
}

// loop opens visits until no page is left, and waits for them.
func (w *work) loop(ctx context.Context) error {
	var watcher sync.WaitGroup
	defer watcher.Wait() // after cancel, which ends it
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watcher.Go(func() {
		select {
		case <-w.worker.Lost():
			cancel(store.ErrWorkerLost)
		case <-ctx.Done():
		}
	})
	p, err := w.farm.Store.Progress(ctx, w.run.ID)
	if err != nil {
		return err
	}
	w.types.expect(p.Pending + p.Leased)

	var visits sync.WaitGroup
	defer visits.Wait()
	places := make(chan struct{}, visitsPerTab*w.farm.Tabs)
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.drain:
			w.types.hurry()
			visits.Wait()
			return context.Cause(ctx)
		case places <- struct{}{}:
		}
		v, err := w.worker.OpenVisit(ctx, w.run.ID)
		if err != nil {
			<-places
			done, err := w.idle(ctx, err)
			if done || err != nil {
				if err != nil {
					cancel(err) // the visits in flight cannot be stored either
				}
				return err
			}
			continue
		}
		visits.Go(func() {
			defer func() {
				<-places
				select {
				case w.freed <- struct{}{}:
				default:
				}
			}()
			if err := guard(func() error { return w.visit(ctx, v) }); err != nil {
				cancel(err)
			}
		})
	}
}

// idle waits until there may be work again; done says that the run has no page left.
func (w *work) idle(ctx context.Context, err error) (done bool, _ error) {
	var nothing *store.NothingError
	if !errors.As(err, &nothing) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		return false, err
	}
	if nothing.Next.IsZero() && !nothing.Leased {
		return true, nil
	}
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-w.drain:
	case <-w.freed:
	case <-timer.C:
	}
	return false, nil
}

// end writes down how the run stands when this worker leaves it.
func (w *work) end(ctx context.Context) error {
	p, err := w.farm.Store.Progress(ctx, w.run.ID)
	if err != nil {
		return err
	}
	state := store.RunDone
	if p.Pending > 0 || p.Leased > 0 {
		state = store.RunStopped
	}
	return w.farm.Store.EndRun(ctx, w.run.ID, state)
}

// visit is one bounded turn at one host. Pages are opened one after the other;
// what follows after the tab was given back goes on beside the next page.
func (w *work) visit(ctx context.Context, v *store.Visit) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var pages sync.WaitGroup
	defer func() {
		pages.Wait()
		cancel(nil)
		bye, stop := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer stop()
		if cerr := v.Close(bye); cerr != nil && !errors.Is(cerr, store.ErrFenced) {
			err = errors.Join(err, cerr)
		}
		if errors.Is(err, store.ErrFenced) {
			err = nil // somebody else has this host now: nothing is lost
		}
	}()
	places := make(chan struct{}, finishing)
	for until := time.Now().Add(visitLasts); time.Now().Before(until); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-w.drain:
			return nil
		case places <- struct{}{}:
		}
		claimed, err := v.Claim(ctx, 1)
		if ctx.Err() != nil {
			return context.Cause(ctx) // what ended the visit, not that the claim ended with it
		}
		if err != nil {
			return err
		}
		if len(claimed) == 0 {
			return nil
		}
		loaded := make(chan struct{})
		pages.Go(func() {
			defer func() { <-places }()
			if err := guard(func() error { return w.page(ctx, v, claimed[0], sync.OnceFunc(func() { close(loaded) })) }); err != nil {
				cancel(err)
			}
		})
		<-loaded
	}
	return context.Cause(ctx)
}

func (w *work) tell(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.RunID = w.run.ID
	w.watch(e)
}
