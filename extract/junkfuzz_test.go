package extract_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// FuzzJunk reads grids of divs whose attributes are junk. Nothing can be said of
// where their cells belong; but the page is read, and no text stands in a grid
// that its page has not.
func FuzzJunk(f *testing.F) {
	chrometest.Pool(f) // before the fuzzer's clock runs
	for _, seed := range []string{"", "a"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		m := &maker{choices: newChoices(input)}
		var page strings.Builder
		for i := range 10 {
			m.junkGrid(&page, i == 0)
		}
		r := readHTML(t, page.String())
		seen := map[string]bool{}
		for i := range r.Grids {
			for _, line := range gotLines(&r.Grids[i])[1:] {
				for _, text := range strings.Split(line.Cells, " | ") {
					seen[text] = true
				}
			}
		}
		for text := range seen {
			if text != "" && text != "~" && !strings.Contains(page.String(), ">"+text+"<") {
				t.Fatalf("%q stands in no cell of\n%s", text, &page)
			}
		}
	})
}

// junkValues are what a page may say of a number.
var junkValues = []string{"0", "1", "2", "3", "-1", "", "x", "1.5", "4000000000", "-4000000000", "99999999999999999999999", "1e9", " 2"}

// junk writes an attribute now and then.
func (m *maker) junk(b *strings.Builder, names ...string) {
	for _, name := range names {
		if m.oneIn(3) {
			fmt.Fprintf(b, ` %s="%s"`, name, junkValues[m.below(len(junkValues))])
		}
	}
}

// junkGrid writes a grid. Where more rows or columns are stated than it has they
// are looked for, which takes its time; so not every grid of a page states any.
func (m *maker) junkGrid(b *strings.Builder, states bool) {
	fmt.Fprintf(b, `<div><div role="%s"`, []string{"grid", "table", "treegrid"}[m.below(3)])
	if states {
		m.junk(b, "aria-colcount", "aria-rowcount")
	}
	b.WriteString(">")
	for range m.below(5) {
		b.WriteString(`<div role="row"`)
		m.junk(b, "aria-rowindex", "aria-colindex", "row-index", "row-id", "data-id", "data-index")
		b.WriteString(">")
		for range m.below(5) {
			m.cells++
			fmt.Fprintf(b, `<div role="%s"`, []string{"gridcell", "cell", "columnheader", "rowheader"}[m.below(4)])
			m.junk(b, "aria-colindex", "aria-colspan", "aria-rowspan", "col-id", "data-field")
			fmt.Fprintf(b, ">c%d</div>", m.cells)
		}
		b.WriteString("</div>")
	}
	b.WriteString("</div></div>\n")
}
