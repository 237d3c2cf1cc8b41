package farm

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/internal/libsite"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// The recipe that Look writes for a page of a library gives the rows of the one
// written by hand, with no edit.
func TestLookOfRealLibraries(t *testing.T) {
	t.Parallel()
	site := libsite.Start(t)
	for _, page := range site.Pages {
		t.Run(page.Name, func(t *testing.T) {
			t.Parallel()
			if slow := page.Name == "tabulator" || page.Name == "muigrid"; slow && os.Getenv("TABFARM_SOAK") == "" {
				t.Skip("it takes most of a minute: make soak runs it")
			}
			b := newBench(t, demosite.Options{})
			look, err := b.farm.Look(t.Context(), page.URL)
			if err != nil || look.Failed || look.Outcome != OK {
				t.Fatalf("%v, %s: %s", err, look.Outcome, look.Message)
			}
			t.Logf("%s", look.Recipe)
			found, err := recipe.Parse("found.yaml", append(look.Recipe, "polite: {rate: none}\n"...))
			if err != nil {
				t.Fatalf("%v\n%s", err, look.Recipe)
			}
			sum := b.runLong(found)
			if sum.State != store.RunDone || sum.Failed > 0 {
				t.Fatalf("run: %s %v\n%s", counts(sum), sum.Failures, look.Recipe)
			}
			got := b.query(fmt.Sprintf("select %s from %s", columnsOf(page), look.Tables[0].Name))
			want := wantedRows(page)
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-behind the page +stored):\n%.2000s\n%s", diff, look.Recipe)
			}
		})
	}
}
