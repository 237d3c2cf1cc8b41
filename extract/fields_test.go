package extract_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// standingsPage has, below each heading, a table of names beside a table of numbers.
const standingsPage = `<div class="standings"><div class="title">East</div><div style="display: flex">
<table><thead><tr><th>Team</th></tr></thead><tbody><tr class="group"><td>Atlantic</td></tr><tr><td><a class="long">Boston</a></td></tr><tr><td><a class="long">New York</a></td></tr>
<tr class="group"><td>Central</td></tr><tr><td><a class="long">Detroit</a></td></tr></tbody></table>
<div style="overflow: auto"><table><thead><tr><th>W</th><th>L</th></tr></thead><tbody><tr class="group"><td>W</td><td>L</td></tr><tr><td>57</td><td>25</td></tr><tr><td>47</td><td>35</td></tr>
<tr class="group"><td>W</td><td>L</td></tr><tr><td>17</td><td>65</td></tr></tbody></table></div></div></div>
<div class="standings"><div class="title">West</div><div style="display: flex">
<table><thead><tr><th>Team</th></tr></thead><tbody><tr class="group"><td>Pacific</td></tr><tr><td><a class="long">Phoenix</a></td></tr></tbody></table>
<div><table><thead><tr><th>W</th><th>L</th></tr></thead><tbody><tr class="group"><td>W</td><td>L</td></tr><tr><td>45</td><td>37</td></tr></tbody></table></div></div></div>`

func TestFieldsAndJoinedTables(t *testing.T) {
	t.Parallel()
	cards := `<h1>Coffee</h1><p class="n">3 of 3 products</p>
		<div class="card new" data-sku="a1" data-price="9.50"><h3>One</h3></div>
		<div class="card" data-sku="a2" data-price="7"><h3>Two</h3></div><div class="card ad"><b>Advertisement</b></div>
		<div class="card" data-sku="a3"><h3>Three <sup>*</sup></h3></div>`
	vars := map[string]string{"season": "2024", "id": "1 x"}
	for _, test := range []struct {
		name, page string
		table      recipe.Table
		want       string
	}{
		{
			"tables side by side", standingsPage,
			recipe.Table{From: ".standings", Key: []string{"season", "team"}, Columns: []recipe.Column{
				{Name: "conference", Above: ".title"}, {Name: "division", Above: "tr.group"}, {Name: "name", CSS: "a.long"},
			}},
			"conference|division|name|season|team|w|l\nEast|Atlantic|Boston|2024|Boston|57|25\nEast|Atlantic|New York|2024|New York|47|35\n" +
				"East|Central|Detroit|2024|Detroit|17|65\nWest|Pacific|Phoenix|2024|Phoenix|45|37",
		},
		{
			"cards", cards,
			recipe.Table{Each: ".card", Skip: ".ad", Key: []string{"sku"}, Total: &recipe.Locator{CSS: ".n", Match: `of (\d+)`}, Columns: []recipe.Column{
				{Name: "sku", Attr: "data-sku"}, {Name: "name", CSS: "h3"}, {Name: "price", Attr: "data-price", Type: recipe.Numeric}, {Name: "kind", CSS: "page >> h1"},
			}},
			"sku|name|price|kind\na1|One|9.50|Coffee\na2|Two|7|Coffee\na3|Three|NULL|Coffee",
		},
		{"one row a page", `<h1>Acme</h1><dl><dt>Founded<dd class="founded">1 May 1990</dl>`, recipe.Table{Each: "page", Columns: []recipe.Column{
			{Name: "name", CSS: "h1"}, {Name: "founded", CSS: "dd.founded"},
		}}, "name|founded\nAcme|1 May 1990"},
		{"elements without columns", `<ul><li>one<li>two</ul>`, recipe.Table{Each: "li"}, "text\none\ntwo"},
		{"a variable in from", `<table id="1 x"><tr><td>1</table><table><tr><td>2<td>3</table>`, recipe.Table{From: "#{id}"}, "column_1\n1"},
		{
			"links of cells, in tables of other orders", `<table><tr><th>Team<th>Day<tr><td><b>A</b> <a href="/t/1">A</a><td data-order="2">two<tr><td>B<td data-order="1">one</table>
				<table><tr><th>Day<th>Team<tr><td data-order="3">three<td><a href="/t/3"><b>C</b></a></table>`,
			recipe.Table{From: "table", Columns: []recipe.Column{
				{Name: "team", Header: "Team"}, {Name: "team_url", Header: "Team", Attr: "href", Match: `/t/(\d)`}, {Name: "n", Header: "day", Attr: "data-order"},
			}},
			"team_url|n|team|day\n1|2|A A|two\nNULL|1|B|one\n3|3|C|three",
		},
		{"rows skipped", `<table><tr><th>A<th>B<tr><td>1<td>2<tr class="sum"><td>3<td>4</table>`, recipe.Table{Skip: "tr.sum"}, "a|b\n1|2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(test.page)})
			k := kindOf(test.table)
			v := open(t, url+"/", k, vars)
			tables, err := extract.Tables(v.reading, nil, k, vars)
			if err != nil || v.err != nil {
				t.Fatal(err, v.err)
			}
			if diff := cmp.Diff(test.want, show(tables[0])); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSigns: what farm tells a login page and a captcha by.
func TestSigns(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, page string
		want       []string
	}{
		{"login", `<title>Sign in</title><form><input name=title><input type=PASSWORD></form>`, []string{"password"}},
		{"a hidden login form", `<table><tr><td>1</table><form hidden><input type=password></form>`, nil},
		{"captcha", `<div class="g-recaptcha" style="height: 20px">x</div>`, []string{"captcha"}},
		{"denied", `<title>x</title><h1>Access Denied</h1>`, []string{"denied"}},
		{"a consent page", `<title>Before you continue</title><p>We use cookies.</p><button>No</button><button id="yes">Accept all</button>`, []string{"consent"}},
		{"a wall over the page", `<p>` + strings.Repeat("News of the day. ", 100) + `</p><div style="position:fixed;inset:0;background:white"><h2>We value your privacy</h2><a role="button" href="#">Alle akzeptieren</a></div>`, []string{"consent"}},
		{"a wall in a frame", `<p>` + strings.Repeat("News of the day. ", 100) + `</p><iframe title="SP Consent Message" srcdoc="<p>cookies</p>" style="position:fixed;inset:0;width:100%;height:100%"></iframe>`, []string{"consent"}},
		{"a banner below much text", `<p>` + strings.Repeat("News of the day. ", 100) + `</p><div style="position:fixed;bottom:0">Cookies? <button>Accept</button></div>`, nil},
		{"a page with a footer about cookies", `<p>` + strings.Repeat("News of the day. ", 300) + `</p><button>Accept the terms</button><footer>Cookie policy</footer>`, nil},
		{"a consent page with scripts", `<title>Before you continue</title><p>We use cookies.</p><p>` + strings.Repeat("They are of use. ", 20) + `</p><button>Accept all</button><script>const x = '` + strings.Repeat("x", 5000) + `'</script>`, []string{"consent"}},
		{"a banner on a page with its table", `<table><tr><td>1</table><div style="position:fixed;inset:0">Cookies? <button>Accept</button></div>`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := readHTML(t, test.page)
			if diff := cmp.Diff(test.want, r.Signs); diff != "" {
				t.Error(diff)
			}
		})
	}
}
