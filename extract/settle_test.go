package extract_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// figures answers with n rows from the one asked for, after a while.
func figures(n int, wait time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		sleep(r.Context(), wait)
		var from int
		_, _ = fmt.Sscan(r.URL.Query().Get("from"), &from)
		w.Header().Set("Content-Type", "application/json")
		var rows []string
		for i := range n {
			rows = append(rows, fmt.Sprintf(`["row %d","%d"]`, from+i, (from+i)*7))
		}
		_, _ = fmt.Fprintf(w, "[%s]", strings.Join(rows, ","))
	}
}

// shell is a page with an empty table and the functions that fill it.
const shell = `<div id="app"><table id="t"><thead><tr><th>Name</th><th>Value</th></tr></thead><tbody></tbody></table></div>
<script>
const body = () => document.querySelector('tbody');
const add = (rows) => { for (const r of rows) { const tr = body().insertRow(); for (const v of r) tr.insertCell().textContent = v; } };
const make = (from, n) => Array.from({length: n}, (_, i) => ['row ' + (from + i), String((from + i) * 7)]);
const get = (from = 0) => fetch('/rows?from=' + from).then((r) => r.json());
%s
</script>`

// TestSettle opens pages that fill their table in ways that fool a reader who
// waits for the first row, or for a while.
func TestSettle(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, script string
		rows         int
		page         recipe.Page
	}{
		{"fetch", `get().then(add)`, 50, recipe.Page{}},
		{"spinner then rows", `document.querySelector('#app').innerHTML = '<div class="spinner">Loading</div>';
			get().then((rows) => { document.querySelector('#app').innerHTML = '<table id="t"><tbody></tbody></table>'; add(rows); })`, 50, recipe.Page{}},
		{"loading row", `add([['Loading...', '']]); get().then((rows) => { body().innerHTML = ''; add(rows); })`, 50, recipe.Page{}},
		{"second fetch after 300 ms", `get().then((rows) => { add(rows); setTimeout(() => get(50).then(add), 300); })`, 100, recipe.Page{}},
		{"second fetch after 300 ms, ready given", `get().then((rows) => { add(rows); setTimeout(() => get(50).then(add), 300); })`, 100, recipe.Page{Ready: "tbody tr"}},
		{"three batches 300 ms apart", `add(make(0, 40)); setTimeout(() => { add(make(40, 40)); setTimeout(() => add(make(80, 40)), 300); }, 300);`, 120, recipe.Page{Ready: "tbody tr"}},
		{"batches by interval", `let n = 0; const timer = setInterval(() => { add(make(n, 20)); n += 20; if (n === 100) clearInterval(timer); }, 250);`, 100, recipe.Page{Ready: "tbody tr"}},
		{"frames", `let n = 0; const step = () => { add(make(n, 5)); n += 5; if (n < 100) requestAnimationFrame(step); }; step();`, 100, recipe.Page{Ready: "tbody tr"}},
		{"idle callbacks", `let n = 0; const step = () => { add(make(n, 5)); n += 5; if (n < 100) requestIdleCallback(step); }; step();`, 100, recipe.Page{Ready: "tbody tr"}},
		{"an idle callback that waits long", `add(make(0, 5)); requestIdleCallback(() => add(make(5, 95)));
			const channel = new MessageChannel(), end = performance.now() + 3000;
			channel.port1.onmessage = () => { const t = performance.now(); while (performance.now() < t + 30); if (t < end) channel.port2.postMessage(0); };
			channel.port2.postMessage(0);`, 100, recipe.Page{Ready: "tbody tr"}},
		{"emptied and refilled", `get().then((rows) => { add(rows); setTimeout(() => { body().innerHTML = ''; setTimeout(() => add(make(0, 70)), 80); }, 150); })`, 70, recipe.Page{Ready: "tbody tr"}},
		{"endless polling", `get().then(add); setInterval(() => fetch('/rows?from=9'), 100);`, 50, recipe.Page{}},
		{"endless timers", `get().then(add); const tick = () => { document.title = Date.now(); setTimeout(tick, 50); }; tick();`, 50, recipe.Page{}},
		{"table made late", `document.querySelector('#app').innerHTML = '';
			setTimeout(() => { document.querySelector('#app').innerHTML = '<table id="t"><tbody></tbody></table>'; add(make(0, 30)); }, 900)`, 30, recipe.Page{}},
		{"overridden prototypes", `Array.prototype.map = () => []; Element.prototype.querySelectorAll = () => []; JSON.stringify = () => 'no';
			window.MutationObserver = class { observe() {} }; Date.now = performance.now = () => 0; Node.prototype.contains = () => false;
			document.body.insertAdjacentHTML('beforeend', '<img name="querySelectorAll"><form name="documentElement"></form><img name="title">');
			get().then(add)`, 50, recipe.Page{}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{
				"/{$}": document(fmt.Sprintf(shell, test.script)), "/rows": figures(50, 100*time.Millisecond),
			})
			k := kindOf(recipe.Table{From: "#t", MinRows: 1})
			k.Page.Ready = test.page.Ready
			v := open(t, url+"/", k, nil)
			if v.err != nil || !v.reading.Settled {
				t.Fatalf("settled %t, %v", v.reading.Settled, v.err)
			}
			tables, err := extract.Tables(v.reading, nil, k, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantRows(t, tables[0], test.rows)
		})
	}
}

// moreLater are ways in which the rest of a table comes some time after its first
// rows, while no timer of the page and no request is pending. page.js must know of
// each, or the page would be called still.
var moreLater = []struct{ name, script string }{
	{"slices of work by messages", `const channel = new MessageChannel(), end = performance.now() + 400;
		channel.port1.onmessage = () => { const t = performance.now(); while (performance.now() < t + 5); if (t < end) channel.port2.postMessage(0); else more(); };
		channel.port2.postMessage(0);`},
	{"a picture that has loaded", `const picture = new Image(); picture.onload = picture.onerror = more; picture.src = '/slow';`},
	{"a worker", `new Worker(URL.createObjectURL(new Blob(['setTimeout(() => postMessage(0), 150)']))).onmessage = more;`},
	{"events of the server", `new EventSource('/events').onmessage = (e) => { e.target.close(); more(); };`},
	{"an animation of a script", `document.body.animate([{opacity: 0.5}, {opacity: 1}], 150).finished.then(more);`},
	{"a transition", `const app = document.querySelector('#app'); app.addEventListener('transitionend', more);
		app.style.cssText = 'transition: opacity 150ms'; getComputedStyle(app).opacity; app.style.opacity = 0.5;`},
	{"a transition that a property hears of", `const app = document.querySelector('#app'); app.ontransitionend = more;
		app.style.cssText = 'transition: opacity 60ms'; getComputedStyle(app).opacity; app.style.opacity = 0.5;`},
	{"an animation that an attribute hears of", `const app = document.querySelector('#app'); app.setAttribute('onanimationend', 'more()');
		app.insertAdjacentHTML('beforeend', '<style>@keyframes k { from { opacity: 0.5 } to { opacity: 1 } }</style>'); app.style.animation = 'k 60ms';`},
	{"a transition of the view", `document.startViewTransition(more);`},
	{"a way back", `history.pushState(0, ''); addEventListener('popstate', more); history.back();`},
	{"a signal", `AbortSignal.timeout(150).onabort = more;`},
	{"the scheduler", `scheduler.postTask(more, {delay: 150});`},
	{"a derived key", `(async () => {
		const key = await crypto.subtle.importKey('raw', new Uint8Array(8), 'PBKDF2', false, ['deriveBits']);
		await crypto.subtle.deriveBits({name: 'PBKDF2', hash: 'SHA-256', salt: new Uint8Array(8), iterations: 200000}, key, 256);
		more(); })();`},
	{"a blob that is read", `new Blob([new Uint8Array(4e7)]).arrayBuffer().then(more);`},
	{"what is packed", `new Response(new Response(new Uint8Array(1e7)).body.pipeThrough(new CompressionStream('gzip'))).arrayBuffer().then(more);`},
	{"a picture of a canvas", `const canvas = document.createElement('canvas'); canvas.width = canvas.height = 700; canvas.getContext('2d'); canvas.toBlob(more);`},
	{"a frame", `const frame = document.createElement('iframe'); frame.srcdoc = '<script>setTimeout(() => parent.more(), 150)<' + '/script>'; document.body.append(frame);`},
	{"an observer of sizes", `new ResizeObserver(() => { if (body().rows.length === 50) requestAnimationFrame(() => requestAnimationFrame(more)); }).observe(document.querySelector('#t'));`},
	{"an observer of what is in sight", `new IntersectionObserver((seen) => seen[0].isIntersecting && body().rows.length === 50 && more()).observe(document.querySelector('thead'));`},
}

// TestStill: a page from which something may still come is not read at once.
func TestStill(t *testing.T) {
	t.Parallel()
	for _, test := range moreLater {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			script := "add(make(0, 50)); const more = () => { if (body().rows.length === 50) add(make(50, 50)); }; window.more = more;\n" + test.script
			wantRowsOf(t, laterPage(t, script), 100)
		})
	}
}

// laterPage serves a page with a script of moreLater.
func laterPage(t *testing.T, script string) string {
	t.Helper()
	return pages(t, map[string]http.HandlerFunc{
		"/{$}":  document(fmt.Sprintf(shell, script)),
		"/slow": func(_ http.ResponseWriter, r *http.Request) { sleep(r.Context(), 150*time.Millisecond) },
		"/events": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_ = http.NewResponseController(w).Flush()
			sleep(r.Context(), 150*time.Millisecond)
			_, _ = fmt.Fprint(w, "data: more\n\n")
		},
	}) + "/"
}

// wantRowsOf opens a page and checks the rows of its table #t.
func wantRowsOf(t *testing.T, url string, n int) {
	t.Helper()
	wantRows(t, tableOf(t, url), n)
}

// tableOf opens a page and reads its table #t.
func tableOf(t *testing.T, url string) extract.Table {
	t.Helper()
	k := kindOf(recipe.Table{From: "#t", MinRows: 1})
	v := open(t, url, k, nil)
	if v.err != nil {
		t.Fatal(v.err)
	}
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tables[0]
}

// wantRows checks that rows are "row 0", "row 1" and so on, each with its value.
func wantRows(t *testing.T, table extract.Table, n int) {
	t.Helper()
	if len(table.Rows) != n {
		t.Fatalf("%d rows, want %d (complete %t, proof %s)", len(table.Rows), n, table.Complete, table.Proof)
	}
	for i, row := range table.Rows {
		name, value := fmt.Sprintf("row %d", i), fmt.Sprint(i*7)
		if row[0].Text == nil || *row[0].Text != name || row[1].Text == nil || *row[1].Text != value {
			t.Fatalf("row %d is %v", i, texts(row))
		}
	}
}

// texts are the texts of cells for a message.
func texts(row []extract.Cell) []string {
	var out []string
	for _, c := range row {
		if c.Text == nil {
			out = append(out, "NULL")
		} else {
			out = append(out, *c.Text)
		}
	}
	return out
}

// TestStreamedTable reads a document whose server sends it piece by piece.
func TestStreamedTable(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/{$}": func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!doctype html><table id=t><tbody>")
		for i := range 100 {
			_, _ = fmt.Fprintf(w, "<tr><td>row %d<td>%d", i, i*7)
			if i%25 == 10 {
				_ = http.NewResponseController(w).Flush()
				sleep(r.Context(), 250*time.Millisecond)
			}
		}
	}})
	k := kindOf(recipe.Table{From: "#t", MinRows: 1})
	v := open(t, url+"/", k, nil)
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil || v.err != nil {
		t.Fatal(err, v.err)
	}
	wantRows(t, tables[0], 100)
	if tables[0].Proof != extract.ProofEnd {
		t.Errorf("proof is %s", tables[0].Proof)
	}
}

// TestClockInTable: a text that changes for ever does not hold the reading.
func TestClockInTable(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(`<table id="t"><caption>Clock <b></b></caption><tbody></tbody></table><script>
		for (let i = 0; i < 30; i++) document.querySelector('tbody').insertAdjacentHTML('beforeend', '<tr><td>row ' + i + '<td>' + i * 7);
		setInterval(() => document.querySelector('b').textContent = performance.now(), 40)</script>`)})
	wantRowsOf(t, url+"/", 30)
}

// TestNeverSettles: rows that never stop coming are read at the deadline and
// are not called complete; a stated number that is met proves them all the same.
func TestNeverSettles(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, script, outcome string
		proof                 extract.Proof
	}{
		{"rows without end", `let n = 0; setInterval(() => add(make(n++, 1)), 30)`, "incomplete", extract.ProofNone},
		{"total met", `add(make(0, 20)); document.querySelector('#t').insertAdjacentHTML('afterend', '<p class=n>20 rows');
			setInterval(() => { body().lastChild.replaceWith(body().lastChild.cloneNode(true)) }, 30)`, "", extract.ProofTotal},
		{"spinner for ever", `add(make(0, 5)); body().insertAdjacentHTML('beforeend', '<tr class=skeleton><td class="skeleton">x<td>')`, "incomplete", extract.ProofNone},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(fmt.Sprintf(shell, test.script))})
			table := recipe.Table{From: "#t", MinRows: 1}
			if test.outcome == "" {
				table.Total = &recipe.Locator{CSS: ".n"}
			}
			k := kindOf(table)
			v := openFor(t, url+"/", k, nil, 8*time.Second)
			if !errors.Is(v.err, browserpool.ErrTimeout) || v.reading.Settled {
				t.Errorf("settled %t, error is %v", v.reading.Settled, v.err)
			}
			tables, err := extract.Tables(v.reading, nil, k, nil)
			outcome := ""
			var p *extract.Problem
			if errors.As(err, &p) {
				outcome = p.Outcome
			}
			if outcome != test.outcome || tables[0].Proof != test.proof {
				t.Errorf("outcome %q, proof %q, %v", outcome, tables[0].Proof, err)
			}
		})
	}
}

// TestReadyNeverComes: an expired wait is never a success.
func TestReadyNeverComes(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(fmt.Sprintf(shell, `add(make(0, 20))`))})
	k := kindOf(recipe.Table{From: "#t", MinRows: 1})
	k.Page.Ready = ".never"
	v := openFor(t, url+"/", k, nil, 6*time.Second)
	if _, err := extract.Tables(v.reading, nil, k, nil); err == nil || v.err == nil {
		t.Errorf("errors are %v and %v", v.err, err)
	}
}
