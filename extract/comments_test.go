package extract_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// readOne reads the one table of a page and shows it.
func readOne(t *testing.T, url string, k *recipe.Kind) (table extract.Table, shown string) {
	t.Helper()
	v := open(t, url, k, nil)
	if v.err != nil {
		t.Fatal(v.err)
	}
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tables[0], show(tables[0])
}

// Tables and elements in HTML comments are read like others, whenever the comment comes.
func TestComments(t *testing.T) {
	t.Parallel()
	const table = `<table id="t"><thead><tr><th>Name<th>N</thead><tbody><tr><td>a<td>1<tr><td>b<sup>*</sup><td>2</table>`
	const two = "name|n\na|1\nb|2"
	later := func(script string) string {
		return `<div id="d"><!-- note --></div><script>const table = '` + table + `', d = document.getElementById('d');` + script + `</script>`
	}
	for _, test := range []struct {
		name, body string
		table      recipe.Table
		want       string
	}{
		{"in a comment", `<div><!-- ` + table + ` --></div>`, recipe.Table{From: "comments >> #t"}, two},
		{"beside another of its name", `<table id="t"><tr><th>Name<tr><td>live</table><!-- ` + table + ` -->`, recipe.Table{From: "comments >> #t"}, two},
		{"in its wrapper", `<!-- <div class="w">` + table + `</div> -->`, recipe.Table{From: "comments >> .w"}, two},
		{
			"in two comments", `<!-- ` + table + ` --><!-- ` + strings.ReplaceAll(table, "a<td>1", "c<td>3") + ` -->`,
			recipe.Table{From: "comments >> table"},
			two + "\nc|3\nb|2",
		},
		{
			"spans and hidden parts", `<!-- <table><tr><th>Name<th>N<th style="display: none">X<tr><td rowspan=2><span>a</span><b>z</b><td>1<td style="display:none">x<tr><td>2<td hidden>y<tr hidden><td>c<td>3</table> -->`,
			recipe.Table{From: "comments >> table"},
			"name|n\naz|1\naz|2",
		},
		{"comes later", later(`setTimeout(() => d.append(document.createComment(table)), 300)`), recipe.Table{From: "comments >> #t"}, two},
		{"comes later in an element", later(`setTimeout(() => { const e = document.createElement('div'); e.append(document.createComment(table)); d.replaceWith(e) }, 300)`), recipe.Table{From: "comments >> #t"}, two},
		{"its text changes", later(`d.firstChild.data = table.replace('a<td>1', 'x<td>9'); setTimeout(() => d.firstChild.data = table, 300)`), recipe.Table{From: "comments >> #t"}, two},
		{"in a shadow tree", later(`d.attachShadow({mode: 'closed'}).append(document.createComment(table))`), recipe.Table{From: "comments >> #t"}, two},
		{
			"cards", `<h2>East</h2><!-- <p class="card" data-id="1"><b>a</b></p> --><h2>West</h2><!-- <p class="card" data-id="2"><b>b</b></p><h2>South</h2><p class="card" data-id="3"><b>c</b></p> --><h1>T</h1>`,
			recipe.Table{Each: "comments >> .card", Columns: []recipe.Column{{Name: "id", Attr: "data-id"}, {Name: "name", CSS: "b"}, {Name: "side", Above: "h2"}, {Name: "title", CSS: "page >> h1"}}},
			"id|name|side|title\n1|a|East|T\n2|b|West|T\n3|c|South|T",
		},
		{
			"a value for all rows", table + `<!-- <i class="x" title="T">2024</i> -->`,
			recipe.Table{From: "#t", Columns: []recipe.Column{{Name: "year", CSS: "comments >> .x"}, {Name: "title", CSS: "comments >> .x", Attr: "title"}}},
			"year|title|name|n\n2024|T|a|1\n2024|T|b|2",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.table.MinRows = 1
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(test.body)})
			if _, got := readOne(t, url+"/", kindOf(test.table)); got != test.want {
				t.Error(cmp.Diff(test.want, got))
			}
		})
	}
}

// The total of a comment proves the rows, and links in its rows are followed.
func TestCommentsTotalAndLinks(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/dir/{$}": document(
		`<!-- <p class="count">of 2 rows</p> --><!-- <table id="t"><tr><th>Name<tr><td><a href="a.html">a</a><tr><td><a href="/b.html">b</a></table> -->`)})
	k := kindOf(recipe.Table{From: "comments >> #t", MinRows: 1, Total: &recipe.Locator{CSS: "comments >> .count"}})
	k.Links = []recipe.Link{{CSS: "#t a"}}
	v := open(t, url+"/dir/", k, nil)
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil || tables[0].Proof != extract.ProofTotal {
		t.Errorf("proof %q: %v", tables[0].Proof, err)
	}
	links, err := extract.Links(v.reading, k, tables, nil)
	if err != nil || len(links) != 2 || links[0].URL != url+"/dir/a.html" || links[0].Vars["name"] != "a" || links[1].URL != url+"/b.html" {
		t.Errorf("links %+v: %v", links, err)
	}
}

// What stands in a comment runs nothing and loads nothing, also under a policy
// that forbids to make documents of text.
func TestCommentsAreInert(t *testing.T) {
	t.Parallel()
	var loads atomic.Int32
	count := func(http.ResponseWriter, *http.Request) { loads.Add(1) }
	url := pages(t, map[string]http.HandlerFunc{"/image": count, "/script": count, "/style": count, "/frame": count, "/{$}": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "require-trusted-types-for 'script'; trusted-types 'none'")
		document(`<!-- <img src="/image"><img src="x:" onerror="document.title='run'"><script>document.title = 'run'</script><script src="/script"></script><link rel="stylesheet" href="/style"><iframe src="/frame"></iframe>
			<table><tr><th>Name<tr><td><img src="/image">a</table> -->`)(w, r)
	}})
	v := open(t, url+"/", kindOf(recipe.Table{From: "comments >> table", MinRows: 1}), nil)
	if len(v.reading.Grids) != 1 || len(v.reading.Grids[0].Rows) != 1 || v.reading.Title != "" || loads.Load() != 0 {
		t.Errorf("%d grids, title %q, %d loads", len(v.reading.Grids), v.reading.Title, loads.Load())
	}
}
