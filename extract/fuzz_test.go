package extract_test

import (
	"bytes"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// FuzzColumn checks the types of a column that two pages show, a cell a line:
// the rule that the first page's cells make takes each of them, every value
// formats to what was shown, and what the second page brings is either a value
// that does so too or a misfit. Nothing else becomes of a text.
func FuzzColumn(f *testing.F) {
	for _, seed := range [][3]string{
		{"1,234\n5", "1.5\n-", ""},
		{"1.234,5\n6", "1 234", ""},
		{"$5\n$-7.50\n($1,200)", "€5", ""},
		{"34:12\n1:02:03", "7:05.5", ""},
		{"12[1]\n13†", "14 *", ""},
		{"Jan 5, 2024\n2024-02-29", "5. März 2024", ""},
		{"–5\n−7", "‐8", "de"},
		{"45 %\n-1%", "5", "fr"},
		{"0.50\n.5", "00.5", ""},
		{"12/31/2024\n1/2/2024", "31/12/2024", "en-GB"},
		{"true\nFALSE", "yes", ""},
		{"1'234\n5", "1’234’567", "de-CH"},
		{"9223372036854775807", "9223372036854775808", ""},
		{"R$ 1.234,56\nR$ 5", "R$ -0", "pt-BR"},
		{"1,23,456\n5", "12,34,56,789", "en-IN"},
		{"1 234 567\n5", "1 234", ""},
		{"NA\n-\n5", "N/A", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, first, second, lang string) {
		cells, later := cellsOf(strings.Split(first, "\n")), cellsOf(strings.Split(second, "\n"))
		rule := inferred(t, lang, cells)
		if seen := inferred(t, lang, later); rule.Widens(seen) {
			checkWider(t, rule, seen, cells)
			rule = seen
		}
		for _, c := range later {
			if value, fits := rule.Value(c); fits {
				checkValue(t, rule, *c.Text, value)
			}
		}
		inferred(t, lang, append(cells, later...))
	})
}

// inferred is the rule of cells, which must take each of them and come back from its text.
func inferred(t *testing.T, lang string, cells []extract.Cell) extract.Rule {
	t.Helper()
	rule, ok := extract.Infer("", "", lang, cells)
	if again, err := extract.ParseRule(rule.String()); err != nil || again != rule {
		t.Fatalf("rule %s comes back as %v, %v", rule, again, err)
	}
	for _, c := range cells {
		value, fits := rule.Value(c)
		if !fits {
			t.Fatalf("%q is a misfit of %s, which came of it (%t)", *c.Text, rule, ok)
		}
		checkValue(t, rule, *c.Text, value)
	}
	return rule
}

// checkWider checks that the values of cells stay what they are when their column widens.
func checkWider(t *testing.T, rule, wider extract.Rule, cells []extract.Cell) {
	t.Helper()
	for _, c := range cells {
		before, _ := rule.Value(c)
		after, fits := wider.Value(c)
		if !fits || (before == nil) != (after == nil) || before != nil && *before != *after {
			t.Fatalf("%q was one value as %s and is another as %s", *c.Text, rule, wider)
		}
	}
}

// checkValue checks that a value of an inferred rule is what was shown.
func checkValue(t *testing.T, rule extract.Rule, text string, value *string) {
	t.Helper()
	if value == nil {
		if !meansNothing(text) && (rule.Type != recipe.Text || text != "") {
			t.Fatalf("%q became NULL as %s", text, rule)
		}
		return
	}
	if !shownAs(rule, text, *value) {
		t.Fatalf("%q became %q as %s", text, *value, rule)
	}
}

// FuzzDeclared checks that cells of a declared type, of whatever format, are
// misfits or become values that Postgres takes.
func FuzzDeclared(f *testing.F) {
	for _, seed := range [][3]string{
		{"02.12.2026\n31.02.2026", "%d.%m.%Y", ""},
		{"Jan 5, 2024 7:30 PM", "", "en-US"},
		{"14:05\n2:05 PM", "%H:%M", ""},
		{"1,5\n$2", "", "de"},
		{"7:05", "", ""},
		{`{"a":1}`, "", ""},
		{"Yes\n0", "", ""},
		{"2024-01-05T10:00:00+02:00", "%s", ""},
		{"12 2024 3", "%j %G %u", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, column, format, lang string) {
		cells := cellsOf(strings.Split(column, "\n"))
		for _, kind := range []recipe.Type{
			recipe.Text, recipe.Integer, recipe.Numeric, recipe.Boolean, recipe.Date,
			recipe.Time, recipe.Timestamp, recipe.Duration, recipe.JSON,
		} {
			c := extract.Column{Type: kind}
			if kind == recipe.Date || kind == recipe.Time || kind == recipe.Timestamp {
				c.Format = format
			}
			rule := extract.Declared(c, lang, cells)
			for _, cell := range cells {
				if value, fits := rule.Value(cell); fits && value != nil && !isValue(kind, *value) {
					t.Fatalf("%q became %q as %s", *cell.Text, *value, rule)
				}
			}
		}
	})
}

// isValue says that a text is a canonical value of a type.
func isValue(kind recipe.Type, value string) bool {
	var err error
	at := time.Unix(0, 0)
	switch kind {
	case recipe.Integer:
		n, ok := new(big.Int).SetString(value, 10)
		return ok && n.IsInt64()
	case recipe.Numeric:
		return plainNumber.MatchString(value)
	case recipe.Boolean:
		return value == "true" || value == "false"
	case recipe.Date:
		at, err = time.Parse(time.DateOnly, value)
	case recipe.Time:
		_, err = time.Parse("15:04:05.999999", value)
	case recipe.Timestamp:
		at, err = time.Parse(time.RFC3339Nano, value)
	case recipe.Duration:
		return plainNumber.MatchString(strings.TrimSuffix(value, "s"))
	case recipe.JSON:
		return json.Valid([]byte(value))
	}
	return err == nil && at.Year() > 0 // Postgres has no year 0
}

// FuzzRule checks that no stored rule makes a panic, and that one which is read comes back.
func FuzzRule(f *testing.F) {
	for _, seed := range []string{"integer", `numeric unit="%" marks="comma"`, `date order="dmy"`, `date format="%d.%m.%Y"`, `text x`} {
		f.Add(seed, "1,5")
	}
	f.Fuzz(func(t *testing.T, text, cell string) {
		rule, err := extract.ParseRule(text)
		if err != nil {
			return
		}
		if again, err := extract.ParseRule(rule.String()); err != nil || again != rule {
			t.Fatalf("rule %s comes back as %v, %v", rule, again, err)
		}
		_, _ = rule.Value(extract.Cell{Text: &cell})
	})
}

// FuzzDecode checks that no payload makes Decode or Tables panic, and that what
// is taken has tables as wide as their columns.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"version":1,"settled":true,"grids":[{"table":"t","kind":"html","proof":"end","complete":true,"header":[["A","B"],["A",null]],"rows":[{"c":["1"],"r":"section"},{"c":["1",null],"s":[0],"f":{"x":null},"k":"a b"}],"foot":[[]],"total":2,"totalText":"2"}]}`))
	f.Add([]byte(`{"version":1,"grids":[{"kind":"each","table":"t","proof":"none","rows":[{"c":null}]}]}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r, err := extract.Decode(bytes.Split(payload, []byte("\n\n"))...) // parts of a page
		if err != nil {
			return
		}
		kinds := []*recipe.Kind{
			nil, kindOf(recipe.Table{Key: []string{"a"}, MinRows: 1}), kindOf(recipe.Table{From: "x", Total: &recipe.Locator{CSS: "p"}}),
			kindOf(recipe.Table{Each: "p", Columns: []recipe.Column{{Name: "x", CSS: "b", Match: "(a)?"}}, Key: []string{"x"}}),
		}
		for _, k := range kinds {
			tables, _ := extract.Tables(r, nil, k, map[string]string{"v": "1"})
			for _, table := range tables {
				for _, row := range table.Rows {
					if len(row) != len(table.Columns) {
						t.Fatalf("row of %d cells in a table of %d columns", len(row), len(table.Columns))
					}
				}
			}
		}
	})
}

// FuzzJSON checks that no response makes the search for rows panic, and that the
// columns found take types that lose no value.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`[{"a":1}]`, `{"headers":["a"],"rowSet":[[1]]}`, `{"a":[1,2],"b":[3,4]}`, `cb({"1":{"a":2},"2":{"a":3}})`, `{"headers":[{"columnNames":["a"],"columnSpan":2},{"columnNames":["b","c"]}],"rows":[[1,2]]}`,
		`{"headers":[{"columnNames":["a"],"columnsToSkip":-9223372036854775808},{"columnNames":["b","c"]}],"rows":[[1,2]]}`,
		`{"total":2,"page":{"count":1e400},"rows":[{"n":1e999999999},{"n":-0.0}]}`, `)]}'` + "\n" + `[[1],["a"]]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: ""}})
		tables, _ := extract.Tables(&extract.Reading{Settled: true}, []extract.Source{{URL: "x", Body: body}}, k, nil)
		for _, table := range tables {
			for i := range table.Columns {
				var cells []extract.Cell
				for _, row := range table.Rows {
					cells = append(cells, row[i])
				}
				checkJSON(t, cells)
			}
		}
	})
}

// checkJSON checks that the inferred type of JSON values takes all of them, and
// that a number keeps its value.
func checkJSON(t *testing.T, cells []extract.Cell) {
	t.Helper()
	rule, _ := extract.Infer("", "", "", cells)
	for _, c := range cells {
		value, fits := rule.Value(c)
		if !fits {
			t.Fatalf("%s is a misfit of %s, which came of it", *c.Text, rule)
		}
		if value == nil || !c.JSON || rule.Type != recipe.Integer && rule.Type != recipe.Numeric {
			continue
		}
		want, _ := new(big.Rat).SetString(strings.TrimSpace(*c.Text))
		if got, ok := new(big.Rat).SetString(*value); !ok || want == nil || got.Cmp(want) != 0 {
			t.Fatalf("%s became %s as %s", *c.Text, *value, rule)
		}
	}
}
