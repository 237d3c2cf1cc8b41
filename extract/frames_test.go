package extract_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// framePages serves documents by path; OTHER is the same server by the name of another site.
func framePages(t *testing.T, documents map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := documents[r.URL.Path]
		switch {
		case r.URL.Path == "/hang":
			<-r.Context().Done()
		case strings.HasPrefix(r.URL.Path, "/slow"):
			sleep(r.Context(), 400*time.Millisecond)
			fallthrough
		case ok:
			document(strings.ReplaceAll(text, "OTHER", strings.Replace("http://"+r.Host, "127.0.0.1", "localhost", 1)))(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// rowsOf is a table with an id of the names and their numbers.
func rowsOf(id string, names ...string) string {
	text := `<table id="` + id + `" class="stats"><thead><tr><th>Name<th>N</thead><tbody>`
	for i, name := range names {
		text += fmt.Sprintf("<tr><td>%s<td>%d", name, i+1)
	}
	return text + "</table>"
}

// readTables reads the tables of a page, which all must be fine, and shows them by name.
func readTables(t *testing.T, url string, k *recipe.Kind) map[string]extract.Table {
	t.Helper()
	v := open(t, url, k, nil)
	if v.err != nil {
		t.Fatal(v.err)
	}
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]extract.Table{}
	for _, table := range tables {
		out[table.Name] = table
	}
	return out
}

// kindWith is a kind of pages with some tables.
func kindWith(tables ...recipe.Table) *recipe.Kind {
	k := kindOf(recipe.Table{})
	k.Tables = nil
	for _, t := range tables {
		t.MinRows = 1
		k.Tables = append(k.Tables, kindOf(t).Tables...)
	}
	return k
}

// One page with frames of many kinds: each table is found in its own, and none of
// the page itself or of a comment of it.
func TestTablesInFrames(t *testing.T) {
	t.Parallel()
	rows := func(id string) string { return rowsOf(id, "a", "b") }
	url := framePages(t, map[string]string{
		"/": rowsOf("other", "x") + `<h1>Page</h1><!-- ` + rowsOf("same", "x") + ` --><iframe src="/same"></iframe><iframe src="OTHER/other"></iframe>
			<iframe id="w"></iframe><iframe srcdoc='` + rows("text") + `'></iframe><iframe sandbox src="/still"></iframe><iframe style="display:none" src="/gone"></iframe>
			<p style="height:20000px"></p><iframe loading="lazy" src="/far"></iframe><script>w.contentDocument.write('` + rows("written") + `')</script>`,
		"/same":   rows("same") + `<h2>East</h2><p class="card" data-id="1"><b>a</b></p><h2>West</h2><p class="card" data-id="2"><b>b</b></p>`,
		"/other":  rows("other") + rowsOf("two", "a") + `<i class="x" title="2024">T</i><iframe src="/slow"></iframe>`,
		"/slow":   rows("inner") + rowsOf("two", "c"),
		"/still":  rows("still"),
		"/gone":   rows("gone") + `<p class="gone"><b>x</b></p>`,
		"/far":    `<p style="height:20000px"></p><iframe loading="lazy" src="OTHER/deep"></iframe>`,
		"/deep":   rows("deep") + `<div id="turn">` + rowsOf("paged", "a") + `<button onclick="turn.querySelector('tbody').innerHTML = '<tr><td>b<td>2'; this.disabled = true">Next</button></div><iframe src="/filled"></iframe><iframe src="OTHER/drawn"></iframe>`,
		"/filled": rowsOf("filled", "x") + `<script>setTimeout(() => { document.body.textContent = ''; setTimeout(() => document.body.innerHTML = '` + rows("filled") + `', 400) }, 200)</script>`,
		"/drawn":  `<script>fetch('/slow2').then((r) => r.text()).then((t) => document.body.innerHTML = t)</script>`,
		"/slow2":  rows("drawn"),
	})
	const two = "name|n\na|1\nb|2"
	want := map[string]string{
		"unseen": "text\nx",
		"two":    "name|n\na|1\nc|1",
		"cards":  "id|name|side|page|x|year\n1|a|East|Page|T|2024\n2|b|West|Page|T|2024",
		"page":   "year|name|n\n2024|x|1",
	}
	tables := []recipe.Table{
		{Name: "unseen", Each: "iframe >> .gone", Columns: []recipe.Column{{Name: "text", CSS: "b"}}},
		{Name: "two", From: "iframe >> #two"},
		{Name: "cards", Each: "iframe >> .card", Columns: []recipe.Column{
			{Name: "id", Attr: "data-id"},
			{Name: "name", CSS: "b"},
			{Name: "side", Above: "h2"},
			{Name: "page", CSS: "page >> h1"},
			{Name: "x", CSS: "iframe >> .x"},
			{Name: "year", CSS: "iframe >> .x", Attr: "title"},
		}},
		{Name: "page", From: "#other", Columns: []recipe.Column{{Name: "year", CSS: "iframe >> .x", Attr: "title"}}},
	}
	for _, id := range []string{"same", "other", "written", "text", "still", "gone", "inner", "deep", "filled", "drawn", "paged"} {
		want[id] = two
		tables = append(tables, recipe.Table{Name: id, From: "iframe >> #" + id})
	}
	got := map[string]string{}
	for name, table := range readTables(t, url+"/", kindWith(tables...)) {
		got[name] = show(table)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Frames that the page or they themselves put in another's place, beside one that never rests.
func TestFramesThatChange(t *testing.T) {
	t.Parallel()
	url := framePages(t, map[string]string{
		"/": `<iframe src="/ad"></iframe><iframe id="f" src="/wait"></iframe><iframe src="/on"></iframe><script>
			setTimeout(() => f.outerHTML = '<iframe src="OTHER/replaced"></iframe>', 300);
			setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<iframe src="OTHER/late"></iframe>'), 450)</script>`,
		"/ad":       `<script>setInterval(() => document.body.append('x', document.createElement('b')), 50)</script>`,
		"/wait":     `<p>wait`,
		"/on":       rowsOf("on", "x") + `<script>setTimeout(() => location.href = 'OTHER/slow', 200)</script>`,
		"/slow":     rowsOf("on", "a"),
		"/replaced": rowsOf("replaced", "a"),
		"/late":     rowsOf("late", "a"),
	})
	tables := readTables(t, url+"/", kindWith(recipe.Table{Name: "on", From: "iframe >> #on"},
		recipe.Table{Name: "replaced", From: "iframe >> #replaced"}, recipe.Table{Name: "late", From: "iframe >> #late"}))
	for name, table := range tables {
		if got := show(table); got != "name|n\na|1" || table.Proof != extract.ProofEnd {
			t.Errorf("%s: proof %q, %s", name, table.Proof, got)
		}
	}
}

// A frame that comes late, in a page that never rests and of which nothing is wanted.
func TestFrameMadeLate(t *testing.T) {
	t.Parallel()
	url := framePages(t, map[string]string{"/": `<script>setInterval(() => document.body.append('x', document.createElement('b')), 50);
		setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<iframe src="OTHER/f"></iframe>'), 800)</script>`, "/f": rowsOf("t", "a")})
	if _, got := readOne(t, url+"/", kindOf(recipe.Table{From: "iframe >> #t", MinRows: 1})); got != "name|n\na|1" {
		t.Error(got)
	}
}

// A virtual grid in a frame is scrolled to its end.
func TestGridInFrame(t *testing.T) {
	t.Parallel()
	url := framePages(t, map[string]string{"/": `<iframe src="OTHER/f" width="600" height="500"></iframe>`, "/f": virtualPage(100, "row-id", "")})
	got, _ := readOne(t, url+"/", kindOf(recipe.Table{From: "iframe >> #g", MinRows: 1}))
	wantRows(t, got, 100)
}

// A total may stand in the table's frame, in another one, and in the page.
func TestTotalsInFrames(t *testing.T) {
	t.Parallel()
	url := framePages(t, map[string]string{
		"/":  rowsOf("page", "a", "b") + `<p id="of_frame">of 2</p><iframe src="/f"></iframe><iframe src="OTHER/g"></iframe>`,
		"/f": rowsOf("own", "a", "b") + `<p class="own">of 2</p>` + rowsOf("other", "a") + rowsOf("frame", "a", "b") + rowsOf("both", "a") + `<p class="both">of 1</p>`,
		"/g": `<p class="other">of 1</p><p class="page">of 2</p>` + rowsOf("both", "b", "c") + `<p class="both">of 2</p>`,
	})
	tables := readTables(t, url+"/", kindWith(
		recipe.Table{Name: "own", From: "iframe >> #own", Total: &recipe.Locator{CSS: "iframe >> .own"}},
		recipe.Table{Name: "other", From: "iframe >> #other", Total: &recipe.Locator{CSS: "iframe >> .other"}},
		recipe.Table{Name: "frame", From: "iframe >> #frame", Total: &recipe.Locator{CSS: "#of_frame"}},
		recipe.Table{Name: "page", From: "#page", Total: &recipe.Locator{CSS: "iframe >> .page"}},
		recipe.Table{Name: "both", From: "iframe >> #both", Total: &recipe.Locator{CSS: "iframe >> .both"}},
	))
	for name, want := range map[string]int{"own": 2, "other": 1, "frame": 2, "page": 2, "both": 3} {
		if got := tables[name]; got.Proof != extract.ProofTotal || got.Total == nil || *got.Total != want || len(got.Rows) != want {
			t.Errorf("%s: %d rows, proof %q, total %v", name, len(got.Rows), got.Proof, got.Total)
		}
	}
}

// problemOf is what is said of one more table that was looked for on a page.
func problemOf(t *testing.T, v visit, k *recipe.Kind, i int, url string) string {
	t.Helper()
	_, err := extract.Tables(v.reading, nil, &recipe.Kind{Tables: k.Tables[i : i+1]}, nil)
	var p *extract.Problem
	if !errors.As(err, &p) {
		t.Errorf("%s: %v", k.Tables[i].Name, err)
		return ""
	}
	message := strings.ReplaceAll(p.Message, url, "URL")
	return strings.ReplaceAll(message, strings.Replace(url, "127.0.0.1", "localhost", 1), "OTHER")
}

// What is not found in the page is told to be where it is.
func TestElsewhere(t *testing.T) {
	t.Parallel()
	url := framePages(t, map[string]string{
		"/":  `<ol id="page"></ol><iframe src="/f"></iframe><!-- ` + rowsOf("comment", "a") + ` --><iframe src="OTHER/f" width="400" height="300"></iframe>`,
		"/f": rowsOf("frame", "a"),
	})
	k := kindWith(recipe.Table{Name: "a"}, recipe.Table{Name: "b", From: "#frame"}, recipe.Table{Name: "c", Each: "#comment"},
		recipe.Table{Name: "d", From: "comments >> #page"}, recipe.Table{Name: "e", From: "#none"})
	v := open(t, url+"/", k, nil)
	for i, want := range []string{
		`a: the page has no table. An HTML comment of the page holds a table: from: "comments >> table".`,
		`b: no table on the page matches from: "#frame". A frame of the page, URL/f, holds it: from: "iframe >> #frame".`,
		`c: nothing on the page matches each: "#comment". An HTML comment of the page holds it: each: "comments >> #comment".`,
		`d: no table on the page matches from: "comments >> #page". The page itself holds it: from: "#page".`,
		`e: no table on the page matches from: "#none". A frame of another site, OTHER/f, was not looked into: from: "iframe >> #none" would do that.`,
	} {
		if got := problemOf(t, v, k, i, url); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

// What is not found in frames tells which were looked through, and a frame that
// does not come is told of.
func TestFramesThatHang(t *testing.T) {
	t.Parallel()
	url := framePages(t, map[string]string{"/": rowsOf("page", "a") + `<iframe src="/f"></iframe><iframe src="/hang"></iframe><iframe src="http://localhost:1/"></iframe>`, "/f": rowsOf("t", "a")})
	k := kindWith(recipe.Table{Name: "a", From: "iframe >> #t"}, recipe.Table{Name: "b", From: "iframe >> #none"}, recipe.Table{Name: "c", Each: "iframe >> .none"},
		recipe.Table{Name: "d", From: "#page", Columns: []recipe.Column{{Name: "x", CSS: "iframe >> .none"}}},
		recipe.Table{Name: "e", From: "#page", Total: &recipe.Locator{CSS: "iframe >> .none"}})
	v := openFor(t, url+"/", k, nil, 4*time.Second)
	const looked = `3 frames were looked through: URL/f, URL/hang (had not loaded), http://localhost:1/ (net::ERR_UNSAFE_PORT).`
	for i, want := range []string{
		`a: 1 row was read, and nothing proves that they are all, for frames of the page were not read to their end: URL/hang.`,
		`b: no table in a frame of the page matches from: "iframe >> #none". ` + looked,
		`c: nothing in a frame of the page matches each: "iframe >> .none". ` + looked,
		`d: no row has column x: nothing matches css: "iframe >> .none". ` + looked,
		`e: nothing on the page matches total: "iframe >> .none". ` + looked,
	} {
		if got := problemOf(t, v, k, i, url); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

// Payloads of frames count for nothing but what is looked for in frames.
func TestFramePayloadsAreHeldDown(t *testing.T) {
	t.Parallel()
	k := kindOf(recipe.Table{Name: "t", From: "#t", MinRows: 1, Columns: []recipe.Column{{Name: "x", CSS: "page >> .x"}}})
	k.Tables = append(k.Tables, kindOf(recipe.Table{Name: "f", From: "iframe >> #t"}).Tables...)
	const grid = `{"table":"%s","kind":"html","header":[],"rows":[{"c":["1"]}],"foot":[],"proof":"end","complete":true}`
	answer := `{"version":1,"settled":true,"signs":["password"],"grids":[` + fmt.Sprintf(grid, "t") + "," + fmt.Sprintf(grid, "f") + "," + fmt.Sprintf(grid, "other") + `],"values":[{"t":"t","c":"x","v":"1"}]}`
	reading := &extract.Reading{Settled: true}
	if err := reading.AddFrames(k, []extract.Frame{{URL: "u", Payload: []byte(answer)}, {URL: "broken", Payload: []byte(`{`)}}); err != nil {
		t.Fatal(err)
	}
	if len(reading.Grids) != 1 || reading.Grids[0].Table != "f" || len(reading.Signs) > 0 {
		t.Errorf("reading is %+v", reading)
	}
	_, err := extract.Tables(reading, nil, &recipe.Kind{Tables: k.Tables[1:]}, nil)
	if want := "f: 1 row was read, and nothing proves that they are all, for frames of the page were not read to their end: broken."; fmt.Sprint(err) != want {
		t.Errorf("got %v", err)
	}
}
