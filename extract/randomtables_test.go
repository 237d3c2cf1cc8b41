package extract_test

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
)

// choices decide what a random table is: bytes that are given first, then numbers
// that follow from them, so that a short input makes whole tables too.
type choices struct {
	given []byte
	then  *rand.Rand
}

func newChoices(input []byte) *choices {
	h := fnv.New64a()
	_, _ = h.Write(input) // it never fails
	return &choices{input, rand.New(rand.NewPCG(h.Sum64(), 0))}
}

func (c *choices) below(n int) int {
	if len(c.given) > 0 {
		b := c.given[0]
		c.given = c.given[1:]
		return int(b) % n
	}
	return c.then.IntN(n)
}

// oneIn is true once in n times.
func (c *choices) oneIn(n int) bool { return c.below(n) == n-1 }

// mark is how an element is hidden, if it is.
type mark int

const (
	plain mark = iota // as what is around it
	gone              // not displayed
	ghost             // not visible
	seen              // visible, whatever is around it
)

// markAttributes are those that make a mark.
var markAttributes = [][]string{
	plain: {""},
	gone:  {` hidden`, ` style="display:none"`, ` class="gone"`},
	ghost: {` style="visibility:hidden"`, ` class="ghost"`},
	seen:  {` style="visibility:visible"`, ` class="seen"`},
}

const hidingRules = `<style>.gone{display:none}.ghost{visibility:hidden}.seen{visibility:visible}</style>`

// A madeTable is a random table: its markup and all that its reading follows from.
type madeTable struct {
	caption  string
	sections []madeSection
	unseen   bool // by what is around it
}

type madeSection struct {
	tag   string // thead, tbody, tfoot; "loose" for rows that stand in the table itself
	mark  mark
	style string
	rows  []madeRow
}

type madeRow struct {
	mark  mark
	style string
	cells []*madeCell
}

type madeCell struct {
	tag           string
	spans         string // attributes
	columns, rows int    // as the HTML Standard counts them; rows 0 is to the end of the group
	mark          mark
	style         string
	content       string // before and behind the inner table
	inner         *madeTable
	rest          string
	text          string // that is shown where the cell is visible
	always        string // that is shown even where it is not
	blind         string // that is read where the whole table is not visible
}

// spanValue is an attribute's value and what it counts for.
type spanValue struct {
	written string
	counts  int
}

var (
	oddColspans = []spanValue{{"0", 1}, {"", 1}, {"-2", 1}, {"x", 1}, {"2;", 2}, {"100%", 100}, {"1001", 1000}, {"+2", 2}, {" 2 x", 2}, {"1.9", 1}, {"99999999999", 1000}}
	oddRowspans = []spanValue{{"0", 0}, {"0", 0}, {"0", 0}, {"", 1}, {"-1", 1}, {"x", 1}, {"2;", 2}, {"65535", 65534}, {"99999999999", 65534}}
)

// maker makes tables; every cell of all has a text of its own.
type maker struct {
	*choices
	cells int
	all   []*madeTable // in the order of the document
}

func (m *maker) mark() (kind mark, attribute string) {
	if m.oneIn(8) {
		kind = mark(m.below(4))
	}
	return kind, markAttributes[kind][m.below(len(markAttributes[kind]))]
}

// table makes a table; depth counts those around it.
func (m *maker) table(depth int) *madeTable {
	t := &madeTable{}
	m.all = append(m.all, t)
	if m.oneIn(5) {
		t.caption = fmt.Sprintf("k%d", len(m.all))
	}
	rows, columns := 5, 5
	if depth > 0 {
		rows, columns = 2, 3
	} else if m.oneIn(60) {
		rows, columns = 80, 9 // of so many elements not all are asked whether they show
	}
	for range m.below(4) + 1 {
		s := madeSection{tag: []string{"thead", "tbody", "loose", "tbody", "tfoot", "loose"}[m.below(6)]}
		if s.tag != "loose" {
			s.mark, s.style = m.mark()
		}
		for range m.below(rows) + rows/10 {
			s.rows = append(s.rows, m.row(columns, depth))
		}
		t.sections = append(t.sections, s)
	}
	return t
}

func (m *maker) row(columns, depth int) madeRow {
	r := madeRow{}
	r.mark, r.style = m.mark()
	headers := m.oneIn(4)
	for range m.below(columns + 1) {
		c := &madeCell{tag: "td"}
		if headers || m.oneIn(10) {
			c.tag = "th"
		}
		c.mark, c.style = m.mark()
		m.spans(c)
		m.fill(c, depth)
		r.cells = append(r.cells, c)
	}
	return r
}

func (m *maker) spans(c *madeCell) {
	choose := func(name string, odd []spanValue) int {
		var v spanValue
		switch {
		case m.oneIn(30):
			v = odd[m.below(len(odd))]
		case m.oneIn(4):
			n := m.below(3) + 2
			v = spanValue{fmt.Sprint(n), n}
		default:
			return 1
		}
		c.spans += fmt.Sprintf(` %s="%s"`, name, v.written)
		return v.counts
	}
	c.columns = choose("colspan", oddColspans)
	c.rows = choose("rowspan", oddRowspans)
}

// fill gives a cell what stands in it.
func (m *maker) fill(c *madeCell, depth int) {
	m.cells++
	n := m.cells
	one, both := fmt.Sprintf("c%d", n), fmt.Sprintf("c%d d%d", n, n)
	kinds := []struct{ content, text, always, blind string }{
		{"c%d", one, "", one},
		{"<b>c%d</b>", one, "", one},
		{"<div>c%d</div>", one, "", one},
		{"c%d<br>d%d", both, "", both},
		{"<p>c%d</p><p>d%d</p>", both, "", both},
		{"<i>c</i><i>%d</i>", one, "", one},
		{"&nbsp; c%d \n\t", one, "", one},
		{"<span hidden>h%d</span>c%d", one, "", one},
		{`<span class="ghost">h</span>c%d<script>h%d</script>`, one, "", "h" + one},
		{`<span class="seen">c%d</span>`, one, one, one},
		{"c%d<sup>[1]</sup>", one, "", one},
		{"<!-- h%d -->", "", "", ""},
	}
	kind := kinds[m.below(len(kinds))]
	c.content, c.text, c.always, c.blind = kind.content, kind.text, kind.always, kind.blind
	if depth < 2 && m.oneIn(40) {
		c.content, c.rest, c.text, c.always, c.blind = "c%d", fmt.Sprintf("d%d", n), both, "", both
		c.inner = m.table(depth + 1)
	}
	c.content = strings.ReplaceAll(c.content, "%d", fmt.Sprint(n))
}

// write writes the markup of the table.
func (t *madeTable) write(b *strings.Builder) {
	b.WriteString("<table>")
	if t.caption != "" {
		b.WriteString("<caption>" + t.caption + "</caption>")
	}
	for _, s := range t.sections {
		tag, attribute := s.tag, s.style
		if tag == "loose" {
			tag, attribute = "tbody", ` class="loose"` // a script takes it away
		}
		b.WriteString("<" + tag + attribute + ">")
		for _, r := range s.rows {
			b.WriteString("<tr" + r.style + ">")
			for _, c := range r.cells {
				b.WriteString("<" + c.tag + c.spans + c.style + ">" + c.content)
				if c.inner != nil {
					c.inner.write(b)
				}
				b.WriteString(c.rest + "</" + c.tag + ">")
			}
			b.WriteString("</tr>")
		}
		b.WriteString("</" + tag + ">")
	}
	b.WriteString("</table>")
}

// madeLine is one row as it must be read.
type madeLine struct {
	cells []*string
	spans []int // columns that a cell across several covers
}

// placed is a cell in its place of the table.
type placed struct {
	*madeCell
	text string // as shown
	wide bool   // covers several of the columns that are left
}

// formedRow is a row as formed: the cells by column, those of the row itself and others.
type formedRow struct {
	covering map[int][]*placed // by column, in the order in which the cells begin
	own      int               // cells
	shown    bool
}

// read forms the table by the HTML Standard's algorithm and gives its rows in
// the order of the grid: the head, the bodies, the foot.
func (t *madeTable) read(visible bool) []madeLine {
	var bodies, feet []formedRow
	anchors := map[int]bool{}
	for i := 0; i < len(t.sections); i++ {
		s := t.sections[i]
		rows := s.rows
		for s.tag == "loose" && i+1 < len(t.sections) && t.sections[i+1].tag == "loose" {
			i++
			rows = append(slices.Clone(rows), t.sections[i].rows...)
		}
		if s.mark == gone {
			continue
		}
		formed := formRows(rows, shows(s.mark, visible), !visible, anchors)
		if s.tag == "tfoot" {
			feet = append(feet, formed...)
		} else {
			bodies = append(bodies, formed...)
		}
	}
	var columns []int
	for column := range anchors {
		columns = append(columns, column)
	}
	slices.Sort(columns)
	return lay(append(bodies, feet...), columns)
}

// shows says whether an element is visible, by its own mark and what is around it.
func shows(m mark, around bool) bool { return m == seen || m == plain && around }

// formRows is the algorithm for the rows of one group. blind says that the table
// itself is not visible: it is read as if it were.
func formRows(rows []madeRow, visible, blind bool, anchors map[int]bool) []formedRow {
	rows = slices.DeleteFunc(slices.Clone(rows), func(r madeRow) bool { return r.mark == gone })
	out := make([]formedRow, len(rows))
	for y := range out {
		out[y].covering = map[int][]*placed{}
	}
	for y, r := range rows {
		rowShows := shows(r.mark, visible) || blind
		out[y].shown = rowShows
		x := 0
		for _, c := range r.cells {
			if c.mark == gone {
				continue
			}
			for len(out[y].covering[x]) > 0 {
				x++
			}
			p := &placed{madeCell: c, text: c.text}
			switch visibleCell := shows(c.mark, shows(r.mark, visible)); {
			case blind:
				p.text = c.blind
			case visibleCell:
				out[y].shown = true
			default:
				p.text = c.always
			}
			out[y].shown = out[y].shown || p.text != ""
			anchors[x] = true
			out[y].own++
			for deep := y; deep < len(rows) && (c.rows == 0 || deep < y+c.rows); deep++ {
				for wide := x; wide < x+c.columns; wide++ {
					out[deep].covering[wide] = append(out[deep].covering[wide], p)
				}
			}
			x += c.columns
		}
	}
	return out
}

// lay gives the lines of the rows that are shown: of cells that overlap the one
// that begins last, which is the row's own where it has one.
func lay(rows []formedRow, columns []int) []madeLine {
	rows = slices.DeleteFunc(rows, func(r formedRow) bool { return r.own == 0 || !r.shown })
	winners := make([][]*placed, len(rows))
	for y, r := range rows {
		for i, column := range columns {
			var winner *placed
			if c := r.covering[column]; len(c) > 0 {
				winner = c[len(c)-1]
			}
			if i > 0 && winner != nil && winner == winners[y][i-1] {
				winner.wide = true
			}
			winners[y] = append(winners[y], winner)
		}
	}
	lines := make([]madeLine, len(rows))
	for y := range rows {
		lines[y].cells = make([]*string, len(columns))
		for i, winner := range winners[y] {
			if winner == nil {
				continue
			}
			lines[y].cells[i] = &winner.text
			if winner.wide {
				lines[y].spans = append(lines[y].spans, i)
			}
		}
	}
	return lines
}

// visibleIn notes of every inner table whether it stands where nothing is visible.
func (t *madeTable) visibleIn(visible bool) {
	t.unseen = !visible
	for _, s := range t.sections {
		for _, r := range s.rows {
			for _, c := range r.cells {
				if c.inner != nil {
					c.inner.visibleIn(shows(c.mark, shows(r.mark, shows(s.mark, visible))))
				}
			}
		}
	}
}

// displayedTables are those of the made tables that are displayed, in the order of the document.
func (t *madeTable) displayedTables() []*madeTable {
	out := []*madeTable{t}
	for _, s := range t.sections {
		for _, r := range s.rows {
			for _, c := range r.cells {
				if c.inner != nil && s.mark != gone && r.mark != gone && c.mark != gone {
					out = append(out, c.inner.displayedTables()...)
				}
			}
		}
	}
	return out
}
