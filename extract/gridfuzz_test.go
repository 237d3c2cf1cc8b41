package extract_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// tablesAPage is how many random tables are read in one page: as many as take
// about a second, for the fuzzer gives up on an input after ten.
const tablesAPage = 40

// FuzzGrid reads random tables in Chrome and holds every grid against the table
// model of the HTML Standard, worked out from what the table was made of: each
// cell where it belongs, no text that is not shown, none lost; nor in the rows
// that come of the grid.
func FuzzGrid(f *testing.F) {
	chrometest.Pool(f) // before the fuzzer's clock runs
	for _, seed := range []string{"", "a"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		m := &maker{choices: newChoices(input)}
		var page strings.Builder
		page.WriteString(hidingRules)
		var want []*madeTable
		for range tablesAPage {
			made := m.table(0)
			made.visibleIn(true)
			page.WriteString("<div>")
			made.write(&page)
			page.WriteString("</div>\n")
			want = append(want, made.displayedTables()...)
		}
		page.WriteString(`<script>for (const body of document.querySelectorAll('tbody.loose')) body.replaceWith(...body.children)</script>`)
		r := readHTML(t, page.String())
		if len(r.Grids) != len(want) {
			t.Fatalf("%d grids of %d tables", len(r.Grids), len(want))
		}
		for i := range want {
			if diff := cmp.Diff(wantLines(want[i], &r.Grids[i]), gotLines(&r.Grids[i])); diff != "" {
				var markup strings.Builder
				want[i].write(&markup)
				t.Fatalf("unseen by what is around it: %t (-want +got):\n%s\n%s%s", want[i].unseen, diff, hidingRules, &markup)
			}
		}
		checkRows(t, r)
	})
}

// checkRows checks that the tables of a reading have every cell of the data rows
// of their grids.
func checkRows(t *testing.T, r *extract.Reading) {
	t.Helper()
	tables, _ := extract.Tables(r, nil, nil, nil) // some are empty, which is a problem of theirs
	if len(tables) != len(r.Grids) {
		t.Fatalf("%d tables of %d grids", len(tables), len(r.Grids))
	}
	for i := range tables {
		n := 0
		for _, row := range r.Grids[i].Rows {
			if row.Role != "" {
				continue
			}
			for j, want := range row.Cells {
				if got := tables[i].Rows[n][j].Text; (got == nil) != (want == nil) || got != nil && *got != *want {
					t.Fatalf("table %d, row %d, column %d: got %v, want %v", i, n, j, texts(tables[i].Rows[n]), joinCells(row.Cells))
				}
			}
			n++
		}
		if len(tables[i].Rows) != n {
			t.Fatalf("table %d has %d rows of %d", i, len(tables[i].Rows), n)
		}
	}
}

// shownLine is one line of a grid, as it is compared; ~ is a place without a cell.
type shownLine struct {
	Cells string
	Spans []int
}

// wantLines are the lines that a table must have; a grid says of its body rows alone what spans.
func wantLines(t *madeTable, g *extract.Grid) []shownLine {
	lines := []shownLine{{Cells: "caption " + t.caption}}
	for i, l := range t.read(!t.unseen) {
		shown := shownLine{Cells: joinCells(l.cells)}
		if i >= len(g.Header) && i < len(g.Header)+len(g.Rows) {
			shown.Spans = l.spans
		}
		lines = append(lines, shown)
	}
	return lines
}

func gotLines(g *extract.Grid) []shownLine {
	lines := []shownLine{{Cells: "caption " + g.Caption}}
	for _, cells := range g.Header {
		lines = append(lines, shownLine{Cells: joinCells(cells)})
	}
	for _, row := range g.Rows {
		lines = append(lines, shownLine{joinCells(row.Cells), row.Spans})
	}
	for _, cells := range g.Foot {
		lines = append(lines, shownLine{Cells: joinCells(cells)})
	}
	return lines
}

func joinCells(cells []*string) string {
	texts := make([]string, len(cells))
	for i, c := range cells {
		texts[i] = "~"
		if c != nil {
			texts[i] = *c
		}
	}
	return strings.Join(texts, " | ")
}
