package farm

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/recipe"
)

func TestTryTheDemoSite(t *testing.T) {
	t.Parallel()
	site, err := demosite.Start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files, err := demosite.WriteRecipes(t.TempDir(), site.URL)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{ // recipe -> "table rows proof" of its first page
		"batches": "batches 118 end", "broken": "days 31 total", "calendar": "calendar 31 total", "elements": "elements 118 total",
		"grid": "grid 2000 total", "leaders": "leaders 50 total", "members": "members 8 total", "notes": "notes 128 total",
		"planets": "planets 8 total", "slow": "slow 31 total", "standings": "standings 30 end", "terms": "terms 60 total",
	}
	f := newTestFarm(t, Config{Browser: chrometest.Pool(t)})
	for _, file := range files {
		name := filepath.Base(file[:len(file)-len(".yaml")])
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := recipe.Load(file)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			start := time.Now()
			got, err := f.Try(ctx, TryRequest{Recipe: r})
			if err != nil {
				t.Fatal(err)
			}
			if got.Outcome != OK {
				t.Fatalf("outcome %s: %s", got.Outcome, got.Message)
			}
			if line := fmt.Sprintf("%s %d %s", got.Tables[0].Name, len(got.Tables[0].Rows), got.Tables[0].Proof); line != want[name] {
				t.Errorf("first table is %q, want %q", line, want[name])
			}
			t.Logf("%s %v", time.Since(start), got.Tables[0].Columns)
		})
	}
}

// TestTryPace: turns of a page that is only tried wait too, and end with their context.
func TestTryPace(t *testing.T) {
	t.Parallel()
	turn := pace(0)
	for range 3 {
		if err := turn(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pace(time.Hour)(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a turn in an hour gave %v", err)
	}
}
