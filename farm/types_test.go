package farm

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/recipe"
)

// tableSite serves pages with one table each, drawn by a script: /PAGE shows the
// lines of pages[PAGE], cells separated by |, the first line being the header.
type tableSite struct {
	*httptest.Server
	pages map[string]string
	asked atomic.Int64
}

func newTableSite(t *testing.T, pages map[string]string) *tableSite {
	t.Helper()
	s := &tableSite{pages: pages}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := s.pages[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		s.asked.Add(1)
		fmt.Fprintf(w, `<!doctype html><html lang="en"><title>t</title><body><template>%s</template><script>
			const lines = document.querySelector('template').content.textContent.trim().split('\n').map((l) => l.trim().split('|'));
			const cells = (line, tag) => '<tr>' + line.map((c) => '<' + tag + '>' + c + '</' + tag + '>').join('') + '</tr>';
			document.body.innerHTML = '<table id="t"><thead>' + cells(lines[0], 'th') + '</thead><tbody>' +
				lines.slice(1).map((l) => cells(l, 'td')).join('') + '</tbody></table>';
		</script>`, html.EscapeString(text))
	}))
	t.Cleanup(s.Close)
	return s
}

// tableRecipe reads pages p1, p2, ... of a tableSite, one after the other.
func (s *tableSite) recipe(pages int, rest string) string {
	urls := make([]string, pages)
	for i := range urls {
		urls[i] = fmt.Sprintf("%s/p%d", s.URL, i+1)
	}
	return "urls: [" + strings.Join(urls, ", ") + "]\npolite: {rate: none}\ntables:\n  things:\n    from: \"#t\"\n" + rest
}

func TestTypesAreDecidedFromTheFirstPages(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	site := newTableSite(t, map[string]string{
		"p1": "Name|Size|Late\na|1|\nb|7|", // alone, size would be an integer and lose an L
		"p2": "Name|Size|Late\nc|2.5|3\nd|L|",
	})
	b.run(b.recipe("first", site.recipe(2, "    key: [name]\n")), SubmitOptions{})
	want := []string{"a|1|NULL", "b|7|NULL", "c|2.5|3", "d|L|NULL"}
	if diff := cmp.Diff(want, b.query("select name, size, late from things order by name")); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	types := b.query("select column_name, data_type from information_schema.columns where table_name = 'things' and column_name !~ '^_' order by 1")
	if diff := cmp.Diff([]string{"late|bigint", "name|text", "size|text"}, types); diff != "" {
		t.Errorf("types (-want +got):\n%s", diff)
	}
}

func TestTypesAreAContract(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	site := newTableSite(t, map[string]string{"p1": "Name|Size|Day\na|1|2024-01-31"})
	text := site.recipe(1, "    key: [name]\n")
	b.run(b.recipe("kept", text), SubmitOptions{})

	site.pages["p1"] = "Name|Size|Day|New\na|1.50|2024-02-30|x\nb|7|2024-03-01|y"
	sum := b.run(b.recipe("kept", text), SubmitOptions{})
	if got := sum.Tables[0]; got.Rejected != 1 || got.Inserted != 1 || got.Updated != 1 {
		t.Errorf("second run: %+v", got)
	}
	want := []string{"a|1.50|NULL|x", "b|7|2024-03-01|y"}
	if diff := cmp.Diff(want, b.query("select name, size, day, new from things order by name")); diff != "" {
		t.Errorf("integer widens to numeric, a misfit is NULL, a new column comes (-want +got):\n%s", diff)
	}
	rejected := b.query(`select "table", key, "column", text from tabfarm.rejected`)
	if len(rejected) != 1 || !strings.Contains(rejected[0], "a") || !strings.HasSuffix(rejected[0], "day|2024-02-30") {
		t.Errorf("rejected: %v", rejected)
	}

	// Declared as text the column takes everything, also what it had.
	text += "    columns:\n      day: {header: Day, type: text}\n"
	sum = b.run(b.recipe("kept", text), SubmitOptions{New: true})
	if sum.Failed > 0 {
		t.Fatalf("run with a declared type: %v", sum.Failures)
	}
	want = []string{"a|2024-02-30", "b|2024-03-01"}
	if diff := cmp.Diff(want, b.query("select name, day from things order by name")); diff != "" {
		t.Errorf("declared text (-want +got):\n%s", diff)
	}

	text = strings.Replace(text, "type: text", "type: boolean", 1)
	_, err := b.farm.Submit(t.Context(), b.recipe("kept", text), SubmitOptions{})
	var plan *PlanError
	if !errors.As(err, &plan) || !strings.Contains(err.Error(), "column day of table things is text and the recipe declares boolean") {
		t.Errorf("submit with another type: %v", err)
	}
}

func TestRowsWithoutAKeyBelongToTheirPage(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	site := newTableSite(t, map[string]string{"p1": "A\nx\nx\ny", "p2": "A\nx"})
	r := b.recipe("keyless", site.recipe(2, ""))
	b.run(r, SubmitOptions{})
	site.pages["p1"] = "A\nx\nz"
	sum := b.run(r, SubmitOptions{})
	if got := b.query("select right(_url, 2), _row, a from things order by 1, 2"); !cmp.Equal(got, []string{"p1|1|x", "p1|2|z", "p2|1|x"}) {
		t.Errorf("rows: %v", got)
	}
	if got := sum.Tables[0]; got.Unchanged != 2 || got.Updated != 1 {
		t.Errorf("second run: %+v", got)
	}
}

func TestConflictsOfTwoPages(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	site := newTableSite(t, map[string]string{"p1": "Name|N\na|1\nb|2", "p2": "Name|N\na|9\nb|2"})
	sum := b.run(b.recipe("conflict", site.recipe(2, "    key: [name]\n")), SubmitOptions{})
	if got := sum.Tables[0]; got.Conflicts != 1 || got.Conflict == "" {
		t.Errorf("conflicts: %+v", got)
	}
	sum = b.run(b.recipe("conflict", site.recipe(2, "    key: [name]\n    duplicates: last\n")), SubmitOptions{})
	if got := sum.Tables[0]; got.Conflicts != 0 {
		t.Errorf("with duplicates: last: %+v", got)
	}
}

func TestOwnership(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	site := newTableSite(t, map[string]string{"p1": "Name\na"})
	b.run(b.recipe("one", site.recipe(1, "    key: [name]\n")), SubmitOptions{})
	if _, err := b.farm.Submit(t.Context(), b.recipe("two", site.recipe(1, "    key: [name]\n")), SubmitOptions{}); err == nil {
		t.Error("a second recipe may write to the table of the first")
	}
}

// The pace of a host holds, and robots.txt's crawl-delay slows it further.
func TestPace(t *testing.T) {
	t.Parallel()
	var starts []time.Time // one page at a time, so one request at a time
	b := newBench(t, demosite.Options{
		Robots: "User-agent: *\nCrawl-delay: 0.6\n",
		OnRequest: func(r *http.Request) {
			if r.URL.Path == "/terms" {
				starts = append(starts, time.Now())
			}
		},
	})
	r := b.recipe("paced", "urls: SITE/terms?n={n}\nwith: {n: {from: 1, to: 5}}\ntables: {terms: {from: table.figures}}\npolite: {rate: 10/s}\n")
	began := time.Now()
	if sum := b.run(r, SubmitOptions{}); sum.Failed > 0 || len(starts) != 5 {
		t.Fatalf("%s; %d requests", counts(sum), len(starts))
	}
	// A request may come late at the site, but none before its turn: the second a
	// tenth of a second after the first, for robots.txt was not known before, the
	// others 0.6 s after each other.
	for i, start := range starts {
		if i == 0 {
			continue
		}
		earliest := 100*time.Millisecond + time.Duration(i-1)*600*time.Millisecond
		if got := start.Sub(began); got < earliest {
			t.Errorf("page %d came %s after the run began, its turn was not before %s", i+1, got, earliest)
		}
	}
}

func TestRobotsDenyARun(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{
		Robots: "User-agent: tabfarm\nDisallow: /planets\n",
		OnRequest: func(r *http.Request) {
			if r.URL.Path == "/planets" {
				t.Error("a denied page was asked for")
			}
		},
	})
	sum := b.run(b.recipe("planets", ""), SubmitOptions{})
	if sum.ByOutcome[RobotsDenied] != 1 || sum.Failed != 1 {
		t.Errorf("run: %s %v", counts(sum), sum.ByOutcome)
	}
}

func TestUnsupportedKeysAreRefused(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	r := b.recipe("later", "urls: SITE/planets\ntables: {planets: {from: table.figures, key: [planet], gone: mark}}\n")
	_, err := b.farm.Submit(t.Context(), r, SubmitOptions{})
	var mistakes recipe.Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) != 1 {
		t.Errorf("submit: %v", err)
	}
}
