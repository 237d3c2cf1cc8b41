package demosite

import (
	"fmt"
	"html"
	"net/http"
	"sort"
	"strconv"
)

// brokenKind is one way in which a page can be broken, asked for by
// ?broken=NAME on any page. What stands in none of page, api and table is done
// by the page's script (static/app.js).
type brokenKind struct {
	text  string                  // what happens
	page  http.HandlerFunc        // answers instead of the page
	api   http.HandlerFunc        // answers instead of the API
	table func(table Table) Table // changes what the API answers
}

// brokenKinds are the ways by name.
var brokenKinds = map[string]brokenKind{
	"404":     {text: "the page answers 404", page: answer(http.StatusNotFound)},
	"429":     {text: "the page answers 429 with Retry-After: 1", page: answer(http.StatusTooManyRequests)},
	"500":     {text: "the page answers 500", page: answer(http.StatusInternalServerError)},
	"503":     {text: "the page answers 503 with Retry-After: 1", page: answer(http.StatusServiceUnavailable)},
	"denied":  {text: "a page that denies access, with status 200", page: serveDenied},
	"login":   {text: "leads to a login page", page: redirect("/login")},
	"refused": {text: "leads to a link-local address", page: redirect("http://169.254.169.254/latest/meta-data/")},
	"reset":   {text: "the connection ends without an answer", page: reset},
	"text":    {text: "the page is plain text", page: plainText},

	"api404":   {text: "the API answers 404", api: answer(http.StatusNotFound)},
	"api500":   {text: "the API answers 500", api: answer(http.StatusInternalServerError)},
	"apireset": {text: "the API's connection ends without an answer", api: reset},
	"hang":     {text: "the API never answers", api: hang},

	"empty":     {text: "the table has no rows and states 0", table: empty},
	"short":     {text: "the table states more rows than it shows", table: short},
	"duplicate": {text: "two rows have the same first values and differ in the last", table: duplicate},
	"nokey":     {text: "the last row has only its last value", table: noKey},
	"renamed":   {text: "every header but the first has another name", table: renamed},

	"never":   {text: "a spinner for ever"},
	"notable": {text: "words instead of a table"},
	"throw":   {text: "the script fails before it draws"},
	"loop":    {text: "the script never ends"},
}

// BrokenKind is a way in which every page of the site can be broken.
type BrokenKind struct {
	Name string `json:"name"` // for ?broken=NAME
	Text string `json:"text"` // what happens then
}

// Broken lists the ways in which a page can be broken, by name.
func Broken() []BrokenKind {
	var kinds []BrokenKind
	for name, kind := range brokenKinds {
		kinds = append(kinds, BrokenKind{name, kind.text})
	}
	sort.Slice(kinds, func(i, j int) bool { return kinds[i].Name < kinds[j].Name })
	return kinds
}

// broken is how the request's page is broken: as its query says, else as
// otherwise says, and "" once the site has been repaired.
func (p *pages) broken(r *http.Request, otherwise string) string {
	if p.repaired.Load() {
		return ""
	}
	return query(r, "broken", otherwise)
}

// answer is a small page with the given status.
func answer(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			w.Header().Set("Retry-After", "1")
		}
		w.WriteHeader(status)
		text := html.EscapeString(strconv.Itoa(status) + " " + http.StatusText(status))
		_, _ = fmt.Fprintf(w, "<!doctype html>\n<title>%s</title>\n<h1>%s</h1>\n", text, text)
	}
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

// reset ends the connection; net/http knows this panic and stays silent.
func reset(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func hang(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

func plainText(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = fmt.Fprintln(w, "Player  Team  Points\nThis is no page but a text.")
}

func empty(t Table) Table {
	t.Total, t.Rows = 0, [][]any{}
	return t
}

// short keeps two thirds of the rows and goes on stating them all.
func short(t Table) Table {
	t.Rows = t.Rows[:len(t.Rows)*2/3]
	return t
}

func duplicate(t Table) Table {
	twin := append([]any(nil), t.Rows[0]...)
	twin[len(twin)-1] = "another"
	t.Rows = append(append([][]any(nil), t.Rows...), twin)
	t.Total++
	return t
}

func noKey(t Table) Table {
	row := make([]any, len(t.Columns))
	row[len(row)-1] = "average"
	t.Rows = append(append([][]any(nil), t.Rows...), row)
	t.Total++
	return t
}

func renamed(t Table) Table {
	columns := append([]Column(nil), t.Columns...)
	for i := range columns[1:] {
		columns[i+1].Title = "New " + columns[i+1].Title
	}
	t.Columns = columns
	return t
}
