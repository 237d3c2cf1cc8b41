package extract_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// fetchedPage is a grid of 400 rows that are fetched, of 20 px each, of which those
// in view are drawn. before comes before the rows do; shown changes a row's cells;
// what stands beside the grid comes last.
func fetchedPage(attributes, before, shown, beside string) string {
	return `<div id="s" style="height:300px;overflow:auto"><table id="t" ` + attributes + ` style="border-spacing:0"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table></div>` + beside + `
<script>
const s = document.getElementById('s'), body = document.querySelector('tbody');
let rows = [];
(async () => {
	` + before + `
	rows = await (await fetch('/rows')).json();
	const shown = (row, i) => { ` + shown + `; return row; };
	const draw = () => {
		const first = Math.max(Math.floor(s.scrollTop / 20) - 3, 0), last = Math.min(first + 24, rows.length);
		const pad = (n) => n > 0 ? '<tr><td style="height:' + n * 20 + 'px;padding:0"></td></tr>' : '';
		body.innerHTML = pad(first) + rows.slice(first, last).map((row, i) => shown({ ...row }, first + i)).map((row, i) =>
			row.gone ? '' : '<tr ' + (row.number ? 'data-index="' + (first + i) + '"' : '') + ' style="height:20px"><td style="padding:0">' + row.name + '</td><td style="padding:0">' + row.value + '</td></tr>').join('') + pad(rows.length - last);
		document.title = Number(document.title || 0) + 1;
	};
	s.addEventListener('scroll', draw); draw();
})();
</script>`
}

// fetchedRows answers with the rows behind fetchedPage.
func fetchedRows(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for i := range 400 {
		_, _ = fmt.Fprintf(w, `%c{"name":"row %d","value":%d}`, "[,"[min(i, 1)], i, i*7)
	}
	_, _ = fmt.Fprint(w, "]")
}

// live keeps a connection open, so that no response counts.
const live = "await new Promise((done) => (new EventSource('/events').onopen = done));"

// TestRowsFromSource: the rows of a grid come from what it was drawn of, where all
// that it draws agrees; else it is scrolled, and they are what it draws.
func TestRowsFromSource(t *testing.T) {
	t.Parallel()
	events := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	for _, test := range []struct {
		name, attributes, before, shown, beside string
		table                                   recipe.Table
		proof                                   extract.Proof
		rows                                    int  // 0 for 400
		few                                     bool // windows of it are looked at
	}{
		{name: "total stated", attributes: `aria-rowcount="401"`, few: true, proof: extract.ProofTotal},
		{name: "rows are numbered", shown: "row.number = true", few: true, proof: extract.ProofSource},
		{name: "rows of one height", few: true, proof: extract.ProofSource},
		{name: "one row more than the response has", before: "const all = fetch; fetch = async (url) => ({ json: async () => [...(await (await all(url)).json()), { name: 'row 400', value: 2800 }] });", proof: extract.ProofEnd, rows: 401},
		{name: "a row less than the response has", before: "const all = fetch; fetch = async (url) => ({ json: async () => (await (await all(url)).json()).filter((row, i) => i !== 250) });", proof: extract.ProofEnd, rows: 399},
		{name: "a row less than is stated", before: "const all = fetch; fetch = async (url) => ({ json: async () => (await (await all(url)).json()).filter((row, i) => i !== 250) });", beside: `<p class="n">400 rows</p>`, table: recipe.Table{Total: &recipe.Locator{CSS: ".n"}}, proof: extract.ProofNone},
		{name: "a value that is computed", attributes: `aria-rowcount="401"`, shown: "if (i === 399) row.value = '2,793.0'", proof: extract.ProofTotal},
		{name: "a connection stays open", attributes: `aria-rowcount="401"`, before: live, proof: extract.ProofTotal},
		{name: "the library has them", attributes: `aria-rowcount="401"`, before: live + `window.agGrid = { getGridApi: (el) => el.id === 's' ? { forEachNodeAfterFilterAndSort: (f) => rows.forEach((data) => f({ data })) } : undefined };`, few: true, proof: extract.ProofTotal},
		{name: "the library has others", attributes: `aria-rowcount="401"`, before: live + `window.agGrid = { getGridApi: () => ({ forEachNodeAfterFilterAndSort: (f) => rows.forEach((data, i) => f({ data: i > 390 ? {} : data })) }) };`, proof: extract.ProofTotal},
		{name: "the library fails", attributes: `aria-rowcount="401"`, before: live + `window.Tabulator = { findTable: () => { throw 1 } }; window.agGrid = document.body;`, proof: extract.ProofTotal},
		{name: "the library tells no end", attributes: `aria-rowcount="401"`, before: live + `window.Tabulator = { findTable: () => [{ getData: () => ({ length: 5, toJSON: () => 'x'.repeat(9e6) }) }] };`, proof: extract.ProofTotal},
		{name: "a link leads on", beside: `<a rel="next" href="/more">on</a>`, proof: extract.ProofNone},
		{name: "more than the cells is wanted", attributes: `aria-rowcount="401"`, table: recipe.Table{Columns: []recipe.Column{{Name: "height", CSS: "td", Attr: "style"}}}, proof: extract.ProofTotal},
		{name: "rows are left out", attributes: `aria-rowcount="401"`, table: recipe.Table{Skip: ".none"}, proof: extract.ProofTotal},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := fetchedPage(test.attributes, test.before, test.shown, test.beside)
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(page), "/rows": fetchedRows, "/events": events})
			test.table.From = "#t"
			k := kindOf(test.table)
			v := openFor(t, url+"/", k, nil, 60*time.Second)
			if v.err != nil {
				t.Fatal(v.err)
			}
			tables, err := extract.Tables(v.reading, nil, k, nil)
			if len(tables) != 1 || (err != nil) != (test.proof == extract.ProofNone) {
				t.Fatalf("%d tables: %v", len(tables), err)
			}
			if tables[0].Proof != test.proof {
				t.Fatalf("%d rows, proof %q", len(tables[0].Rows), tables[0].Proof)
			}
			draws := 0
			_, _ = fmt.Sscan(v.reading.Title, &draws)
			if few := draws < 15; few != test.few {
				t.Errorf("it was drawn %d times", draws)
			}
			if n := cmp.Or(test.rows, 400); len(tables[0].Rows) != n && err == nil {
				t.Errorf("%d rows", len(tables[0].Rows))
			} else if test.few {
				wantRows(t, tables[0], n)
			}
		})
	}
}

// TestHiddenRow: a row that is in the response and not drawn is missed where it
// would stand in a window that is looked at.
func TestHiddenRow(t *testing.T) {
	t.Parallel()
	page := fetchedPage(`aria-rowcount="401"`, "", "row.number = true; row.gone = i === 5", "")
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(page), "/rows": fetchedRows})
	k := kindOf(recipe.Table{From: "#t"})
	v := openFor(t, url+"/", k, nil, 60*time.Second)
	_, err := extract.Tables(v.reading, nil, k, nil)
	var problem *extract.Problem
	if !errors.As(err, &problem) || problem.Outcome != "incomplete" || !strings.Contains(problem.Message, "399 of 400 rows") {
		t.Errorf("it was read as %v", err)
	}
}
