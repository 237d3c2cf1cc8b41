package extract_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// growingPage loads 20 rows more at each press of its button, up to 90.
const growingPage = `<section><table id="t"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table><p></p>%s</section>
<script>
const tbody = document.querySelector('tbody'), button = document.getElementById('more');
let at = 0;
const load = async () => {
	const rows = await (await fetch('/rows?from=' + at)).json();
	%s
	for (const [name, value] of rows.slice(0, Math.max(90 - at, 0))) tbody.insertAdjacentHTML('beforeend', '<tr><td>' + name + '<td>' + value);
	at += 20;
	document.querySelector('p').textContent = %s;
	if (at >= 90) { %s }
};
button.onclick = load; load();
</script>`

func TestButtonForMore(t *testing.T) {
	t.Parallel()
	const button = `<button id="more">Load more</button>`
	for _, test := range []struct {
		name, button, before, text, end string
		proof                           extract.Proof
	}{
		{"it goes", button, "", `''`, "button.remove()", extract.ProofEnd},
		{"it is put out", button, "", `''`, "button.disabled = true", extract.ProofEnd},
		{"it hides", `<a id="more" role="button" href="#">Show more results</a>`, "", `''`, "button.hidden = true", extract.ProofEnd},
		{"the total is stated", button, "", `'Showing ' + tbody.rows.length + ' of 90'`, "", extract.ProofTotal},
		{"its rows replace those before", button, "tbody.replaceChildren();", `''`, "button.remove()", extract.ProofEnd},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := fmt.Sprintf(growingPage, test.button, test.before, test.text, test.end)
			_, got, outcome, message := readTable(t, page, recipe.Table{From: "#t"})
			wantWhole(t, got, outcome, message, 90, test.proof)
		})
	}
}

// TestButtonForMoreLeavesOff: a button that stays but brings nothing, one that would send a form, one that leads elsewhere.
func TestButtonForMoreLeavesOff(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, button string
		rows         int
	}{
		{"it brings nothing", `<button id="more">Load more</button>`, 90},
		{"it sends a form", `<form><button id="more">Load more</button></form>`, 20},
		{"it leads elsewhere", `<a id="more" href="/elsewhere">Load more</a>`, 20},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, got, outcome, message := readTable(t, fmt.Sprintf(growingPage, test.button, "", `''`, ""), recipe.Table{From: "#t"})
			if outcome != "incomplete" || len(got.Rows) != test.rows || !strings.Contains(message, `beside it stands "Load more"`) {
				t.Errorf("%d rows, outcome %q: %s", len(got.Rows), outcome, message)
			}
		})
	}
}

// numberedPage shows 57 rows in pages of 10 with numbers for them and no word for the next one.
const numberedPage = `<section><table id="t"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table><p></p><%s></%[1]s></section>
<script>
const tbody = document.querySelector('tbody'), list = document.querySelector('section').lastElementChild;
const show = (page) => {
	tbody.innerHTML = '';
	for (let i = (page - 1) * 10; i < Math.min(page * 10, 57); i++) tbody.insertAdjacentHTML('beforeend', '<tr><td>row ' + i + '<td>' + i * 7);
	list.replaceChildren();
	for (const n of %s) {
		const number = document.createElement('%s');
		number.textContent = n;
		if (n === page) %s;
		number.onclick = () => show(n);
		list.append(number);
	}
};
show(%d);
</script>`

func TestNumberedPages(t *testing.T) {
	t.Parallel()
	const all = "[1, 2, 3, 4, 5, 6]"
	const near = "[...new Set([1, 2, page - 1, page, page + 1, 6])].filter((n) => n > 0 && n < 7).sort()"
	for _, test := range []struct {
		name, list, numbers, control, mark string
		start                              int
		message                            string
	}{
		{"marked", "nav", all, "button", "number.setAttribute('aria-current', 'page')", 1, ""},
		{"from a later page", "ul", all, "a", "number.className = 'active'", 4, ""},
		{"not marked", "nav", near, "button", "number.title = ''", 1, ""},
		{"not marked, from a later page", "nav", near, "button", "number.title = ''", 3, ""},
		{"a number is never shown", "nav", "[1, 2, 3, 6]", "button", "number.title = ''", 1, "30 rows were read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := fmt.Sprintf(numberedPage, test.list, test.numbers, test.control, test.mark, test.start)
			_, got, outcome, message := readTable(t, page, recipe.Table{From: "#t"})
			if test.message == "" {
				wantWhole(t, got, outcome, message, 57, extract.ProofEnd)
			} else if outcome != "incomplete" || !strings.Contains(message, test.message) {
				t.Errorf("outcome %q: %s", outcome, message)
			}
		})
	}
}

// TestElementsByPages: elements that are rows are told apart by their text; a
// button and numbers inside of them lead nowhere.
func TestElementsByPages(t *testing.T) {
	t.Parallel()
	const cards = `<section><ul id="l"></ul>%s</section><script>
	const list = document.getElementById('l'), on = document.getElementById('on');
	let at = 0;
	const card = (i) => '<li class="card"><b>row ' + i + '</b> <i>' + i * 7 + '</i> <button type="button">Show more</button><nav><button>1</button><button>2</button></nav></li>';
	const show = () => { %s for (let i = at; i < at + 10; i++) list.insertAdjacentHTML('beforeend', card(i)); if (at === 40) on.%s = true; };
	on.onclick = () => { at += 10; show(); };
	show();
	</script>`
	for _, test := range []struct{ name, button, before, end string }{
		{"a button for more", `<button id="on">Load more</button>`, "", "hidden"},
		{"pages of one length", `<button>Previous</button><button id="on">Next</button>`, "list.replaceChildren();", "disabled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, got, outcome, message := readTable(t, fmt.Sprintf(cards, test.button, test.before, test.end), recipe.Table{Each: ".card", Columns: []recipe.Column{
				{Name: "name", CSS: "b"}, {Name: "value", CSS: "i"},
			}})
			wantWhole(t, got, outcome, message, 50, extract.ProofEnd)
		})
	}
}

// lateWorker shows 50 rows in pages of 10. The rows of a next page come from a
// worker, which no request and no timer of the page tells of.
const lateWorker = `<section><table id="t"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table><button>Previous</button><button>Next</button></section><script>
const worker = new Worker(URL.createObjectURL(new Blob(['onmessage = (e) => setTimeout(() => postMessage(e.data), 600)'])));
const table = document.getElementById('t'), tbody = table.tBodies[0], [back, on] = document.querySelectorAll('button');
let at = 0;
const show = () => {
	table.className = '';
	tbody.replaceChildren();
	for (let i = at; i < at + 10; i++) tbody.insertAdjacentHTML('beforeend', '<tr><td>row ' + i + '<td>' + i * 7);
	back.disabled = at === 0; on.disabled = at === 40;
};
worker.onmessage = show;
const turn = (by) => { at += by; %s; worker.postMessage(at); };
on.onclick = () => turn(10); back.onclick = () => turn(-10);
show();
</script>`

// TestLatePage: a page of a table that is empty, or shows that it loads, is waited for.
func TestLatePage(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]string{
		"it is empty":           "tbody.replaceChildren()",
		"it shows a spinner":    "table.className = 'loading'; tbody.rows[0].cells[0].textContent = 'soon'",
		"it says that it loads": "tbody.innerHTML = '<tr><td colspan=2>Loading…'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, got, outcome, message := readTable(t, fmt.Sprintf(lateWorker, meanwhile), recipe.Table{From: "#t"})
			wantWhole(t, got, outcome, message, 50, extract.ProofEnd)
		})
	}
}
