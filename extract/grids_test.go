package extract_test

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/recipe"
)

// readTable reads the one table of a page given as text, with its outcome ("" for ok) and message.
func readTable(t *testing.T, page string, table recipe.Table) (v visit, got extract.Table, outcome, message string) {
	t.Helper()
	table.MinRows = 1
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(page), "/rows": figures(20, 20*time.Millisecond)})
	k := kindOf(table)
	v = openFor(t, url+"/", k, nil, 60*time.Second)
	if v.err != nil {
		t.Fatal(v.err)
	}
	tables, err := extract.Tables(v.reading, nil, k, nil)
	if p := new(extract.Problem); errors.As(err, &p) {
		outcome, message = p.Outcome, p.Message
	}
	if len(tables) != 1 {
		t.Fatalf("%d tables: %v", len(tables), err)
	}
	return v, tables[0], outcome, message
}

// wantWhole fails unless the rows are 0 to n-1 with their proof.
func wantWhole(t *testing.T, got extract.Table, outcome, message string, n int, proof extract.Proof) {
	t.Helper()
	if outcome != "" || got.Proof != proof {
		t.Fatalf("%d rows, outcome %q, proof %q: %s", len(got.Rows), outcome, got.Proof, message)
	}
	wantRows(t, got, n)
}

// virtualTable is a <table> of 400 rows in its author's markup, rows of 20 or 34
// px of which those in view are drawn between two rows of padding.
const virtualTable = `<div id="s" style="height:300px;overflow:auto"><table id="t" %s style="border-spacing:0"><thead><tr><th>Name<th>Value</thead><tbody></tbody></table></div>
<script>
const s = document.getElementById('s'), body = document.querySelector('tbody'), height = (i) => i %% 7 === 3 ? 34 : 20;
const tops = [0];
for (let i = 0; i < 400; i++) tops.push(tops[i] + height(i));
const draw = () => {
	const first = Math.max(tops.findIndex((top) => top > s.scrollTop) - 3, 0), last = Math.min(first + 24, 400);
	const pad = (px) => px > 0 ? '<tr><td style="height:' + px + 'px;padding:0"></td></tr>' : '';
	let rows = '';
	for (let i = first; i < last; i++) if (i !== %d) rows += '<tr data-index="' + i + '" style="height:' + height(i) + 'px"><td style="padding:0">row ' + i + '</td><td style="padding:0">' + i * 7 + '</td></tr>';
	body.innerHTML = pad(tops[first]) + rows + pad(tops[400] - tops[last]);
};
s.addEventListener('scroll', draw); draw();
</script>`

func TestVirtualTable(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, attributes string
		gone             int
		proof            extract.Proof
		message          string
	}{
		{"nothing stated", "", -1, extract.ProofEnd, ""},
		{"total stated", `aria-rowcount="401"`, -1, extract.ProofTotal, ""},
		{"a row is missing", "", 123, extract.ProofNone, "have 399 of 400 rows (row 124 was not drawn)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, got, outcome, message := readTable(t, fmt.Sprintf(virtualTable, test.attributes, test.gone), recipe.Table{From: "#t"})
			if test.message == "" {
				wantWhole(t, got, outcome, message, 400, test.proof)
			} else if outcome != "incomplete" || !strings.Contains(message, test.message) {
				t.Errorf("outcome %q: %s", outcome, message)
			}
		})
	}
}

// TestPadding: rows that hold a place are no data, rows that look alike are.
func TestPadding(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, rows string
		want       int
	}{
		{"padding", `<tr><td colspan="2" style="height:0px"></td></tr><tr><td>row 0<td>0<tr><td>row 1<td>7<tr style="height:50px"><td></td></tr>`, 2},
		{"an empty row without a height", `<tr><td></td></tr><tr><td>row 0<td>0`, 2},
		{"cells of a height", `<tr><td style="height:50px">row 0<td>0<tr><td style="height:50px"></td><td></td>`, 2},
		{"a picture", `<tr><td style="height:50px"><img alt="" src="data:,"></td></tr><tr><td>row 0<td>0`, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reading := readHTML(t, `<table><thead><tr><th>Name<th>Value</thead><tbody>`+test.rows+`</table>`)
			if got := len(reading.Grids[0].Rows); got != test.want {
				t.Errorf("%d rows, want %d", got, test.want)
			}
		})
	}
}

// TestWideAndDeep: cells that reach across and down a whole table take no memory
// without bound.
func TestWideAndDeep(t *testing.T) {
	t.Parallel()
	page := "<table><tr>" + strings.Repeat(`<td rowspan="0" colspan="1000">x`, 50) + strings.Repeat("<tr><td>y", 100) + "</table>"
	script, err := extract.Script(nil, nil, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(page)})
	err = chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		answer, err := tab.Open(t.Context(), browserpool.Request{
			URL: url + "/", Script: script, PageScript: extract.PageScript(), Timeout: 60 * time.Second,
		})
		if err != nil {
			return err
		}
		_, err = extract.Decode(answer.Payload)
		return err
	})
	if !errors.Is(err, extract.ErrTooLarge) {
		t.Errorf("the error is %v", err)
	}
}

// frozenPage is a grid made of tables: the first column and the header are drawn
// twice, in a table that scrolls and in one that does not; header cells number
// themselves by what is drawn. 120 rows, 20 columns of 100 px.
const frozenPage = `<div id="g"><div role="treegrid" aria-rowcount="-1" aria-colcount="20" style="position:relative">
<div id="s" style="width:500px;height:300px;overflow:auto"><div style="width:2000px;height:2440px"><table role="presentation" id="main" style="position:relative;border-spacing:0;table-layout:fixed"></table></div></div>
<div style="position:absolute;top:0;left:0;width:485px;overflow:hidden"><table role="presentation" id="top" style="position:relative;border-spacing:0;table-layout:fixed"></table></div>
<div style="position:absolute;top:0;left:0;height:285px;overflow:hidden"><table role="presentation" id="left" style="position:relative;border-spacing:0;table-layout:fixed"></table></div></div></div>
<script>
const $ = (id) => document.getElementById(id), s = $('s'), text = (r, c) => c === 0 ? 'row ' + r : r + ':' + c;
const cell = (tag, role, n, text) => '<' + tag + ' role="' + role + '" aria-colindex="' + n + '" style="width:100px;height:20px;padding:0">' + text + '</' + tag + '>';
const draw = () => {
	const top = Math.floor(s.scrollTop / 20), left = Math.floor(s.scrollLeft / 100);
	const rows = [...Array(18).keys()].map((i) => i + top).filter((r) => r < 120), columns = [...Array(7).keys()].map((i) => i + left).filter((c) => c < 20);
	const head = (columns) => '<thead><tr role="row" aria-rowindex="1">' + columns.map((c, i) => cell('th', 'columnheader', i + 1, 'C' + c)).join('') + '</tr></thead>';
	const body = (columns) => '<tbody>' + rows.map((r) => '<tr role="row" aria-rowindex="' + (r + 2) + '">' + columns.map((c) => cell('td', 'gridcell', c + 1, text(r, c))).join('') + '</tr>').join('') + '</tbody>';
	$('main').innerHTML = head(columns) + body(columns); $('top').innerHTML = head(columns); $('left').innerHTML = head([0]) + body([0]);
	$('main').style.top = top * 20 + 'px'; $('main').style.left = left * 100 + 'px'; $('top').style.left = left * 100 - s.scrollLeft + 'px'; $('left').style.top = top * 20 - s.scrollTop + 'px';
	for (const id of ['main', 'top']) $(id).style.width = columns.length * 100 + 'px';
};
s.addEventListener('scroll', draw); draw();
</script>`

// wantCells fails unless the grid has rows by columns cells: "row 3" in the first column, "3:5" in the sixth, headers C0, C1 and so on.
func wantCells(t *testing.T, got extract.Table, rows, columns int) {
	t.Helper()
	if len(got.Rows) != rows || len(got.Columns) != columns {
		t.Fatalf("%d rows, %d columns", len(got.Rows), len(got.Columns))
	}
	for c, column := range got.Columns {
		if column.Name != fmt.Sprintf("c%d", c) {
			t.Errorf("column %d is %q", c, column.Name)
		}
	}
	for r, row := range got.Rows {
		for c, cell := range row {
			want := fmt.Sprintf("%d:%d", r, c)
			if c == 0 {
				want = fmt.Sprintf("row %d", r)
			}
			if cell.Text == nil || *cell.Text != want {
				t.Fatalf("cell %d of row %d: %v", c, r, texts(row))
			}
		}
	}
}

func TestGridOfTables(t *testing.T) {
	t.Parallel()
	_, got, outcome, message := readTable(t, frozenPage, recipe.Table{From: "#g"})
	if outcome != "" || got.Proof != extract.ProofEnd {
		t.Fatalf("outcome %q, proof %q: %s", outcome, got.Proof, message)
	}
	wantCells(t, got, 120, 20)
}

// columnsPage draws rows and columns in view. Rows have no box of their own; how
// columns are named, and what is stated, is what the test is about. Where lazy is
// given, the cells of one row come only with the second draw.
func columnsPage(attributes, cellName, lazy string) string {
	return `<div id="g" role="grid" ` + attributes + ` style="position:relative;width:500px;height:300px;overflow:auto"></div>
<script>
const g = document.getElementById('g'), text = (r, c) => r < 0 ? 'C' + c : c === 0 ? 'row ' + r : r + ':' + c;
const draw = () => {
	const top = Math.floor(g.scrollTop / 20), left = Math.floor(g.scrollLeft / 100);
	const rows = [-1, ...[...Array(18).keys()].map((i) => i + top).filter((r) => r < 100)];
	const columns = [...Array(7).keys()].map((i) => i + left).filter((c) => c < 20);
	g.innerHTML = '<div style="width:2000px;height:2020px"></div>' + rows.map((r) => '<div role="row" aria-rowindex="' + (r + 2) + '">' + columns.filter((c) => !(` + lazy + `)).map((c) =>
		'<div role="' + (r < 0 ? 'columnheader' : 'gridcell') + '" ` + cellName + ` style="position:absolute;width:100px;height:20px;left:' + c * 100 + 'px;top:' + (r + 1) * 20 + 'px">' + text(r, c) + '</div>').join('') + '</div>').join('');
};
g.addEventListener('scroll', draw); draw();
</script>`
}

func TestColumnsInView(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, attributes, cellName, lazy string
		proof                            extract.Proof
		message                          string
	}{
		{"numbered and stated", `aria-rowcount="101" aria-colcount="20"`, `aria-colindex="' + (c + 1) + '"`, "false", extract.ProofTotal, ""},
		{"numbered, not stated", `aria-rowcount="101"`, `aria-colindex="' + (c + 1) + '"`, "false", extract.ProofTotal, ""},
		{"named by a field", ``, `col-id="f' + c + '"`, "false", extract.ProofEnd, ""},
		{"fewer than stated", `aria-rowcount="101" aria-colcount="21"`, `aria-colindex="' + (c + 1) + '"`, "false", extract.ProofNone, "20 of 21 columns were drawn"},
		{
			"cells are missing", `aria-rowcount="101" aria-colcount="20"`, `aria-colindex="' + (c + 1) + '"`, "r === 40 && c > 10 && c < 13",
			extract.ProofNone, "1 of its rows were drawn without some of their cells",
		},
		{
			"a header is missing", `aria-rowcount="101" aria-colcount="20"`, `aria-colindex="' + (c + 1) + '"`, "r === -1 && c === 12",
			extract.ProofNone, "1 of its columns were drawn without their header",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, got, outcome, message := readTable(t, columnsPage(test.attributes, test.cellName, test.lazy), recipe.Table{From: "#g"})
			if got.Proof != test.proof || (outcome == "") != (test.message == "") || !strings.Contains(message, test.message) {
				t.Fatalf("outcome %q, proof %q: %s", outcome, got.Proof, message)
			}
			if test.message == "" {
				wantCells(t, got, 100, 20)
			}
		})
	}
}

// TestVirtualColumnsOfATable: which column a <td> belongs to is not known where columns come and go.
func TestVirtualColumnsOfATable(t *testing.T) {
	t.Parallel()
	page := strings.ReplaceAll(virtualTable, `<th>Name<th>Value</thead>`, `<th>Name<th style="min-width:3000px">Value</thead>`)
	page = strings.Replace(page, "s.addEventListener('scroll', draw);",
		"s.addEventListener('scroll', () => { draw(); document.querySelectorAll('th')[1].textContent = s.scrollLeft > 50 ? 'Other' : 'Value'; });", 1)
	_, _, outcome, message := readTable(t, fmt.Sprintf(page, `aria-rowcount="401"`, -1), recipe.Table{From: "#t"})
	if outcome != "incomplete" || !strings.Contains(message, "its columns are drawn only as they are scrolled to") {
		t.Errorf("outcome %q: %s", outcome, message)
	}
}

// driftPage keeps the elements of its rows, which have no key, and only
// estimates what lies above them: places are off by up to a row from window to
// window. Every fifth row equals the one before but for its number in what follows.
const driftPage = `<div id="g" role="grid"><div role="row"><span role="columnheader">Name</span><span role="columnheader">Value</span></div>
<div id="s" style="height:300px;overflow:auto"><div id="l"></div></div></div>
<script>
const s = document.getElementById('s'), l = document.getElementById('l'), rows = [];
for (let i = 0; i < 300; i++) {
	const row = document.createElement('div');
	row.setAttribute('role', 'row');
	row.style.height = (i %% 9 === 4 ? 33 : 20) + 'px';
	row.innerHTML = '<span role="gridcell">' + (%s) + '</span> <span role="gridcell">' + (%s) + '</span>';
	rows.push(row);
}
const draw = () => {
	const first = Math.max(0, Math.min(Math.floor(s.scrollTop / 21) - 2, 300 - 24));
	l.style.paddingTop = first * 21 + 'px';
	l.style.paddingBottom = (300 - 24 - first) * 21 + 'px';
	l.replaceChildren(...rows.slice(first, first + 24));
};
s.addEventListener('scroll', draw); draw();
</script>`

func TestRowsWithoutAKey(t *testing.T) {
	t.Parallel()
	t.Run("each its own", func(t *testing.T) {
		t.Parallel()
		_, got, outcome, message := readTable(t, fmt.Sprintf(driftPage, "'row ' + i", "i * 7"), recipe.Table{From: "#g"})
		wantWhole(t, got, outcome, message, 300, extract.ProofEnd)
	})
	t.Run("all alike", func(t *testing.T) {
		t.Parallel()
		_, got, outcome, message := readTable(t, fmt.Sprintf(driftPage, "'row'", "7"), recipe.Table{From: "#g"})
		if outcome != "" || len(got.Rows) != 300 {
			t.Errorf("%d rows, outcome %q: %s", len(got.Rows), outcome, message)
		}
	})
	// Elements drawn anew and places that are off: what is one row cannot be known, and a total that happens to be met proves nothing.
	t.Run("nothing to go by", func(t *testing.T) {
		t.Parallel()
		page := strings.Replace(fmt.Sprintf(driftPage, "'row ' + i", "i * 7"), "...rows.slice(first, first + 24)", "...rows.slice(first, first + 24).map((row) => row.cloneNode(true))", 1)
		page = strings.Replace(page, `role="grid"`, `role="grid" aria-rowcount="290"`, 1)
		_, _, outcome, message := readTable(t, page, recipe.Table{From: "#g"})
		if outcome != "incomplete" {
			t.Errorf("outcome %q: %s", outcome, message)
		}
	})
}

// TestLargerView: a grid that follows its frame is read with a few windows instead of many; the page counts them.
func TestLargerView(t *testing.T) {
	t.Parallel()
	const page = `<div id="f" style="height:300px;width:500px"><div id="g" role="grid" aria-rowcount="2000" style="height:100%;overflow:auto"><div id="l" style="position:relative;height:40000px"></div></div></div>
	<script>
	const g = document.getElementById('g'), l = document.getElementById('l');
	let draws = 0;
	const draw = () => {
		document.title = ++draws;
		const first = Math.max(Math.floor(g.scrollTop / 20) - 3, 0), last = Math.min(first + Math.ceil(g.clientHeight / 20) + 6, 2000);
		l.innerHTML = '';
		for (let i = first; i < last; i++) l.insertAdjacentHTML('beforeend', '<div role="row" aria-rowindex="' + (i + 1) + '" style="position:absolute;height:20px;top:' + i * 20 + 'px"><span role="gridcell">row ' + i + '</span> <span role="gridcell">' + i * 7 + '</span></div>');
	};
	g.addEventListener('scroll', draw); new ResizeObserver(draw).observe(g);
	</script>`
	v, got, outcome, message := readTable(t, page, recipe.Table{From: "#g"})
	wantWhole(t, got, outcome, message, 2000, extract.ProofTotal)
	if draws, err := strconv.Atoi(v.reading.Title); err != nil || draws > 40 {
		t.Errorf("drawn %q times, at 300 px it takes more than 100", v.reading.Title)
	}
}

// pagedGrid shows 230 rows in pages of 100, of which those in view are drawn. It
// counts the rows of its page alone.
const pagedGrid = `<div><div id="g" role="grid" aria-rowcount="101"><div role="row" aria-rowindex="1"><span role="columnheader">Name</span><span role="columnheader">Value</span></div>
<div id="s" style="height:300px;overflow:auto"><div id="l" style="position:relative"></div></div></div>
<footer><p></p><button aria-label="Go to previous page">‹</button><button aria-label="Go to next page"></button></footer></div>
<script>
const g = document.getElementById('g'), s = document.getElementById('s'), l = document.getElementById('l'), [back, on] = document.querySelectorAll('button');
let page = 0;
const draw = () => {
	const size = Math.min(100, 230 - page * 100), first = Math.max(Math.floor(s.scrollTop / 20) - 3, 0), last = Math.min(first + 22, size);
	g.setAttribute('aria-rowcount', size + 1);
	l.style.height = size * 20 + 'px';
	l.innerHTML = '';
	for (let i = first; i < last; i++) l.insertAdjacentHTML('beforeend', '<div role="row" data-id="' + (page * 100 + i) + '" aria-rowindex="' + (page * 100 + i + 2) + '" style="position:absolute;height:20px;top:' + i * 20 + 'px"><span role="gridcell">row ' + (page * 100 + i) + '</span> <span role="gridcell">' + (page * 100 + i) * 7 + '</span></div>');
	document.querySelector('p').textContent = %s;
	back.disabled = page === 0; on.disabled = page === 2;
};
const turn = (by) => { page += by; s.scrollTop = 0; draw(); };
s.addEventListener('scroll', draw); back.onclick = () => turn(-1); on.onclick = () => turn(1); draw();
</script>`

func TestPagedGrid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, text string
		proof      extract.Proof
	}{
		{"total near it", `page * 100 + 1 + '–' + Math.min(page * 100 + 100, 230) + ' of 230'`, extract.ProofTotal},
		{"total of the page alone", `''`, extract.ProofEnd},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, got, outcome, message := readTable(t, fmt.Sprintf(pagedGrid, test.text), recipe.Table{From: "#g"})
			wantWhole(t, got, outcome, message, 230, test.proof)
		})
	}
}
