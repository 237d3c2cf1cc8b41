package extract_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// Tables in shadow trees are read like others: open, closed, nested, drawn late,
// written into the HTML, and with the text of cells in trees and slots.
func TestShadowTrees(t *testing.T) {
	t.Parallel()
	const row = `'<tr><td>' + name + '<td>' + n + '</tr>'`
	component := func(mode, late string) string {
		return `<stats-table></stats-table><script>
		customElements.define('stats-table', class extends HTMLElement {
			constructor() { super(); this.root = this.attachShadow({mode: '` + mode + `'}); }
			connectedCallback() {
				this.root.innerHTML = '<style>.off { display: none }</style><table id="t"><thead><tr><th>Name<th>N</thead><tbody></tbody></table>';
				const draw = (name, n) => this.root.querySelector('tbody').insertAdjacentHTML('beforeend', ` + row + `);
				draw('a', 1); draw('<b class="off">not </b>b', 2);
				` + late + `
			}
		})</script>`
	}
	const two, three = "name|n\na|1\nb|2", "name|n\na|1\nb|2\nc|3"
	for _, test := range []struct{ name, body, from, want string }{
		{"open", component("open", ""), "#t", two},
		{"closed", component("closed", ""), "#t", two},
		{"the largest", component("open", ""), "", two},
		{"drawn late", component("closed", "setTimeout(() => draw('c', 3), 400)"), "#t", three},
		{"by the host", component("open", ""), "stats-table", two},
		{"made late", `<script>setTimeout(() => document.body.insertAdjacentHTML('beforeend', '<stats-table></stats-table>'), 300)</script>` + component("open", "") + `<script>document.querySelector('stats-table').remove()</script>`, "#t", two},
		{"within another", `<out-er></out-er><script>customElements.define('out-er', class extends HTMLElement {
			constructor() { super(); this.attachShadow({mode: 'closed'}).innerHTML = '<section><stats-table></stats-table></section>'; } })</script>` + component("closed", ""), "#t", two},
		{"written into the HTML", `<div><template shadowrootmode="open"><table id="t"><tr><th>Name<th>N<tr><td>a<td>1<tr><td>b<td>2</table></template></div>`, "#t", two},
		{"cells of components", `<table id="t"><tr><th>Name<th>N<tr><td><x-name>a</x-name><td><x-n value="1"></x-n><tr><td><x-name>b</x-name><td><x-n value="2"></x-n></table><script>
			customElements.define('x-name', class extends HTMLElement { constructor() { super(); this.attachShadow({mode: 'closed'}).innerHTML = '<i><slot></slot></i>'; } });
			customElements.define('x-n', class extends HTMLElement { connectedCallback() { this.attachShadow({mode: 'open'}).textContent = this.getAttribute('value'); } })</script>`, "#t", two},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(test.body)})
			k := kindOf(recipe.Table{From: test.from, MinRows: 1, Key: []string{"name"}})
			v := open(t, url+"/", k, nil)
			tables, err := extract.Tables(v.reading, nil, k, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, show(tables[0])); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Columns are looked for above and below across the trees.
func TestFieldsAcrossShadowTrees(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(`<main></main><script>
		for (const [title, names] of [['East', ['a', 'b']], ['West', ['c']]]) {
			document.querySelector('main').insertAdjacentHTML('beforeend', '<h2>' + title + '</h2><div></div>');
			const root = document.querySelector('main').lastChild.attachShadow({mode: 'closed'});
			root.innerHTML = names.map((n) => '<p class="card" data-id="' + n + '"><b>' + n.toUpperCase() + '</b></p>').join('');
		}</script>`)})
	k := kindOf(recipe.Table{Each: ".card", MinRows: 1, Columns: []recipe.Column{
		{Name: "id", Attr: "data-id"}, {Name: "name", CSS: "b"}, {Name: "side", Above: "h2"},
	}})
	v := open(t, url+"/", k, nil)
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("id|name|side\na|A|East\nb|B|East\nc|C|West", show(tables[0])); diff != "" {
		t.Error(diff)
	}
}
