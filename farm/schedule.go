package farm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// ErrNoSchedule says that a recipe does not tell when it runs.
var ErrNoSchedule = errors.New("the recipe has no schedule")

const (
	// startsAtOnce is how many recipes are started at the same time: one whose
	// sources answer slowly must not hold up the others.
	startsAtOnce = 4
	// startLasts is the longest time to start a recipe, its sources read.
	startLasts = 10 * time.Minute
	// unreadAgain is when a recipe is tried again whose rules cannot be read, as
	// where a newer tabfarm scheduled it.
	unreadAgain = time.Hour
)

// Schedule lets a recipe run by itself, with a copy of it and of the files that it
// names, and says when it is due next: zero when no time is left. One that is
// unchanged keeps its next time. Errors: ErrNoSchedule, recipe.Mistakes for keys that
// do nothing yet, *PlanError, and those of Store.
func (f *Farm) Schedule(ctx context.Context, r *recipe.Recipe) (time.Time, error) {
	if len(r.Schedules) == 0 {
		return time.Time{}, fmt.Errorf("schedule %s: %w", r.Name, ErrNoSchedule)
	}
	if m := r.Unsupported(); len(m) > 0 {
		return time.Time{}, m
	}
	in := f.inputs(r)
	hash, err := in.fingerprint(ctx, r, 0)
	if err != nil {
		return time.Time{}, err
	}
	if err := f.checkTypes(ctx, r); err != nil {
		return time.Time{}, err
	}
	file, err := filepath.Abs(r.File)
	if err != nil {
		return time.Time{}, fmt.Errorf("find recipe %q: %w", r.File, err)
	}
	rules := make([]string, len(r.Schedules))
	for i, s := range r.Schedules {
		rules[i] = s.String()
	}
	return f.Store.PutSchedule(ctx, store.NewSchedule{
		Recipe: r.Name, File: file, Text: r.Text, Files: in.files, Hash: hash,
		Rule: strings.Join(rules, "; "), Timezone: r.Timezone.String(), Next: nextStart(r),
	})
}

// Unschedule ends the schedule of a recipe by its name; false where it has none. A
// run that was started goes on.
func (f *Farm) Unschedule(ctx context.Context, name string) (bool, error) {
	return f.Store.DropSchedule(ctx, name)
}

// Schedules lists the recipes that run by themselves, those that are due next first.
func (f *Farm) Schedules(ctx context.Context) ([]store.ScheduleInfo, error) {
	return f.Store.Schedules(ctx)
}

// nextStart gives the times of a recipe, zero for none.
func nextStart(r *recipe.Recipe) func(time.Time) time.Time {
	return func(now time.Time) time.Time {
		next, _ := r.NextStart(now)
		return next
	}
}

// mayOverlap says that runs of the recipe of a run may be there beside each other.
func mayOverlap(run store.Run) bool {
	r, err := recipe.Parse(run.File, run.Text)
	return err == nil && slices.ContainsFunc(r.Schedules, func(s recipe.Schedule) bool { return s.AllowOverlap })
}

// Tick starts every recipe that is due and says when the next one is: zero when none
// is. Several may tick at once: each time is started once. A recipe that cannot be
// started is noted and tried again at its next time. Errors are those of the
// database; what was not started then is due still.
func (f *Farm) Tick(ctx context.Context) (next time.Time, err error) {
	due, err := f.Store.DueSchedules(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var starts sync.WaitGroup
	places, errs := make(chan struct{}, startsAtOnce), make([]error, len(due))
	for i, d := range due {
		places <- struct{}{}
		starts.Go(func() {
			defer func() { <-places }()
			errs[i] = f.startDue(ctx, d)
		})
	}
	starts.Wait()
	if err := errors.Join(errs...); err != nil {
		return time.Time{}, err
	}
	return f.Store.NextDue(ctx)
}

// tick is Tick for the queue, which asks again every few seconds.
func (f *Farm) tick(ctx context.Context) error {
	_, err := f.Tick(ctx)
	return err
}

// startDue starts a recipe that is due, or moves its schedule on with a note that
// says why not.
func (f *Farm) startDue(ctx context.Context, d store.Schedule) error {
	due := store.Due{Schedule: d.ID, At: d.NextAt, Next: func(now time.Time) time.Time { return now.Add(unreadAgain) }}
	var run store.Run
	err := guard(func() (err error) {
		limited, cancel := context.WithTimeout(ctx, startLasts)
		defer cancel()
		run, err = f.startScheduled(limited, d, &due)
		return err
	})
	var open *store.RunOpenError
	var note string
	switch {
	case err == nil:
		f.Log.Info("a run begins by its schedule", "recipe", d.Recipe, "run", run.ID, "due", d.NextAt)
		return nil
	case errors.Is(err, store.ErrNotDue):
		return nil // another was first
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, store.ErrUnreachable):
		return err
	case errors.As(err, &open):
		note = fmt.Sprintf("skipped: run %d still going", open.Run.ID)
		f.Log.Info("a scheduled run is skipped", "recipe", d.Recipe, "due", d.NextAt, "unfinished", open.Run.ID)
	default:
		note = "not started: " + firstLine(err.Error()) // the rest is in the log
		f.Log.Warn("a scheduled run could not be started", "recipe", d.Recipe, "due", d.NextAt, "error", err)
	}
	if err := f.Store.PassDue(ctx, due, note); !errors.Is(err, store.ErrNotDue) {
		return err
	}
	return nil
}

// startScheduled plans a run as Submit does, of the schedule's own copy of the
// recipe. The rules of the recipe go to due as soon as they are known.
func (f *Farm) startScheduled(ctx context.Context, d store.Schedule, due *store.Due) (store.Run, error) {
	r, err := recipe.Parse(d.File, d.Text)
	if err != nil {
		return store.Run{}, err
	}
	due.Next = nextStart(r)
	if m := r.Unsupported(); len(m) > 0 {
		return store.Run{}, m
	}
	beside := r.MayOverlap(d.NextAt)
	if !beside { // told before the sources are read; StartRun looks again
		open, unfinished, err := f.Store.OpenRun(ctx, r.Name)
		if err != nil {
			return store.Run{}, err
		}
		if unfinished && open.State == store.RunRunning {
			return store.Run{}, &store.RunOpenError{Run: open}
		}
	}
	if err := f.checkAccess(r); err != nil {
		return store.Run{}, err
	}
	if err := f.checkTypes(ctx, r); err != nil {
		return store.Run{}, err
	}
	in := f.inputs(r)
	in.files = d.Files // complete: they were read when the recipe was scheduled
	hash, err := in.fingerprint(ctx, r, 0)
	if err != nil {
		return store.Run{}, err
	}
	n, err := f.newRun(ctx, r, in, hash, 0)
	if err != nil {
		return store.Run{}, err
	}
	n.Beside, n.Due = beside, due
	return f.Store.StartRun(ctx, n)
}
