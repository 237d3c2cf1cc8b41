package extract_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// line is a row of cells; "~" is a place without a cell.
func line(text string) []*string {
	var cells []*string
	for _, cell := range strings.Split(text, "|") {
		if cell == "~" {
			cells = append(cells, nil)
		} else {
			cells = append(cells, &cell)
		}
	}
	return cells
}

// gridOf makes a complete grid from lines of text; a row may begin with its role and class: "section.x:".
func gridOf(header string, rows ...string) extract.Grid {
	g := extract.Grid{Table: "t", Kind: "html", Selector: "#x", Complete: true, Proof: extract.ProofEnd}
	if header != "" {
		for _, h := range strings.Split(header, "\n") {
			g.Header = append(g.Header, line(h))
		}
	}
	for _, text := range rows {
		row := extract.GridRow{}
		if head, rest, found := strings.Cut(text, ":"); found {
			row.Role, row.Class, _ = strings.Cut(head, ".")
			text = rest
		}
		row.Cells = line(text)
		g.Rows = append(g.Rows, row)
	}
	return g
}

func reading(grids ...extract.Grid) *extract.Reading {
	return &extract.Reading{Settled: true, Grids: grids}
}

// show writes a table as lines: its columns, then its rows.
func show(table extract.Table) string {
	var b strings.Builder
	for i, c := range table.Columns {
		if i > 0 {
			b.WriteByte('|')
		}
		b.WriteString(c.Name)
	}
	for _, row := range table.Rows {
		b.WriteString("\n" + strings.Join(texts(row), "|"))
	}
	return b.String()
}

func TestColumnsOfTables(t *testing.T) {
	t.Parallel()
	section := gridOf("Player|PTS", "section:Starters|Starters", "X|1", "section:Bench|Bench", "Y|2")
	fields := gridOf("Player|MP", "A|10", "B|20")
	for i, id := range []string{"/players/a/one.html", "/players/b/two.html"} {
		fields.Rows[i].Fields = map[string]*string{"player_id": &id}
	}
	vars := map[string]string{"season": "2024", "unused": "x"}
	for _, test := range []struct {
		name  string
		grids []extract.Grid
		table recipe.Table
		want  string
	}{
		{
			"several header rows",
			[]extract.Grid{gridOf("Player|Shooting|Shooting|Shooting||\nPlayer|FG|FG%|FG||", "a|b|c|d|e|f")},
			recipe.Table{},
			"player|shooting_fg|shooting_fg_pct|shooting_fg_2|column_5|column_6\na|b|c|d|e|f",
		},
		{"a title above", []extract.Grid{gridOf("All|All\nA|3P", "1|2")}, recipe.Table{}, "a|x3p\n1|2"},
		{"no header", []extract.Grid{gridOf("", "1|2")}, recipe.Table{}, "column_1|column_2\n1|2"},
		{"sections", []extract.Grid{section}, recipe.Table{}, "player|pts|section\nX|1|Starters\nY|2|Bench"},
		{"two grids of one table", []extract.Grid{gridOf("A|B", "1|2"), gridOf("B|C", "3|4")}, recipe.Table{}, "a|b|c\n1|2|NULL\nNULL|3|4"},
		{"roles are left out", []extract.Grid{gridOf("A|B", "1|2", "header:A|B", "skipped:x|y", "placeholder:None|None", "3|~")}, recipe.Table{}, "a|b\n1|2\n3|NULL"},
		{"renamed by header without case and marks", []extract.Grid{gridOf("Équipe|P.T.S.", "a|1")}, recipe.Table{Columns: []recipe.Column{{Name: "team", Header: "equipe"}, {Name: "points", Header: "pts"}}}, "team|points\na|1"},
		{"by SQL name, and by the lowest level", []extract.Grid{gridOf("X|Per game\nX|PTS", "a|1")}, recipe.Table{Columns: []recipe.Column{{Name: "id", Header: "x"}, {Name: "ppg", Header: "PTS"}}}, "id|ppg\na|1"},
		{"a page's column may not take a listed name", []extract.Grid{gridOf("PTS|Points", "1|2")}, recipe.Table{Columns: []recipe.Column{{Name: "pts", Header: "Points"}}}, "pts_2|pts\n1|2"},
		{"other columns dropped, key kept", []extract.Grid{gridOf("A|B|C", "1|2|3")}, recipe.Table{OtherColumns: "drop", Key: []string{"a"}, Columns: []recipe.Column{{Name: "x", Header: "C"}}}, "x|a\n3|1"},
		{
			"fields and variables",
			[]extract.Grid{fields},
			recipe.Table{Key: []string{"player_id", "season"}, Columns: []recipe.Column{
				{Name: "player_id", CSS: "a", Attr: "href", Match: `/players/./(\w+)\.html`}, {Name: "minutes", Header: "MP"},
			}},
			"player_id|season|player|minutes\none|2024|A|10\ntwo|2024|B|20",
		},
		{"a variable as column", []extract.Grid{gridOf("A", "1")}, recipe.Table{Columns: []recipe.Column{{Name: "month", Var: "season"}}}, "month|a\n2024|1"},
		{"an optional column that is absent", []extract.Grid{gridOf("A", "1")}, recipe.Table{Columns: []recipe.Column{{Name: "b", Header: "B", Optional: true}}}, "b|a\nNULL|1"},
		{"equal rows collapse", []extract.Grid{gridOf("A|B", "1|2", "1|2", "2|2")}, recipe.Table{Key: []string{"a"}}, "a|b\n1|2\n2|2"},
		{"equal rows stay without a key", []extract.Grid{gridOf("A|B", "1|2", "1|2")}, recipe.Table{}, "a|b\n1|2\n1|2"},
		{"the first of a key", []extract.Grid{gridOf("A|B", "1|2", "1|3", "2|2")}, recipe.Table{Key: []string{"a"}, Duplicates: "first"}, "a|b\n1|2\n2|2"},
		{"the last of a key", []extract.Grid{gridOf("A|B", "1|2", "2|2", "1|3")}, recipe.Table{Key: []string{"a"}, Duplicates: "last"}, "a|b\n2|2\n1|3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.table.From = "#x"
			tables, err := extract.Tables(reading(test.grids...), nil, kindOf(test.table), vars)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, show(tables[0])); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// TestLargest: with nothing named the largest table is taken, and a tie asks.
func TestLargest(t *testing.T) {
	t.Parallel()
	small, big := gridOf("A", "1"), gridOf("A|B", "1|2", "3|4")
	tables, err := extract.Tables(reading(small, big), nil, kindOf(recipe.Table{}), nil)
	if err != nil || len(tables[0].Rows) != 2 {
		t.Errorf("%v, %v", tables, err)
	}
	twin := big
	twin.Selector, twin.Caption = "#y", "Twin"
	_, err = extract.Tables(reading(small, big, twin), nil, kindOf(recipe.Table{Name: "t"}), nil)
	want := `t: 2 tables of the page are equally large (2 rows, 2 columns): "#x", "#y" (Twin). Name one with from.`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// TestProblems holds the sentences that tell people what to do.
func TestProblems(t *testing.T) {
	t.Parallel()
	total := func(g extract.Grid, n int, text string) extract.Grid {
		g.Total, g.Complete, g.Proof = &n, false, extract.ProofNone
		if text != "" {
			g.TotalText = &text
		}
		return g
	}
	unsettled := reading(gridOf("A", "1"))
	unsettled.Settled = false
	unproven := gridOf("A", "1", "2")
	unproven.Complete, unproven.Proof, unproven.Note = false, extract.ProofNone, "the pages began to repeat"
	noField := gridOf("A", "1")
	noField.Rows[0].Fields = map[string]*string{"id": nil}
	badMatch := gridOf("A", "1")
	href := "/x"
	badMatch.Rows[0].Fields = map[string]*string{"id": &href}
	signs := func(title string, s ...string) *extract.Reading {
		return &extract.Reading{Settled: true, Title: title, Signs: s}
	}
	averages := gridOf("Rk|Player|PTS", ".full_table:1|Jo|20", ".norank full_table:|League Average|11")
	for _, test := range []struct {
		name    string
		r       *extract.Reading
		table   recipe.Table
		outcome string
		message string
	}{
		{
			"a header that is not there", reading(gridOf("Rk|Player|Team|G|PTS", "1|a|b|2|3")),
			recipe.Table{Name: "leaders", Columns: []recipe.Column{{Name: "pts", Header: "Points"}}},
			"selector_missing", `leaders: no column "Points". The page has: Rk, Player, Team, G, PTS (nearest: PTS).`,
		},
		{
			"a key that is not there", reading(gridOf("Rk|Name", "1|a")),
			recipe.Table{Name: "leaders", Key: []string{"player"}},
			"selector_missing", `leaders: no column "player". The page has: Rk, Name.`,
		},
		{
			"a column and a variable", reading(gridOf("Season", "1")),
			recipe.Table{Name: "t", Key: []string{"season"}},
			"selector_missing", `t: season is a column of the page and a variable. Say which is meant: columns: {season: {var: season}} or columns: {season: {header: "Season"}}.`,
		},
		{
			"rows of one key", reading(gridOf("player_id|season|team|g|pts", "jamesle01|2024|LAL|71|1822", "jamesle01|2024|CLE|1|30", "jamesle01|2024|TOT|72|1852")),
			recipe.Table{Name: "totals", Key: []string{"player_id", "season"}, Columns: []recipe.Column{{Name: "season", Header: "season"}}},
			"duplicate_key", "totals: 3 rows of this page have the key player_id=jamesle01, season=2024 and differ in team, g, pts. Add team to key, or set duplicates: first. Nothing of this page was stored.",
		},
		{
			"an empty key", reading(averages),
			recipe.Table{Name: "totals", Key: []string{"rk"}},
			"bad_value", `totals: row 2 ("League Average") has no rk. Leave such rows out: skip: "tr.norank" (its class), or take another key.`,
		},
		{
			"fewer than stated", reading(total(gridOf("A", "1", "2"), 2000, "")),
			recipe.Table{Name: "t"},
			"incomplete", "t: have 2 of 2,000 rows. Where other URLs show the rest, set rows: visible.",
		},
		{
			"fewer than total finds", reading(total(gridOf("A", "1", "2"), 5, "2 of 1,057 rows")),
			recipe.Table{Name: "t", Total: &recipe.Locator{CSS: ".n", Match: `of ([\d,]+)`}},
			"incomplete", "t: have 2 of 1,057 rows. Where other URLs show the rest, set rows: visible.",
		},
		{
			"total finds nothing", reading(gridOf("A", "1")),
			recipe.Table{Name: "t", Total: &recipe.Locator{CSS: ".n"}},
			"selector_missing", `t: nothing on the page matches total: ".n".`,
		},
		{
			"unproven", reading(unproven),
			recipe.Table{Name: "t"},
			"incomplete", "t: 2 rows were read and nothing proves that they are all (the pages began to repeat). Name the number that the page states with total, or set rows: visible.",
		},
		{
			"unsettled", unsettled,
			recipe.Table{Name: "t"},
			"incomplete", "t: the page had not come to rest by its deadline; 1 row was read and nothing proves that they are all.",
		},
		{"no rows", reading(gridOf("A")), recipe.Table{Name: "t", MinRows: 1}, "empty", "t: the table has no rows. If that is fine, set min_rows: 0."},
		{"too few rows", reading(gridOf("A", "1")), recipe.Table{Name: "t", MinRows: 10}, "incomplete", "t: 1 row, fewer than min_rows: 10."},
		{
			"a question for consent", &extract.Reading{Settled: true, Title: "Before you continue", Signs: []string{"consent"}, Accept: "#yes"},
			recipe.Table{Name: "t", From: "#x"},
			"blocked", `t: the page asks for consent to cookies first (title "Before you continue"). Give it with a step: page: {steps: [{click: "#yes", optional: true}]}; no table on the page matches from: "#x".`,
		},
		{
			"a question for consent in a frame", &extract.Reading{Settled: true, Title: "News", Signs: []string{"consent"}},
			recipe.Table{Name: "t", From: "#x"},
			"blocked", `t: the page asks for consent to cookies first (title "News"). Set page.session to one where it was given; no table on the page matches from: "#x".`,
		},
		{"no table", reading(), recipe.Table{Name: "t", From: "#x"}, "selector_missing", `t: no table on the page matches from: "#x".`},
		{"no element", reading(), recipe.Table{Name: "t", Each: ".card"}, "selector_missing", `t: nothing on the page matches each: ".card".`},
		{
			"no link under a header", reading(gridOf("Team|G", "a|1")),
			recipe.Table{Name: "t", Columns: []recipe.Column{{Name: "team_url", Header: "Team", Attr: "href"}}},
			"selector_missing", `t: no row has column team_url: nothing under the header "Team" has an attribute "href".`,
		},
		{
			"no header to take a link from", reading(gridOf("Team|G", "a|1")),
			recipe.Table{Name: "t", Columns: []recipe.Column{{Name: "team_url", Header: "Club", Attr: "href"}}},
			"selector_missing", `t: no column "Club". The page has: Team, G.`,
		},
		{
			"no field", reading(noField),
			recipe.Table{Name: "t", Columns: []recipe.Column{{Name: "id", CSS: "a", Attr: "href"}}},
			"selector_missing", `t: no row has column id: nothing matches css: "a", attr: "href".`,
		},
		{
			"no match", reading(badMatch),
			recipe.Table{Name: "t", Columns: []recipe.Column{{Name: "id", CSS: "a", Match: `(\d+)`}}},
			"selector_missing", `t: match of column id ((\d+)) fits no row, not even "/x".`,
		},
		{"signed out", signs("Sign in", "password"), recipe.Table{Name: "t"}, "signed_out", `t: the page asks for a password (title "Sign in"). Set page.session; the page has no table.`},
		{"blocked", signs("Just a moment", "captcha"), recipe.Table{Name: "t"}, "blocked", `t: the page asks to solve a captcha (title "Just a moment"); the page has no table.`},
		{"no response", reading(), recipe.Table{Name: "t", JSON: &recipe.JSONSource{URL: "/api"}}, "selector_missing", `t: no response of the page matched json: "/api".`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for i := range test.r.Grids {
				test.r.Grids[i].Table = test.table.Name
			}
			_, err := extract.Tables(test.r, nil, kindOf(test.table), map[string]string{"season": "2024"})
			var p *extract.Problem
			if !errors.As(err, &p) {
				t.Fatalf("error is %v", err)
			}
			if p.Outcome != test.outcome || p.Table != test.table.Name {
				t.Errorf("outcome %s of %s, want %s", p.Outcome, p.Table, test.outcome)
			}
			if diff := cmp.Diff(test.message, p.Message); diff != "" {
				t.Errorf("message (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOptionalTable: an absent optional table is no failure, and others are still read.
func TestOptionalTable(t *testing.T) {
	t.Parallel()
	k := kindOf(recipe.Table{Name: "t", From: "#x"})
	k.Tables = append(k.Tables, recipe.Table{Name: "other", From: "#y", Optional: true, Rows: "all", MinRows: 1})
	tables, err := extract.Tables(reading(gridOf("A", "1")), nil, k, nil)
	if err != nil || len(tables) != 2 || len(tables[1].Rows) != 0 || !tables[1].Complete {
		t.Errorf("%+v, %v", tables, err)
	}
}

// TestDuplicatesAreCounted: rows that are equal in all columns are told.
func TestDuplicatesAreCounted(t *testing.T) {
	t.Parallel()
	tables, err := extract.Tables(reading(gridOf("A|B", "1|2", "1|2", "1|2", "2|2")), nil, kindOf(recipe.Table{From: "#x", Key: []string{"a"}}), nil)
	if err != nil || tables[0].Duplicates != 2 {
		t.Errorf("%+v, %v", tables, err)
	}
}

// TestDecodeRefuses payloads that the script would not send.
func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	grid := func(s string) string {
		return fmt.Sprintf(`{"version":1,"settled":true,"grids":[{"kind":"html","proof":"end",%s}]}`, s)
	}
	for _, text := range []string{
		``, `{}`, `[]`, `{"version":2}`, `{"version":1} x`, `{"version":1,"error":"TypeError"}`,
		grid(`"rows":[{"c":[1]}]`), grid(`"rows":[{"c":["a"],"r":"king"}]`), grid(`"rows":[{"c":["a"],"s":[1]}]`),
		grid(`"total":-1`), `{"version":1,"grids":[{"kind":"x","proof":"end"}]}`, `{"version":1,"grids":[{"kind":"html","proof":"sure"}]}`,
	} {
		if _, err := extract.Decode([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if _, err := extract.Decode([]byte(`{"version":1,"error":"too large"}`)); !errors.Is(err, extract.ErrTooLarge) {
		t.Errorf("error is %v", err)
	}
	wide := grid(`"rows":[{"c":[` + strings.Repeat(`"",`, 20_000) + `""]}]`)
	if _, err := extract.Decode([]byte(wide)); !errors.Is(err, extract.ErrTooLarge) {
		t.Errorf("error is %v", err)
	}
}

// TestTablesAreBounded: rows that are short beside others, and tables that have
// few columns in common, take no memory without bound.
func TestTablesAreBounded(t *testing.T) {
	t.Parallel()
	ragged := `{"table":"t","kind":"html","proof":"end","rows":[{"c":[` + strings.Repeat(`"x",`, 15_000) + `"x"]}` + strings.Repeat(`,{"c":[]}`, 1_000) + `]}`
	var unlike []string
	for i := range 4_000 {
		unlike = append(unlike, fmt.Sprintf(`{"table":"t","kind":"html","proof":"end","header":[["a%d","b%d","c%d"]],"rows":[{"c":["1","2","3"]}]}`, i, i, i))
	}
	for name, grids := range map[string]string{"short rows": ragged, "columns of their own": strings.Join(unlike, ",")} {
		r, err := extract.Decode([]byte(`{"version":1,"settled":true,"grids":[` + grids + `]}`))
		if err != nil {
			t.Fatal(err)
		}
		_, err = extract.Tables(r, nil, kindOf(recipe.Table{From: "table"}), nil)
		var p *extract.Problem
		if !errors.As(err, &p) || p.Outcome != "too_large" {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

// TestDecodeParts: the grids of several parts of a page come together.
func TestDecodeParts(t *testing.T) {
	t.Parallel()
	part := func(more, part, rows, proof, total string) []byte {
		return fmt.Appendf(nil, `{"version":1,"settled":true%s,"grids":[{"table":"t","part":%q,"kind":"html","proof":%q,"complete":true,"total":%s,"rows":[%s]}]}`, more, part, proof, total, rows)
	}
	a, b := `{"c":["1","2"]}`, `{"c":["3","4"]}`
	for _, test := range []struct {
		name  string
		parts [][]byte
		want  string // rows of each grid, proof, total, note
	}{
		{"end", [][]byte{part("", "x", a, "end", "null"), part("", "x", b, "end", "null")}, "2 end 0 "},
		{"total", [][]byte{part("", "x", a, "end", "2"), part("", "x", b, "total", "2")}, "2 total 2 "},
		{"doubt", [][]byte{part("", "x", a, "none", "null"), part("", "x", "", "end", "null")}, "1 none 0 "},
		{"other grid", [][]byte{part("", "x", a, "end", "null"), part("", "y", b, "end", "null")}, "1 end 0 |1 end 0 "},
		{"short", [][]byte{part("", "x", a, "end", "null"), part(`,"short":"max"`, "x", b, "end", "null")}, "2 none 0 max"},
		{"short, and all there", [][]byte{part("", "x", a, "end", "1"), part(`,"short":"max"`, "x", "", "total", "1")}, "1 total 1 "},
		{"columns", [][]byte{part("", "x", a, "end", "null"), part("", "x", `{"c":["1"]}`, "end", "null")}, "1 none 0 a further part of the page shows other columns"},
	} {
		r, err := extract.Decode(test.parts...)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		var got []string
		for _, g := range r.Grids {
			total := 0
			if g.Total != nil {
				total = *g.Total
			}
			got = append(got, fmt.Sprintf("%d %s %d %s", len(g.Rows), g.Proof, total, g.Note))
			if g.Complete != (g.Proof != extract.ProofNone) {
				t.Errorf("%s: complete %t, proof %s", test.name, g.Complete, g.Proof)
			}
		}
		if line := strings.Join(got, "|"); line != test.want {
			t.Errorf("%s: got %q, want %q", test.name, line, test.want)
		}
	}
	for _, text := range []string{`{"version":1,"stop":{"outcome":"ok","message":"x"}}`, `{"version":1,"stop":{"outcome":"empty"}}`} {
		if _, err := extract.Decode([]byte(text)); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}
