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
	// Broken is how the page is broken where its query does not say otherwise.
	Broken string `json:"-"`
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
	{Path: "/", Name: "index", Title: "Demo site"},
	{Path: "/leaders", Name: "table", Title: "Scoring leaders", Text: "?season=1986-87, 1983-84 to 2022-23: a table filled by fetch, 50 rows"},
	{Path: "/calendar", Name: "table", Title: "Calendar", Text: "?month=1984-07, 1900-01 to 2099-12: 2,400 small pages"},
	{Path: "/elements", Name: "paged", Title: "Chemical elements", Text: "paged and sorted by the script, 10 rows of 118 at a time (?size=25)"},
	{Path: "/notes", Name: "cards", Title: "Notes and their frequencies", Text: "an endless list: 128 cards, 20 more each time the end is scrolled to"},
	{Path: "/years", Name: "grid", Title: "Easter in 2,000 years", Text: "a virtualised grid: 30 of 2,000 rows in the DOM (?load=window fetches as one scrolls)"},
	{Path: "/planets", Name: "table", Title: "Planets of the Sun", Text: "a header of two rows with rowspan and colspan, merged cells in the body"},
	{Path: "/standings", Name: "standings", Title: "Final standings", Text: "?season=2022-23 or 2023-24: tables under headings, with section rows"},
	{Path: "/terms", Name: "table", Title: "The continued fraction of e", Text: "rows without a key, many of them equal"},
	{Path: "/batches", Name: "batches", Title: "Chemical elements in batches", Text: "drawn in three batches 300 ms apart, no total stated (?total=1 states it)"},
	{Path: "/slow", Name: "table", Title: "A slow page", Text: "?delay=2s: the figures come after that time"},
	{Path: "/error", Name: "table", Title: "A page whose API fails", Text: "the API answers 500", Broken: "api500"},
	{Path: "/never", Name: "table", Title: "A page that never shows its table", Text: "a spinner for ever", Broken: "never"},
	{Path: "/headers", Name: "table", Title: "Request headers", Text: "what the page's own requests carried"},
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
<body data-page="{{.Name}}"{{with .Broken}} data-broken="{{.}}"{{end}}>
<div id="app"></div>
<noscript>This page needs JavaScript.</noscript>
</body>
</html>
`))

// servePage answers with the shell of a page, or with what its query's broken says.
func (p *pages) servePage(page page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		wait(r.Context(), r.URL.Query().Get("page_delay"))
		page := page // each request has its own
		name := p.broken(r, page.Broken)
		if kind := brokenKinds[name]; kind.page != nil {
			kind.page(w, r)
			return
		}
		page.Broken = name
		writeShell(w, page)
	}
}

func writeShell(w http.ResponseWriter, page page) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = shell.Execute(w, page) // fails only where the client has gone
}

// wait sleeps for a duration such as 1.5s; "" and nonsense are no wait. Where
// the client or the site goes meanwhile, the request ends without an answer.
func wait(ctx context.Context, text string) {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return
	}
	timer := time.NewTimer(min(d, maxDelay))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		panic(http.ErrAbortHandler) // net/http's way to give no answer
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
