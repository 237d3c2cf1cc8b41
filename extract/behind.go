package extract

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"

	"github.com/tabfarm/tabfarm/recipe"
)

// What is behind a page: JSON that it has fetched, or the library that draws a
// grid, may hold all rows of which a few are drawn. The script shows what it saw of
// the grid; here is decided whether a response is its source. Whatever is in doubt
// is none: the script then scrolls and turns pages, which takes longer and is as
// right.

// The bounds of what is asked about.
const (
	maxBehindCells = 1_000_000 // of one list of rows
	maxReply       = 16 << 20  // bytes of the texts that go back to the script
	maxLooks       = 12        // rows that may be asked to be shown before an answer
)

// question is what the script saw of a grid: windows of its rows, as texts.
type question struct {
	Windows []window `json:"windows"`
	// Count is the number of rows of the grid; nil while it is not known.
	Count *int `json:"count"`
	// Whole says that the windows have all columns of the grid.
	Whole bool `json:"whole"`
	// Paged says that the windows are pages from the first on, and that the grid cannot be shown elsewhere.
	Paged bool `json:"paged"`
	// Part says that the grid is one page of more, each with a response of its own.
	Part bool `json:"part"`
	// Grid is the rows that the grid's own library gives, as JSON; nil for those of the question before.
	Grid *string `json:"grid"`
}

// window is rows that stand one below the other.
type window struct {
	At   *int       `json:"at"`   // number of the first one; nil where the grid does not number them
	Last bool       `json:"last"` // below them is nothing
	Rows [][]string `json:"rows"`
}

// reply is the answer. Without Fits nothing agrees, and asking again is no use.
type reply struct {
	Fits bool       `json:"fits"`
	Look []int      `json:"look,omitempty"` // rows that must be seen before there is an answer,
	Of   int        `json:"of,omitempty"`   // of so many
	Rows [][]string `json:"rows,omitempty"` // all rows, as the grid shows them
}

// Asker answers what the reading script of one page asks, with the responses that
// the page has had so far. An empty answer is none.
func Asker() func(text string, responses []Source) string {
	var known []*response
	var grid []*rowList
	return func(text string, responses []Source) string {
		var q question
		if json.Unmarshal([]byte(text), &q) != nil || !q.valid() {
			return ""
		}
		if q.Grid != nil {
			grid = listsIn([]byte(*q.Grid))
			for _, l := range grid {
				l.own = true
			}
		}
		all := slices.Clone(grid)
		for _, source := range responses {
			i := slices.IndexFunc(known, func(r *response) bool { return bytes.Equal(r.body, source.Body) })
			if i < 0 {
				i = len(known)
				known = append(known, &response{source.Body, listsIn(source.Body)})
			}
			for _, c := range known[i].lists {
				if !slices.Contains(all, c) {
					all = append(all, c)
				}
			}
		}
		answer, err := json.Marshal(q.decide(all))
		if err != nil || len(answer) > maxReply {
			return ""
		}
		return string(answer)
	}
}

// Asks says that the reading script of a kind of pages may ask about their
// responses. What is read beside the cells of a row is in no response.
func Asks(k *recipe.Kind) bool {
	if k == nil || k.Page.Next != nil || len(k.Links) > 0 {
		return false
	}
	return slices.ContainsFunc(k.Tables, func(t recipe.Table) bool {
		return t.JSON == nil && t.Each == "" && t.Rows != "visible" && t.Skip == "" &&
			!slices.ContainsFunc(t.Columns, func(c recipe.Column) bool { return isField(c) || ofCell(c) })
	})
}

// response is a body and the lists of rows in it.
type response struct {
	body  []byte
	lists []*rowList
}

// valid says that a question can be answered: enough rows and columns of one width.
func (q *question) valid() bool {
	if len(q.Windows) == 0 || len(q.Windows[0].Rows) < agreeRows || len(q.Windows[0].Rows[0]) < agreeColumns {
		return false
	}
	width := len(q.Windows[0].Rows[0])
	for _, w := range q.Windows {
		if len(w.Rows) == 0 || slices.ContainsFunc(w.Rows, func(row []string) bool { return len(row) != width }) {
			return false
		}
	}
	return true
}

// rowList is a list of rows in a response, by its keys.
type rowList struct {
	rows   int
	stated int  // rows that the response states, -1 for none
	own    bool // the grid's library gives it, so it has as many rows as the grid
	keys   [][]value
}

// listsIn gives every list of rows in a response.
func listsIn(body []byte) []*rowList {
	v, err := decodeJSON(body)
	if err != nil {
		return nil
	}
	var all []*rowList
	search(v, 0, func(r records) {
		if len(r.rows) < agreeRows || r.size() > maxBehindCells {
			return
		}
		if c := listOf(r); c != nil {
			c.stated = statedTotals(v, c.rows)
			all = append(all, c)
		}
	})
	return all
}

// listOf turns rows into values by key; nil where they are too many.
func listOf(r records) *rowList {
	c := &rowList{rows: len(r.rows)}
	at := map[string]int{}
	for i, row := range r.rows {
		for _, f := range row {
			k, known := at[f.name]
			if !known {
				k = len(c.keys)
				if (k+1)*c.rows > maxBehindCells {
					return nil
				}
				at[f.name] = k
				c.keys = append(c.keys, make([]value, c.rows))
			}
			if c.keys[k][i].kind == valueAbsent {
				c.keys[k][i] = valueOf(f.value)
			} else {
				c.keys[k][i] = value{kind: valueOther} // two values of one name
			}
		}
	}
	return c
}

// decide finds the list that is the source of the grid, says what must be
// seen before one can be, or that none is.
func (q *question) decide(all []*rowList) reply {
	var fits []*fit
	for _, c := range all {
		if f := q.fit(c); f != nil {
			fits = append(fits, f)
		}
	}
	if len(fits) == 0 {
		return reply{}
	}
	if !q.Whole {
		return reply{Fits: true}
	}
	looks := map[int]bool{}
	for _, f := range fits {
		if !q.Paged && !slices.ContainsFunc(q.Windows, func(w window) bool { return w.Last }) {
			f.between(looks)
		}
		f.unsure(looks)
	}
	for _, f := range fits[1:] {
		if row := fits[0].differs(f); row >= 0 {
			looks[row] = true
		}
	}
	switch {
	case len(looks) > maxLooks && !q.Paged:
		return reply{}
	case len(looks) > 0 || q.Count == nil && !fits[0].c.own:
		return reply{Fits: true, Look: sortedRows(looks, fits[0].near), Of: fits[0].c.rows}
	}
	return reply{Fits: true, Rows: fits[0].shown()}
}

// sortedRows gives rows in their order, less those that are seen with the next one.
func sortedRows(rows map[int]bool, near int) []int {
	var list []int
	for _, row := range slices.Backward(slices.Sorted(maps.Keys(rows))) {
		if len(list) == 0 || row < list[len(list)-1]-near {
			list = append(list, row)
		}
	}
	slices.Reverse(list)
	return list
}

// fit is a list that agrees with all that was seen of the grid.
type fit struct {
	c       *rowList
	options [][]origins // by column of the grid
	seen    []int       // rows that were seen
	near    int         // rows above and below one that is looked at which are seen with it
}

// origins is a key of a list and the form in which a column shows its values.
type origins struct {
	values []value
	form   form
}

// fit holds a list against the windows. It is nil where a row differs, a
// column has no key, or the number of rows is not the grid's.
func (q *question) fit(c *rowList) *fit {
	first := q.Windows[0]
	if c.rows < len(first.Rows) || q.Count != nil && c.rows != *q.Count || !q.Part && c.stated > c.rows {
		return nil
	}
	f := &fit{c: c, near: len(first.Rows) / 3}
	for column := range first.Rows[0] {
		f.options = append(f.options, f.optionsOf(column, q.Windows))
	}
	var later []window
	for i, w := range q.Windows {
		at := 0
		switch {
		case i == 0:
		case w.Last:
			at = c.rows - len(w.Rows)
		case w.At != nil:
			at = *w.At
		default:
			later = append(later, w)
			continue
		}
		if w.At != nil && *w.At != at || !f.place(w, at) {
			return nil
		}
	}
	for _, w := range later {
		if !f.placeSomewhere(w) {
			return nil
		}
	}
	for column, options := range f.options {
		f.options[column] = slices.DeleteFunc(options, func(o origins) bool {
			return slices.ContainsFunc(o.values, func(v value) bool { _, ok := o.form.show(v); return !ok })
		})
		if len(f.options[column]) == 0 {
			return nil
		}
	}
	return f
}

// optionsOf gives all that a column of the grid might show, by the first row.
func (f *fit) optionsOf(column int, windows []window) []origins {
	var options []origins
	forms := formsIn(column, windows)
	text := windows[0].Rows[0][column]
	for _, values := range f.c.keys {
		for _, form := range forms {
			if shown, ok := form.show(values[0]); ok && shown == text {
				options = append(options, origins{values, form})
			}
		}
	}
	return options
}

// place leaves the options by which the window is the rows from a place on, and
// says whether each column has one.
func (f *fit) place(w window, at int) bool {
	if at < 0 || at > f.c.rows-len(w.Rows) {
		return false
	}
	left := make([][]origins, len(f.options))
	for column, options := range f.options {
		for _, o := range options {
			if o.shows(w, column, at) {
				left[column] = append(left[column], o)
			}
		}
		if len(left[column]) == 0 {
			return false
		}
	}
	f.options = left
	for i := range w.Rows {
		f.seen = append(f.seen, at+i)
	}
	return true
}

// placeSomewhere places a window whose rows have no number.
func (f *fit) placeSomewhere(w window) bool {
	for at := range f.c.rows - len(w.Rows) + 1 {
		if f.place(w, at) {
			return true
		}
	}
	return false
}

// shows says that a column of the window is these values from a place on.
func (o origins) shows(w window, column, at int) bool {
	for i, row := range w.Rows {
		if text, ok := o.form.show(o.values[at+i]); !ok || text != row[column] {
			return false
		}
	}
	return true
}

// differs gives the first row that two fits show differently, -1 for none.
func (f *fit) differs(other *fit) int {
	if f.c.rows != other.c.rows {
		return min(f.c.rows, other.c.rows) - 1
	}
	for row := range f.c.rows {
		for column := range f.options {
			if f.text(column, row) != other.text(column, row) {
				return row
			}
		}
	}
	return -1
}

// text is what the grid shows of a cell.
func (f *fit) text(column, row int) string {
	o := f.options[column][0]
	text, _ := o.form.show(o.values[row]) // a fit shows all
	return text
}

// shown gives all rows.
func (f *fit) shown() [][]string {
	rows := make([][]string, f.c.rows)
	for i := range rows {
		rows[i] = make([]string, len(f.options))
		for column := range f.options {
			rows[i][column] = f.text(column, i)
		}
	}
	return rows
}
