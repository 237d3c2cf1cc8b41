package farm

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/internal/libsite"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// Pages of React, DataTables and AG Grid give the rows of the JSON behind them,
// all of them, each value as it stands there.
func TestRealLibraries(t *testing.T) {
	t.Parallel()
	site := libsite.Start(t)
	for _, page := range site.Pages {
		t.Run(page.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demosite.Options{})
			sum := b.run(b.recipe(page.Name, page.Recipe), SubmitOptions{})
			if sum.State != store.RunDone || sum.Failed > 0 {
				t.Fatalf("run: %s %v", counts(sum), sum.Failures)
			}
			names := make([]string, len(page.Table.Columns))
			for i, c := range page.Table.Columns {
				names[i] = recipe.SQLName(c.Title)
			}
			got := b.query(fmt.Sprintf("select %s from %s", strings.Join(names, ", "), page.Name))
			sql := map[string]string{"": "NULL", "true": "t", "false": "f"} // as Postgres writes them
			want := make([]string, len(page.Texts))
			for i, row := range page.Texts {
				cells := make([]string, len(row))
				for j, text := range row {
					cells[j] = text
					if s, ok := sql[text]; ok {
						cells[j] = s
					}
				}
				want[i] = strings.Join(cells, "|")
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-behind the page +stored):\n%s", diff)
			}
		})
	}
}
