package extract

import (
	"slices"

	"github.com/tabfarm/tabfarm/recipe"
)

// jobValue is one text of a document for rows that are read elsewhere: out of
// JSON, or in another document of the page.
type jobValue struct {
	Table    string `json:"table"`
	Column   string `json:"column,omitempty"` // "" for the table's total
	CSS      string `json:"css"`
	Attr     string `json:"attr,omitempty"`
	Comments bool   `json:"comments,omitempty"`
}

// rowsPlace is the place of a table's rows: recipe.PlaceFrame, or "" for the page.
func rowsPlace(t *recipe.Table) string { return documentOf(t.From + t.Each) }

// totalPlace is the place of a table's total, which must have one.
func totalPlace(t *recipe.Table) string { return documentOf(t.Total.CSS) }

// documentOf is the kind of document that a selector looks in: comments are part of
// the document that holds them.
func documentOf(selector string) string {
	if place, _ := recipe.SplitPlace(selector); place == recipe.PlaceFrame {
		return place
	}
	return ""
}

func inFrames(t *recipe.Table) bool { return rowsPlace(t) == recipe.PlaceFrame }

// LooksInFrames says that a kind of pages looks for something in frames.
func LooksInFrames(k *recipe.Kind) bool {
	return k != nil && slices.ContainsFunc(k.Tables, func(t recipe.Table) bool { return usesPlace(&t, recipe.PlaceFrame) })
}

// isValue says that a column has one value for all rows, which the document of
// the rows does not hold.
func isValue(t *recipe.Table, c recipe.Column) bool {
	switch place, _ := recipe.SplitPlace(c.CSS); place {
	case recipe.PlaceFrame:
		return true
	case recipe.PlacePage:
		return inFrames(t) || t.JSON != nil
	case recipe.PlaceComments:
		return t.JSON != nil
	}
	return false
}

// usesPlace says that something of a table is looked for in a place.
func usesPlace(t *recipe.Table, place string) bool {
	selectors := []string{t.From, t.Each}
	if t.Total != nil {
		selectors = append(selectors, t.Total.CSS)
	}
	for _, c := range t.Columns {
		selectors = append(selectors, c.CSS)
	}
	for _, s := range selectors {
		if p, _ := recipe.SplitPlace(s); p == place {
			return true
		}
	}
	return false
}

// pageValues are the values of the page itself that a table needs.
func pageValues(t *recipe.Table) []jobValue {
	var values []jobValue
	if t.Total != nil && inFrames(t) && totalPlace(t) == "" {
		values = append(values, valueJob(t, "", t.Total.CSS, ""))
	}
	for _, c := range t.Columns {
		if isValue(t, c) && documentOf(c.CSS) == "" {
			values = append(values, valueJob(t, c.Name, c.CSS, c.Attr))
		}
	}
	return values
}

// frameValues are the values of frames that a table needs.
func frameValues(t *recipe.Table) []jobValue {
	var values []jobValue
	if t.Total != nil && totalPlace(t) == recipe.PlaceFrame {
		values = append(values, valueJob(t, "", t.Total.CSS, ""))
	}
	for _, c := range t.Columns {
		if documentOf(c.CSS) == recipe.PlaceFrame {
			values = append(values, valueJob(t, c.Name, c.CSS, c.Attr))
		}
	}
	return values
}

func valueJob(t *recipe.Table, column, selector, attr string) jobValue {
	place, css := recipe.SplitPlace(selector)
	return jobValue{Table: t.Name, Column: column, CSS: css, Attr: attr, Comments: place == recipe.PlaceComments}
}

// valueElsewhere is a text of a document for rows that are read elsewhere.
type valueElsewhere struct {
	Table  string  `json:"t"`
	Column string  `json:"c"`
	Text   *string `json:"v"`

	frame int // as of a Grid
}

// lent is the text that a column of a table, or "" its total, has for rows of a
// frame: that of their own document, else the first that some document has.
func (r *Reading) lent(table, column string, frame int) *string {
	var text *string
	for i := range r.values {
		v := &r.values[i]
		if v.Table != table || v.Column != column || v.Text == nil {
			continue
		}
		if v.frame == frame {
			return v.Text
		}
		if text == nil {
			text = v.Text
		}
	}
	return text
}

// complete adds to the rows of a table what other documents hold: values of
// columns, and the total.
func (r *Reading) complete(s *sheet, t *recipe.Table) *Problem {
	for _, c := range t.Columns {
		if !isValue(t, c) {
			continue
		}
		for i := range s.rows {
			row := &s.rows[i]
			if row.fields == nil {
				row.fields = map[string]*string{}
			}
			row.fields[c.Name] = r.lent(t.Name, c.Name, row.frame)
		}
	}
	if t.Total == nil {
		return nil
	}
	return s.hold(r.totals(t), t.Total)
}

// totals are the texts that the recipe's `total` found: of each frame that states
// the number of its own rows, else one for all.
func (r *Reading) totals(t *recipe.Table) []string {
	var texts []string
	own, shared := map[int]bool{}, false
	for i := range r.Grids {
		g := &r.Grids[i]
		switch {
		case g.Table != t.Name || own[g.frame]:
		case g.TotalText != nil:
			own[g.frame] = true
			texts = append(texts, *g.TotalText)
		case len(g.Rows) > 0:
			shared = true
		}
	}
	switch text := r.lent(t.Name, "", 0); {
	case len(texts) > 0 && shared:
		return texts[:1]
	case len(texts) == 0 && text != nil:
		return []string{*text}
	}
	return texts
}
