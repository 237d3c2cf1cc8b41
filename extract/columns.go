package extract

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
	"golang.org/x/text/unicode/norm"

	"github.com/tabfarm/tabfarm/recipe"
)

// sectionColumn is the column that the label of a row's section goes to.
const sectionColumn = "section"

func thousandless(n int) string { return strconv.Itoa(n) }

// pageVars are the variables of a page. lent says of a name that its variable
// can only have come with a link.
type pageVars struct {
	values map[string]string
	lent   func(name string) bool
}

// resolver finds where each column of a table comes from.
type resolver struct {
	s     *sheet
	t     *recipe.Table
	vars  pageVars
	used  []bool // columns of the sheet that the recipe lists
	taken map[string]bool
	table *Table
	from  []origin // by column of the table
}

// origin says where the cells of a column come from: a column of the sheet, an
// attribute in its cells, a field, a variable, or the section label.
type origin struct {
	column   int // of the sheet, -1 for none
	attr     string
	field    string
	variable *string
	section  bool
	match    *regexp.Regexp
	listed   *recipe.Column
}

// resolve names the columns of a table and fills its rows. Listed columns that
// do not come from the header stand first, then variables of the key, then the
// page's columns in their order, then the section. Rows are as many as the
// sheet's, in the same order.
func resolve(s *sheet, t *recipe.Table, vars pageVars) (*Table, *Problem) {
	r := &resolver{s: s, t: t, vars: vars, used: make([]bool, len(s.columns)), taken: map[string]bool{}, table: &Table{Name: t.Name}}
	for i := range t.Columns {
		r.taken[t.Columns[i].Name] = true
	}
	headers, problem := r.listed()
	if problem != nil {
		return r.table, problem
	}
	if problem := r.keyVariables(); problem != nil {
		return r.table, problem
	}
	r.pageColumns(headers)
	if s.kind == "each" && len(t.Columns) == 0 {
		r.add(Column{Name: textColumn}, origin{column: -1, field: textColumn})
	}
	if s.sections && t.OtherColumns != "drop" && !slices.ContainsFunc(t.Columns, func(c recipe.Column) bool { return c.Above != "" }) {
		r.add(Column{Name: unique(sectionColumn, r.taken)}, origin{column: -1, section: true})
	}
	for _, key := range t.Key {
		if !strings.HasPrefix(key, "_") && !slices.ContainsFunc(r.table.Columns, func(c Column) bool { return c.Name == key }) {
			return r.table, r.noColumn(key)
		}
	}
	r.fill()
	return r.table, r.absent()
}

func (r *resolver) add(c Column, o origin) {
	r.table.Columns = append(r.table.Columns, c)
	r.from = append(r.from, o)
}

// listed finds the columns that the recipe lists. Those with a header are
// returned by their column of the sheet, as their place is the page's.
func (r *resolver) listed() (map[int]*recipe.Column, *Problem) {
	headers := map[int]*recipe.Column{}
	for i := range r.t.Columns {
		c := &r.t.Columns[i]
		o := origin{column: -1, listed: c}
		column := Column{Name: c.Name, Type: c.Type, Format: c.Format, Optional: c.Optional}
		if c.Match != "" {
			re, err := regexp.Compile(c.Match)
			if err != nil {
				return nil, problemf(outcomeBadValue, "column %s: match %q is no regular expression: %v.", c.Name, c.Match, err)
			}
			o.match = re
		}
		switch {
		case isField(*c):
			o.field = c.Name
		case ofCell(*c):
			if o.column, o.attr = r.find(c.Header, false), c.Attr; o.column < 0 && !c.Optional {
				return nil, r.noColumn(c.Header)
			}
		case c.Var != "":
			if value, known := r.vars.values[c.Var]; known {
				o.variable = &value
			}
		default:
			text := c.Header
			if text == "" {
				text = c.Name
			}
			at := r.find(text, true)
			if at >= 0 {
				r.used[at] = true
				o.column = at
				column.Header = r.s.columns[at].shown
				headers[at] = c
				if r.t.OtherColumns != "drop" {
					continue
				}
			} else if !c.Optional {
				return nil, r.noColumn(text)
			}
		}
		r.add(column, o)
	}
	return headers, nil
}

// keyVariables adds the variables that the key names. A name that is a column
// of the page and a variable is a question to the recipe; where the variable came
// with a link, nobody named it, and the column is meant.
func (r *resolver) keyVariables() *Problem {
	for _, key := range r.t.Key {
		value, known := r.vars.values[key]
		if !known || slices.ContainsFunc(r.t.Columns, func(c recipe.Column) bool { return c.Name == key }) {
			continue
		}
		at := slices.IndexFunc(r.s.columns, func(h head) bool { return h.name == key })
		if at >= 0 && !r.used[at] {
			if r.vars.lent(key) {
				continue
			}
			return problemf(outcomeMissing, "%s is a column of the page and a variable. Say which is meant: columns: {%s: {var: %s}} or columns: {%s: {header: %q}}.",
				key, key, key, key, r.s.columns[at].shown)
		}
		r.taken[key] = true
		r.add(Column{Name: key}, origin{column: -1, variable: &value})
	}
	return nil
}

// pageColumns adds the columns of the page in their order.
func (r *resolver) pageColumns(headers map[int]*recipe.Column) {
	for i, h := range r.s.columns {
		if c := headers[i]; c != nil {
			if r.t.OtherColumns == "drop" {
				continue // added where the recipe lists it
			}
			o := origin{column: i, listed: c}
			if c.Match != "" {
				o.match = regexp.MustCompile(c.Match) // compiled before in listed
			}
			r.add(Column{Name: c.Name, Header: h.shown, Type: c.Type, Format: c.Format, Optional: c.Optional}, o)
			continue
		}
		if r.t.OtherColumns == "drop" && !slices.Contains(r.t.Key, h.name) {
			continue
		}
		r.add(Column{Name: unique(h.name, r.taken), Header: h.shown}, origin{column: i})
	}
}

// find gives the column of the sheet whose header is text: as shown, without
// case and marks, by its SQL name, or by its lowest level where only one has it.
// -1 is none. free leaves out those that the recipe lists already.
func (r *resolver) find(text string, free bool) int {
	tests := []func(h head) bool{
		func(h head) bool { return h.shown == text },
		func(h head) bool { return strings.EqualFold(h.shown, text) },
		func(h head) bool { return h.name == text },
		func(h head) bool { return h.name == recipe.SQLName(text) },
		func(h head) bool { return bare(h.shown) != "" && bare(h.shown) == bare(text) },
	}
	for _, test := range tests {
		for i, h := range r.s.columns {
			if (!free || !r.used[i]) && test(h) {
				return i
			}
		}
	}
	found := -1
	for i, h := range r.s.columns {
		if (!free || !r.used[i]) && bare(h.last) != "" && bare(h.last) == bare(text) {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

// bare is a header without case, accents and punctuation.
func bare(text string) string {
	var b strings.Builder
	for _, c := range norm.NFD.String(strings.ToLower(text)) {
		if unicode.IsLetter(c) || unicode.IsDigit(c) || strings.ContainsRune("%#+", c) {
			b.WriteRune(c)
		}
	}
	return b.String()
}

// noColumn says which columns there are, and which is nearest.
func (r *resolver) noColumn(text string) *Problem {
	var names []string
	nearest, least := "", 1.0
	for _, h := range r.s.columns {
		shown := h.shown
		if shown == "" {
			shown = h.name
		}
		names = append(names, shown)
		a, b := strings.ToLower(text), strings.ToLower(shown)
		d := float64(levenshtein.ComputeDistance(a, b)) / float64(max(len([]rune(a)), len([]rune(b)), 1))
		if d < least {
			nearest, least = shown, d
		}
	}
	if len(names) == 0 {
		return problemf(outcomeMissing, "no column %q: the rows have no columns.", text)
	}
	if len(names) > 60 {
		names = append(names[:60:60], "and "+strconv.Itoa(len(names)-60)+" more")
	}
	hint := ""
	if least <= 0.6 {
		hint = " (nearest: " + nearest + ")"
	}
	return problemf(outcomeMissing, "no column %q. The page has: %s%s.", text, strings.Join(names, ", "), hint)
}

// fill makes the rows of the table.
func (r *resolver) fill() {
	r.table.Rows = make([][]Cell, len(r.s.rows))
	for i := range r.s.rows {
		row := &r.s.rows[i]
		cells := make([]Cell, len(r.from))
		for j, o := range r.from {
			cells[j] = o.cell(row)
		}
		r.table.Rows[i] = cells
	}
}

// cell takes the cell of a row that an origin means.
func (o *origin) cell(row *sheetRow) Cell {
	var c Cell
	switch {
	case o.section:
		c.Text = row.section
	case o.variable != nil:
		c.Text = o.variable
	case o.field != "":
		c.Text = row.fields[o.field]
	case o.attr != "":
		if values := row.attrs[o.attr]; o.column >= 0 && o.column < len(values) {
			c.Text = values[o.column]
		}
	case o.column >= 0 && o.column < len(row.cells):
		c = row.cells[o.column]
	}
	if o.match == nil || c.Text == nil {
		return c
	}
	text := *c.Text
	if c.JSON {
		text = jsonText(text)
	}
	m := o.match.FindStringSubmatch(text)
	switch {
	case m == nil:
		return Cell{}
	case len(m) > 1:
		return Cell{Text: &m[1]}
	}
	return Cell{Text: &m[0]}
}

// absent finds a listed column that no row has a value for although it must:
// its css matches nothing, or its match fits nothing.
func (r *resolver) absent() *Problem {
	if len(r.table.Rows) == 0 {
		return nil
	}
	for j, o := range r.from {
		if o.listed == nil || o.listed.Optional || slices.ContainsFunc(r.table.Rows, func(row []Cell) bool { return row[j].Text != nil }) {
			continue
		}
		plain := o
		plain.match = nil
		for i := range r.s.rows {
			if c := plain.cell(&r.s.rows[i]); c.Text != nil && *c.Text != "" {
				return problemf(outcomeMissing, "match of column %s (%s) fits no row, not even %q.", o.listed.Name, o.listed.Match, clip(*c.Text, 80))
			}
		}
		if o.attr != "" {
			return problemf(outcomeMissing, "no row has column %s: nothing under the header %q has an attribute %q.", o.listed.Name, o.listed.Header, o.attr)
		}
		if o.field == "" {
			continue // a column of the page that is empty
		}
		return problemf(outcomeMissing, "no row has column %s: nothing matches %s.", o.listed.Name, place(o.listed))
	}
	return nil
}

// place says where a column is looked for, in the words of the recipe.
func place(c *recipe.Column) string {
	var parts []string
	for _, p := range []struct{ key, value string }{{"css", c.CSS}, {"attr", c.Attr}, {"above", c.Above}} {
		if p.value != "" {
			parts = append(parts, p.key+": "+strconv.Quote(p.value))
		}
	}
	return strings.Join(parts, ", ")
}
