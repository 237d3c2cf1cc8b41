package demosite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Format says how a page shows the values of a column.
type Format string

// The formats. Every one of them shows null as an en dash.
const (
	Plain     Format = ""          // as it is
	Thousands Format = "thousands" // 3041 as 3,041
	Fixed1    Format = "fixed1"    // 35 as 35.0
	Fixed2    Format = "fixed2"    // 440 as 440.00
	Pct3      Format = "pct3"      // 0.695 as .695, 1 as 1.000
)

// Missing is what a page shows for null.
const Missing = "–"

// Column is one column of a Table.
type Column struct {
	Key    string `json:"key"`
	Title  string `json:"title"`            // the header as shown
	Group  string `json:"group,omitempty"`  // header above it, shared with its neighbours
	Format Format `json:"format,omitempty"` // how values are shown
	Merge  bool   `json:"merge,omitempty"`  // equal values below each other are one cell
}

// Table is what an API of the site answers: the source of a page's rows.
type Table struct {
	Title   string
	Note    string // honest words about where the figures come from
	Total   int    // rows that the page states; len(Rows) unless something is broken
	Columns []Column
	Rows    [][]any // string, int, float64, bool or nil; each as long as Columns
}

// MarshalJSON writes {"title","note","total","columns":[...],"rows":[{...}]},
// the keys of a row in the order of the columns.
func (t Table) MarshalJSON() ([]byte, error) {
	rows := make([]json.RawMessage, 0, len(t.Rows))
	for _, row := range t.Rows {
		var b bytes.Buffer
		for i, c := range t.Columns {
			key, err := json.Marshal(c.Key)
			if err != nil {
				return nil, fmt.Errorf("write key %q: %w", c.Key, err)
			}
			value, err := json.Marshal(row[i])
			if err != nil {
				return nil, fmt.Errorf("write value of %q: %w", c.Key, err)
			}
			if i == 0 {
				b.WriteByte('{')
			} else {
				b.WriteByte(',')
			}
			b.Write(key)
			b.WriteByte(':')
			b.Write(value)
		}
		b.WriteByte('}')
		rows = append(rows, b.Bytes())
	}
	return json.Marshal(struct {
		Title   string            `json:"title"`
		Note    string            `json:"note,omitempty"`
		Total   int               `json:"total"`
		Columns []Column          `json:"columns"`
		Rows    []json.RawMessage `json:"rows"`
	}{t.Title, t.Note, t.Total, t.Columns, rows})
}

// Texts gives the cells as the page shows them, row by row. It is the Go twin
// of show() in static/table.js.
func (t Table) Texts() [][]string {
	texts := make([][]string, len(t.Rows))
	for i, row := range t.Rows {
		texts[i] = make([]string, len(row))
		for j, value := range row {
			texts[i][j] = show(value, t.Columns[j].Format)
		}
	}
	return texts
}

// show is one value as the page shows it.
func show(value any, format Format) string {
	if value == nil {
		return Missing
	}
	switch format {
	case Thousands:
		return thousands(fmt.Sprint(value))
	case Fixed1:
		return fmt.Sprintf("%.1f", value)
	case Fixed2:
		return fmt.Sprintf("%.2f", value)
	case Pct3:
		return strings.TrimPrefix(fmt.Sprintf("%.3f", value), "0")
	}
	if f, ok := value.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(value)
}

// thousands puts a comma before every group of three digits.
func thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
