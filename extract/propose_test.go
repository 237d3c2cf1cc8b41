package extract_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// look opens a document and proposes how a recipe may take its tables.
func look(t *testing.T, body string) []extract.Proposal {
	t.Helper()
	return extract.Propose(lookAt(t, body), "page")
}

// lookAt opens a document with the script of a first look.
func lookAt(t *testing.T, body string) *extract.Reading {
	t.Helper()
	script, err := extract.LookScript(30 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(body)})
	var r *extract.Reading
	err = chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		answer, err := tab.Open(t.Context(), browserpool.Request{
			URL: url + "/", Script: script, PageScript: extract.PageScript(), Timeout: 30 * time.Second,
		})
		if err != nil {
			return err
		}
		r, err = extract.Decode(answer.Payload)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// brief is what matters of a proposal, in a line.
func brief(p extract.Proposal) string {
	text := fmt.Sprintf("%s %s key %s", p.Name, p.Selector, strings.Join(p.Key, ","))
	if p.Skip != "" {
		text += fmt.Sprintf(" skip %s %q", p.Skip, p.Skipped)
	}
	if p.Link != nil {
		text += fmt.Sprintf(" link %s %s %s", p.Link.Header, p.Link.CSS, p.Link.Match)
	}
	if p.Repeated > 0 {
		text += fmt.Sprintf(" repeated %d", p.Repeated)
	}
	return text
}

func TestPropose(t *testing.T) {
	t.Parallel()
	totals := func(average string) string {
		return `<table id="totals_stats"><caption>Player Totals</caption><thead><tr><th>Rk<th>Player<th>Team<th>PTS</thead><tbody>
		<tr><th>1<td><a href="/players/d/doncilu01.html">Luka Dončić</a><td><a href="/teams/DAL/2024.html">DAL</a><td>2370
		<tr><th>2<td><a href="/players/h/hieldbu01.html">Buddy Hield</a><td><a href="/teams/IND/2024.html">IND</a><td>624
		<tr class="thead"><th>Rk<th>Player<th>Team<th>PTS
		<tr><th>3<td><a href="/players/h/hieldbu01.html">Buddy Hield</a><td><a href="/teams/PHI/2024.html">PHI</a><td>390
		<tr><th>4<td><a href="/players/s/smithja01.html">Jalen Smith</a><td><a href="/teams/IND/2024.html">IND</a><td>605
		<tr><th>5<td><a href="/players/s/smithja05.html">Jabari Smith</a><td><a href="/teams/HOU/2024.html">HOU</a><td>1040
		` + average + `</tbody></table>`
	}
	const player = ` link Player a[href*='/players/'] /([^/]+)\.html$ repeated 1`
	for _, test := range []struct{ name, body, want string }{
		{
			"ids of links, a pair, a row left out by its class", totals(`<tr class="norank x"><th><td>League Average<td><td>1005.8`),
			`totals #totals_stats key player_id,team skip tr.norank ["League Average"]` + player,
		},
		{
			"a row left out by the link that it lacks", totals(`<tr><th><td>League Average<td>TOT<td>1005`),
			`totals #totals_stats key player_id,team skip tr:not(:has(a[href*='/players/'])) ["League Average"]` + player,
		},
		{
			"ids in the query", `<table id="a"><tr><th>Firm<th>City
			<tr><td><a href="show?id=7&x=1">Acme</a><td>Rome<tr><td><a href="show?id=8&x=1">Acme</a><td>Rome<tr><td><a href="show?id=9&x=1">Bolt</a><td>Oslo</table>`,
			`page #a key firm_id link Firm a[href*='id='] [?&]id=([^&#]+)`,
		},
		{
			"a rank and a measure name nothing where a text does", `<table id="t"><tr><th>Rank<th>Goals<th>Club<tr><td>1<td>90<td>A<tr><td>2<td>80<td>B<tr><td>3<td>70<td>C</table>`,
			"page #t key club",
		},
		{
			"a year names a row", `<table id="t"><tr><th>Year<th>Winner<tr><td>1998<td>France<tr><td>2002<td>Brazil<tr><td>2018<td>France</table>`,
			"page #t key year",
		},
		{
			"nothing names a row", `<table id="t"><tr><th>City<th>Amount<tr><td>Rome<td>1.5<tr><td>Rome<td>1.5<tr><td>Oslo<td>2.5</table>`,
			"page #t key ",
		},
		{
			"one table in parts", `<table id="e" class="s east"><tr><th>Team<th>W<tr><td>BOS<td>57<tr><td>NYK<td>47</table><table id="w" class="s"><tr><th>Team<th>W<tr><td>LAL<td>43<tr><td>DEN<td>53</table>`,
			"page .s key team",
		},
		{
			"tables of their own", `<table id="teams"><tr><th>Team<th>W<tr><td>BOS<td>57<tr><td>NYK<td>47</table><table id="rows_table"><caption>Coaches of 2024<tr><th>Coach<th>Age<tr><td>Mazzulla<td>36<tr><td>Thibodeau<td>66</table><table><tr><td>menu</table>`,
			"teams #teams key team\nrows #rows_table key coach",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, p := range look(t, test.body) {
				got = append(got, brief(p))
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "\n")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The selector of a table whose header stands in a table of its own finds both.
func TestProposeTableInTwoParts(t *testing.T) {
	t.Parallel()
	got := look(t, `<div id="out"><div><table><thead><tr><th>City<th>Rain</thead></table></div><div style="height:100px;overflow:auto"><table><tbody><tr><td>Rome<td>1<tr><td>Oslo<td>2</tbody></table></div></div><p>x</p>`)
	if len(got) != 1 || got[0].Selector != "#out" || strings.Join(got[0].Key, ",") != "city" {
		t.Errorf("%+v", got)
	}
}

func TestCards(t *testing.T) {
	t.Parallel()
	card := func(sku, name, price, old string) string {
		return fmt.Sprintf(`<div class="cell"><article class="product new" data-sku="%s" data-kind="coffee"><h3>%s</h3><p class="price now">%s</p>%s<a href="/p/%s">more</a></article></div>`, sku, name, price, old, sku)
	}
	body := `<nav><a class="item" href="/a">A</a><a class="item" href="/b">B</a><a class="item" href="/c">C</a><a class="item" href="/d">D</a></nav><div class="list">` +
		card("a1", "Sidamo", "9.50", `<s class="old">11.00</s>`) + card("a2", "Yirgacheffe", "12.00", `<s class="old">13.00</s>`) +
		card("b1", "Huila", "8.00", `<s class="old">8.80</s>`) + card("b2", "Huila", "8.50", `<s class="old">9.00</s>`) + card("b3", "Antigua", "10.00", "") + `</div>`
	r := lookAt(t, body)
	if r.Cards == nil {
		t.Fatal("no cards")
	}
	table := r.Cards.Table("coffee")
	var got []string
	for _, c := range table.Columns {
		got = append(got, fmt.Sprint(c.Name, " ", c.CSS, " ", c.Attr, " ", c.Optional))
	}
	want := []string{"sku  data-sku false", "title h3  false", "price .price  false", "old .old  true", "link a[href] href false"}
	if diff := cmp.Diff(want, got); diff != "" || table.Each != "article.product" {
		t.Errorf("each %q: %s", table.Each, diff)
	}
	kind := kindOf(table)
	url := pages(t, map[string]http.HandlerFunc{"/{$}": document(body)})
	v := open(t, url+"/", kind, nil)
	tables, err := extract.Tables(v.reading, nil, kind, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := extract.ProposeCards(table, tables[0], nil, "en")
	if len(p.Table.Rows) != 5 || strings.Join(p.Key, ",") != "sku" {
		t.Errorf("%d rows, key %q", len(p.Table.Rows), p.Key)
	}
	if r := lookAt(t, "<p class=a>x</p><p class=a>y</p><p class=a>z</p><p class=a>w</p>"); r.Cards != nil {
		t.Errorf("paragraphs are cards: %+v", r.Cards)
	}
}

func TestSourceOf(t *testing.T) {
	t.Parallel()
	table := extract.Table{Columns: make([]extract.Column, 3)}
	for _, row := range []string{"Luka Dončić|2,370|38.2%", "Buddy Hield|1,014|.386", "Jalen Smith|605|42.4%"} {
		var cells []extract.Cell
		for _, text := range line(row) {
			cells = append(cells, extract.Cell{Text: text})
		}
		table.Rows = append(table.Rows, cells)
	}
	source := func(url, body string) extract.Source { return extract.Source{URL: url, Body: []byte(body)} }
	noise := source("/ads", `[{"a":1},{"a":2},{"a":3},{"a":4}]`)
	right := source("/players", `{"rows":[{"n":"Buddy Hield","p":1014,"s":0.38588},{"n":"LUKA DONČIĆ","p":2370,"s":0.3819},{"n":"Jalen Smith","p":605,"s":0.424},{"n":"Other","p":1,"s":0}]}`)
	found, ok := extract.SourceOf(&table, []extract.Source{noise, source("/broken", "{"), right})
	if !ok || found.URL != "/players" || found.Rows != 4 || found.Share != 1 {
		t.Errorf("%v %+v", ok, found)
	}
	shifted := source("/other", `[{"n":"Buddy Hield","p":2370},{"n":"Luka Dončić","p":605},{"n":"Jalen Smith","p":1014}]`)
	if found, ok := extract.SourceOf(&table, []extract.Source{noise, shifted}); ok {
		t.Errorf("values of other rows agree: %+v", found)
	}
	huge := source("/huge", `[{"n":1e999999999,"p":1},{"n":1e999999999,"p":1},{"n":1e999999999,"p":1}]`)
	if _, ok := extract.SourceOf(&table, []extract.Source{huge}); ok {
		t.Error("huge numbers agree")
	}
}

func TestProposeJSON(t *testing.T) {
	t.Parallel()
	p, ok := extract.ProposeJSON(extract.Source{URL: "/x", Body: []byte(`{"total":3,"items":[{"id":"a","v":1.5},{"id":"b","v":1.5}]}`)}, "things")
	if !ok || p.Name != "things" || strings.Join(p.Key, ",") != "id" || p.Problem == nil || !strings.Contains(p.Problem.Message, "2 of 3 rows") {
		t.Errorf("%v %+v", ok, p)
	}
	if _, ok := extract.ProposeJSON(extract.Source{URL: "/x", Body: []byte(`{"ok":true}`)}, "things"); ok {
		t.Error("one value is a table")
	}
}
