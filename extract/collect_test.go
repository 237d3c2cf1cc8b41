package extract_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// virtualPage keeps some 20 of n rows of an ARIA grid in the document; the
// attributes of a row are what the test is about.
func virtualPage(n int, attributes, extra string) string {
	return fmt.Sprintf(`<div id="g" role="grid" %s><div role="row" aria-rowindex="1"><span role="columnheader">Name</span><span role="columnheader">Value</span></div>
	<div id="s" style="height:300px;overflow:auto"><div id="l" style="position:relative;height:%dpx"></div></div></div>
	<script>
	const s = document.getElementById('s'), l = document.getElementById('l'), gone = new Set([%s]);
	const draw = () => {
		const from = Math.max(0, Math.floor(s.scrollTop / 20) - 3), to = Math.min(%d, from + 22);
		l.innerHTML = '';
		for (let i = from; i < to; i++) if (!gone.has(i)) l.insertAdjacentHTML('beforeend',
			'<div role="row" ' + %s + ' style="position:absolute;height:20px;top:' + i * 20 + 'px"><span role="gridcell">row ' + i + '</span> <span role="gridcell">' + i * 7 + '</span></div>');
	};
	s.addEventListener('scroll', () => requestAnimationFrame(draw)); draw();
	</script>`, extra, 20*n+map[string]int{"space": 170}[attributes], map[string]string{"gap": "70"}[attributes], n, map[string]string{
		"aria-rowindex": `'aria-rowindex="' + (i + 2) + '"'`, "gap": `'aria-rowindex="' + (i + 2) + '"'`,
		"row-id": `'row-id="r' + i + '"'`, "space": `'row-id="r' + i + '"'`, "none": `''`,
	}[attributes])
}

func TestVirtualGrid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, attributes, extra string
		rows                    int
		proof                   extract.Proof
		outcome                 string
	}{
		{"row index and count", "aria-rowindex", `aria-rowcount="2001"`, 2000, extract.ProofTotal, ""},
		{"row id alone", "row-id", ``, 300, extract.ProofEnd, ""},
		{"no key", "none", ``, 300, extract.ProofEnd, ""},
		{"space below the last row", "space", ``, 300, extract.ProofEnd, ""},
		{"a row is missing", "gap", `aria-rowcount="301"`, 299, extract.ProofNone, "incomplete"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(virtualPage((test.rows+99)/100*100, test.attributes, test.extra))})
			k := kindOf(recipe.Table{From: "#g", MinRows: 1})
			v := openFor(t, url+"/", k, nil, 60*time.Second)
			tables, err := extract.Tables(v.reading, nil, k, nil)
			outcome := ""
			var p *extract.Problem
			if errors.As(err, &p) {
				outcome = p.Outcome
			}
			if v.err != nil || outcome != test.outcome || tables[0].Proof != test.proof {
				t.Fatalf("%d rows, outcome %q, proof %q: %v, %v", len(tables[0].Rows), outcome, tables[0].Proof, err, v.err)
			}
			if test.outcome == "" {
				wantRows(t, tables[0], test.rows)
			} else if len(tables[0].Rows) != test.rows {
				t.Errorf("%d rows, want %d", len(tables[0].Rows), test.rows)
			}
		})
	}
}

// TestVirtualColumns: a grid that draws columns on demand too, its lanes apart.
func TestVirtualColumns(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(`
	<div id="g" role="grid" aria-rowcount="101" aria-colcount="41"><div id="h"></div>
	<div style="display:flex;height:300px"><div id="fixed" style="width:100px;overflow:hidden;position:relative"></div>
	<div id="s" style="flex:none;width:400px;height:300px;overflow:auto"><div id="l" style="position:relative;height:2000px;width:4000px"></div></div></div></div>
	<script>
	const $ = (id) => document.getElementById(id), s = $('s');
	const draw = () => {
		const top = Math.floor(s.scrollTop / 20), left = Math.floor(s.scrollLeft / 100);
		const rows = [...Array(18).keys()].map((i) => i + top).filter((i) => i < 100);
		const cols = [...Array(6).keys()].map((i) => i + left).filter((i) => i < 40);
		const cell = (role, c, text) => '<div role="' + role + '" aria-colindex="' + (c + 2) + '" col-id="c' + c + '">' + text + '</div>';
		$('h').innerHTML = '<div role="row" aria-rowindex="1"><div role="columnheader" aria-colindex="1">Name</div>' + cols.map((c) => cell('columnheader', c, 'C' + c)).join('') + '</div>';
		$('fixed').innerHTML = rows.map((r) => '<div role="row" aria-rowindex="' + (r + 2) + '"><div role="rowheader" aria-colindex="1">row ' + r + '</div></div>').join('');
		$('l').innerHTML = rows.map((r) => '<div role="row" aria-rowindex="' + (r + 2) + '" style="position:absolute;height:20px;top:' + r * 20 + 'px">' + cols.map((c) => cell('gridcell', c, r + ':' + c)).join('') + '</div>').join('');
	};
	s.addEventListener('scroll', draw); draw();
	</script>`)})
	k := kindOf(recipe.Table{From: "#g", MinRows: 1, Key: []string{"name"}})
	v := openFor(t, url+"/", k, nil, 60*time.Second)
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil || v.err != nil {
		t.Fatal(err, v.err)
	}
	table := tables[0]
	if len(table.Rows) != 100 || len(table.Columns) != 41 || table.Proof != extract.ProofTotal {
		t.Fatalf("%d rows, %d columns, proof %s", len(table.Rows), len(table.Columns), table.Proof)
	}
	for r, row := range table.Rows {
		for c, cell := range row {
			want := fmt.Sprintf("%d:%d", r, c-1)
			if c == 0 {
				want = fmt.Sprintf("row %d", r)
			}
			if cell.Text == nil || *cell.Text != want {
				t.Fatalf("cell %d of row %d is %v", c, r, texts(row))
			}
		}
	}
}

// TestControlsInRows: what stands in a row itself leads to no further rows.
func TestControlsInRows(t *testing.T) {
	t.Parallel()
	card := `<div class="card"><h3>%s</h3><button>Next</button><a href="#m">More</a></div>`
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(fmt.Sprintf("<main>"+card+card+"</main>", "a", "b"))})
	k := kindOf(recipe.Table{Each: ".card", MinRows: 1, Columns: []recipe.Column{{Name: "name", CSS: "h3"}}})
	v := open(t, url+"/", k, nil)
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil || len(tables[0].Rows) != 2 || tables[0].Proof != extract.ProofEnd {
		t.Errorf("%v: %+v", err, tables)
	}
}

// endlessPage loads 20 more rows each time the end is scrolled to, up to 130.
const endlessPage = `<p class="count"></p><div style="height:900px"></div><table id="t"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table><div id="end" style="height:20px"></div>
<script>
const tbody = document.querySelector('tbody'), count = document.querySelector('.count');
let busy = false;
const more = async () => {
	if (busy || tbody.rows.length >= 130) return;
	busy = true;
	const rows = await (await fetch('/rows?from=' + tbody.rows.length)).json();
	for (const [name, value] of rows.slice(0, 130 - tbody.rows.length)) tbody.insertAdjacentHTML('beforeend', '<tr><td>' + name + '<td>' + value);
	%s
	busy = false;
};
more();
%s
</script>`

func TestInfiniteScroll(t *testing.T) {
	t.Parallel()
	observe := `new IntersectionObserver((es) => { if (es.some((e) => e.isIntersecting)) more(); }).observe(document.getElementById('end'));`
	listen := `addEventListener('scroll', () => { if (innerHeight + scrollY >= document.documentElement.scrollHeight - 40) more(); });`
	stated := `count.textContent = 'Showing ' + tbody.rows.length + ' of 130';`
	for _, test := range []struct {
		name, state, how string
		table            recipe.Table
		proof            extract.Proof
	}{
		{"observer", "", observe, recipe.Table{From: "#t"}, extract.ProofEnd},
		{"scroll events", "", listen, recipe.Table{From: "#t"}, extract.ProofEnd},
		{"total near the table", stated, observe, recipe.Table{From: "#t"}, extract.ProofTotal},
		{"total named", stated, listen, recipe.Table{From: "#t", Total: &recipe.Locator{CSS: ".count", Match: `of (\d+)`}}, extract.ProofTotal},
		{"rows by each", "", observe, recipe.Table{Each: "tbody tr", Columns: []recipe.Column{
			{Name: "name", CSS: "td:first-child"}, {Name: "value", CSS: "td:last-child"},
		}}, extract.ProofEnd},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{
				"/{$}": document(fmt.Sprintf(endlessPage, test.state, test.how)), "/rows": figures(20, 60*time.Millisecond),
			})
			test.table.MinRows = 1
			k := kindOf(test.table)
			v := openFor(t, url+"/", k, nil, 30*time.Second)
			tables, err := extract.Tables(v.reading, nil, k, nil)
			if err != nil || v.err != nil {
				t.Fatal(err, v.err)
			}
			wantRows(t, tables[0], 130)
			if tables[0].Proof != test.proof {
				t.Errorf("proof is %s", tables[0].Proof)
			}
		})
	}
}

// pagedPage shows 25 of 57 rows at a time.
const pagedPage = `<div class="%s"><table id="t"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table>
<div class="%s"></div><div class="%s"><button class="%s">%s</button> <button class="%s">%s</button></div></div>
<script>
const [tbody, info] = [document.querySelector('tbody'), document.querySelector('table + div')], [back, on] = document.querySelectorAll('button');
let at = %d;
const draw = () => {
	tbody.innerHTML = '';
	for (let i = at; i < Math.min(at + 25, 57); i++) tbody.insertAdjacentHTML('beforeend', '<tr><td>row ' + i + '<td>' + i * 7);
	info.textContent = %s;
	back.%s = at === 0; on.%s = at + 25 >= 57;
};
on.onclick = () => { at += 25; setTimeout(draw, 30); }; back.onclick = () => { at -= 25; draw(); };
draw();
</script>`

func TestPaging(t *testing.T) {
	t.Parallel()
	info := `'Showing ' + (at + 1) + ' to ' + Math.min(at + 25, 57) + ' of 57 entries'`
	for _, test := range []struct {
		name, page string
		proof      extract.Proof
	}{
		{"library of now", fmt.Sprintf(pagedPage, "dt-container", "dt-info", "dt-paging", "dt-paging-button previous", "‹", "dt-paging-button next", "›", 0, info, "disabled", "disabled"), extract.ProofTotal},
		{"library of old, from a later page", fmt.Sprintf(pagedPage, "dataTables_wrapper", "dataTables_info", "dataTables_paginate", "paginate_button previous", "Previous", "paginate_button next", "Next", 25, info, "disabled", "disabled"), extract.ProofTotal},
		{"own code, nothing stated", fmt.Sprintf(pagedPage, "x", "y", "z", "", "Previous", "", "Next", 0, `''`, "disabled", "disabled"), extract.ProofEnd},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(test.page)})
			k := kindOf(recipe.Table{From: "#t", MinRows: 1})
			v := open(t, url+"/", k, nil)
			tables, err := extract.Tables(v.reading, nil, k, nil)
			if err != nil || v.err != nil {
				t.Fatal(err, v.err)
			}
			wantRows(t, tables[0], 57)
			if tables[0].Proof != test.proof {
				t.Errorf("proof is %s", tables[0].Proof)
			}
		})
	}
}

// TestLongerPages: where the library of a table lets choose how many rows a page has,
// fewer pages are turned, and the rows are the same.
func TestLongerPages(t *testing.T) {
	t.Parallel()
	const page = `<div class="dt-container"><div class="dt-length"><select aria-controls="t">%s</select></div>
<table id="t"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table><div class="dt-info"></div>
<div class="dt-paging"><button class="dt-paging-button previous">‹</button> <button class="dt-paging-button next">›</button></div></div>
<script>
const [tbody, info, list] = ['tbody', '.dt-info', 'select'].map((css) => document.querySelector(css)), [back, on] = document.querySelectorAll('button');
let at = 0, length = 10, draws = 0, most = 57;
const draw = () => {
	const end = length < 0 ? 57 : Math.min(at + length, 57);
	tbody.innerHTML = '';
	for (let i = at; i < Math.min(end, at + most); i++) tbody.insertAdjacentHTML('beforeend', '<tr><td>row ' + i + '<td>' + i * 7);
	info.textContent = 'Showing ' + (at + 1) + ' to ' + end + ' of 57 entries';
	back.disabled = at === 0; on.disabled = end === 57;
	document.title = ++draws;
};
on.onclick = () => { at += length; draw(); }; back.onclick = () => { at -= length; draw(); };
list.onchange = () => { %s };
draw();
</script>`
	const sets = `length = Number(list.value); setTimeout(draw, 30);`
	for _, test := range []struct{ name, lengths, changed, draws string }{
		{"the longest there is", "<option>10<option>25<option>5", sets, "4"}, // the first, the longer one, two more
		{"one for all rows", "<option>10<option>50<option>100<option>500", sets, "2"},
		{"all", "<option>10<option>25<option value=-1>All", sets, "2"},
		{"too long", "<option>10<option>5000", sets, "6"},
		{"not to be changed", "<option>10<option disabled>50", sets, "6"},
		{"it does nothing", "<option>10<option>50", "", "6"},
		{"a server that gives fewer", "<option>10<option>50", `length = Number(list.value); most = 30; setTimeout(draw, 30)`, "8"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(fmt.Sprintf(page, test.lengths, test.changed))})
			k := kindOf(recipe.Table{From: "#t", MinRows: 1})
			v := open(t, url+"/", k, nil)
			tables, err := extract.Tables(v.reading, nil, k, nil)
			if err != nil || v.err != nil {
				t.Fatal(err, v.err)
			}
			wantRows(t, tables[0], 57)
			if tables[0].Proof != extract.ProofTotal || v.reading.Title != test.draws {
				t.Errorf("proof is %s, drawn %s times, want %s", tables[0].Proof, v.reading.Title, test.draws)
			}
		})
	}
}

// TestVisibleRows: with rows: visible nothing is paged, and nothing is claimed.
func TestVisibleRows(t *testing.T) {
	t.Parallel()
	page := fmt.Sprintf(pagedPage, "dt-container", "dt-info", "dt-paging", "dt-paging-button previous", "‹", "dt-paging-button next", "›", 0,
		`'1 to 25 of 57'`, "disabled", "disabled")
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(page)})
	k := kindOf(recipe.Table{From: "#t", MinRows: 1, Rows: "visible"})
	v := open(t, url+"/", k, nil)
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if err != nil || v.err != nil {
		t.Fatal(err, v.err)
	}
	wantRows(t, tables[0], 25)
	if tables[0].Complete || tables[0].Total == nil || *tables[0].Total != 57 {
		t.Errorf("complete %t, total %v", tables[0].Complete, tables[0].Total)
	}
}

// TestMoreElsewhere: a table beside which something leads to more rows that
// cannot be had is not complete.
func TestMoreElsewhere(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, beside, note string }{
		{"a control that does nothing", `<button>Next</button>`, "the control for the next page changed nothing"},
		{"a button for more", `<button onclick="x">Show more</button>`, `beside it stands "Show more", which page.next would follow`},
		{"a link to the next page", `<a rel="next" href="/2">2</a>`, "a link leads to its next page, which page.next would follow"},
		{"numbered pages", `<ul class="pagination"><li><a href="?p=1">1</a><li><a href="?p=2">2</a></ul>`, "it has numbered pages, which page.next would follow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(`<div><table id="t"><tr><td>row 0<td>0</table>` + test.beside + `</div>`)})
			k := kindOf(recipe.Table{From: "#t", MinRows: 1})
			v := open(t, url+"/", k, nil)
			_, err := extract.Tables(v.reading, nil, k, nil)
			want := "t: 1 row was read and nothing proves that they are all (" + test.note + "). Name the number that the page states with total, or set rows: visible."
			if err == nil || err.Error() != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

// TestEqualIDs: rows that share what looks like an id are rows of their own.
func TestEqualIDs(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, page string }{
		{"table", `<div style="height:60px;overflow:auto"><table id="t"><tr data-id="a"><td>row 0<td>0<tr data-id="a"><td>row 1<td>7<tr data-id="a"><td>row 2<td>14</table></div>`},
		{"grid", `<div id="t" role="grid" style="height:30px;overflow:auto"><div role="row" data-id="a"><i role="gridcell">row 0</i> <i role="gridcell">0</i></div>
			<div role="row" data-id="a"><i role="gridcell">row 1</i> <i role="gridcell">7</i></div><div role="row" data-id="b"><i role="gridcell">row 2</i> <i role="gridcell">14</i></div></div>`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(test.page)})
			k := kindOf(recipe.Table{From: "#t", MinRows: 1})
			v := open(t, url+"/", k, nil)
			tables, err := extract.Tables(v.reading, nil, k, nil)
			if err != nil || v.err != nil {
				t.Fatal(err, v.err)
			}
			wantRows(t, tables[0], 3)
		})
	}
}
