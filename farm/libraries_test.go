package farm

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/internal/libsite"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// runLong is run with the time that grids of 80,000 cells need where several are
// read at once on two busy processors.
func (b *bench) runLong(r *recipe.Recipe) Summary {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 8*time.Minute)
	defer cancel()
	s, err := b.farm.Submit(ctx, r, SubmitOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.work(ctx, s.RunID, nil, nil)
}

// Pages of the libraries that people meet give the rows of the JSON behind them,
// all of them, each value as it stands there, and say how that is proven.
func TestRealLibraries(t *testing.T) {
	t.Parallel()
	site := libsite.Start(t)
	for _, page := range site.Pages {
		t.Run(page.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demosite.Options{})
			sum := b.runLong(b.recipe(page.Name, page.Recipe))
			if sum.State != store.RunDone || sum.Failed > 0 {
				t.Fatalf("run: %s %v", counts(sum), sum.Failures)
			}
			proof := "total"
			switch page.Name {
			case "react": // its table ends with the document
				proof = "end"
			case "handsontable": // it states no number, and its rows come from what it fetched
				proof = "source"
			}
			if got := b.query("select proof from tabfarm.pages"); len(got) != 1 || got[0] != proof {
				t.Errorf("proof is %q, not %s", got, proof)
			}
			order := "1"
			if page.Placed {
				order = "_row"
			}
			got := b.query(fmt.Sprintf("select %s from %s order by %s", columnsOf(page), page.Name, order))
			want := wantedRows(page)
			if !page.Placed {
				slices.Sort(want)
				slices.Sort(got)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("rows (-behind the page +stored):\n%s", diff)
			}
		})
	}
}

// The same pages with one row left out, which their total still counts, are
// incomplete and say how many of how many were read. Tabulator states no number
// of rows, so its page does; Handsontable states none either, but numbers its
// rows, so that the missing one is known. A library that does neither could hide
// a row that its data lack, and nobody would know. What they fetch comes in a type
// that is not taken for JSON, so what they draw is all that can be read.
func TestWithheldRow(t *testing.T) {
	t.Parallel()
	site := libsite.Start(t)
	for _, page := range site.Pages {
		if page.Withheld == "" {
			continue
		}
		t.Run(page.Name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demosite.Options{})
			sum := b.runLong(b.recipe(page.Name, page.WithheldRecipe()))
			got := b.query("select outcome, message from tabfarm.pages")
			want := "incomplete|" + page.Name + ": have 1,999 of 2,000 rows"
			if sum.Failed != 1 || len(got) != 1 || !strings.HasPrefix(got[0], want) {
				t.Errorf("%s\ngot  %q\nwant %q", counts(sum), got, want)
			}
		})
	}
}

// columnsOf lists the columns of a page in SQL.
func columnsOf(page libsite.Page) string {
	names := make([]string, len(page.Table.Columns))
	for i, c := range page.Table.Columns {
		names[i] = recipe.SQLName(c.Title)
	}
	return strings.Join(names, ", ")
}

// wantedRows are the rows of a page as a query gives them.
func wantedRows(page libsite.Page) []string {
	sql := map[string]string{"": "NULL", "true": "t", "false": "f"} // as Postgres writes them
	rows := make([]string, len(page.Texts))
	for i, row := range page.Texts {
		cells := make([]string, len(row))
		for j, text := range row {
			cells[j] = text
			if s, ok := sql[text]; ok {
				cells[j] = s
			}
		}
		rows[i] = strings.Join(cells, "|")
	}
	return rows
}
