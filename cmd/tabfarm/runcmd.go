package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// runOptions are the flags of run.
type runOptions struct {
	fresh   bool
	limit   int
	json    bool
	profile bool
}

func newRun(a *app) *cobra.Command {
	var o runOptions
	cmd := &cobra.Command{
		Use:   "run RECIPE...",
		Short: "fetch the rows of recipes, to the end",
		Long: `Fetches every page of the recipes and stores their rows, one recipe after the
other. Where an unfinished run of the unchanged recipe exists, it goes on.

The first Ctrl-C finishes the pages in flight and leaves the run to go on later,
the second stops at once. The exit code is the worst of the recipes: 0 all pages
are stored, 1 some failed and the rest is stored.

The last line of a run that was long enough to tell says what kept it from going
faster. --profile adds where the time of its pages went, as far as this process
worked on them: for their host's turn, for a tab, to navigate, to come to rest, to
be read, typed and stored.

--json prints one object for each recipe, each on a line of its own.`,
		Args: takes(1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if o.limit < 0 {
				return usage("", "--limit %d is less than 0", o.limit)
			}
			recipes, err := loadRecipes(files)
			if err != nil {
				return err
			}
			return a.runRecipes(cmd.Context(), recipes, o)
		},
	}
	cmd.Flags().BoolVar(&o.fresh, "new", false, "start over although an unfinished run exists")
	cmd.Flags().Int("tabs", 0, "tabs that work at once (default: sized from the machine)")
	cmd.Flags().IntVar(&o.limit, "limit", 0, "only the first N pages")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object for each recipe at its end")
	cmd.Flags().BoolVar(&o.profile, "profile", false, "tell where the time of the pages went")
	return cmd
}

// runRecipes runs one recipe after the other. One that cannot begin is told and
// does not keep the others from it.
func (a *app) runRecipes(ctx context.Context, recipes []*recipe.Recipe, o runOptions) error {
	f, err := a.openEngine(ctx)
	if err != nil {
		return err
	}
	worst := exitOK
	for i, r := range recipes {
		code, err := a.runRecipe(ctx, f, r, o, i == len(recipes)-1)
		if err != nil {
			if explain(err).code != exitUsage || len(recipes) == 1 {
				return err
			}
			code = complain(a.stderr, err)
		}
		worst = max(worst, code)
		if a.signals.signal() != nil {
			break
		}
	}
	return exit(worst)
}

// openEngine opens the browser and the database and makes the engine.
func (a *app) openEngine(ctx context.Context) (*farm.Farm, error) {
	if _, err := a.openPool(ctx); err != nil {
		return nil, err
	}
	if _, err := a.openStore(ctx, writes); err != nil {
		return nil, err
	}
	return a.newFarm()
}

func (a *app) runRecipe(ctx context.Context, f *farm.Farm, r *recipe.Recipe, o runOptions, newest bool) (int, error) {
	s, err := f.Submit(ctx, r, farm.SubmitOptions{New: o.fresh, Limit: o.limit})
	if err != nil {
		return 0, err
	}
	a.tellSubmission(s, o.fresh)
	return a.work(ctx, f, job{submission: s, pace: pagesAMinute(r), json: o.json, profile: o.profile, newest: newest})
}

// tellSubmission says what became of an older run of the recipe.
func (a *app) tellSubmission(s farm.Submission, fresh bool) {
	switch {
	case s.Resumed:
		a.notice("run %d goes on at %d of %s (--new starts over)", s.RunID, s.Finished, pagesWords(s.Total))
	case s.Superseded != 0 && fresh:
		a.notice("run %d starts over; run %d is closed as superseded", s.RunID, s.Superseded)
	case s.Superseded != 0:
		a.notice("the recipe changed: run %d begins, run %d is closed as superseded", s.RunID, s.Superseded)
	}
}

// job is a run to be worked on, and how its end is told.
type job struct {
	submission farm.Submission
	pace       float64 // pages a minute on one host, 0 unknown or any
	json       bool
	profile    bool
	newest     bool // hints may leave the run out: it is the newest one
}

// lastLook bounds the look at the database after a run was stopped.
const lastLook = 10 * time.Second

// work brings a run to its end, shows its progress, prints its summary and
// gives its exit code.
func (a *app) work(ctx context.Context, f *farm.Farm, j job) (int, error) {
	s := j.submission
	before, err := f.Summary(ctx, s.RunID)
	if err != nil {
		return 0, err
	}
	p := newProgress(s.Total, s.Finished, rowsOfTables(before), j.pace, time.Now)
	drain, done := a.signals.draining()
	defer done()
	if err := f.TryHosts(ctx, s.RunID); err != nil {
		return 0, err
	}
	show := a.show(s.Recipe, p)
	told := a.tellDrain(ctx, drain, s.RunID)
	counted := a.follow(ctx, s.RunID, p)
	count := p.eventOf(s.RunID)
	times := startTiming(a.pool, s.RunID)
	err = f.Work(ctx, drain, s.RunID, func(e farm.Event) {
		count(e)
		times.profile.Add(e)
		a.tellHost(e)
	})
	times.stop()
	counted()
	show.Close()
	told()

	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	sum, serr := f.Summary(last, s.RunID)
	if serr != nil {
		return 0, errors.Join(err, serr)
	}
	var stopped *interrupted
	if err != nil && !errors.As(err, &stopped) && !errors.Is(err, context.Canceled) {
		if !j.json {
			a.printStopped(sum)
		}
		return 0, err
	}
	code := exitOf(sum)
	if signal := a.signals.signal(); signal != nil && sum.Pending > 0 {
		code = (&interrupted{signal: signal}).code()
	}
	a.judge(last, f, times)
	return code, a.report(j, sum, times, code)
}

// report prints how a run ended, and what its time went into.
func (a *app) report(j job, sum farm.Summary, times *timing, code int) error {
	limit := limitText(times.limit)
	if j.json {
		for _, warning := range sum.Warnings {
			a.notice("warning: %s", clean(warning))
		}
		if sum.Problem != "" {
			a.notice("more pages could not be found: %s", clean(sum.Problem))
		}
		r := newRunReport(sum, code)
		if j.profile {
			r.Profile = newProfileReport(times)
		} else if limit != "" {
			a.notice("limit: %s", limit)
		}
		return printJSON(a.stdout, r)
	}
	var err error
	if sum.Pending > 0 {
		a.printStopped(sum)
	} else {
		err = printSummary(a.stdout, sum, j.newest)
	}
	if limit != "" {
		_, _ = fmt.Fprintf(a.stdout, "  limit: %s\n", limit)
	}
	if j.profile && err == nil {
		err = writeProfile(a.stdout, times, screenWidth(a.stdout))
	}
	return err
}

const (
	// followEvery is how often the database is asked how a run goes, which other
	// workers help with; longer where the answer takes long.
	followEvery = time.Second
	followShare = 20 // of the time at most one part is spent on asking
)

// follow keeps a progress true to the database. The returned function ends it.
func (a *app) follow(ctx context.Context, runID int64, p *progress) func() {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		timer := time.NewTimer(followEvery)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			}
			began := time.Now()
			if now, err := a.store.Progress(ctx, runID); err == nil {
				p.sync(now)
			}
			timer.Reset(max(followEvery, followShare*time.Since(began)))
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// printStopped says where a run stands that is to go on.
func (a *app) printStopped(s farm.Summary) {
	if s.State == store.RunRunning {
		_, _ = fmt.Fprintf(a.stdout, "%s: left at %d of %s; other workers go on with run %d.\n",
			s.Recipe, s.Total-s.Pending, pagesWords(s.Total), s.RunID)
		return
	}
	_, _ = fmt.Fprintf(a.stdout, "%s: stopped at %d of %s, run %d. The same command goes on.\n",
		s.Recipe, s.Total-s.Pending, pagesWords(s.Total), s.RunID)
}

// show chooses how progress is displayed: not at all, as a bar, or as lines.
func (a *app) show(name string, p *progress) display {
	above, ok := a.stderr.(*aboveBar)
	width := screenWidth(a.stderr)
	switch {
	case a.quiet:
		return quietDisplay{}
	case ok && width > 0:
		bar := newBar(above.to, p, width)
		above.through(bar)
		return closeFirst{bar, func() { above.through(nil) }}
	}
	tick := time.NewTicker(lineEvery)
	return closeFirst{newLines(a.stderr, name, p, tick.C), tick.Stop}
}

// closeFirst does something before a display is closed.
type closeFirst struct {
	display
	first func()
}

func (c closeFirst) Close() {
	c.first()
	c.display.Close()
}

// tellDrain says that the first Ctrl-C was heard. The returned function ends
// the listening and waits for it.
func (a *app) tellDrain(ctx context.Context, drain <-chan struct{}, runID int64) func() {
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-quit:
			return
		case <-drain:
		}
		flight := "the pages in flight"
		look, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if now, err := a.store.Progress(look, runID); err == nil {
			flight = pagesWords(now.Leased)
		}
		stop := "^C finishing %s, press again to stop now"
		if (&interrupted{signal: a.signals.signal()}).code() == exitTerminated {
			stop = "finishing %s, a second SIGTERM stops now"
		}
		a.notice(stop, flight)
	}()
	return func() {
		close(quit)
		<-ended
	}
}

func pagesWords(n int) string { return count(int64(n), "page", "pages") }

// exitOf is the exit code of a run that was not interrupted. Rows that two
// pages gave differently were stored by the rule and still need an eye.
func exitOf(s farm.Summary) int {
	if s.Failed > 0 || s.Pending > 0 || s.Problem != "" || s.State == store.RunCancelled {
		return exitPages
	}
	for _, t := range s.Tables {
		if t.Conflicts > 0 {
			return exitPages
		}
	}
	return exitOK
}

func rowsOfTables(s farm.Summary) int64 {
	var n int64
	for _, t := range s.Tables {
		n += t.Inserted + t.Updated + t.Unchanged
	}
	return n
}
