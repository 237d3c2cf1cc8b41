package extract

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// checkKeys holds the rows of a page against the key: no part may be empty,
// rows that are equal in all columns collapse, rows that share a key and differ
// are an error or the first or last of them stays. Without a key, or with _row
// in it, every row stays. The rows of the sheet are in the order of the table's.
func checkKeys(table *Table, s *sheet, t *recipe.Table) *Problem {
	if len(t.Key) == 0 || slices.Contains(t.Key, "_row") {
		return nil
	}
	var at []int
	var names []string
	for _, key := range t.Key {
		if i := slices.IndexFunc(table.Columns, func(c Column) bool { return c.Name == key }); i >= 0 {
			at = append(at, i)
			names = append(names, key)
		}
	}
	if problem := emptyKey(table, s, at); problem != nil {
		return problem
	}
	groups := map[string][]int{} // key -> rows, in order
	var order []string
	for i, row := range table.Rows {
		key := keyOf(row, at)
		if _, known := groups[key]; !known {
			order = append(order, key)
		}
		groups[key] = append(groups[key], i)
	}
	keep := make([]bool, len(table.Rows))
	for _, key := range order {
		distinct := distinctRows(table.Rows, groups[key])
		table.Duplicates += len(groups[key]) - len(distinct)
		switch {
		case len(distinct) == 1 || t.Duplicates == "first":
			keep[distinct[0]] = true
		case t.Duplicates == "last":
			keep[groups[key][len(groups[key])-1]] = true
		default:
			return differ(table, distinct, at, names)
		}
	}
	kept := table.Rows[:0:0]
	for i, row := range table.Rows {
		if keep[i] {
			kept = append(kept, row)
		}
	}
	table.Rows = kept
	return nil
}

// keyOf joins the key's texts; the length before each keeps ("a","bc") and ("ab","c") apart.
func keyOf(row []Cell, at []int) string {
	var b strings.Builder
	for _, i := range at {
		fmt.Fprintf(&b, "%d:%s", len(*row[i].Text), *row[i].Text)
	}
	return b.String()
}

// isEmpty says that a cell has no value, whatever its column's type.
func isEmpty(c Cell) bool {
	return c.Text == nil || *c.Text == "" || c.JSON && (*c.Text == "null" || *c.Text == `""`)
}

// emptyKey finds a row whose key has an empty part, and the class by which such rows can be skipped.
func emptyKey(table *Table, s *sheet, at []int) *Problem {
	rows, element := s.rows, ""
	if s.kind == "html" {
		element = "tr"
	}
	lacks := func(row []Cell) int {
		return slices.IndexFunc(at, func(i int) bool { return isEmpty(row[i]) })
	}
	for i, row := range table.Rows {
		missing := lacks(row)
		if missing < 0 {
			continue
		}
		others := map[string]bool{}
		for j, other := range table.Rows {
			if lacks(other) < 0 {
				for _, class := range strings.Fields(rows[j].class) {
					others[class] = true
				}
			}
		}
		hint := "Leave such rows out with skip, or take another key."
		for _, class := range strings.Fields(rows[i].class) {
			if !others[class] {
				hint = fmt.Sprintf("Leave such rows out: skip: %q (its class), or take another key.", element+"."+class)
				break
			}
		}
		name := ""
		if text := rowLabel(rows[i]); text != "" {
			name = fmt.Sprintf(" (%q)", text)
		}
		return problemf(outcomeBadValue, "row %d%s has no %s. %s", i+1, name, table.Columns[at[missing]].Name, hint)
	}
	return nil
}

// rowLabel is the first text of a row that is not just a number, else the first at all.
func rowLabel(row sheetRow) string {
	first := ""
	for _, c := range row.cells {
		if isEmpty(c) {
			continue
		}
		text := *c.Text
		if c.JSON {
			text = jsonText(text)
		}
		if first == "" {
			first = text
		}
		if strings.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' }) {
			return clip(text, 60)
		}
	}
	return clip(first, 60)
}

// distinctRows leaves rows out that equal an earlier one in all columns.
func distinctRows(rows [][]Cell, which []int) []int {
	var distinct []int
	for _, i := range which {
		if !slices.ContainsFunc(distinct, func(j int) bool { return slices.EqualFunc(rows[i], rows[j], sameCell) }) {
			distinct = append(distinct, i)
		}
	}
	return distinct
}

func sameCell(a, b Cell) bool {
	if a.Text == nil || b.Text == nil {
		return a.Text == b.Text
	}
	return *a.Text == *b.Text
}

// differ tells of rows that share a key: which, in what, and what could be added to the key.
func differ(table *Table, which, at []int, names []string) *Problem {
	var key, columns []string
	for i, column := range at {
		text := *table.Rows[which[0]][column].Text
		if table.Rows[which[0]][column].JSON {
			text = jsonText(text)
		}
		key = append(key, names[i]+"="+clip(text, 60))
	}
	add := ""
	for j, c := range table.Columns {
		values := map[string]bool{}
		full := true
		for _, i := range which {
			full = full && !isEmpty(table.Rows[i][j])
			if table.Rows[i][j].Text != nil {
				values[*table.Rows[i][j].Text] = true
			} else {
				values["\x00"] = true
			}
		}
		if len(values) > 1 {
			columns = append(columns, c.Name)
		}
		if add == "" && full && len(values) == len(which) {
			add = c.Name
		}
	}
	if len(columns) > 5 {
		columns = append(columns[:4:4], fmt.Sprintf("%d more", len(columns)-4))
	}
	advice := "Add a column that tells them apart to key"
	if add != "" {
		advice = "Add " + add + " to key"
	}
	return problemf(outcomeDuplicate, "%d rows of this page have the key %s and differ in %s. %s, or set duplicates: first. Nothing of this page was stored.",
		len(which), strings.Join(key, ", "), strings.Join(columns, ", "), advice)
}
