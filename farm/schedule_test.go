package farm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// yearly is a recipe whose pages nobody asks for in these tests. Its times are so far
// apart that none comes while a test runs.
const yearly = `
schedule: {cron: "0 0 1 1 *"}
urls: https://stats.example/{n}
with: {n: {from: 1, to: 3}}
tables: {figures: {}}
`

// newYear is the time of yearly in a year, counted from this one.
func newYear(now time.Time, years int) time.Time {
	return time.Date(now.UTC().Year()+years, 1, 1, 0, 0, 0, 0, time.UTC)
}

// threeYearsAgo is a store whose schedules were made then and have not run since.
type threeYearsAgo struct{ *store.Store }

func (s threeYearsAgo) PutSchedule(ctx context.Context, n store.NewSchedule) (time.Time, error) {
	next := n.Next
	n.Next = func(now time.Time) time.Time { return next(now.AddDate(-3, 0, 0)) }
	return s.Store.PutSchedule(ctx, n)
}

// priorities notes those of the runs that begin.
type priorities struct {
	*store.Store
	of map[string]int
}

func (s priorities) StartRun(ctx context.Context, n store.NewRun) (store.Run, error) {
	s.of[n.Recipe] = n.Priority
	return s.Store.StartRun(ctx, n)
}

// missed schedules a text so that it is due for three years.
func missed(t *testing.T, s *store.Store, name, text string) {
	t.Helper()
	if _, err := s.DropSchedule(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	_, err := s.PutSchedule(t.Context(), store.NewSchedule{
		Recipe: name, File: "/recipes/" + name + ".yaml", Text: []byte(text), Hash: []byte(text), Rule: "a rule", Timezone: "UTC",
		Next: func(now time.Time) time.Time { return newYear(now, -3) },
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) tick() time.Time {
	b.t.Helper()
	next, err := b.farm.Tick(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return next
}

// wantRows compares the rows of a statement.
func (b *bench) wantRows(sql string, want ...string) {
	b.t.Helper()
	if got := b.query(sql); !slices.Equal(got, want) {
		b.t.Errorf("%s\n%s\nwant\n%s", sql, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestTicksAtOnce: of three farms that tick at one due time, many times at once, one
// starts the recipe. Its runs may overlap, so that nothing else keeps a second away.
func TestTicksAtOnce(t *testing.T) {
	t.Parallel()
	config := pgtest.Open(t)
	farms, stores := make([]*Farm, 3), make([]*store.Store, 3)
	for i := range farms {
		s, err := store.Open(t.Context(), *config)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(s.Close)
		farms[i], stores[i] = newTestFarm(t, Config{Store: s}), s
	}
	text := strings.ReplaceAll(yearly, `"}`, `", overlap: allow}`)
	const rounds, ticks = 4, 4
	for round := 1; round <= rounds; round++ {
		missed(t, stores[0], "figures", text)
		begin := make(chan struct{})
		var all sync.WaitGroup
		for _, f := range farms {
			for range ticks {
				all.Go(func() {
					<-begin
					if _, err := f.Tick(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
		}
		close(begin)
		all.Wait()
		if next, err := farms[round%3].Tick(t.Context()); err != nil || !next.Equal(newYear(time.Now(), 1)) {
			t.Errorf("the next time is %v, %v", next, err)
		}
		runs, err := stores[0].Runs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(runs) != round || runs[0].Pages != 3 {
			t.Fatalf("%d runs after %d due times, the newest of %d pages", len(runs), round, runs[0].Pages)
		}
	}
}

// TestTick: what each recipe comes to when it is due, and that none stops the others.
func TestTick(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	if next := b.tick(); !next.IsZero() {
		t.Errorf("without schedules the next time is %v", next)
	}
	broken := "schedule: \"0 0 1 1 *\"\nurls: {sitemap: " + b.site.URL + "/nothing.xml}\ntables: {broken: {}}\n"
	missed(t, b.store, "a_broken", broken)
	missed(t, b.store, "b_unread", "urls: {")
	missed(t, b.store, "c_fine", yearly+"priority: 7\n")
	if next := time.Until(b.tick()); next < 50*time.Minute || next > unreadAgain {
		t.Errorf("the next time is in %v: that of what cannot be read", next)
	}
	notes := b.query("select note from tabfarm.schedules where recipe < 'c' order by recipe")
	if !strings.Contains(notes[0], "not started: plan a_broken: ") || !strings.Contains(notes[0], "HTTP 404") || !strings.HasPrefix(notes[1], "not started: /recipes/b_unread.yaml:1:") {
		t.Errorf("notes\n%s", strings.Join(notes, "\n"))
	}
	b.wantRows("select recipe, last_run, last_state, next_at > now() + interval '1 h' from tabfarm.schedules order by recipe",
		"a_broken|NULL|NULL|t", "b_unread|NULL|NULL|f", "c_fine|1|running|t")
	run, err := b.store.RunByID(t.Context(), 1)
	if err != nil || run.File != "/recipes/c_fine.yaml" || string(run.Text) != yearly+"priority: 7\n" {
		t.Errorf("the run's recipe: %q %q %v", run.File, run.Text, err)
	}
}

// TestPriority: that of the recipe is that of its runs, by hand and by schedule.
func TestPriority(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	begun := priorities{b.store, map[string]int{}}
	b.farm.Store = begun
	text := strings.ReplaceAll(yearly, "figures: {}", "others: {}") + "priority: -3\n"
	if _, err := b.farm.Submit(t.Context(), b.recipe("by_hand", text), SubmitOptions{}); err != nil {
		t.Fatal(err)
	}
	missed(t, b.store, "by_schedule", yearly+"priority: 7\n")
	b.tick()
	if begun.of["by_hand"] != -3 || begun.of["by_schedule"] != 7 {
		t.Errorf("priorities: %v", begun.of)
	}
}

// TestTickBesideARun: a run that is going is not started again; one that was stopped
// gives way, or nothing would run for ever.
func TestTickBesideARun(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	s, err := b.farm.Submit(t.Context(), b.recipe("figures", yearly), SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	missed(t, b.store, "figures", yearly)
	b.tick()
	const schedules = "select last_run, last_state, note, next_at > now() from tabfarm.schedules"
	b.wantRows(schedules, fmt.Sprintf("NULL|NULL|skipped: run %d still going|t", s.RunID))
	if err := b.store.EndRun(t.Context(), s.RunID, store.RunStopped); err != nil {
		t.Fatal(err)
	}
	missed(t, b.store, "figures", yearly)
	b.tick()
	b.wantRows(schedules, "2|running|NULL|t")
	b.wantRows("select state from tabfarm.runs order by run", "superseded", "running")
}

// TestRetryBesideARun: failed pages are tried again beside a run that is going, where
// the recipe lets runs overlap.
func TestRetryBesideARun(t *testing.T) {
	t.Parallel()
	for overlap, want := range map[string]int{"skip": 0, "allow": 3} {
		t.Run(overlap, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demosite.Options{})
			text := strings.ReplaceAll(yearly, `"}`, `", overlap: `+overlap+`}`)
			s, err := b.farm.Submit(t.Context(), b.recipe("figures", text), SubmitOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.farm.Cancel(t.Context(), s.RunID); err != nil {
				t.Fatal(err)
			}
			missed(t, b.store, "figures", text)
			b.tick()
			b.wantRows("select state from tabfarm.runs order by run", "cancelled", "running")
			_, n, err := b.farm.Retry(t.Context(), s.RunID, nil)
			var open *store.RunOpenError
			if n != want || errors.As(err, &open) != (want == 0) {
				t.Errorf("%d pages are tried again, want %d; %v", n, want, err)
			}
		})
	}
}

// TestSchedule: the database keeps the recipe with its files, and starts what it kept.
func TestSchedule(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	b.farm.Store = threeYearsAgo{b.store}
	b.file("n.txt", "7\n8\n")
	r := b.recipe("figures", strings.ReplaceAll(yearly, "{from: 1, to: 3}", "{file: n.txt}")+"timezone: Europe/Berlin\n")
	first, err := b.farm.Schedule(t.Context(), r)
	if want := newYear(time.Now(), -2).Add(-time.Hour); err != nil || !first.Equal(want) {
		t.Fatalf("due at %v, want %v; %v", first, want, err)
	}
	b.farm.Store = b.store
	if again, err := b.farm.Schedule(t.Context(), r); err != nil || !again.Equal(first) {
		t.Errorf("unchanged, it is due at %v; %v", again, err)
	}
	if err := os.Remove(filepath.Join(b.dir, "n.txt")); err != nil {
		t.Fatal(err)
	}
	next := newYear(time.Now(), 1).Add(-time.Hour)
	if at := b.tick(); !at.Equal(next) {
		t.Errorf("next at %v, want %v", at, next)
	}
	b.wantRows("select url from tabfarm.pages order by url", "https://stats.example/7", "https://stats.example/8")
	all, err := b.farm.Schedules(t.Context())
	if err != nil || len(all) != 1 || all[0].Rule != "0 0 1 1 *" || all[0].Timezone != "Europe/Berlin" || all[0].File != r.File || !all[0].NextAt.Equal(next) {
		t.Errorf("schedules: %+v, %v", all, err)
	}
	b.farm.Store = threeYearsAgo{b.store}
	b.file("n.txt", "9\n") // a changed recipe
	if at, err := b.farm.Schedule(t.Context(), r); err != nil || !at.Equal(first) {
		t.Errorf("changed, it is due at %v, %v", at, err)
	}
	for _, there := range []bool{true, false} {
		if was, err := b.farm.Unschedule(t.Context(), "figures"); err != nil || was != there {
			t.Errorf("ended: %v, want %v; %v", was, there, err)
		}
	}
}

func TestScheduleRefuses(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	if _, err := b.farm.Schedule(t.Context(), b.recipe("none", "urls: SITE/x\ntables: {none: {}}\n")); !errors.Is(err, ErrNoSchedule) {
		t.Errorf("without a schedule: %v", err)
	}
	var mistakes recipe.Mistakes
	if _, err := b.farm.Schedule(t.Context(), b.recipe("gone", strings.ReplaceAll(yearly, "figures: {}", "figures: {key: [a], gone: mark}"))); !errors.As(err, &mistakes) {
		t.Errorf("a key that does nothing yet: %v", err)
	}
	var plan *PlanError
	if _, err := b.farm.Schedule(t.Context(), b.recipe("file", "schedule: \"0 6 * * *\"\nurls: {file: missing.txt}\ntables: {file: {}}\n")); !errors.As(err, &plan) {
		t.Errorf("without its file: %v", err)
	}
}
