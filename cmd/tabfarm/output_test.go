package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func cell(s string) *string { return &s }

// sample has a cell of every kind, NULL, the empty text, and what breaks formats.
func sample() result {
	return result{
		columns: []resultColumn{
			{"season", kindInteger}, {"name", kindText}, {"pct", kindNumeric}, {"won", kindBoolean}, {"extra", kindJSON}, {"name", kindText},
		},
		rows: rowsOf([][]*string{
			{cell("2024"), cell("Luka Dončić"), cell("0.382"), cell("t"), cell(`{"a": [1, 2]}`), cell("")},
			{cell("9007199254740993"), cell("a,\"b\"\nc"), nil, cell("f"), nil, cell("<&>")},
		}),
	}
}

func TestWriteResult(t *testing.T) {
	t.Parallel()
	tests := []struct {
		format format
		want   string
	}{
		{formatTable, `
      season      | name        |  pct  | won | extra         | name
------------------+-------------+-------+-----+---------------+------
             2024 | Luka Dončić | 0.382 | t   | {"a": [1, 2]} |
 9007199254740993 | a,"b"\nc    |       | f   |               | <&>
`},
		{formatCSV, `
season,name,pct,won,extra,name
2024,Luka Dončić,0.382,t,"{""a"": [1, 2]}",""
9007199254740993,"a,""b""
c",,f,,<&>
`},
		{formatJSON, `
[
{"season":2024,"name":"Luka Dončić","pct":"0.382","won":true,"extra":{"a":[1,2]},"name_2":""},
{"season":9007199254740993,"name":"a,\"b\"\nc","pct":null,"won":false,"extra":null,"name_2":"<&>"}
]
`},
		{formatJSONL, `
{"season":2024,"name":"Luka Dončić","pct":"0.382","won":true,"extra":{"a":[1,2]},"name_2":""}
{"season":9007199254740993,"name":"a,\"b\"\nc","pct":null,"won":false,"extra":null,"name_2":"<&>"}
`},
	}
	for _, tt := range tests {
		t.Run(string(tt.format), func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if err := writeResult(&b, tt.format, sample()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), b.String()); diff != "" {
				t.Errorf("output differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteResultWithoutRows(t *testing.T) {
	t.Parallel()
	for format, want := range map[format]string{
		formatTable: " a | b\n---+---\n",
		formatCSV:   "a,b\n",
		formatJSON:  "[]\n",
		formatJSONL: "",
	} {
		var b bytes.Buffer
		r := result{columns: []resultColumn{{"a", kindText}, {"b", kindInteger}}, rows: rowsOf(nil)}
		if err := writeResult(&b, format, r); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s: got %q, want %q", format, b.String(), want)
		}
	}
}

// A row that cannot be read must not look like the end of the rows.
func TestWriteResultTellsTheErrorOfARow(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection lost")
	for _, f := range []format{formatTable, formatCSV, formatJSON, formatJSONL} {
		r := result{columns: []resultColumn{{"a", kindText}}, rows: func(yield func([]*string, error) bool) {
			_ = yield([]*string{cell("1")}, nil) && yield(nil, broken)
		}}
		if err := writeResult(&bytes.Buffer{}, f, r); !errors.Is(err, broken) {
			t.Errorf("%s: got %v, want the error of the row", f, err)
		}
	}
}

// Whatever a page holds, every line of jsonl is one JSON object that gives the
// texts back, and no table lets a control character through.
func TestOutputOfAnyText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		k := kind(rapid.IntRange(int(kindText), int(kindJSON)).Draw(t, "kind"))
		r := result{columns: []resultColumn{{"v", k}}}
		r.rows = rowsOf([][]*string{{&text}})
		var lines, screen bytes.Buffer
		if err := errors.Join(writeResult(&lines, formatJSONL, r), writeResult(&screen, formatTable, r)); err != nil {
			t.Fatal(err)
		}
		var object map[string]any
		if err := json.Unmarshal(lines.Bytes(), &object); err != nil {
			t.Fatalf("%q is no JSON: %v", lines.String(), err)
		}
		if got, ok := object["v"].(string); k == kindText && (!ok || got != strings.ToValidUTF8(text, "\uFFFD")) {
			t.Fatalf("got %q, want %q", got, text)
		}
		if i := strings.IndexFunc(strings.ReplaceAll(screen.String(), "\n", ""), unprintable); i >= 0 {
			t.Fatalf("the table %q holds a control character", screen.String())
		}
		if n := strings.Count(screen.String(), "\n"); n != 3 {
			t.Fatalf("the table has %d lines, want 3", n)
		}
	})
}

// The two header lines of try, and long texts cut to the screen.
func TestScreenTableOfTry(t *testing.T) {
	t.Parallel()
	table := screenTable{
		names: []string{"player_id", "player", "age", "pts"},
		types: []string{"text", "text", "integer", "integer"},
		right: []bool{false, false, true, true},
		rows: [][]string{
			{"doncilu01", "Luka Dončić", "24", "2370"},
			{"antetgi01", "Giannis Antetokounmpo", "29", "2222"},
			{"jokicni01", "日本語の名前はとても長い", "", "2085"},
		},
		heads: headersLeft,
		fit:   48,
	}
	var b bytes.Buffer
	if err := table.write(&b); err != nil {
		t.Fatal(err)
	}
	want := `
 player_id | player         | age     | pts
 text      | text           | integer | integer
-----------+----------------+---------+---------
 doncilu01 | Luka Dončić    |      24 |    2370
 antetgi01 | Giannis Ant... |      29 |    2222
 jokicni01 | 日本語の名...  |         |    2085
`
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), b.String()); diff != "" {
		t.Errorf("table differs (-want +got):\n%s", diff)
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", -21377: "-21,377", 1234567: "1,234,567", -100: "-100"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestCaret(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, sql string
		position  int
		want      string
	}{
		{"first line", "selct 1", 1, "\nLINE 1: selct 1\n        ^"},
		{"second line", "select a,\n  é, bb from t", 16, "\nLINE 2:   é, bb from t\n             ^"},
		{"at the end", "select", 7, "\nLINE 1: select\n              ^"},
		{"unknown", "select", 0, ""},
		{"beyond", "select", 99, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tt.want, caret(tt.sql, tt.position)); diff != "" {
				t.Errorf("caret differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBareName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"leaders": true, "public.leaders": true, `"Odd Name"`: true, ` tabfarm."runs" `: true, "été": true, "t$1": true,
		"select 1": false, "a.b.c": false, "leaders;": false, "1": false, "": false, "table leaders": false, "a-b": false,
	} {
		if got := bareName.MatchString(text); got != want {
			t.Errorf("bareName of %q is %v, want %v", text, got, want)
		}
	}
}
