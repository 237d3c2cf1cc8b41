package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
	"github.com/tabfarm/tabfarm/store/localpg"
)

// demoRecipes are run by the demo, in this order.
var demoRecipes = []string{"leaders", "grid"}

const demoSQL = "select player, season, pts from leaders order by pts desc limit 3"

func newDemo(a *app) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "the whole thing on a bundled JavaScript site; ends with a SQL result",
		Args:  takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.demo(cmd.Context(), keep)
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "let the site stay until Ctrl-C, to try recipes on it")
	cmd.Flags().Int("tabs", 0, "tabs that work at once (default: sized from the machine)")
	return cmd
}

func (a *app) demo(ctx context.Context, keep bool) error {
	data, err := dataDir()
	if err != nil {
		return err
	}
	if err := a.demoChrome(ctx); err != nil {
		return err
	}
	if err := a.demoPostgres(ctx); err != nil {
		return err
	}
	site, err := demosite.Start(ctx)
	if err != nil {
		return err
	}
	a.closers = append(a.closers, site.Close)
	a.demoLine("Site", site.URL+", bundled, needs JavaScript")

	dir := filepath.Join(data, "demo")
	files, err := demosite.WriteRecipes(dir, site.URL, demoRecipes...)
	if err != nil {
		return err
	}
	recipes, err := loadRecipes(files)
	if err != nil {
		return err
	}
	f, err := a.newFarm(strings.TrimPrefix(site.URL, "http://"))
	if err != nil {
		return err
	}
	began, pages, worst := time.Now(), 0, exitOK
	for _, r := range recipes {
		s, code, err := a.demoRun(ctx, f, r)
		if err != nil {
			return err
		}
		worst = max(worst, code)
		pages += s.Done
		if a.signals.signal() != nil {
			return exit(worst)
		}
	}
	took := time.Since(began)
	if err := a.demoQuery(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s in %.1f s. The recipes: %s. Next: tabfarm init URL\n", pagesWords(pages), took.Seconds(), tilde(dir))
	if keep && err == nil {
		a.demoKeep(ctx, site, dir)
	}
	return errors.Join(err, exit(worst))
}

// demoKeep lets the site stay until the first signal, and says how to use it.
func (a *app) demoKeep(ctx context.Context, site *demosite.Site, dir string) {
	drain, done := a.signals.draining()
	defer done()
	_, _ = fmt.Fprintf(a.stdout, "%s stays until Ctrl-C. In another terminal:\n  export TABFARM_NETWORK_ALLOW_PRIVATE=127.0.0.1\n  tabfarm run %s/*.yaml\n",
		site.URL, tilde(dir))
	select {
	case <-drain:
	case <-ctx.Done():
	}
}

// demoLine is one line of the demo: what, and what about it.
func (a *app) demoLine(name, text string) {
	_, _ = fmt.Fprintf(a.stdout, "%-11s%s\n", name, text)
}

func (a *app) demoChrome(ctx context.Context) error {
	b, err := browserpool.Find(a.settings.Browser.Path)
	if err != nil {
		a.demoLine("Chrome", "not found")
		return noBrowser(err, a.settings.Browser.Path)
	}
	if _, err := a.openPool(ctx); err != nil {
		a.demoLine("Chrome", b.String()+", does not start")
		return err
	}
	a.demoLine("Chrome", fmt.Sprintf("%s, sandbox %s", b, a.settings.Browser.Sandbox))
	return nil
}

func (a *app) demoPostgres(ctx context.Context) error {
	if _, err := a.openStore(ctx, writes); err != nil {
		state := "not ready"
		var programs *localpg.ErrNoPrograms
		if errors.As(err, &programs) {
			state = "not found"
		}
		a.demoLine("Postgres", state)
		return err
	}
	if a.local == nil {
		a.demoLine("Postgres", withoutPassword(a.settings.Database.URL))
		return nil
	}
	a.demoLine("Postgres", fmt.Sprintf("private, in %s (stop it: tabfarm db stop)", placeOf(a.local.Dir)))
	return nil
}

// demoRun runs one recipe and prints its line. Failed pages are told as by run.
func (a *app) demoRun(ctx context.Context, f *farm.Farm, r *recipe.Recipe) (farm.Summary, int, error) {
	s, err := f.Submit(ctx, r, farm.SubmitOptions{})
	if err != nil {
		return farm.Summary{}, 0, err
	}
	p := newProgress(s.Total, s.Finished, 0, pagesAMinute(r), time.Now)
	drain, done := a.signals.draining()
	defer done()
	show := a.show(r.Name, p)
	told := a.tellDrain(ctx, drain, s.RunID)
	err = f.Work(ctx, drain, s.RunID, p.eventOf(s.RunID))
	show.Close()
	told()
	if err != nil {
		return farm.Summary{}, 0, err
	}
	sum, err := f.Summary(ctx, s.RunID)
	if err != nil {
		return sum, 0, err
	}
	if signal := a.signals.signal(); signal != nil && sum.Pending > 0 {
		a.printStopped(sum)
		return sum, (&interrupted{signal: signal}).code(), nil
	}
	if code := exitOf(sum); code != exitOK {
		return sum, code, printSummary(a.stdout, sum, false)
	}
	pages, err := a.store.Pages(ctx, store.PageFilter{RunID: s.RunID})
	if err != nil {
		return sum, 0, err
	}
	a.demoLine(r.Name, fmt.Sprintf("%2d of %-8s   %s   %s", sum.Done, pagesWords(sum.Total),
		count(rowsOfTables(sum), "row", "rows"), proofWords(pages)+unchangedWords(sum)))
	return sum, exitOK, nil
}

// proofWords says why the rows are all there.
func proofWords(pages []store.PageInfo) string {
	if len(pages) == 1 && pages[0].Proof == string(extract.ProofTotal) && pages[0].StatedTotal != nil && pages[0].Rows != nil {
		return fmt.Sprintf("scrolled, %s of %s stated", thousands(int64(*pages[0].Rows)), thousands(int64(*pages[0].StatedTotal)))
	}
	for _, p := range pages {
		if p.Proof == string(extract.ProofNone) || p.Proof == "" {
			return "not all proven to be complete"
		}
	}
	return "all complete"
}

// unchangedWords tells a demo that was run before that the database had all rows.
func unchangedWords(s farm.Summary) string {
	var changed, same int64
	for _, t := range s.Tables {
		changed += t.Inserted + t.Updated
		same += t.Unchanged
	}
	if changed > 0 || same == 0 {
		return ""
	}
	return ", 0 inserted, 0 updated, all unchanged"
}

// demoQuery shows the statement and its rows; thousands are separated, for the
// result is meant for the eye.
func (a *app) demoQuery(ctx context.Context) error {
	_, _ = fmt.Fprintf(a.stdout, "\n%s\n", demoSQL)
	rows, err := a.store.Query(ctx, demoSQL)
	if err != nil {
		return a.sqlFailure(err, demoSQL)
	}
	defer rows.Close()
	r := result{rows: rowsOfQuery(rows)}
	for _, c := range rows.Columns {
		r.columns = append(r.columns, resultColumn{c.Name, kindOfSQL(c.Type)})
	}
	t, err := r.screen()
	if err != nil {
		return err
	}
	for _, row := range t.rows {
		for i, c := range row {
			if r.columns[i].kind == kindInteger {
				row[i] = separated(c)
			}
		}
	}
	return t.write(a.stdout)
}
