package extract_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
)

// drawn is a grid of which the script sees so many rows at once.
type drawn struct {
	rows   [][]string
	window int
	count  int    // rows that the grid states, 0 for none
	number bool   // it numbers its rows
	grid   string // JSON that its library gives
	paged  bool
}

// read asks about a grid as the script does: first what is drawn, then with all
// columns, then with the windows that the answer names. It gives the rows of the
// answer, nil when there is none.
func (d drawn) read(t *testing.T, bodies ...string) [][]string {
	t.Helper()
	var sources []extract.Source
	for _, body := range bodies {
		sources = append(sources, extract.Source{Body: []byte(body)})
	}
	answer := extract.Asker()
	type question map[string]any
	window := func(from, to int) question {
		w := question{"rows": d.rows[from:to]}
		if d.number {
			w["at"] = from
		}
		return w
	}
	q := question{"windows": []question{window(0, d.window)}, "paged": d.paged, "whole": d.paged, "grid": d.grid}
	if d.count > 0 {
		q["count"] = d.count
	}
	windows := q["windows"].([]question)
	for round := range 8 {
		text, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		var reply struct {
			Fits bool
			Look []int
			Rows [][]string
		}
		if got := answer(string(text), sources); got != "" {
			if err := json.Unmarshal([]byte(got), &reply); err != nil {
				t.Fatal(err)
			}
		}
		if !reply.Fits || reply.Rows != nil {
			return reply.Rows
		}
		q["whole"] = true
		delete(q, "grid") // it is told once
		if d.paged {
			seen := min((round+2)*d.window, len(d.rows))
			q["windows"] = []question{window(0, seen)}
			continue
		}
		for _, row := range reply.Look {
			from := min(max(row-d.window/2, 0), len(d.rows)-d.window)
			w := window(from, from+d.window)
			if from+d.window == len(d.rows) {
				w["last"] = true
				if d.grid == "" {
					q["count"] = max(d.count, len(d.rows))
				}
			}
			windows = append(windows, w)
		}
		q["windows"] = windows
	}
	return nil
}

// players are rows of JSON and what a grid shows of them, n of them.
func players(n int) (body []map[string]any, shown [][]string) {
	for i := range n {
		note := any(nil)
		if i%4 == 1 {
			note = fmt.Sprint(i%12, "-", i%7)
		}
		row := map[string]any{"name": fmt.Sprint("player ", i/2), "pts": i * 700, "rate": json.Number(fmt.Sprintf("%d.%d", i%3, i%4)), "in": i%3 == 0, "note": note}
		body = append(body, row)
		text := ""
		if note != nil {
			text = note.(string)
		}
		rate := strings.TrimSuffix(string(row["rate"].(json.Number)), ".0")
		shown = append(shown, []string{row["name"].(string), fmt.Sprint(row["pts"]), rate, fmt.Sprint(row["in"]), text})
	}
	return body, shown
}

// encoded is a value as JSON.
func encoded(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRowsBehind(t *testing.T) {
	t.Parallel()
	const n = 200
	column := func(c int, f func(i int, text string) string) func([]map[string]any, [][]string) {
		return func(_ []map[string]any, shown [][]string) {
			for i, row := range shown {
				row[c] = f(i, row[c])
			}
		}
	}
	at := func(row int, text string) func(int, string) string {
		return func(i int, old string) string {
			if i == row {
				return text
			}
			return old
		}
	}
	for _, test := range []struct {
		name   string
		change func(body []map[string]any, shown [][]string)
		want   bool
	}{
		{"as it is", func([]map[string]any, [][]string) {}, true},
		{"equal rows", func(body []map[string]any, shown [][]string) { body[90], shown[90] = body[80], shown[80] }, true},
		{"in another order", func(_ []map[string]any, shown [][]string) { slices.Reverse(shown) }, false},
		{"two rows change places at the end", func(_ []map[string]any, shown [][]string) {
			shown[n-1], shown[n-2] = shown[n-2], shown[n-1]
		}, false},
		{"rounded", column(2, func(_ int, text string) string { return strings.Split(text, ".")[0] }), false},
		{"thousands in groups", column(1, func(i int, text string) string {
			if len(text) > 3 {
				return text[:len(text)-3] + "," + text[len(text)-3:]
			}
			return text
		}), true},
		{"decimals filled up", column(2, func(_ int, text string) string {
			whole, part, _ := strings.Cut(text, ".")
			return whole + "." + (part + "00")[:2]
		}), true},
		{"a dash for no value", column(4, func(_ int, text string) string {
			if text == "" {
				return "–"
			}
			return text
		}), true},
		{"words for no value", column(4, func(_ int, text string) string { return "note: " + text }), false},
		{"words for true and false", column(3, func(_ int, text string) string { return map[string]string{"true": "yes", "false": "no"}[text] }), false},
		{"a column of its own", column(4, func(i int, _ string) string { return fmt.Sprint(i + 1) }), false},
		{"a dash for one large number", column(1, at(199, "-")), false},
		{"a value of another kind far below", func(body []map[string]any, shown [][]string) { body[120]["pts"], shown[120][1] = -3, "(3)" }, false},
		{"no value far below", func(body []map[string]any, shown [][]string) { body[120]["pts"], shown[120][1] = nil, "" }, true},
		{"no value far below, with words", func(body []map[string]any, shown [][]string) { body[120]["pts"], shown[120][1] = nil, "none" }, false},
		{"a long text", func(body []map[string]any, shown [][]string) {
			body[120]["name"] = strings.Repeat("long ", 50)
			shown[120][0] = strings.TrimSpace(strings.Repeat("long ", 50))
		}, true},
		{"a long text is cut", func(body []map[string]any, shown [][]string) {
			body[120]["name"] = strings.Repeat("long ", 50)
			shown[120][0] = "long long..."
		}, false},
		{"the longest of long texts is cut", func(body []map[string]any, shown [][]string) {
			for i, row := range body {
				row["name"] = strings.Repeat("x", 40)
				shown[i][0] = strings.Repeat("x", 40)
			}
			body[0]["name"], shown[0][0] = strings.Repeat("y", 40), strings.Repeat("y", 40)
			body[120]["name"] = strings.Repeat("x", 60)
		}, false},
		{"a text with marks of HTML", func(body []map[string]any, shown [][]string) {
			body[120]["name"], shown[120][0] = "<b>Bob</b>", "Bob"
		}, false},
		{"white space", func(body []map[string]any, shown [][]string) {
			body[2]["name"], shown[2][0] = " Bo\u00ad\u00a0 b\n", "Bo b"
		}, true},
		{"digits that JavaScript loses", func(body []map[string]any, shown [][]string) {
			body[120]["pts"], shown[120][1] = json.Number("9007199254740993"), "9007199254740992"
		}, false},
		{"an exponent", func(body []map[string]any, shown [][]string) {
			body[120]["pts"], shown[120][1] = json.Number("1e3"), "1000"
		}, false},
		{"a list in a row", func(body []map[string]any, shown [][]string) {
			body[120]["name"], shown[120][0] = []string{"a", "b"}, "a,b"
		}, false},
		{"two keys that are one", func(body []map[string]any, _ [][]string) {
			for _, row := range body {
				row["title"] = row["name"]
			}
		}, true},
		{"two keys that differ far below", func(body []map[string]any, shown [][]string) {
			for _, row := range body {
				row["title"] = row["name"]
			}
			body[120]["title"], shown[120][0] = "other", "other"
		}, true},
		{"two keys, and neither is shown far below", func(body []map[string]any, shown [][]string) {
			for _, row := range body {
				row["title"] = row["name"]
			}
			body[120]["title"], shown[120][0] = "other", "third"
		}, false},
		{"a constant that is none in the response", func(body []map[string]any, shown [][]string) {
			for i, row := range body {
				row["name"], shown[i][0] = "A", "A"
			}
			body[120]["name"] = "B"
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, numbered := range []bool{true, false} {
				body, shown := players(n)
				test.change(body, shown)
				got := drawn{rows: shown, window: 12, count: n, number: numbered}.read(t, `{"ok":true}`, encoded(t, map[string]any{"total": n, "rows": body}))
				if test.want {
					if diff := cmp.Diff(shown, got); diff != "" {
						t.Errorf("rows (-shown +read):\n%s", diff)
					}
				} else if got != nil {
					t.Errorf("it was taken for the source (rows are numbered: %t)", numbered)
				}
			}
		})
	}
}

// TestCountBehind: a response counts only if it has as many rows as the grid.
func TestCountBehind(t *testing.T) {
	t.Parallel()
	const n = 200
	for _, test := range []struct {
		name          string
		stated, total int // by the grid, by the response; 0 for none
		lacking       int // row that the grid lacks, -1 for none
		number, want  bool
	}{
		{"both state it", n, n, -1, true, true},
		{"nobody states it", 0, 0, -1, true, true},
		{"the grid states fewer", n - 1, n, -1, true, false},
		{"the grid states more", n + 1, n, -1, true, false},
		{"the response states more", n, n + 50, -1, true, false},
		{"a row is left out in the middle", 0, n, 100, true, false},
		{"the same, with no numbers", 0, n, 100, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body, shown := players(n)
			response := map[string]any{"rows": body}
			if test.total > 0 {
				response["total"] = test.total
			}
			if test.lacking >= 0 {
				shown = slices.Delete(shown, test.lacking, test.lacking+1)
			}
			got := drawn{rows: shown, window: 12, count: test.stated, number: test.number}.read(t, encoded(t, response))
			if (got != nil) != test.want {
				t.Errorf("%d rows were read", len(got))
			}
		})
	}
}

// TestResponsesBehind: of several responses that one counts which the grid shows
// everywhere; where two differ that is looked at.
func TestResponsesBehind(t *testing.T) {
	t.Parallel()
	body, shown := players(200)
	older := slices.Clone(body)
	older[120] = map[string]any{"name": "older", "pts": 1, "rate": 1, "in": true, "note": nil}
	now, before := encoded(t, body), encoded(t, older)
	grid := drawn{rows: shown, window: 12, count: 200}
	if diff := cmp.Diff(shown, grid.read(t, before, now)); diff != "" {
		t.Errorf("rows (-shown +read):\n%s", diff)
	}
	shown[120] = []string{"neither", "1", "1", "true", ""}
	if got := grid.read(t, now, before); got != nil {
		t.Error("one of two was taken that the grid shows neither of")
	}
	for _, hostile := range []string{
		"", "null", "[]", `"text"`, `[[],[],[],[]]`, `[{},{},{},{}]`, strings.Repeat("[", 10_000), strings.Repeat(`{"a":`, 10_000),
		`[{"a":1e999999999,"a":2},{"a":-1e999999999},{"a":"\ud800"},{"a":[[]]}]`, `{"rows":[{"name":"player 0"},null,null,{"name":"player 1"}]}`,
	} {
		if got := grid.read(t, hostile); got != nil {
			t.Errorf("%.50q was taken for the source", hostile)
		}
	}
}

// TestPagesBehind: of a paged table nothing can be looked at; its pages are turned
// until every kind of value was seen.
func TestPagesBehind(t *testing.T) {
	t.Parallel()
	body, shown := players(200)
	grid := drawn{rows: shown, window: 40, count: 200, paged: true}
	if diff := cmp.Diff(shown, grid.read(t, encoded(t, body))); diff != "" {
		t.Errorf("rows (-shown +read):\n%s", diff)
	}
	body[60]["pts"] = -1 // not what is shown on the second page
	if got := grid.read(t, encoded(t, body)); got != nil {
		t.Error("a response that differs was taken for the source")
	}
}

// TestLibraryBehind: what the library of a grid gives is as many rows as the grid
// has, and must agree with what is drawn all the same.
func TestLibraryBehind(t *testing.T) {
	t.Parallel()
	body, shown := players(200)
	grid := drawn{rows: shown, window: 12, grid: encoded(t, body)}
	if diff := cmp.Diff(shown, grid.read(t)); diff != "" {
		t.Errorf("rows (-shown +read):\n%s", diff)
	}
	grid.count = 201
	if got := grid.read(t); got != nil {
		t.Error("the grid states another number")
	}
	grid.count, shown[199][1] = 0, "many"
	if got := grid.read(t); got != nil {
		t.Error("the last row is drawn otherwise")
	}
}

// FuzzBehind: rows that are given are those that were seen, wherever they stand,
// and as many as the grid has.
func FuzzBehind(f *testing.F) {
	f.Add(`{"windows":[{"rows":[["a","1"],["b","2"],["c","3"]],"last":true}],"count":3,"whole":true}`, `[{"n":"a","v":1},{"n":"b","v":2},{"n":"c","v":3}]`)
	f.Add(`{"windows":[{"rows":[["a","1"],["b","2"],["c","3"]]},{"at":9223372036854775807,"rows":[["c","3.00"]]}],"whole":true,"grid":"[]"}`, `{"headers":["n","v"],"rows":[["a",1],["b",-2.50],["c",null],["d",1e5]],"total":4}`)
	f.Add(`{"windows":[{"rows":[["–","1,000"],["b",""],["c","-3,000.5"]]},{"rows":[["c","3.00"]]}],"paged":true,"whole":true,"part":true}`, `{"a":["x","y","z"],"b":[true,false,null]}`)
	f.Fuzz(func(t *testing.T, question, body string) {
		var q struct {
			Windows []struct {
				At   *int
				Rows [][]string
			}
			Count *int
		}
		var reply struct{ Rows [][]string }
		answer := extract.Asker()(question, []extract.Source{{Body: []byte(body)}})
		if answer == "" || json.Unmarshal([]byte(question), &q) != nil {
			return
		}
		if err := json.Unmarshal([]byte(answer), &reply); err != nil {
			t.Fatal(err)
		}
		if reply.Rows == nil {
			return
		}
		if q.Count != nil && len(reply.Rows) != *q.Count {
			t.Errorf("%d rows, want %d", len(reply.Rows), *q.Count)
		}
		for i, w := range q.Windows {
			found := false
			for at := range len(reply.Rows) - len(w.Rows) + 1 {
				here := i > 0 && w.At == nil || i == 0 && at == 0 || w.At != nil && *w.At == at
				found = found || here && cmp.Equal(w.Rows, reply.Rows[at:at+len(w.Rows)])
			}
			if !found {
				t.Errorf("rows %q are not among %q", w.Rows, reply.Rows)
			}
		}
	})
}
