package extract_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/recipe"
)

// eventsPage writes down, as rows of a table, the events that its controls get:
// which, of which control, whether they are a person's, and what it holds then.
const eventsPage = `<form action="/next"><input id="text" value="before"><input id="number" type="number" value="5"><input id="date" type="date">
<textarea id="area">before</textarea><p id="free" contenteditable>before</p><input id="box" type="checkbox"><label for="box" id="label">Box</label>
<select id="one"><option value="a">Anna<option value="b">Bert</select><button id="button" type="button">Do</button></form>
<div id="tall" style="height:3000px"></div><div id="low">low</div>
<table id="t"><thead><tr><th>Event<th>On<th>Trusted<th>Value</thead><tbody></tbody></table>
<script>
for (const type of ['input', 'change', 'click', 'keydown']) document.addEventListener(type, (e) => {
	if (e.target.id === 'label') return;
	const value = e.key ?? (e.target.type === 'checkbox' ? e.target.checked : e.target.value ?? e.target.textContent);
	document.querySelector('tbody').insertAdjacentHTML('beforeend', '<tr><td>' + [type, e.target.id || e.target.localName, e.isTrusted, value].join('<td>'));
}, true);
const low = new IntersectionObserver(([e]) => { if (e.isIntersecting) { document.querySelector('tbody').insertAdjacentHTML('beforeend', '<tr><td>seen<td>low<td>true<td>'); low.disconnect() } });
low.observe(document.getElementById('low'));
document.querySelector('form').onsubmit = (e) => e.preventDefault();
</script>`

// takeSteps opens a page, takes steps there, and gives the rows of its table #t.
func takeSteps(t *testing.T, url string, steps []recipe.Step, vars map[string]string) (rows []string, turns int) {
	t.Helper()
	k := kindOf(recipe.Table{From: "#t", Rows: "visible"})
	k.Page.Steps = steps
	script, err := extract.Script(k, vars, map[string]string{"PIN": "s3cret"}, false)
	if err != nil {
		t.Fatal(err)
	}
	var taken atomic.Int32
	request := browserpool.Request{
		URL: url, Script: script, PageScript: extract.PageScript(), Timeout: 30 * time.Second, PageLimit: time.Minute,
		Turn: func(context.Context) error { taken.Add(1); return nil },
	}
	err = chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		a, err := tab.Open(t.Context(), request)
		if err != nil {
			return fmt.Errorf("%w: %.2000s", err, a.Payload)
		}
		r, err := extract.Decode(append(a.Parts, a.Payload)...)
		if err != nil {
			return err
		}
		if r.Stopped != nil {
			return r.Stopped
		}
		for _, row := range r.Grids[0].Rows {
			line, err := json.Marshal(row.Cells)
			if err != nil {
				return err
			}
			rows = append(rows, string(line))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, int(taken.Load())
}

// TestStepsAreAPersons: each kind of step comes to the page as the events of a person.
func TestStepsAreAPersons(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(eventsPage)})
	for _, test := range []struct {
		name  string
		steps []recipe.Step
		want  []string
		turns int
	}{
		{"click", []recipe.Step{{Verb: "click", Target: "#button"}}, []string{`["click","button","true",""]`}, 1},
		{
			"click a label",
			[]recipe.Step{{Verb: "click", Target: "#label"}},
			[]string{`["click","box","true","true"]`, `["input","box","true","true"]`, `["change","box","true","true"]`},
			1,
		},
		{"click far below", []recipe.Step{{Verb: "click", Target: "#low"}}, []string{`["seen","low","true",""]`, `["click","low","true","low"]`}, 1},
		{
			"fill",
			[]recipe.Step{{Verb: "fill", Target: "#text", Value: "{word} {{co}}"}},
			[]string{`["input","text","true","größe {co}"]`, `["change","text","false","größe {co}"]`},
			0,
		},
		{"fill nothing", []recipe.Step{{Verb: "fill", Target: "#text"}}, []string{`["keydown","text","true","Backspace"]`, `["input","text","true",""]`, `["change","text","false",""]`}, 0},
		{"fill a secret", []recipe.Step{{Verb: "fill", Target: "#text", Secret: "PIN"}}, []string{`["input","text","true","s3cret"]`, `["change","text","false","s3cret"]`}, 0},
		{"fill a number", []recipe.Step{{Verb: "fill", Target: "#number", Value: "12.5"}}, []string{`["input","number","true","12.5"]`, `["change","number","false","12.5"]`}, 0},
		{"fill a date", []recipe.Step{{Verb: "fill", Target: "#date", Value: "2026-12-31"}}, []string{`["input","date","false","2026-12-31"]`, `["change","date","false","2026-12-31"]`}, 0},
		{"fill an area", []recipe.Step{{Verb: "fill", Target: "#area", Value: "a b"}}, []string{`["input","area","true","a b"]`, `["change","area","false","a b"]`}, 0},
		{"fill free text", []recipe.Step{{Verb: "fill", Target: "#free", Value: "x y"}}, []string{`["input","free","true","x y"]`, `["change","free","false","x y"]`}, 0},
		{"select by value", []recipe.Step{{Verb: "select", Target: "#one", Value: "b"}}, []string{`["input","one","false","b"]`, `["change","one","false","b"]`}, 1},
		{"select by label", []recipe.Step{{Verb: "select", Target: "#one", Value: "bert"}}, []string{`["input","one","false","b"]`, `["change","one","false","b"]`}, 1},
		{
			"press",
			[]recipe.Step{{Verb: "fill", Target: "#text", Value: "x"}, {Verb: "press", Target: "Enter"}, {Verb: "press", Target: "b"}},
			[]string{`["input","text","true","x"]`, `["change","text","false","x"]`, `["keydown","text","true","Enter"]`, `["change","text","true","x"]`, `["keydown","text","true","b"]`, `["input","text","true","xb"]`},
			2,
		},
		{"scroll", []recipe.Step{{Verb: "scroll", Target: "end"}}, []string{`["seen","low","true",""]`}, 1},
		{"scroll to", []recipe.Step{{Verb: "scroll", Target: "#low"}}, []string{`["seen","low","true",""]`}, 1},
		{"js", []recipe.Step{{Verb: "js", Target: "new Promise((r) => setTimeout(r, 300)).then(() => document.querySelector('#' + vars.id).click())"}}, []string{`["click","button","false",""]`}, 1},
		{"wait", []recipe.Step{{Verb: "wait", Target: "#low"}, {Verb: "wait_gone", Target: ".busy"}}, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, turns := takeSteps(t, url+"/", test.steps, map[string]string{"word": "größe", "id": "button"})
			if diff := cmp.Diff(test.want, got); diff != "" || turns != test.turns {
				t.Errorf("%d turns, want %d; events (-want +got):\n%s", turns, test.turns, diff)
			}
		})
	}
}

// TestStepsWait: a step waits until what came of the one before is drawn, and for
// what it needs itself.
func TestStepsWait(t *testing.T) {
	t.Parallel()
	row := `document.querySelector('tbody').innerHTML += '<tr><td>' + %s;`
	shellOf := func(script string) string {
		return `<button id="a" style="position:relative">A</button> <button id="b">B</button><table id="t"><tbody><tr><th>x</table><script>
			const $ = (css) => document.querySelector(css);` + script + `</script>`
	}
	for _, test := range []struct {
		name, page string
		steps      []recipe.Step
	}{
		{
			"a handler that comes late", shellOf(`fetch('/slow').then(() => $('#a').onclick = () => { ` + fmt.Sprintf(row, "'done'") + ` })`),
			[]recipe.Step{{Verb: "click", Target: "#a"}},
		},
		{
			"a button made by the answer", shellOf(`$('#a').onclick = () => fetch('/slow').then(() => { $('#b').id = 'c'; $('#c').onclick = () => { ` + fmt.Sprintf(row, "'done'") + ` } })`),
			[]recipe.Step{{Verb: "click", Target: "#a"}, {Verb: "click", Target: "#c"}},
		},
		{
			"an answer before the next click", shellOf(`let got = 0; $('#a').onclick = () => fetch('/slow').then(() => got = 1); $('#b').onclick = () => { ` + fmt.Sprintf(row, "(got ? 'done' : 'too early')") + ` }`),
			[]recipe.Step{{Verb: "click", Target: "#a"}, {Verb: "click", Target: "#b"}},
		},
		{"a veil that goes", shellOf(`document.body.insertAdjacentHTML('beforeend', '<div id="veil" style="position:fixed;inset:0"></div>'); setTimeout(() => $('#veil').remove(), 1500);
			$('#a').onclick = () => { ` + fmt.Sprintf(row, "'done'") + ` }`), []recipe.Step{{Verb: "click", Target: "#a"}}},
		{
			"a button that moves in", shellOf(`$('#a').animate([{left: '-500px'}, {left: '0px'}], 1200); $('#a').onclick = () => { ` + fmt.Sprintf(row, "'done'") + ` }`),
			[]recipe.Step{{Verb: "click", Target: "#a"}},
		},
		{
			"an option that comes late", shellOf(`document.body.insertAdjacentHTML('beforeend', '<select></select>');
			setTimeout(() => { $('select').innerHTML = '<option>1<option>2' }, 900); $('select').onchange = (e) => { ` + fmt.Sprintf(row, "(e.target.value === '2' ? 'done' : 'no')") + ` }`),
			[]recipe.Step{{Verb: "select", Target: "select", Value: "2"}},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(test.page), "/slow": func(w http.ResponseWriter, r *http.Request) {
				sleep(r.Context(), 700*time.Millisecond)
				_, _ = fmt.Fprint(w, "{}")
			}})
			got, _ := takeSteps(t, url+"/", test.steps, nil)
			if diff := cmp.Diff([]string{`["done"]`}, got); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
		})
	}
}

// TestClicksArrive clicks what is not easily clicked, and goes on where the page goes
// elsewhere.
func TestClicksArrive(t *testing.T) {
	t.Parallel()
	tab := `<table id="t"><tbody><tr><th>x</table><script>const done = () => { document.querySelector('tbody').innerHTML += '<tr><td>done' }</script>`
	for _, test := range []struct {
		name, page string
		steps      []recipe.Step
	}{
		{"far below, smoothly scrolled", `<style>html{scroll-behavior:smooth}</style>` + tab + `<div style="height:9000px"></div><button id="a" onclick="done()">A</button>`, []recipe.Step{{Verb: "click", Target: "#a"}}},
		{"under a bar that stays", tab + `<div style="position:sticky;top:0;height:200px;background:#fff">head</div><div style="height:900px"></div><button id="a" style="display:block" onclick="done()">A</button><div style="height:9000px"></div><script>scrollTo(0, 880)</script>`, []recipe.Step{{Verb: "click", Target: "#a"}}},
		{"a link over two lines", tab + `<div style="width:300px">some words go before this one <a id="a" href="#x" onclick="done()">the link that goes on in the next line and on</a></div>`, []recipe.Step{{Verb: "click", Target: "#a"}}},
		{"in a part that scrolls", tab + `<div style="height:100px;overflow:auto"><div style="height:3000px"></div><button id="a" onclick="done()">A</button></div>`, []recipe.Step{{Verb: "click", Target: "#a"}}},
		{"the one that is shown", tab + `<button class="a" hidden></button><button class="a" onclick="done()">A</button>`, []recipe.Step{{Verb: "click", Target: ".a"}}},
		{"a box below its label", tab + `<label style="position:relative;display:inline-block;width:40px;height:20px"><input id="a" type="checkbox" style="opacity:0;position:absolute" onchange="done()"><span style="position:absolute;inset:0;background:#ccc"></span></label>`, []recipe.Step{{Verb: "click", Target: "#a"}}},
		{"a page with a clock", tab + `<p id="c"></p><script>setInterval(() => document.getElementById('c').textContent = Date.now(), 50)</script><button id="a" onclick="done()">A</button>`, []recipe.Step{{Verb: "click", Target: "#a"}}},
		{"a link to another window", tab + `<a id="a" target="_blank" href="/done">A</a>`, []recipe.Step{{Verb: "click", Target: "#a"}}},
		{"a page that asks whether to leave", tab + `<input id="i"><a id="a" href="/done">A</a><script>onbeforeunload = (e) => { e.preventDefault(); return 'x' }</script>`, []recipe.Step{{Verb: "fill", Target: "#i", Value: "x"}, {Verb: "click", Target: "#a"}}},
		{"a script that goes elsewhere", tab, []recipe.Step{{Verb: "js", Target: "location.href = '/done'; await new Promise(() => {})"}}},
		{"a script that goes elsewhere later", tab, []recipe.Step{{Verb: "js", Target: "setTimeout(() => location.href = '/done', 700)"}}},
		{"a page that sends itself on", tab + `<button id="a" onclick="document.head.insertAdjacentHTML('beforeend', '<meta http-equiv=refresh content=\'1;url=/done\'>')">A</button>`, []recipe.Step{{Verb: "click", Target: "#a"}, {Verb: "wait", Target: "#there"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(test.page), "/done": document(`<table id="t"><tr><th>x<tr><td>done</table><p id="there">x</p>`)})
			got, _ := takeSteps(t, url+"/", test.steps, nil)
			if fmt.Sprint(got) != `[["done"]]` {
				t.Errorf("rows %v", got)
			}
		})
	}
}
