package extract_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// cases are tables whose reading is agreed, with what other tools make of them in mind.
type cases struct {
	Tables []struct {
		Name, HTML         string
		Header, Rows, Foot [][]*string
	}
	Rows []struct {
		Name, HTML string
		Want       struct {
			Data, Header   [][]*string
			RepeatedHeader int `json:"repeated_header"`
			Tables         int
			Incomplete     bool
			Have, Want     int
		}
	}
	Columns []struct {
		Name, Header, Type, Unit string
		Cells                    []string
		Values                   []any
	}
}

func loadCases(t *testing.T) cases {
	t.Helper()
	text, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var c cases
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	if err := d.Decode(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

// lines are the cells of rows, never nil.
func lines(rows [][]*string) [][]*string {
	if rows == nil {
		return [][]*string{}
	}
	return rows
}

func TestCasesOfTables(t *testing.T) {
	t.Parallel()
	for _, c := range loadCases(t).Tables {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			r := readHTML(t, c.HTML)
			if len(r.Grids) != 1 {
				t.Fatalf("%d grids", len(r.Grids))
			}
			g := r.Grids[0]
			var rows [][]*string
			for _, row := range g.Rows {
				rows = append(rows, row.Cells)
			}
			for _, part := range []struct {
				name      string
				got, want [][]*string
			}{{"header", g.Header, c.Header}, {"rows", rows, c.Rows}, {"foot", g.Foot, c.Foot}} {
				if diff := cmp.Diff(lines(part.want), lines(part.got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", part.name, diff)
				}
			}
			if !g.Complete || g.Proof != extract.ProofEnd {
				t.Errorf("complete %t, proof %q", g.Complete, g.Proof)
			}
		})
	}
}

func TestCasesOfRows(t *testing.T) {
	t.Parallel()
	for _, c := range loadCases(t).Rows {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			r := readHTML(t, c.HTML)
			tables, err := extract.Tables(r, nil, nil, nil)
			if c.Want.Tables > 0 && len(tables) != c.Want.Tables {
				t.Errorf("%d tables, want %d (%v)", len(tables), c.Want.Tables, err)
			}
			if c.Want.Incomplete {
				if tables[0].Complete || len(tables[0].Rows) != c.Want.Have || tables[0].Total == nil || *tables[0].Total != c.Want.Want {
					t.Errorf("got %d rows, complete %t, total %v", len(tables[0].Rows), tables[0].Complete, tables[0].Total)
				}
				var p *extract.Problem
				if !errors.As(err, &p) || p.Outcome != "incomplete" {
					t.Errorf("problem is %v", err)
				}
			}
			if c.Want.Header != nil {
				if diff := cmp.Diff(c.Want.Header, r.Grids[0].Header); diff != "" {
					t.Errorf("header (-want +got):\n%s", diff)
				}
			}
			repeated := 0
			for _, row := range r.Grids[0].Rows {
				if row.Role == "header" {
					repeated++
				}
			}
			if repeated != c.Want.RepeatedHeader {
				t.Errorf("%d repeated header rows, want %d", repeated, c.Want.RepeatedHeader)
			}
			if c.Want.Data == nil {
				return
			}
			data := [][]*string{}
			for _, row := range tables[0].Rows {
				var texts []*string
				for _, cell := range row {
					texts = append(texts, cell.Text)
				}
				data = append(data, texts)
			}
			if diff := cmp.Diff(c.Want.Data, data); diff != "" {
				t.Errorf("data (-want +got):\n%s", diff)
			}
		})
	}
}

// typeName is the name that cases have for a rule.
func typeName(r extract.Rule) string {
	switch {
	case r.Type == recipe.Numeric && r.Unit == "%":
		return "percent"
	case r.Type == recipe.Numeric && r.Unit != "":
		return "currency"
	case r.Type == recipe.Numeric:
		return "decimal"
	}
	return string(r.Type)
}

// TestCasesOfColumns reads each column off a page: what the grid gives and what
// Infer takes must agree.
func TestCasesOfColumns(t *testing.T) {
	t.Parallel()
	for _, c := range loadCases(t).Columns {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			fmt.Fprintf(&b, "<table><tr><th>%s</th></tr>", html.EscapeString(c.Header))
			for _, cell := range c.Cells {
				fmt.Fprintf(&b, "<tr><td>%s</td></tr>", html.EscapeString(cell))
			}
			r := readHTML(t, b.String()+"</table>")
			tables, err := extract.Tables(r, nil, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			column := tables[0].Columns[0]
			var cells []extract.Cell
			for _, row := range tables[0].Rows {
				cells = append(cells, row[0])
			}
			rule, ok := extract.Infer(column.Name, column.Header, r.Lang, cells)
			if !ok || typeName(rule) != c.Type || rule.Unit != c.Unit {
				t.Fatalf("rule is %s, %t, want %s %s", rule, ok, c.Type, c.Unit)
			}
			if len(cells) != len(c.Values) {
				t.Fatalf("%d cells, want %d", len(cells), len(c.Values))
			}
			for i, cell := range cells {
				value, ok := rule.Value(cell)
				got, want := "NULL", "NULL"
				if value != nil {
					got = *value
				}
				if c.Values[i] != nil {
					want = fmt.Sprint(c.Values[i])
				}
				if !ok || got != want {
					t.Errorf("value of %q is %s, %t, want %s", c.Cells[i], got, ok, want)
				}
			}
		})
	}
}
