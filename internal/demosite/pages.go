package demosite

import (
	"context"
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"strconv"
	"time"
)

//go:embed static
var static embed.FS

// maxDelay bounds what a query may ask a page to wait.
const maxDelay = 10 * time.Minute

// page is one kind of page: a shell without content, which its script fills.
type page struct {
	Path  string `json:"path"`
	Name  string `json:"-"` // what static/app.js draws
	Title string `json:"title"`
	Text  string `json:"text"` // what is special about it
}

// pattern is the page's route; the index must not match everything.
func (p page) pattern() string {
	if p.Path == "/" {
		return "/{$}"
	}
	return p.Path
}

// pageList names the pages in the order of the index.
var pageList = []page{
	{"/", "index", "Demo site", ""},
	{"/leaders", "table", "Scoring leaders", "?season=1986-87, 1983-84 to 2022-23: a table filled by fetch, 50 rows"},
	{"/calendar", "table", "Calendar", "?month=1984-07, 1900-01 to 2099-12: 2,400 small pages"},
	{"/elements", "paged", "Chemical elements", "paged and sorted by the script, 10 rows of 118 at a time (?size=25)"},
	{"/notes", "cards", "Notes and their frequencies", "an endless list: 128 cards, 20 more each time the end is scrolled to"},
	{"/years", "grid", "Easter in 2,000 years", "a virtualised grid: 30 of 2,000 rows in the DOM (?load=window fetches as one scrolls)"},
	{"/planets", "table", "Planets of the Sun", "a header of two rows with rowspan and colspan, merged cells in the body"},
	{"/standings", "standings", "Final standings", "?season=2022-23 or 2023-24: tables under headings, with section rows"},
	{"/terms", "table", "The continued fraction of e", "rows without a key, many of them equal"},
	{"/batches", "batches", "Chemical elements in batches", "drawn in three batches 300 ms apart, no total stated (?total=1 states it)"},
	{"/slow", "table", "A slow page", "?delay=2s: the figures come after that time"},
	{"/error", "table", "A page whose API fails", "the API answers 500"},
	{"/never", "never", "A page that never shows its table", "a spinner for ever"},
	{"/headers", "table", "Request headers", "what the page's own requests carried"},
}

// shell is every page before its script has run.
var shell = template.Must(template.New("shell").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/static/style.css">
<script type="module" src="/static/app.js"></script>
</head>
<body data-page="{{.Name}}">
<div id="app"></div>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
`))

// servePage answers with the shell of a page, or with what its query's broken says.
func (p *pages) servePage(page page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !wait(r.Context(), r.URL.Query().Get("page_delay")) {
			return
		}
		if kind, ok := p.brokenKind(r); ok && kind.page != nil {
			kind.page(w, r)
			return
		}
		writeShell(w, page)
	}
}

func writeShell(w http.ResponseWriter, page page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = shell.Execute(w, page) // fails only where the client has gone
}

// wait sleeps for a duration such as 1.5s; "" and nonsense are no wait. It is
// false when the client has gone meanwhile.
func wait(ctx context.Context, text string) bool {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return true
	}
	timer := time.NewTimer(min(d, maxDelay))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// serveStatic answers with the scripts and the style, which a browser may keep.
func serveStatic() http.Handler {
	files := http.FileServerFS(static)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "max-age=3600")
		files.ServeHTTP(w, r)
	})
}

// servePageList answers with what the index shows.
func servePageList(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, map[string]any{"pages": pageList[1:], "broken": Broken()})
}

func writeJSON(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil { // the site's own values; its test marshals them all
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // fails only where the client has gone
}
