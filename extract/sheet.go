package extract

import (
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// sheet is the data rows of one recipe table before its columns are resolved:
// columns under their header as shown, from grids or from JSON.
type sheet struct {
	kind     string // "html", "aria", "each" or "json"
	columns  []head
	rows     []sheetRow
	sections bool // some rows stand under a section label

	complete bool
	proof    Proof
	total    *int
	counted  int // rows that count for the total
	note     string
}

// head is one column as the page names it.
type head struct {
	shown string // levels joined by a space; "" where the page names it not
	last  string // the lowest level alone
	name  string // SQL name, unique in the sheet
	json  bool
}

type sheetRow struct {
	frame   int    // that it was read in, 0 for the page itself
	cells   []Cell // by column; shorter rows have no cell there
	fields  map[string]*string
	class   string
	section *string
	attrs   map[string][]*string // by name, then by column
	links   []Link
}

// sheetOf puts the grids of one table below each other: columns of one name are
// one column.
func sheetOf(grids []*Grid) (*sheet, *Problem) {
	s := &sheet{kind: grids[0].Kind, complete: true, proof: ProofTotal}
	at := map[string]int{}
	stated, sum := true, 0
	for _, g := range grids {
		where := make([]int, width(g))
		for i, h := range headsOf(g) {
			known, found := at[h.name]
			if !found {
				known = len(s.columns)
				at[h.name] = known
				s.columns = append(s.columns, h)
			}
			where[i] = known
		}
		if s.tooLarge(len(g.Rows)) {
			return nil, problemf(outcomeTooLarge, "%s rows of %s columns are too many.", thousands(len(s.rows)+len(g.Rows)), thousands(len(s.columns)))
		}
		s.addRows(g, where)
		s.complete = s.complete && g.Complete
		s.proof = weaker(s.proof, g.Proof)
		if g.Note != "" {
			s.note = g.Note
		}
		if g.Total == nil {
			stated = false
		} else {
			sum += *g.Total
		}
	}
	if stated {
		s.total = &sum
	}
	return s, nil
}

// tooLarge says that the sheet would hold too much with so many more rows. Each
// has a place for every column, however few cells it came with.
func (s *sheet) tooLarge(rows int) bool {
	rows += len(s.rows)
	return rows > maxRows || rows*len(s.columns) > maxCells
}

// hold holds the rows against the numbers that the recipe's `total` found.
func (s *sheet) hold(texts []string, l *recipe.Locator) *Problem {
	if len(texts) == 0 {
		return problemf(outcomeMissing, "nothing on the page matches total: %q.", l.CSS)
	}
	total := 0
	for _, text := range texts {
		n, err := statedTotal(text, l)
		if err != nil {
			return problemf(outcomeMissing, "total: no number in %q.", clip(text, 80))
		}
		total += n
	}
	s.total = &total
	s.complete, s.proof = s.counted >= total, ProofNone
	if s.complete {
		s.proof = ProofTotal
	}
	return nil
}

// weaker is the weaker of two proofs.
func weaker(a, b Proof) Proof {
	for _, p := range []Proof{ProofNone, ProofEnd, ProofSource} {
		if a == p || b == p {
			return p
		}
	}
	return ProofTotal
}

// addRows adds the data rows of a grid; where says which column of the sheet each of its columns is.
func (s *sheet) addRows(g *Grid, where []int) {
	var section *string
	for i := range g.Rows {
		row := &g.Rows[i]
		switch row.Role {
		case "section":
			section = label(row.Cells)
			continue
		case "skipped":
			s.counted++
			continue
		case "":
			s.counted++
		default:
			continue
		}
		r := sheetRow{
			frame: g.frame, fields: row.Fields, class: row.Class, section: section, links: row.Links,
			cells: make([]Cell, len(s.columns)),
		}
		for name, values := range row.Attrs {
			if r.attrs == nil {
				r.attrs = map[string][]*string{}
			}
			r.attrs[name] = make([]*string, len(s.columns))
			for j, value := range values {
				if j < len(where) {
					r.attrs[name][where[j]] = value
				}
			}
		}
		for j, text := range row.Cells {
			if j < len(where) {
				r.cells[where[j]].Text = text
			}
		}
		for _, j := range row.Spans {
			if j < len(where) {
				r.cells[where[j]].Span = true
			}
		}
		s.sections = s.sections || section != nil
		s.rows = append(s.rows, r)
	}
}

// label is the first text of a section row.
func label(cells []*string) *string {
	for _, c := range cells {
		if c != nil && *c != "" {
			return c
		}
	}
	return nil
}

// width is the number of columns of a grid.
func width(g *Grid) int {
	n := 0
	for _, line := range g.Header {
		n = max(n, len(line))
	}
	for i := range g.Rows {
		n = max(n, len(g.Rows[i].Cells))
	}
	return n
}

// headsOf names the columns of a grid: several header rows are joined, a text
// that spans several of them counts once, a title across the whole table not at
// all. A column without a name is column_4.
func headsOf(g *Grid) []head {
	n := width(g)
	heads := make([]head, n)
	taken := map[string]bool{}
	for i := range heads {
		var levels []string
		for _, line := range g.Header {
			if i >= len(line) || line[i] == nil || *line[i] == "" || title(line, len(g.Header)) {
				continue
			}
			if len(levels) == 0 || levels[len(levels)-1] != *line[i] {
				levels = append(levels, *line[i])
			}
		}
		h := head{shown: strings.Join(levels, " ")}
		if len(levels) > 0 {
			h.last = levels[len(levels)-1]
		}
		h.name = unique(columnName(h.shown, i), taken)
		heads[i] = h
	}
	return heads
}

// columnName is the SQL name of a header, column_N for none (N counts from 1).
func columnName(shown string, i int) string {
	if name := recipe.SQLName(shown); name != "" {
		return name
	}
	return "column_" + thousandless(i+1)
}

// title says that a header row is one text across the whole table, above others.
func title(line []*string, levels int) bool {
	if levels < 2 || len(line) < 2 {
		return false
	}
	for _, text := range line {
		if text == nil || *text != *line[0] {
			return false
		}
	}
	return true
}
