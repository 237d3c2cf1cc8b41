package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/recipe"
)

// TestScheduleServed: serve schedules the recipes of folders and files that have a
// schedule, tells those that have none, and leaves what was scheduled before.
func TestScheduleServed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		return file
	}
	const daily = "schedule: \"30 6 * * *\"\nurls: https://stats.example/x\ntables: {t: {}}\n"
	before := write("before.yaml", daily)
	write("all/one.yaml", daily)
	write("all/two.yml", daily)
	write("all/tabfarm.yaml", "log: {level: info}\n")
	write("all/words.txt", "a\n")
	write("all/sub/deeper.yaml", daily)
	none := write("all/none.yaml", "urls: https://stats.example/x\ntables: {t: {}}\n")
	write("empty/words.txt", "a\n")

	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr, store: pgtest.Store(t)}
	f, err := a.newFarm()
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{before}, {filepath.Join(dir, "all")}} {
		if err := a.scheduleServed(t.Context(), f, args); err != nil {
			t.Fatal(err)
		}
	}
	schedules, err := f.Schedules(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range schedules {
		names = append(names, s.Recipe)
	}
	slices.Sort(names)
	if want := []string{"before", "one", "two"}; !slices.Equal(names, want) {
		t.Errorf("scheduled are %v, want %v", names, want)
	}
	if got, want := stderr.String(), none+" has no schedule\n"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	write("all/wrong.yaml", "urls: {")
	var mistakes recipe.Mistakes
	if err := a.scheduleServed(t.Context(), f, []string{filepath.Join(dir, "all")}); !errors.As(err, &mistakes) {
		t.Errorf("a recipe with mistakes: %v", err)
	}
	for _, missing := range []string{filepath.Join(dir, "empty"), filepath.Join(dir, "nowhere")} {
		if err := a.scheduleServed(t.Context(), f, []string{missing}); explain(err) == nil || explain(err).code != exitUsage {
			t.Errorf("%s: %v", missing, err)
		}
	}
}

func TestNextWords(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 24, 2, 18, 0, 0, time.UTC)
	for want, next := range map[string]time.Time{
		"next at 2026-11-24 06:30 EST (in 9 h 12 min)":         time.Date(2026, 11, 24, 11, 30, 0, 0, time.UTC),
		"next at 2027-07-01 00:00 EDT (in 219 d 2 h)":          time.Date(2027, 7, 1, 4, 0, 0, 0, time.UTC),
		"due since 2026-11-23 21:18 EST":                       now,
		"has no time left: all are before now, or after until": {},
	} {
		if got := nextWords(next, zone, now); got != want {
			t.Errorf("%v: %q, want %q", next, got, want)
		}
	}
}
