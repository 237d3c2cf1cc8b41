package extract_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// parts is a page that shows 57 rows "row N" | 7*N, 20 at a time; the script says
// how, with the functions of shell.
const parts = `<p class="count"></p><table id="t"><thead><tr><th>Name</th><th>Value</th></tr></thead><tbody></tbody></table>
<ul><li><a class="next" href="#">On</a></ul>
<script>
const $ = (css) => document.querySelector(css), body = $('tbody'), on = $('.next');
let at = 0;
const part = (from) => fetch('/rows?from=' + from).then((r) => r.json());
const draw = (rows) => { for (const r of rows.slice(0, 57 - at)) { const tr = body.insertRow(); for (const v of r) tr.insertCell().textContent = v; } at += 20; };
const replace = async () => { const rows = await part(at); body.innerHTML = ''; draw(rows); };
const append = async () => draw(await part(at));
const click = (f) => on.addEventListener('click', (e) => { e.preventDefault(); if (e.isTrusted) f(); });
%s
</script>`

// TestNext goes on in the same document, in each way in which pages do.
func TestNext(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		next         recipe.Next
		table        recipe.Table
		rows         int
		proof        extract.Proof
		problem      string
	}{
		{
			name: "replaced, then disabled by its li", rows: 57, proof: extract.ProofEnd,
			script: `replace(); click(async () => { await replace(); if (at >= 57) on.parentElement.className = 'page-item disabled' })`,
		},
		{
			name: "replaced, then aria-disabled", rows: 57, proof: extract.ProofEnd,
			script: `replace(); click(async () => { await replace(); if (at >= 57) on.setAttribute('aria-disabled', 'true') })`,
		},
		{
			name: "replaced by the same elements", rows: 57, proof: extract.ProofEnd,
			script: `const reuse = async () => { const rows = (await part(at)).slice(0, 57 - at); at += 20;
				while (body.rows.length > rows.length) body.rows[0].remove();
				rows.forEach((r, i) => { const tr = body.rows[i] ?? body.insertRow(); r.forEach((v, j) => (tr.cells[j] ?? tr.insertCell()).textContent = v) });
				if (at >= 57) on.remove() };
				reuse(); click(reuse)`,
		},
		{
			name: "appended, then gone", rows: 57, proof: extract.ProofEnd,
			script: `append(); click(async () => { await append(); if (at >= 57) on.remove() })`,
		},
		{
			name: "appended, all drawn anew, then hidden", rows: 57, proof: extract.ProofEnd,
			script: `append(); click(async () => { await append(); body.innerHTML = body.innerHTML; if (at >= 57) on.style.visibility = 'hidden' })`,
		},
		{
			name: "put before", rows: 57, proof: extract.ProofEnd,
			script: `append(); click(async () => { const rows = await part(at); for (const r of rows.slice(0, 57 - at).reverse()) { const tr = body.insertRow(0); for (const v of r) tr.insertCell().textContent = v; } at += 20; if (at >= 57) on.remove() })`,
		},
		{
			name: "one more click, which finds nothing", rows: 57, proof: extract.ProofEnd,
			script: `append(); click(async () => { if (at >= 57) { await part(99); on.remove() } else append() })`,
		},
		{
			name: "a total is met, the control stays", rows: 57, proof: extract.ProofTotal,
			script: `const say = () => $('.count').textContent = 'Showing ' + (at - 19) + ' to ' + Math.min(at, 57) + ' of 57 entries';
				replace().then(say); click(() => at < 57 && replace().then(say))`,
		},
		{
			name: "a total of each part proves nothing", rows: 57, proof: extract.ProofEnd,
			script: `const say = () => $('#t').setAttribute('aria-rowcount', body.rows.length), count = () => $('.count').textContent = 'Showing ' + body.rows.length + ' of ' + body.rows.length;
				replace().then(count); click(async () => { await replace(); count(); if (at >= 57) on.remove() })`,
		},
		{name: "never there", rows: 20, proof: extract.ProofEnd, script: `on.parentElement.parentElement.remove(); replace()`},
		{name: "disabled from the beginning", rows: 20, proof: extract.ProofEnd, script: `on.className += ' disabled'; replace()`},
		{
			name: "elements by each", rows: 57, proof: extract.ProofEnd,
			table:  recipe.Table{Each: "tbody tr", Columns: []recipe.Column{{Name: "name", CSS: "td:first-child"}, {Name: "value", CSS: "td:last-child"}}},
			script: `append(); click(async () => { await append(); if (at >= 57) on.remove() })`,
		},
		{
			name: "late", rows: 57, proof: extract.ProofEnd,
			script: `replace(); click(() => setTimeout(async () => { await replace(); if (at >= 57) on.remove() }, 2500))`,
		},
		{
			name: "beside a clock", rows: 57, proof: extract.ProofEnd,
			script: `setInterval(() => $('.count').textContent = Date.now(), 50); replace(); click(async () => { await replace(); if (at >= 57) on.remove() })`,
		},
		{
			name: "a spinner, then rows", rows: 57, proof: extract.ProofEnd,
			script: `replace(); click(async () => { $('#t').insertAdjacentHTML('beforebegin', '<div class="spinner">x</div>'); await new Promise((r) => setTimeout(r, 1500)); await replace(); $('.spinner').remove(); if (at >= 57) on.remove() })`,
		},
		{
			name: "emptied, then rows", rows: 57, proof: extract.ProofEnd,
			script: `replace(); click(async () => { body.innerHTML = ''; await new Promise((r) => setTimeout(r, 1200)); await replace(); if (at >= 57) on.remove() })`,
		},
		{
			name: "the control is drawn anew", rows: 57, proof: extract.ProofEnd,
			script: `replace(); document.addEventListener('click', async (e) => { if (!e.target.matches('.next')) return; e.preventDefault(); const n = on.cloneNode(true); $('.next').replaceWith(n); await replace(); if (at >= 57) n.remove() })`,
		},
		{
			name: "max", rows: 40, next: recipe.Next{Max: 1}, script: `replace(); click(replace)`,
			problem: "t: 40 rows were read, and not all parts of the page: next.max: 1 click was made and there is more.",
		},
		{
			name: "max that is enough", rows: 57, next: recipe.Next{Max: 2}, proof: extract.ProofEnd,
			script: `replace(); click(async () => { await replace(); if (at >= 57) on.remove() })`,
		},
		{
			name: "max with a total", rows: 40, next: recipe.Next{Max: 1},
			script:  `replace(); $('.count').textContent = '1 to 20 of 57'; click(replace)`,
			problem: "t: have 40 of 57 rows (next.max: 1 click was made and there is more). Where other URLs show the rest, set rows: visible.",
		},
		{
			name: "nothing happens", rows: 20, script: `replace(); click(() => {})`,
			problem: `t: 20 rows were read, and not all parts of the page: the click on next ".next" brought nothing new.`,
		},
		{
			name: "the parts begin again", rows: 40, script: `replace(); click(() => { if (at > 20) at = 0; replace() })`,
			problem: "t: 40 rows were read, and not all parts of the page: part 3 of the page repeats an earlier one.",
		},
		{
			name: "the table goes", rows: 20, script: `replace(); click(() => { $('table').remove() })`,
			problem: `t: 20 rows were read, and not all parts of the page: part 2 of the page has no table "#t".`,
		},
		{
			name: "covered", rows: 20, script: `replace(); click(replace); document.body.insertAdjacentHTML('beforeend', '<div id="veil" style="position:fixed;inset:0"></div>')`,
			problem: `t: 20 rows were read, and not all parts of the page: next: ".next" is covered by div#veil.`,
		},
		{name: "only what shows", rows: 20, table: recipe.Table{From: "#t", Rows: "visible"}, proof: extract.ProofNone, script: `replace(); $('.count').textContent = '1 to 20 of 57'; click(replace)`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(fmt.Sprintf(parts, test.script)), "/rows": figures(20, 60*time.Millisecond)})
			if test.table.From == "" && test.table.Each == "" {
				test.table.From = "#t"
			}
			test.table.MinRows = 1
			test.next.Click = ".next"
			k := kindOf(test.table)
			k.Page.Next = &test.next
			v := openFor(t, url+"/", k, nil, 20*time.Second)
			tables, err := extract.Tables(v.reading, nil, k, nil)
			if v.err != nil || len(tables) != 1 || len(tables[0].Rows) != test.rows {
				t.Fatalf("%v, %v, %d tables %+v", v.err, err, len(tables), tables)
			}
			if test.problem != "" {
				if err == nil || err.Error() != test.problem {
					t.Errorf("got  %v\nwant %s", err, test.problem)
				}
				return
			}
			if err != nil || tables[0].Proof != test.proof {
				t.Errorf("%v, proof %q", err, tables[0].Proof)
			}
			if test.name == "put before" {
				return // in another order
			}
			wantRows(t, tables[0], test.rows)
		})
	}
}

// TestNextEqualRows: rows that are equal in two parts are two rows.
func TestNextEqualRows(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(`<table id="t"><tr><th>A<tbody><tr><td>x<tr><td>x</table><button class="next">On</button>
		<script>let n = 0; document.querySelector('.next').onclick = (e) => { document.querySelector('tbody').insertAdjacentHTML('beforeend', '<tr><td>x<tr><td>x'); if (++n === 3) e.target.disabled = true }</script>`)})
	k := kindOf(recipe.Table{From: "#t", MinRows: 1})
	k.Page.Next = &recipe.Next{Click: ".next"}
	v := open(t, url+"/", k, nil)
	if v.err != nil || len(v.reading.Grids) != 1 || len(v.reading.Grids[0].Rows) != 8 || v.reading.Grids[0].Proof != extract.ProofEnd {
		t.Errorf("%v, %+v", v.err, v.reading)
	}
}

// TestNextThroughDocuments follows links; rows, totals and responses of all
// documents come together, of the largest table among others too.
func TestNextThroughDocuments(t *testing.T) {
	t.Parallel()
	serve := func(total string, bad int) map[string]http.HandlerFunc {
		return map[string]http.HandlerFunc{
			"/{n}": func(w http.ResponseWriter, r *http.Request) {
				n := 0
				_, _ = fmt.Sscan(r.PathValue("n"), &n)
				if n == bad {
					document("<h1>Sorry</h1>")(w, r)
					return
				}
				on := ""
				if n < 5 {
					on = fmt.Sprintf(`<a rel="next" href="/%d">2</a>`, n+1)
				}
				document(fmt.Sprintf(`<table id="side"><tr><th>Top<tr><td>%d</table><p>%s</p><table id="t"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table>%s
				<script>fetch('/rows?from=%d').then((r) => r.json()).then((rows) => { for (const r of rows) document.querySelector('tbody').parentElement && document.querySelector('#t tbody').insertAdjacentHTML('beforeend', '<tr><td>' + r.join('<td>')) })</script>`,
					n, total, on, 10*(n-1)))(w, r)
			},
			"/rows": figures(10, 50*time.Millisecond),
		}
	}
	for _, test := range []struct {
		name    string
		total   string
		bad     int
		table   recipe.Table
		rows    int
		proof   extract.Proof
		problem string
	}{
		{"links", "", 0, recipe.Table{From: "#t"}, 50, extract.ProofEnd, ""},
		{"a total of all", "Found: 50", 0, recipe.Table{From: "#t", Total: &recipe.Locator{CSS: "p"}}, 50, extract.ProofTotal, ""},
		{"a total that is not met", "Found: 51", 0, recipe.Table{From: "#t", Total: &recipe.Locator{CSS: "p"}}, 50, "", "t: have 50 of 51 rows. Where other URLs show the rest, set rows: visible."},
		{"the largest table", "", 0, recipe.Table{}, 50, extract.ProofEnd, ""},
		{"responses", "", 0, recipe.Table{JSON: &recipe.JSONSource{URL: "/rows"}}, 50, extract.ProofSource, ""},
		{"a page without it", "", 3, recipe.Table{From: "#t"}, 20, "", `t: 20 rows were read, and not all parts of the page: part 3 of the page has no table "#t".`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, serve(test.total, test.bad))
			test.table.MinRows = 1
			k := kindOf(test.table)
			k.Page.Next = &recipe.Next{Click: "a[rel=next]"}
			v := openFor(t, url+"/1", k, nil, 20*time.Second)
			tables, err := extract.Tables(v.reading, v.sources, k, nil)
			if v.err != nil || len(tables) != 1 || len(tables[0].Rows) != test.rows {
				t.Fatalf("%v, %v, %+v", v.err, err, tables)
			}
			var p *extract.Problem
			if test.problem != "" {
				if !errors.As(err, &p) || p.Outcome != "incomplete" || p.Message != test.problem {
					t.Errorf("got  %v\nwant %s", err, test.problem)
				}
				return
			}
			if err != nil || tables[0].Proof != test.proof {
				t.Errorf("%v, proof %s", err, tables[0].Proof)
			}
			if test.table.JSON == nil {
				wantRows(t, tables[0], test.rows)
			}
			if !strings.HasSuffix(v.reading.URL, "/5") {
				t.Errorf("ended at %s", v.reading.URL)
			}
		})
	}
}

// TestNextResponses: rows of responses go on in the same document, and a control
// that brings no further response is no proof.
func TestNextResponses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, end string
		problem   string
	}{
		{"to the end", "b.disabled = true", ""},
		{"dead", "", `t: 30 rows were read, and not all parts of the page: the click on next "button" brought nothing new.`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(`<p></p><button>On</button><script>
				const b = document.querySelector('button');
				let at = 0;
				const load = async () => { if (at >= 30) return; const rows = await (await fetch('/rows?from=' + at)).json(); at += 10; document.querySelector('p').textContent = rows[0][0]; if (at >= 30) { ` + test.end + ` } };
				load(); b.onclick = load;</script>`), "/rows": figures(10, 50*time.Millisecond)})
			k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: "/rows"}, MinRows: 1})
			k.Page.Next = &recipe.Next{Click: "button"}
			v := open(t, url+"/", k, nil)
			tables, err := extract.Tables(v.reading, v.sources, k, nil)
			if v.err != nil || len(tables) != 1 || len(tables[0].Rows) != 30 {
				t.Fatalf("%v, %v, %+v", v.err, err, tables)
			}
			if (err == nil) != (test.problem == "") || err != nil && err.Error() != test.problem {
				t.Errorf("got  %v\nwant %s", err, test.problem)
			}
		})
	}
}

// TestNextThatIsNotThere: a wrong selector does not make a page with more rows whole.
func TestNextThatIsNotThere(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(`<div><table id="t"><tr><td>row 0<td>0</table><a rel="next" href="/2">2</a></div>`)})
	k := kindOf(recipe.Table{From: "#t", MinRows: 1})
	k.Page.Next = &recipe.Next{Click: "a.nxt"}
	v := open(t, url+"/", k, nil)
	want := "t: 1 row was read and nothing proves that they are all (a link leads to its next page, and next \"a.nxt\" matches nothing). Name the number that the page states with total, or set rows: visible."
	if _, err := extract.Tables(v.reading, nil, k, nil); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
