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

func TestRowsOfJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body, jq, want string }{
		{"array of objects", `[{"b":1,"a":"x"},{"a":"y","c":true}]`, "", "b|a|c\n1|\"x\"|NULL\nNULL|\"y\"|true"},
		{
			"nested objects and arrays", `{"meta":{"page":1},"items":[{"id":9007199254740993,"team":{"name":"A","city":{"name":"B"}},"tags":[1,2]}]}`, "",
			"id|team_name|team_city_name|tags\n9007199254740993|\"A\"|\"B\"|[1,2]",
		},
		{
			"result sets", `{"resource":"x","resultSets":[{"name":"Small","headers":["A"],"rowSet":[[1]]},{"name":"Big","headers":["PLAYER_ID","PTS"],"rowSet":[[2544,1.50],[201939,null]]}]}`, "",
			"player_id|pts\n2544|1.50\n201939|NULL",
		},
		{"one result set", `{"resultSet":{"headers":["A","B"],"rowSet":[[1,2]]}}`, "", "a|b\n1|2"},
		{
			"headers of two levels", `{"resultSets":{"headers":[{"columnsToSkip":1,"columnSpan":2,"columnNames":["Near","Far"]},{"columnSpan":1,"columnNames":["P","M","A","M","A"]}],"rowSet":[["x",1,2,3,4]]}}`, "",
			"p|near_m|near_a|far_m|far_a\n\"x\"|1|2|3|4",
		},
		{"columns", `{"data":{"a":[1,2],"b":["x","y"]}}`, "", "a|b\n1|\"x\"\n2|\"y\""},
		{"map by id", `{"101":{"n":"a"},"102":{"n":"b"}}`, "", "key|n\n\"101\"|\"a\"\n\"102\"|\"b\""},
		{"arrays with a header", `[["n","v"],["a",1]]`, "", "n|v\n\"a\"|1"},
		{"arrays without", `{"data":[["a",1],["b",2]]}`, "", "c1|c2\n\"a\"|1\n\"b\"|2"},
		{"chart rows", `google.visualization.Query.setResponse({"table":{"cols":[{"id":"A","label":"Name"},{"id":"B","label":"Pts"}],"rows":[{"c":[{"v":"x"},{"v":1.0,"f":"1"}]}]}});`, "", "name|pts\n\"x\"|1.0"},
		{"edges of nodes", `{"data":{"edges":[{"node":{"id":1}},{"node":{"id":2}}]}}`, "", "id\n1\n2"},
		{
			"resources with attributes", `{"data":[{"type":"team","id":"7","attributes":{"name":"A","wins":3,"id":9}},{"type":"team","id":"8","attributes":{"name":"B","wins":4,"id":10}}],"meta":{"total":2}}`, "",
			"type|id|name|wins|attributes_id\n\"team\"|\"7\"|\"A\"|3|9\n\"team\"|\"8\"|\"B\"|4|10",
		},
		{
			"features", `{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"name":"A","pop":1},"geometry":{"type":"Point","coordinates":[1,2]}},{"type":"Feature","properties":{"name":"B","pop":2},"geometry":null}]}`, "",
			"type|name|pop|geometry_type|geometry_coordinates|geometry\n\"Feature\"|\"A\"|1|\"Point\"|[1,2]|NULL\n\"Feature\"|\"B\"|2|NULL|NULL|NULL",
		},
		{"prefixed", ")]}',\n[{\"a\":1}]", "", "a\n1"},
		{"lines", "{\"a\":1}\n{\"a\":2}", "", "a\n1\n2"},
		{"one object", `{"a":1,"b":{"c":2}}`, "", "a|b_c\n1|2"},
		{"jq with a variable", `{"seasons":{"2024":[{"p":"x","n":12345678901234567890}]}}`, `.seasons[$season][] | {p, n, s: $season}`, "n|p|s\n12345678901234567890|\"x\"|\"2024\""},
		{"jq that gives an array", `{"x":[{"a":1},{"a":2}]}`, `.x`, "a\n1\n2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: "/api/*/rows?season={season}"}, JQ: test.jq, MinRows: 1})
			sources := []extract.Source{
				{URL: "https://x.example/other", Body: []byte(`[{"no":1}]`)},
				{URL: "https://x.example/api/v1/rows?season=2024&x=1", Body: []byte(test.body)},
				{URL: "https://x.example/api/v2/rows?season=2024", Body: []byte(test.body)}, // equal bodies once
			}
			tables, err := extract.Tables(reading(), sources, k, map[string]string{"season": "2024"})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, show(tables[0])); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
			if tables[0].Proof != extract.ProofSource || !tables[0].Complete {
				t.Errorf("proof is %s", tables[0].Proof)
			}
		})
	}
}

func TestJSONProblems(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, body, jq, outcome, part string }{
		{"fewer than stated", `{"total":120,"items":[{"a":1},{"a":2}]}`, "", "incomplete", "2 of 120 rows"},
		{"no rows", `{"items":[]}`, "", "empty", "no rows"},
		{"no JSON", `<html>`, "", "bad_value", "is no JSON"},
		{"cut off", `[{"a":1},`, "", "bad_value", "is no JSON"},
		{"jq fails", `{}`, `.a | error("no")`, "bad_value", "no"},
		{"jq gives numbers", `[1,2]`, `.[]`, "bad_value", "rows are objects"},
		{"jq gives nothing", `[1]`, `empty`, "empty", "no rows"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: "/api"}, JQ: test.jq, MinRows: 1})
			_, err := extract.Tables(reading(), []extract.Source{{URL: "https://x.example/api", Body: []byte(test.body)}}, k, nil)
			var p *extract.Problem
			if !errors.As(err, &p) || p.Outcome != test.outcome || !strings.Contains(p.Message, test.part) {
				t.Errorf("problem is %+v", p)
			}
		})
	}
}

// TestJSONTypes: values keep the type that they have in the response.
func TestJSONTypes(t *testing.T) {
	t.Parallel()
	body := `[{"i":1,"n":1.50,"big":123456789012345678901,"s":"0123","b":true,"o":{},"mix":1,"e":1e3,"z":null},
		{"i":-2,"n":2,"big":1,"s":"4","b":false,"o":[1],"mix":"x","e":-2.5e-1,"z":null}]`
	k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: "/api"}})
	tables, err := extract.Tables(reading(), []extract.Source{{URL: "/api", Body: []byte(body)}}, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"i integer 1 -2", "n numeric 1.50 2", "big numeric 123456789012345678901 1", "s text 0123 4",
		"b boolean true false", "o json {} [1]", "mix text 1 x", "e numeric 1000 -0.25",
	}
	for i, c := range tables[0].Columns {
		cells := []extract.Cell{tables[0].Rows[0][i], tables[0].Rows[1][i]}
		rule, ok := extract.Infer(c.Name, c.Header, "", cells)
		if c.Name == "z" {
			if ok {
				t.Errorf("a column of null has rule %s", rule)
			}
			continue
		}
		got := c.Name + " " + rule.String()
		for _, cell := range cells {
			value, ok := rule.Value(cell)
			if !ok || value == nil {
				t.Fatalf("%s: no value of %v", c.Name, *cell.Text)
			}
			got += " " + *value
		}
		if got != want[i] {
			t.Errorf("got %q, want %q", got, want[i])
		}
	}
}

// TestCapture: parts of URLs in both forms that their variables may take.
func TestCapture(t *testing.T) {
	t.Parallel()
	k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: "/stats?name={who}"}})
	got := extract.Capture(k, map[string]string{"who": "A B"})
	if diff := cmp.Diff([]string{"/stats?name=A B", "/stats?name=A%20B", "/stats?name=A+B"}, got); diff != "" {
		t.Error(diff)
	}
	if got := extract.Capture(kindOf(recipe.Table{From: "table"}), nil); len(got) != 0 {
		t.Errorf("captures %q", got)
	}
}

// TestRecordsAreBounded: records that are small beside one of many fields take no
// memory without bound.
func TestRecordsAreBounded(t *testing.T) {
	t.Parallel()
	var fields []string
	for i := range 15_000 {
		fields = append(fields, fmt.Sprintf(`"k%d":1`, i))
	}
	body := `[{"a":1,` + strings.Join(fields, ",") + `}` + strings.Repeat(`,{"a":1}`, 100_000) + `]`
	k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: "x"}})
	_, err := extract.Tables(&extract.Reading{Settled: true}, []extract.Source{{URL: "x", Body: []byte(body)}}, k, nil)
	var p *extract.Problem
	if !errors.As(err, &p) || p.Outcome != "too_large" {
		t.Errorf("the error is %v", err)
	}
}
