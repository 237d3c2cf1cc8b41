package farm

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/internal/libsite"
	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// serve serves handlers by path on loopback.
func serve(t *testing.T, pages map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for path, h := range pages {
		mux.HandleFunc(path, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func document(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>A page</title>", body)
	}
}

// parse reads a recipe whose SITE is the server.
func parse(t *testing.T, name, url, text string) *recipe.Recipe {
	t.Helper()
	return parseText(t, name, strings.ReplaceAll(text, "SITE", url)+"\npolite: {rate: none, retries: 0}\n")
}

func parseText(t *testing.T, name, text string) *recipe.Recipe {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := recipe.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

type stepsBench struct {
	bench
	dsn string
}

// newStepsBench is a farm with a database of its own.
func newStepsBench(t *testing.T) *stepsBench {
	t.Helper()
	dsn := pgtest.DSN(t)
	s, err := store.Open(t.Context(), store.Config{URL: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	secret := func(name string) (string, error) { return "value-of-" + name, nil }
	farm := newTestFarm(t, Config{Browser: chrometest.Pool(t), Store: s, Tabs: 4, Secret: secret})
	return &stepsBench{bench{t: t, store: s, farm: farm}, dsn}
}

// timetable shows the trains of a day that is typed, six at a time.
const timetable = `<input id="date" placeholder="dd.mm.yyyy"><div id="board"></div>
<script>
const load = async (from) => {
	const date = document.getElementById('date').value;
	const answer = await (await fetch('/trains?date=' + date + '&from=' + from)).json();
	if (from === 0) document.getElementById('board').innerHTML = '<table class="board"><thead><tr><th>Time<th>Train<th>To</thead><tbody></tbody></table><button class="more">Show more</button>';
	for (const t of answer.trains) document.querySelector('tbody').insertAdjacentHTML('beforeend', '<tr><td>' + t.join('<td>'));
	document.querySelector('.more').onclick = () => load(document.querySelectorAll('tbody tr').length);
	if (!answer.more) document.querySelector('.more').remove();
};
document.getElementById('date').addEventListener('keydown', (e) => { if (e.key === 'Enter' && e.isTrusted) load(0); });
</script>`

// trains answers with the trains of a day, 15 of them, six at a time.
func trains(w http.ResponseWriter, r *http.Request) {
	var from, day int
	_, _ = fmt.Sscan(r.URL.Query().Get("from"), &from)
	_, _ = fmt.Sscan(r.URL.Query().Get("date")[:2], &day)
	var rows []string
	for i := from; i < min(from+6, 15); i++ {
		rows = append(rows, fmt.Sprintf(`["%02d:%02d","RE %d","Town %d"]`, 6+i, day, i, i%4))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"more": %t, "trains": [%s]}`, from+6 < 15, strings.Join(rows, ","))
}

// TestTimetable is a page with one URL for all days: the day is typed, and a
// button shows more.
func TestTimetable(t *testing.T) {
	t.Parallel()
	b := newStepsBench(t)
	s := serve(t, map[string]http.HandlerFunc{"/board/8011160": document(timetable), "/trains": trains})
	r := parse(t, "timetable", s.URL, `
urls: SITE/board/8011160
with:
  date: {from: 2026-12-01, to: 2026-12-03, format: "%d.%m.%Y"}
timezone: Europe/Berlin
page:
  steps:
    - fill: "#date"
      value: "{date}"
    - press: Enter
    - wait: "table.board"
  next: {click: "button.more"}
tables:
  departures:
    from: "table.board"
    key: [date, planned, train]
    columns:
      planned: {header: Time, type: time}
`)
	sum := b.run(r, SubmitOptions{})
	if sum.Done != 3 || sum.Tables[0].Inserted != 45 {
		t.Fatalf("run: %s %v", counts(sum), sum.Failures)
	}
	var want []string
	for day := 1; day <= 3; day++ {
		for i := range 15 {
			want = append(want, fmt.Sprintf("%02d.12.2026|%02d:%02d:00|RE %d|Town %d", day, 6+i, day, i, i%4))
		}
	}
	if diff := cmp.Diff(want, b.query(`select date, planned, train, "to_" from departures order by date, planned`)); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if got := b.query("select distinct proof from tabfarm.pages"); len(got) != 1 || got[0] != "end" {
		t.Errorf("proofs are %v", got)
	}
}

// try opens the first page of a recipe.
func try(t *testing.T, r *recipe.Recipe) Tried {
	t.Helper()
	f := newTestFarm(t, Config{Browser: chrometest.Pool(t), Secret: func(name string) (string, error) { return "value-of-" + name, nil }})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	got, err := f.Try(ctx, TryRequest{Recipe: r})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestStepsEnd holds how pages end whose steps cannot be done, and that what may be
// left out is.
func TestStepsEnd(t *testing.T) {
	t.Parallel()
	rows := `<table id="t"><thead><tr><th>Name<th>Value</thead><tbody><tr><td>a<td>1<tr><td>b<td>2</tbody></table>`
	tests := []struct {
		name, page, steps string
		outcome           Outcome
		message           string
	}{
		{"missing", rows, `[{click: "#go"}]`, SelectorMissing, `step 1: click: nothing matches "#go". The page's title is "A page".`},
		{"hidden", rows + `<button id="go" hidden>Go</button>`, `[{scroll: end}, {click: "#go"}]`, SelectorMissing, `step 2: click: "#go" is there but not shown. The page's title is "A page".`},
		{"disabled", rows + `<button id="go" disabled>Go</button>`, `[{click: "#go"}]`, Timeout, `step 1: click: "#go" is disabled. The page's title is "A page".`},
		{
			"covered", rows + `<button id="go">Go</button><div id="veil" class="modal open" style="position:fixed;inset:0">Subscribe now</div>`, `[{click: "#go"}]`, Timeout,
			`step 1: click: "#go" is covered by div#veil.modal.open ("Subscribe now"). The page's title is "A page".`,
		},
		{"wait", rows, `[{wait: ".loaded"}]`, Timeout, `step 1: wait: nothing matches ".loaded". The page's title is "A page".`},
		{"wait_gone", rows + `<i class="busy">x</i>`, `[{wait_gone: ".busy"}]`, Timeout, `step 1: wait_gone: ".busy" does not go. The page's title is "A page".`},
		{"no selector", rows, `[{wait: "#t"}, {click: "p:frobnicate"}]`, ScriptError, `step 2: click: Failed to execute 'querySelectorAll' on 'Document': 'p:frobnicate' is not a valid selector.`},
		{
			"option", rows + `<select id="s"><option value="a">Anna<option>Bert</select>`, `[{select: "#s", value: Carl}]`, SelectorMissing,
			`step 1: select: "#s" has no option "Carl". It has "Anna", "Bert". The page's title is "A page".`,
		},
		{
			"date", rows + `<input id="d" type="date">`, `[{fill: "#d", value: "31.12.2026"}]`, BadValue,
			`step 1: fill: "#d" is a field of type date and does not take "31.12.2026": it takes 2026-12-31.`,
		},
		{
			"cut", rows + `<input id="d" maxlength="3">`, `[{fill: "#d", value: "abcdef"}]`, BadValue,
			`step 1: fill: "#d" does not hold "abcdef" after it was filled in, but "abc".`,
		},
		{"no field", rows, `[{fill: "#t", value: "x"}]`, SelectorMissing, `step 1: fill: "#t" is no field for text but table#t ("NameValuea1b2"). The page's title is "A page".`},
		{
			"js", rows, `[{wait: "#t"}, {js: "document.querySelector('#nothing').click()"}]`, ScriptError,
			`step 2: js: "document.querySelector('#nothing').click()" failed: TypeError: Cannot read properties of null (reading 'click')`,
		},
		{
			"js says no", rows, `[{js: "return Promise.reject(new Error('no rows for you'))"}]`, ScriptError,
			`step 1: js: "return Promise.reject(new Error('no rows for you'))" failed: Error: no rows for you`,
		},
		{"no js", rows, `[{js: "let = ;"}]`, ScriptError, `step 1: js: "let = ;" failed: SyntaxError: `},
		{"banner absent", rows, `[{click: "#cookie-ok", optional: true}, {wait: ".consent", optional: true}, {js: "nothing.at.all", optional: true}]`, OK, ""},
		{
			"the page's own request", rows + `<script>fetch('/gone')</script>`, `[{click: "#go"}]`, SelectorMissing,
			`step 1: click: nothing matches "#go". The page's title is "A page". The page's own request to /gone failed with HTTP 404 Not Found.`,
		},
		{
			"a page that never comes", rows + `<form action="/never"><input id="q" name="q"></form>`, `[{fill: "#q", value: x}, {press: Enter}, {wait: "#other"}]`, Timeout,
			`step 3: wait: nothing matches "#other". The page's title is "A page". The page was on its way to /never?q=x, which had not answered.`,
		},
		{ // it is on its way before Chrome can say that the key was pressed
			"a page that never comes, at once", rows + `<input id="q" onkeydown="location = '/never'; for (const begun = performance.now(); performance.now() - begun < 300;);">`, `[{fill: "#q", value: x}, {press: Enter}, {wait: "#other"}]`, Timeout,
			`step 3: wait: nothing matches "#other". The page's title is "A page". The page was on its way to /never, which had not answered.`,
		},
		{
			"an error page", rows + `<form action="/nowhere"><input id="q" name="q"></form>`, `[{fill: "#q", value: x}, {press: Enter}, {wait: "#other"}]`, HTTPError,
			`the server answers HTTP 404 Not Found: is the URL right? (/nowhere?q=x)`,
		},
		{
			"a dialog", rows + `<button id="go" onclick="alert('a'); prompt('b'); if (!confirm('c')) document.title = 'closed'">Go</button>`, `[{click: "#go"}, {click: "#go2"}]`, SelectorMissing,
			`step 2: click: nothing matches "#go2". The page's title is "closed".`,
		},
		{"a captcha", rows + `<div class="g-recaptcha">x</div>`, `[{click: "#go"}]`, Blocked, `the page asks to solve a captcha (title "A page"); step 1: click: nothing matches "#go".`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]http.HandlerFunc{
				"/{$}":   document(test.page),
				"/never": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			})
			r := parse(t, "ends", s.URL, "urls: SITE/\npage:\n  timeout: 10s\n  steps: "+test.steps+"\ntables:\n  ends: {from: \"#t\", key: [name]}")
			got := try(t, r)
			if got.Outcome != test.outcome || !strings.HasPrefix(got.Message, test.message) || (test.message == "") != (got.Message == "") {
				t.Errorf("outcome %s: %s\nwant    %s: %s", got.Outcome, got.Message, test.outcome, test.message)
			}
		})
	}
}

// TestStepsGoThroughDocuments signs in, which leads to a second document, chooses
// there, and follows a link to a third. What is secret stands nowhere.
func TestStepsGoThroughDocuments(t *testing.T) {
	t.Parallel()
	b := newStepsBench(t)
	var posted string
	s := serve(t, map[string]http.HandlerFunc{
		"GET /{$}": document(`<form method="post"><input id="user" name="user"><input id="password" name="password" type="password"><button>Sign in</button></form>`),
		"POST /{$}": func(w http.ResponseWriter, r *http.Request) {
			posted = r.FormValue("user") + " " + r.FormValue("password")
			http.Redirect(w, r, "/welcome?with="+r.FormValue("password"), http.StatusSeeOther)
		},
		"/welcome": document(`<select id="year"><option>2025<option value="26">The year 2026</select><p>nothing yet</p>
			<script>document.querySelector('select').onchange = (e) => setTimeout(() => { document.querySelector('p').innerHTML = '<a href="/invoices?year=' + e.target.value + '">Invoices</a>' }, 300)</script>`),
		"/invoices": func(w http.ResponseWriter, r *http.Request) {
			document(`<table><thead><tr><th>Invoice no<th>Year</thead><tr><td>A1<td>`+r.URL.Query().Get("year")+`</table>`)(w, r)
		},
		"/refused": document(`<form><input name="password"></form>`),
	})
	r := parse(t, "invoices", s.URL, `
urls: SITE/
page:
  steps:
    - click: "#cookie-ok"
      optional: true
    - {fill: "#user", value: anna}
    - {fill: "#password", value: {secret: PORTAL_PASSWORD}}
    - press: Enter
    - {select: "#year", value: "the year 2026"}
    - click: p a
tables:
  invoices:
    key: [invoice_no]
`)
	sum := b.run(r, SubmitOptions{})
	if sum.Done != 1 || posted != "anna value-of-PORTAL_PASSWORD" {
		t.Fatalf("posted %q, run: %s %v", posted, counts(sum), sum.Failures)
	}
	if got := b.query("select invoice_no, year from invoices"); len(got) != 1 || got[0] != "A1|26" {
		t.Errorf("rows are %v", got)
	}

	// A page that puts the secret into its address, and then has no table.
	r = parse(t, "refused", s.URL, `
urls: SITE/refused
page:
  timeout: 10s
  steps:
    - {fill: "[name=password]", value: {secret: PORTAL_PASSWORD}}
    - press: Enter
    - {js: "throw new Error('at ' + location.href)"}
tables:
  refused: {}
`)
	sum = b.run(r, SubmitOptions{})
	if len(sum.Failures) != 1 || sum.Failures[0].Outcome != ScriptError || !strings.Contains(sum.Failures[0].Message, "password={secret: PORTAL_PASSWORD}") {
		t.Errorf("failures are %v", sum.Failures)
	}
	if found := pgtest.Find(t, b.dsn, "A1"); len(found) == 0 {
		t.Error("what was stored is not found")
	}
	if found := pgtest.Find(t, b.dsn, "value-of"); len(found) > 0 {
		t.Errorf("the secret is stored: %v", found)
	}
}

// TestStepsAndResponses: of several responses those count that came after the last
// step which may bring rows.
func TestStepsAndResponses(t *testing.T) {
	t.Parallel()
	page := `<select id="year"><option>2025<option>2026</select><button id="ok">OK</button><p></p><script>
		const load = async (y) => { document.querySelector('p').textContent = await (await fetch('/data?year=' + y)).text() };
		document.querySelector('select').onchange = (e) => load(e.target.value);
		load(2025)</script>`
	for _, test := range []struct{ name, steps, want string }{
		{"none", `[{wait: "#ok"}]`, "2025"},
		{"last", `[{select: "#year", value: "2026"}, {wait: "p"}, {scroll: end}, {click: "#ok", optional: true}]`, "2026"},
		{"none after the last", `[{click: "#ok"}]`, ""},
		{"both", `[{js: "vars.year && load(vars.year)"}, {js: "return load(2024)"}]`, "2024"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, map[string]http.HandlerFunc{"/{$}": document(page), "/data": func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `[{"id": 1, "year": "%s"}]`, r.URL.Query().Get("year"))
			}})
			with := ""
			if strings.Contains(test.steps, "vars.") {
				with = "with: {year: [2023]}\n"
			}
			r := parse(t, "years", s.URL, "urls: SITE/\n"+with+"page:\n  steps: "+test.steps+"\ntables:\n  years: {json: /data, key: [id]}")
			got := try(t, r)
			if test.want == "" {
				if got.Outcome != SelectorMissing || !strings.HasSuffix(got.Message, "a step that brings none must be optional.") {
					t.Errorf("%s: %s", got.Outcome, got.Message)
				}
				return
			}
			if got.Outcome != OK || len(got.Tables[0].Rows) != 1 || *got.Tables[0].Rows[0][1] != test.want {
				t.Errorf("%s: %s %+v", got.Outcome, got.Message, got.Tables)
			}
		})
	}
}

// register answers a search with 47 companies, ten a document.
func register(w http.ResponseWriter, r *http.Request) {
	word := r.URL.Query().Get("q")
	at := 1
	_, _ = fmt.Sscan(r.URL.Query().Get("page"), &at)
	if word == "" {
		document(`<form action="/search"><input id="q" name="q" value="your word"><button>Search</button></form>`)(w, r)
		return
	}
	body := `<table class="results"><thead><tr><th>Number<th>Name</thead>`
	for n := 10 * (at - 1); n < min(10*at, 47); n++ {
		body += fmt.Sprintf("<tr><td>%s-%d<td>Company %d", word, n, n%2)
	}
	body += "</table>"
	if at < 5 {
		body += fmt.Sprintf(`<ul class="pagination"><li><a href="?q=%s&page=1">1</a><li><a href="?q=%[1]s&page=2">2</a></ul><a rel="next" href="?q=%[1]s&page=%d">Next</a>`, word, at+1)
	}
	document(body)(w, r)
}

const searchRecipe = `
urls: SITE/search
with:
  word: [alpha, beta]
page:
  steps:
    - fill: "#q"
      value: "{word}"
    - press: Enter
  next: {click: "a[rel=next]", max: %d}
tables:
  companies:
    from: "table.results"
    key: [number]
`

// TestSearch types a word into a form, which leads to another document, and follows
// the links from there; max of them is not enough, or is.
func TestSearch(t *testing.T) {
	t.Parallel()
	b := newStepsBench(t)
	s := serve(t, map[string]http.HandlerFunc{"/search": register})
	sum := b.run(parse(t, "register", s.URL, fmt.Sprintf(searchRecipe, 3)), SubmitOptions{})
	want := "companies: 40 rows were read, and not all parts of the page: next.max: 3 clicks were made and there is more."
	if sum.Done != 0 || sum.ByOutcome[Incomplete] != 2 || sum.Failures[0].Message != want {
		t.Fatalf("run: %s %v", counts(sum), sum.Failures)
	}
	sum = b.run(parse(t, "register", s.URL, fmt.Sprintf(searchRecipe, 4)), SubmitOptions{})
	if sum.Done != 2 || sum.Tables[0].Inserted != 94 {
		t.Fatalf("run: %s %v", counts(sum), sum.Failures)
	}
	var wanted []string
	for _, word := range []string{"alpha", "beta"} {
		for n := range 47 {
			wanted = append(wanted, fmt.Sprintf("%s-%d|Company %d", word, n, n%2))
		}
	}
	got := b.query("select number, name from companies order by split_part(number, '-', 1), split_part(number, '-', 2)::int")
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if got := b.query("select distinct proof from tabfarm.pages p join tabfarm.runs r using (run) where outcome = 'ok'"); len(got) != 1 || got[0] != "end" {
		t.Errorf("proofs are %v", got)
	}
}

// TestNextOfALibrary: the control of DataTables, named by next, gives every row.
// Steps filter the table first, and undo that.
func TestNextOfALibrary(t *testing.T) {
	t.Parallel()
	site := libsite.Start(t)
	i := slices.IndexFunc(site.Pages, func(p libsite.Page) bool { return p.Name == "datatables" })
	page := site.Pages[i]
	r := parseText(t, page.Name, strings.Replace(page.Recipe, "page:\n", `page:
  steps:
    - fill: ".dt-search input"
      value: "C"
    - select: ".dt-length select"
      value: "25"
    - fill: ".dt-search input"
      value: ""
  next: {click: ".dt-paging .next"}
`, 1))
	got := try(t, r)
	if got.Outcome != OK || len(got.Tables[0].Rows) != len(page.Texts) || got.Tables[0].Proof != extract.ProofTotal {
		t.Fatalf("%s: %s %d rows, proof %s", got.Outcome, got.Message, len(got.Tables[0].Rows), got.Tables[0].Proof)
	}
	for i, row := range got.Tables[0].Rows {
		for j, cell := range row {
			if (cell == nil) != (page.Texts[i][j] == "") || cell != nil && *cell != page.Texts[i][j] {
				t.Fatalf("row %d differs from %q", i+1, page.Texts[i])
			}
		}
	}
}

// TestStepsInShadowTrees: fields and buttons of components are filled and clicked.
func TestStepsInShadowTrees(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{"/{$}": document(`<my-search></my-search><script>
		customElements.define('my-search', class extends HTMLElement {
			constructor() {
				super();
				const root = this.attachShadow({mode: 'closed'});
				root.innerHTML = '<input id="q"><button>Go</button><div></div>';
				root.querySelector('button').onclick = (e) => {
					if (e.isTrusted) root.querySelector('div').innerHTML = '<table id="t"><tr><th>Word<th>N<tr><td>' + root.querySelector('input').value + '<td>1</table>';
				};
			}
		})</script>`)})
	r := parse(t, "words", s.URL, `
urls: SITE/
with: {word: [Rome]}
page:
  steps:
    - fill: "#q"
      value: "{word}"
    - click: button
tables:
  words: {from: "#t", key: [n]}
`)
	got := try(t, r)
	if got.Outcome != OK || len(got.Tables[0].Rows) != 1 || *got.Tables[0].Rows[0][0] != "Rome" {
		t.Errorf("%s: %s %+v", got.Outcome, got.Message, got.Tables)
	}
}
