package extract_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/recipe"
)

// linesOf are links as "SOURCE URL name=value ...", the site left out.
func linesOf(links []recipe.FoundLink, site string) []string {
	var lines []string
	for _, l := range links {
		line := fmt.Sprintf("%d %s", l.Link, strings.TrimPrefix(l.URL, site))
		for _, name := range slices.Sorted(maps.Keys(l.Vars)) {
			line += fmt.Sprintf(" %s=%s", name, l.Vars[name])
		}
		lines = append(lines, line)
	}
	return lines
}

// linksOf opens a page and gives its links.
func linksOf(t *testing.T, url string, k *recipe.Kind, vars map[string]string) []recipe.FoundLink {
	t.Helper()
	v := openFor(t, url, k, vars, 60*time.Second)
	if v.err != nil {
		t.Fatal(v.err)
	}
	tables, err := extract.Tables(v.reading, v.sources, k, vars)
	if err != nil {
		t.Fatal(err)
	}
	links, err := extract.Links(v.reading, k, tables, vars)
	if err != nil {
		t.Fatal(err)
	}
	return links
}

func linking(k *recipe.Kind, css ...string) *recipe.Kind {
	for _, c := range css {
		k.Links = append(k.Links, recipe.Link{To: "x", CSS: c})
	}
	return k
}

// A link in a row has the columns of the row as they go to the table, one
// outside only what the page has; rows left out by skip take theirs along.
func TestLinksOfRows(t *testing.T) {
	t.Parallel()
	site := pages(t, map[string]http.HandlerFunc{"/list/{$}": document(`<base href="/register/">
	<a class="go" href="/about">About</a> <a class="go" href="mailto:a@b.example">Mail</a> <a class="go" href="javascript:void 0">No</a>
	<a class="go" href="3">Third, again</a> <a class="go">Nowhere</a>
	<h1>Results</h1>
	<table id="t"><thead><tr><th>Number<th><a class="go" href="?sort=name">Name</a><th>Word</thead><tbody>
	<tr><td>No. 0001<td><a class="go" href="1">First</a><td>row's
	<tr><td>No. 0002<td>Second <a class="go other" href="2#a b">detail</a><a class="go" href="2/more">more</a><td>
	<tr class="ad"><td>No. 9<td><a class="go" href="9">Advertisement</a><td>x
	<tr><th>Number<th><a class="go" href="?again">Name</a><th>Word
	<tr><td rowspan="2">No. 0003<td><a class="go" href="3">Third</a><td>z
	<tr><td><a class="go" href="4">Fourth</a><td>z
	<tr style="display:none"><td>No. 5<td><a class="go" href="5">Template</a><td>z
	</tbody></table>`)})
	k := linking(kindOf(recipe.Table{
		From: "#t", MinRows: 1, Skip: ".ad", Key: []string{"number", "name"},
		Columns: []recipe.Column{{Name: "number", Match: `\d+`}},
	}), "a.go", "a.other")
	got := linesOf(linksOf(t, site+"/list/", k, map[string]string{"word": "page's", "page": "7"}), site)
	want := []string{
		"0 /about page=7 word=page's",
		"0 /register/?sort=name page=7 word=page's",
		"0 /register/1 name=First number=0001 page=7 word=row's",
		"0 /register/2#a%20b name=Second detailmore number=0002 page=7 word=",
		"0 /register/2/more name=Second detailmore number=0002 page=7 word=",
		"0 /register/?again page=7 word=page's",
		"0 /register/3 name=Third number=0003 page=7 word=z",
		"0 /register/4 name=Fourth number=0003 page=7 word=z",
		"1 /register/2#a%20b name=Second detailmore number=0002 page=7 word=",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// The page as a row lends its columns to every link; a link in rows of two
// tables has the columns of both, also where equal rows collapse.
func TestLinksOfSeveralTables(t *testing.T) {
	t.Parallel()
	site := pages(t, map[string]http.HandlerFunc{"/{$}": document(`<h1>Day 5</h1>
	<div class="card" data-id="a"><table><tr><th>Who<th>N<tr><td><a href="/x">X</a><td>1<tr><td><a href="/y">X</a><td>1</table></div>
	<div class="card" data-id="b"><table><tr><th>Who<th>N<tr><td><a href="/z">Z</a><td>2</table><a href="/b">B</a></div>
	<p><a href="/p">P</a></p>`)})
	k := linking(kindOf(recipe.Table{Name: "people", From: ".card table", MinRows: 1, Key: []string{"who"}}), "a")
	day := kindOf(recipe.Table{Name: "days", Each: "page", Key: []string{"day"}, Columns: []recipe.Column{{Name: "day", CSS: "h1", Match: `\d+`}}})
	cards := kindOf(recipe.Table{Name: "cards", Each: ".card", Columns: []recipe.Column{{Name: "card", Attr: "data-id"}}})
	k.Tables = append(k.Tables, day.Tables[0], cards.Tables[0])
	got := linesOf(linksOf(t, site+"/", k, nil), site)
	want := []string{
		"0 /x card=a day=5 n=1 who=X", "0 /y card=a day=5 n=1 who=X", "0 /z card=b day=5 n=2 who=Z", "0 /b card=b day=5", "0 /p day=5",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

// Links of rows that come page by page, and of rows that a grid keeps only
// while they are in view.
func TestLinksOfRowsThatComeAndGo(t *testing.T) {
	t.Parallel()
	const paged = `<table id="g"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table><button id="p">Previous</button><button id="n">Next</button><p id="more"></p>
	<script>
	let at = 0;
	const $ = (id) => document.getElementById(id);
	const draw = () => {
		document.querySelector('tbody').innerHTML = [0, 1, 2].map((i) => at * 3 + i).map((i) => '<tr><td><a href="/row/' + i + '">row ' + i + '</a><td>' + i * 7).join('');
		$('more').innerHTML = '<a href="/part/' + at + '">part</a>';
		$('p').disabled = at === 0; $('n').disabled = at === 3;
	};
	$('p').onclick = () => { at--; draw(); }; $('n').onclick = () => { at++; draw(); }; draw();
	</script>`
	virtual := strings.Replace(virtualPage(300, "row-id", ""), `row ' + i + '</span>`, `<a href="/row/' + i + '">row ' + i + '</a></span>`, 1)
	for name, test := range map[string]struct {
		page  string
		rows  int
		loose []string
	}{
		"paged":   {paged, 12, []string{"0 /part/0", "0 /part/1", "0 /part/2", "0 /part/3"}},
		"virtual": {virtual, 300, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			site := pages(t, map[string]http.HandlerFunc{"/{$}": document(test.page)})
			var rows, loose []string
			for _, line := range linesOf(linksOf(t, site+"/", linking(kindOf(recipe.Table{From: "#g", MinRows: 1, Key: []string{"name"}}), "a"), nil), site) {
				if strings.HasPrefix(line, "0 /row/") {
					rows = append(rows, line)
				} else {
					loose = append(loose, line)
				}
			}
			var want []string
			for i := range test.rows {
				want = append(want, fmt.Sprintf("0 /row/%d name=row %d value=%d", i, i, i*7))
			}
			if diff := cmp.Diff(want, rows); diff != "" {
				t.Errorf("links of rows (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.loose, loose); diff != "" {
				t.Errorf("other links (-want +got):\n%s", diff)
			}
		})
	}
}

// A kind may give links alone: they are waited for, and none is empty.
func TestLinksAlone(t *testing.T) {
	t.Parallel()
	site := pages(t, map[string]http.HandlerFunc{
		"/{$}": document(`<p>...</p><script>fetch('/late').then((r) => r.json()).then((l) => setTimeout(() => document.querySelector('p').innerHTML = l.map((u) => '<a href="' + u + '">x</a>').join(''), 700));</script>`),
		"/late": func(w http.ResponseWriter, r *http.Request) {
			sleep(r.Context(), 300*time.Millisecond)
			_, _ = fmt.Fprint(w, `["/1","/2"]`)
		},
		"/restless": document(`<p></p><script>setInterval(() => document.querySelector('p').insertAdjacentHTML('beforeend', '<a href="/more">m</a>'), 50);</script>`),
		"/none":     document(`<p>nothing</p>`),
		"/many": document(`<p></p><script>
			const all = document.createDocumentFragment();
			for (let i = 0; i <= 100000; i++) { const a = document.createElement('a'); a.href = '/' + i; all.append(a); }
			document.querySelector('p').append(all);</script>`),
	})
	k := linking(&recipe.Kind{Page: recipe.Page{Timeout: 20 * time.Second}}, "p a")
	if diff := cmp.Diff([]string{"0 /1", "0 /2"}, linesOf(linksOf(t, site+"/", k, nil), site)); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
	v := open(t, site+"/none", k, nil)
	_, err := extract.Links(v.reading, k, nil, nil)
	var p *extract.Problem
	if !errors.As(err, &p) || p.Outcome != "empty" || !strings.Contains(p.Message, `"p a"`) {
		t.Errorf("no links: %v", err)
	}
	v = openFor(t, site+"/restless", k, nil, 8*time.Second)
	if _, err = extract.Links(v.reading, k, nil, nil); !errors.As(err, &p) || p.Outcome != "incomplete" {
		t.Errorf("a page that goes on and on: %v", err)
	}
	if err := undecodable(t, site+"/many", k); !errors.Is(err, extract.ErrTooManyLinks) {
		t.Errorf("many links: %v", err)
	}
}

// A variable that came with a link gives way to a column of the page; one that
// the kind names itself is a question.
func TestLentVariablesGiveWay(t *testing.T) {
	t.Parallel()
	site := pages(t, map[string]http.HandlerFunc{"/{$}": document(`<table><tr><th>Name<th>Role<tr><td>Ann<td>chair<tr><td>Bob<td>chair</table>`)})
	k := kindOf(recipe.Table{MinRows: 1, Key: []string{"number", "name"}})
	k.Sources = []recipe.Source{{Kind: recipe.SourceLinks, Value: "a", In: "search", Depth: 1}}
	vars := map[string]string{"number": "0007", "name": "Company"}
	v := open(t, site+"/", k, vars)
	tables, err := extract.Tables(v.reading, nil, k, vars)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range tables[0].Rows {
		got = append(got, strings.Join(texts(row), "|"))
	}
	if diff := cmp.Diff([]string{"0007|Ann|chair", "0007|Bob|chair"}, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	k.With = []recipe.Variable{{Name: "name", Values: []string{"Company"}}}
	if _, err := extract.Tables(v.reading, nil, k, vars); err == nil || !strings.Contains(err.Error(), "name is a column of the page and a variable") {
		t.Errorf("named by the kind: %v", err)
	}
}

// undecodable opens a page whose reading is refused, and gives the reason.
func undecodable(t *testing.T, url string, k *recipe.Kind) error {
	t.Helper()
	script, err := extract.Script(k, nil, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	err = chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		answer, err := tab.Open(t.Context(), browserpool.Request{URL: url, Script: script, PageScript: extract.PageScript(), Timeout: time.Minute})
		if err != nil {
			return err
		}
		_, err = extract.Decode(answer.Payload)
		return err
	})
	return err
}
