package recipe

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// given is Inputs of a test: files, sitemaps and query results by name.
type given struct {
	files    map[string]string
	sitemaps map[string][]string
	queries  map[string][][]string // the first row names the columns
	reads    map[string]int
}

func (g *given) ReadFile(_ context.Context, name string) ([]byte, error) {
	if g.reads == nil {
		g.reads = map[string]int{}
	}
	g.reads[name]++
	text, ok := g.files[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return []byte(text), nil
}

func (g *given) Sitemap(_ context.Context, url string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		urls, ok := g.sitemaps[url]
		if !ok {
			yield("", errors.New("no such sitemap"))
			return
		}
		for _, u := range urls {
			if !yield(u, nil) {
				return
			}
		}
	}
}

func (g *given) Query(_ context.Context, sql string) ([]string, [][]string, error) {
	rows, ok := g.queries[sql]
	if !ok {
		return nil, nil, errors.New("no such query")
	}
	return rows[0], rows[1:], nil
}

// newYear is 04:30 on 2024-01-01 in UTC, and the evening before in New York.
var newYear = time.Date(2024, 1, 1, 4, 30, 0, 0, time.UTC)

func expand(t testing.TB, text string, in *given) ([]Address, error) {
	t.Helper()
	r, err := Parse("a.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var out []Address
	for a, err := range r.Expand(t.Context(), &r.Kinds[0], in, newYear) {
		if err != nil {
			return out, err
		}
		out = append(out, a)
	}
	return out, nil
}

func pages(addresses []Address) string {
	var lines []string
	for _, a := range addresses {
		lines = append(lines, a.Page)
	}
	return strings.Join(lines, "\n")
}

func TestExpand(t *testing.T) {
	t.Parallel()
	const table = "tables: {t: {}}\n"
	for name, c := range map[string]struct {
		text string
		in   given
		want []string
	}{
		"one": {"urls: HTTPS://Stats.Example:443\n" + table, given{}, []string{"https://stats.example/"}},
		"the last variable varies fastest": {
			"urls: https://stats.example/{a}/{b}\nwith: {b: [1, 2], a: [x, y]}\n" + table,
			given{},
			[]string{"https://stats.example/x/1", "https://stats.example/y/1", "https://stats.example/x/2", "https://stats.example/y/2"},
		},
		"text stays as written": {
			"urls: https://stats.example/{a}\nwith: {a: [0123, 1e3, yes, 2024-01-31, 1_000, '05', 0x1F, 1.50]}\n" + table,
			given{},
			[]string{
				"https://stats.example/0123", "https://stats.example/1e3", "https://stats.example/yes", "https://stats.example/2024-01-31",
				"https://stats.example/1_000", "https://stats.example/05", "https://stats.example/0x1F", "https://stats.example/1.50",
			},
		},
		"encoded for its place": {
			"urls: \"https://{h}.example/a{{b}}/{x}?q={x}&r=1#/{x}\"\nwith: {h: [www], x: ['a b/ü&c=d?#%+']}\n" + table,
			given{},
			nil,
		},
		"numbers": {
			"urls: https://stats.example/{n}\nwith: {n: {from: 10, to: 1, step: -4}}\n" + table,
			given{},
			[]string{"https://stats.example/10", "https://stats.example/6", "https://stats.example/2"},
		},
		"leading zeros": {
			"urls: https://stats.example/{n}\nwith: {n: {from: 098, to: 101}}\n" + table,
			given{},
			[]string{"https://stats.example/098", "https://stats.example/099", "https://stats.example/100", "https://stats.example/101"},
		},
		"days from today in the recipe's zone": {
			"urls: https://rail.example/board\ntimezone: America/New_York\nwith: {date: {from: today, to: today+2d, format: \"%d.%m.%Y\"}}\ntables: {t: {key: [date]}}\n",
			given{},
			[]string{"https://rail.example/board#~date=31.12.2023", "https://rail.example/board#~date=01.01.2024", "https://rail.example/board#~date=02.01.2024"},
		},
		"months": {
			"urls: https://city.example/{m}\nwith: {m: {from: 2023-11, to: today, format: \"%Y-%m\"}}\n" + table,
			given{},
			[]string{"https://city.example/2023-11", "https://city.example/2023-12", "https://city.example/2024-01"},
		},
		"months from a long day": {
			"urls: https://city.example/{m}\nwith: {m: {from: 2023-12-31, to: 2024-02}}\n" + table,
			given{},
			[]string{"https://city.example/2023-12", "https://city.example/2024-01", "https://city.example/2024-02"},
		},
		"days over a change of clocks": {
			"urls: https://city.example/{d}\ntimezone: Europe/Berlin\nwith: {d: {from: 2024-03-30, to: 2024-04-01}}\n" + table,
			given{},
			[]string{"https://city.example/2024-03-30", "https://city.example/2024-03-31", "https://city.example/2024-04-01"},
		},
		"beside the URL, sorted by name": {
			"urls: https://stats.example/#/season/{s}\nwith: {z: ['a b'], s: [1], b: ['&=']}\ntables: {t: {from: \"#t{z}\", columns: {b: {var: b}}}}\n",
			given{},
			[]string{"https://stats.example/#/season/1#~b=%26%3D&z=a%20b"},
		},
		"files": {
			"urls: [{file: urls.txt}, https://a.example/1]\n" + table,
			given{files: map[string]string{"urls.txt": "\ufeff# remarks\r\nhttps://a.example/1\r\n\n  https://a.example/2  \n"}},
			[]string{"https://a.example/1", "https://a.example/2"},
		},
		"CSV": {
			"urls: {file: Urls.CSV}\ntables: {t: {key: [team_name]}}\n",
			given{files: map[string]string{"Urls.CSV": "Team Name;URL;note\n\"A;B\";https://a.example/1;x\nB;https://a.example/1;y\nB;https://a.example/1;z\n"}},
			[]string{"https://a.example/1#~team_name=A%3BB", "https://a.example/1#~team_name=B"},
		},
		"sitemap": {
			"urls: {sitemap: https://a.example/sitemap.xml, match: '/p/\\d+$'}\n" + table,
			given{sitemaps: map[string][]string{"https://a.example/sitemap.xml": {"https://a.example/", "https://a.example/p/1", "https://a.example/p/x"}}},
			[]string{"https://a.example/p/1"},
		},
		"SQL": {
			"urls: {sql: select 1}\nwith: {w: {sql: select 2}}\ntables: {t: {key: [id, w]}}\n",
			given{queries: map[string][][]string{"select 1": {{"id", "url"}, {"7", "https://a.example/7"}}, "select 2": {{"w", "x"}, {"p", "-"}, {"q", "-"}}}},
			[]string{"https://a.example/7#~id=7&w=p", "https://a.example/7#~id=7&w=q"},
		},
		"with of a source": {
			"urls: ['https://a.example/{a}', {url: 'https://a.example/{a}/{b}', with: {b: [1, 2]}}]\nwith: {a: {file: a.txt}}\n" + table,
			given{files: map[string]string{"a.txt": "x\ny\n"}},
			[]string{"https://a.example/x", "https://a.example/y", "https://a.example/x/1", "https://a.example/x/2", "https://a.example/y/1", "https://a.example/y/2"},
		},
		"jq and columns use variables": {
			"urls: https://a.example/\nwith: {a: [1], b: [2], c: [3]}\ntables: {t: {json: 'x{c}', jq: '. as $b | .[] | .a = $a + \"$b\"', columns: {b: {var: b}}}}\n",
			given{},
			[]string{"https://a.example/#~a=1&b=2&c=3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := expand(t, c.text, &c.in)
			if err != nil {
				t.Fatal(err)
			}
			if name == "encoded for its place" {
				c.want = []string{"https://www.example/a{b}/a%20b%2F%C3%BC&c=d%3F%23%25+?q=a%20b%2F%C3%BC%26c%3Dd%3F%23%25%2B&r=1#/a%20b%2F%C3%BC%26c%3Dd%3F%23%25%2B"}
			}
			if pages(got) != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", pages(got), strings.Join(c.want, "\n"))
			}
			for _, a := range got {
				if strings.Contains(a.URL, "#~") {
					t.Errorf("the browser is to open %s", a.URL)
				}
			}
		})
	}
}

func TestExpandErrors(t *testing.T) {
	t.Parallel()
	const table = "tables: {t: {}}\n"
	for _, c := range []struct {
		text string
		in   given
		want string
	}{
		{"urls: {file: no.txt}\n" + table, given{}, `a.yaml:1:7: read "no.txt": file does not exist`},
		{"urls: {file: a.txt}\n" + table, given{files: map[string]string{"a.txt": "\nhttps://a.example\nstats.example\n"}}, `a.txt:3: "stats.example" is no URL: a URL begins with`},
		{"urls: {file: a.csv}\n" + table, given{files: map[string]string{"a.csv": "link\nx\n"}}, `a.csv:1: there is no column url; the columns are link`},
		{"urls: {file: a.csv}\n" + table, given{files: map[string]string{"a.csv": "url,a\nhttps://a.example,\"x\ny\"\nx\n"}}, `a.csv:4: this line has not as many columns`},
		{"urls: {file: a.csv}\n" + table, given{files: map[string]string{"a.csv": "url,a\nhttps://a.example,\"x\ny\"\n/x,1\n"}}, `a.csv:4: "/x" is no URL`},
		{"urls: {file: a.csv}\n" + table, given{files: map[string]string{"a.csv": ""}}, `"a.csv" is empty`},
		{"urls: {file: a.csv}\n" + table, given{files: map[string]string{"a.csv": "url,A b,a-b\n"}}, `a.csv:1: two columns are named a_b`},
		{"urls: {file: a.csv}\nwith: {a: [1]}\ntables: {t: {key: [a]}}\n", given{files: map[string]string{"a.csv": "url,a\nhttps://a.example,1\n"}}, "a is a variable of with and a column"},
		{"urls: https://a.example/{w}\nwith: {w: {file: w.txt}}\n" + table, given{files: map[string]string{"w.txt": "\n"}}, "a.yaml:2:8: with.w: no values in w.txt"},
		{"urls: https://a.example/{w}\nwith: {w: {file: w.txt}}\n" + table, given{files: map[string]string{"w.txt": "\xff"}}, `"w.txt" is not UTF-8`},
		{"urls: https://a.example/{w}\nwith: {w: {sql: select 1}}\n" + table, given{}, "a.yaml:2:8: with.w: run sql: no such query"},
		{"urls: {sql: select 1}\n" + table, given{queries: map[string][][]string{"select 1": {{"link"}}}}, "a.yaml:1:7: there is no column url; the columns are link"},
		{"urls: {sitemap: https://a.example/s.xml}\n" + table, given{}, "a.yaml:1:7: read sitemap https://a.example/s.xml: no such sitemap"},
		{"urls: https://{h}/\nwith: {h: ['a b']}\n" + table, given{}, `a.yaml:1:7: "https://a b/" is no URL`},
		{"urls: {file: a.txt}\n" + table, given{files: map[string]string{"a.txt": "https://anna:geheim@a.example\n"}}, "a.txt:1: a URL with a name and password is not taken"},
	} {
		_, err := expand(t, c.text, &c.in)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s\ngot  %v\nwant %s", c.text, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

func TestExpandStops(t *testing.T) {
	t.Parallel()
	r, err := Parse("a.yaml", []byte("urls: https://a.example/{n}/{w}\nwith: {n: {from: 1, to: 9999999}, w: {file: w.txt}}\ntables: {t: {}}\n"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in := &given{files: map[string]string{"w.txt": "a\nb\n"}}
	count := 0
	var last error
	for _, err := range r.Expand(ctx, &r.Kinds[0], in, newYear) {
		if err != nil {
			last = err
			break
		}
		if count++; count == 5 {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) || count > 6 {
		t.Errorf("after %d pages: %v", count, last)
	}
	if in.reads["w.txt"] != 1 {
		t.Errorf("w.txt was read %d times", in.reads["w.txt"])
	}
	for range r.Expand(t.Context(), &r.Kinds[0], in, newYear) {
		break
	}
}

// TestExpandGivesEveryCombinationOnce: any values, in any place of the URL or
// beside it, give each combination one page, in order; its address is unique, opens
// as a URL, and what the server decodes is the value.
func TestExpandGivesEveryCombinationOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringOfN(rapid.RuneFrom([]rune("abzABZ019-._~ /?#[]@!$&'()*+,;=%\"<>{}|\\^`äß年\u00a0")), 1, 6, -1)
		with := map[string][]string{}
		text := "urls: \"https://stats.example/p-{path}-/x?q={query}&z=1#/r/{fragment}\"\nwith:\n"
		names := []string{"path", "query", "fragment", "beside"}
		for _, name := range names {
			with[name] = rapid.SliceOfNDistinct(value, 1, 3, rapid.ID).Draw(t, name)
			text += "  " + name + ":\n"
			for _, v := range with[name] {
				text += "  - '" + strings.ReplaceAll(v, "'", "''") + "'\n"
			}
		}
		text += "tables: {t: {key: [beside]}}\n"
		r, err := Parse("a.yaml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		var want []map[string]string
		for _, a := range with["path"] {
			for _, b := range with["query"] {
				for _, c := range with["fragment"] {
					for _, d := range with["beside"] {
						want = append(want, map[string]string{"path": a, "query": b, "fragment": c, "beside": d})
					}
				}
			}
		}
		seen := map[string]bool{}
		i := 0
		for a, err := range r.Expand(context.Background(), &r.Kinds[0], &given{}, newYear) {
			if err != nil {
				t.Fatal(err)
			}
			if i >= len(want) || !maps.Equal(a.Vars, want[i]) {
				t.Fatalf("page %d has %v, want %v", i, a.Vars, want[min(i, len(want)-1)])
			}
			if seen[a.Page] {
				t.Fatalf("%s came twice", a.Page)
			}
			seen[a.Page] = true
			checkAddress(t, a)
			i++
		}
		if i != len(want) {
			t.Fatalf("%d pages, want %d", i, len(want))
		}
	})
}

func checkAddress(t *rapid.T, a Address) {
	u, err := url.Parse(a.URL)
	if err != nil {
		t.Fatalf("%v", err)
	}
	got := map[string]string{
		"path":     strings.TrimSuffix(strings.TrimPrefix(u.Path, "/p-"), "-/x"),
		"query":    u.Query().Get("q"),
		"fragment": strings.TrimPrefix(u.Fragment, "/r/"),
	}
	before, after, _ := strings.Cut(a.Page, "#~")
	if before != a.URL || u.Query().Get("z") != "1" {
		t.Fatalf("%s is not the address of %s", a.Page, a.URL)
	}
	beside, err := url.PathUnescape(strings.TrimPrefix(after, "beside="))
	if err != nil {
		t.Fatalf("%v", err)
	}
	got["beside"] = beside
	if !maps.Equal(got, a.Vars) {
		t.Fatalf("%s holds %q, want %q", a.Page, got, a.Vars)
	}
}

// TestRangeCounts: a range gives as many values as it says, none twice.
func TestRangeCounts(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := Range{Step: rapid.SampledFrom([]int{1, 2, 3, 7, -1, -2, -30}).Draw(t, "step")}
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			r.From, r.To = fmt.Sprint(rapid.IntRange(-50, 50).Draw(t, "from")), fmt.Sprint(rapid.IntRange(-50, 50).Draw(t, "to"))
		case 1:
			day := rapid.Custom(func(t *rapid.T) string {
				return newYear.AddDate(0, 0, rapid.IntRange(-100, 100).Draw(t, "day")).Format(time.DateOnly)
			})
			r.From, r.To = day.Draw(t, "from"), rapid.OneOf(day, rapid.Just("today"), rapid.Just("today+7d"), rapid.Just("today-3d")).Draw(t, "to")
		case 2:
			r.From, r.To = fmt.Sprintf("20%02d-%02d", rapid.IntRange(20, 25).Draw(t, "year"), rapid.IntRange(1, 12).Draw(t, "month")), "today"
		}
		n, err := r.count(newYear)
		values, valuesErr := r.values(newYear)
		if (err == nil) != (valuesErr == nil) {
			t.Fatalf("%+v: count %v, values %v", r, err, valuesErr)
		}
		if err != nil {
			return
		}
		got := slices.Collect(values)
		if len(got) != n || n < 1 {
			t.Fatalf("%+v gives %d values %v, and says %d", r, len(got), got, n)
		}
		slices.Sort(got)
		if len(slices.Compact(got)) != n {
			t.Fatalf("%+v gives a value twice: %v", r, got)
		}
	})
}

func TestParseRate(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{"15/min": 4 * time.Second, "1/s": time.Second, "20/hour": 3 * time.Minute, "0.5/s": 2 * time.Second, "none": 0, "6 / min": 10 * time.Second, "1/day": 24 * time.Hour} {
		if got, ok := parseRate(s); !ok || got != want {
			t.Errorf("parseRate(%q) = %v, %v", s, got, ok)
		}
	}
	for _, s := range []string{"", "15", "15/m", "0/s", "-1/s", "1/s/s", "None", "1e9/s", "99999999999999999999999999/s"} {
		if got, ok := parseRate(s); ok {
			t.Errorf("parseRate(%q) = %v", s, got)
		}
	}
}

// TestCSSIsTakenLeniently: what browsers know passes, even where the library of
// the checker is behind; what no browser takes does not.
func TestCSSIsTakenLeniently(t *testing.T) {
	t.Parallel()
	parse := func(css string) error {
		_, err := Parse("a.yaml", []byte("urls: https://a.example\ntables: {t: {skip: '"+strings.ReplaceAll(css, "'", "''")+"'}}\n"))
		return err
	}
	for _, css := range []string{
		"#a", "td a[href*='/players/']", "tr.thead, tr:has(th:only-child)", "tr:has(> th)", ":is(h1, h2)", ":where(.a) b", "a:not(.b, .c)",
		"input:user-invalid", "dialog:modal", "details:open", "li:nth-child(2 of .a)", ":popover-open", "x-y::part(row)", "[data-x='a' i]", "*|a", ".\\33 col", "a[href$='.pdf']",
		".größe", "a:focus-visible", ":dir(rtl)", "td:nth-last-child(-n+3)", "[a='}{$/']", "#a\\:b", "tr:nth-child(even)", "input:checked", "a::after", "p:first-child", "p:first-of-type",
	} {
		if err := parse(css); err != nil {
			t.Errorf("%q: %v", css, err)
		}
	}
	for _, css := range []string{"//td", "/html", "tr:contains('x')", "tr:eq(2)", "li:first", ":visible", "a[b!=c]", "a >", "a,", ", a", "a[b", "a(b", "a)b", "a{b}", "a\"b", "#1a", "td:not(.a"} {
		if err := parse(css); err == nil {
			t.Errorf("%q passed", css)
		}
	}
}

var anyPosition = regexp.MustCompile(`^a\.yaml:\d+:\d+: `)

// TestLoad reads a file; the file's name is the recipe's.
func TestLoad(t *testing.T) {
	t.Parallel()
	r, err := Load("testdata/jobs/c_standings.yaml")
	if err != nil || r.Name != "c_standings" || r.File != "testdata/jobs/c_standings.yaml" || len(r.Text) == 0 {
		t.Errorf("Load gave %+v, %v", r, err)
	}
	if _, err := Load("testdata/none.yaml"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"testdata/none.yaml"`) {
		t.Errorf("Load of no file gave %v", err)
	}
	_, err = Parse("a.yaml", []byte("url: https://a.example\n"))
	if err == nil || !anyPosition.MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
}

// A variable that only another URL of the list has does not multiply a page.
func TestExpandLeavesOutVariablesOfOtherURLs(t *testing.T) {
	t.Parallel()
	r, err := Parse("a.yaml", []byte(`urls:
  - https://a.example/{month}
  - https://a.example/plain
with: {month: [a, b], day: [1, 2]}
tables: {t: {key: [day, x]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for a, err := range r.Expand(t.Context(), &r.Kinds[0], &given{}, time.Now()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(a.Page, " ", a.Vars))
	}
	want := []string{
		"https://a.example/a#~day=1 map[day:1 month:a]", "https://a.example/a#~day=2 map[day:2 month:a]",
		"https://a.example/b#~day=1 map[day:1 month:b]", "https://a.example/b#~day=2 map[day:2 month:b]",
		"https://a.example/plain#~day=1 map[day:1]", "https://a.example/plain#~day=2 map[day:2]",
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
