// Package libsite owns a test site whose pages are drawn by the libraries that
// real sites use: React, DataTables and AG Grid. It builds their bundles from
// npm packages, once for each state of web/, and serves them with the JSON
// behind each page, so that a test can hold what was read against it.
//
// It is for tests alone and refuses to be part of the program: it needs Node.js
// and the npm registry.
package libsite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/demosite"
)

// Site is a running site.
type Site struct {
	URL   string // http://127.0.0.1:PORT, without a slash at its end
	Pages []Page
}

// Page is one page of the site and what it draws.
type Page struct {
	Name string // its library: react, datatables, aggrid
	URL  string
	// Recipe is the text of a recipe for the page, table and recipe named as the page.
	Recipe string
	// Table is the JSON behind the page. Every one of its rows is on the page, in
	// this order, but not at once in the document: DataTables holds 10 rows of
	// 128, AG Grid some 40 of 2,000.
	Table demosite.Table
	// Texts are the cells of Table as the library shows them, null as "".
	Texts [][]string
}

// buildLimit bounds npm and the bundler together, on a slow machine and line.
const buildLimit = 5 * time.Minute

// Start builds the site where it has not been built, serves it on a free port
// of 127.0.0.1, and stops it when the test ends. A machine without Node.js
// fails the test: `scripts/setup.sh node` installs it.
func Start(t testing.TB) *Site {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), buildLimit)
	defer cancel()
	dist, err := Build(ctx)
	if err != nil {
		t.Fatalf("build the site of libraries: %v", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the site of libraries: %v", err)
	}
	server := &http.Server{Handler: handler(dist), ReadHeaderTimeout: 30 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close() // the listener's error comes from Serve
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve the site of libraries: %v", err)
		}
	})
	return newSite("http://" + listener.Addr().String())
}

// tables are the JSON of each page.
func tables() map[string]demosite.Table {
	leaders, _ := demosite.Leaders("1995-96")
	return map[string]demosite.Table{"react": leaders, "datatables": demosite.Notes(), "aggrid": demosite.Years()}
}

func newSite(url string) *Site {
	s := &Site{URL: url}
	all := tables()
	for _, l := range libraries {
		table := all[l.Name]
		s.Pages = append(s.Pages, Page{
			Name: l.Name, URL: url + "/" + l.Name, Table: table, Texts: texts(table),
			Recipe: fmt.Sprintf("urls: %s/%s\ntables:\n  %s:\n    from: %s\n    key: [%s]\npolite: {rate: none}\n",
				url, l.Name, l.Name, strconv.Quote(l.from), l.key),
		})
	}
	return s
}

// texts are the cells as these pages show them: the plain value, "" for null.
func texts(table demosite.Table) [][]string {
	rows := make([][]string, len(table.Rows))
	for i, row := range table.Rows {
		for _, value := range row {
			text := ""
			if f, ok := value.(float64); ok {
				text = strconv.FormatFloat(f, 'f', -1, 64)
			} else if value != nil {
				text = fmt.Sprint(value)
			}
			rows[i] = append(rows[i], text)
		}
	}
	return rows
}

// library is one page: its element, where its table is and what names a row.
type library struct {
	Name      string
	Body      template.HTML
	from, key string
}

var libraries = []library{
	{Name: "react", Body: `<div id="root"></div>`, from: "#leaders", key: "player"},
	{Name: "datatables", Body: `<table id="notes" style="width: 100%"></table>`, from: "#notes", key: "note"},
	{Name: "aggrid", Body: `<div id="years" style="width: 1200px; height: 600px"></div>`, from: "#years", key: "year"},
}

var shell = template.Must(template.New("shell").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{.Name}}</title>
<link rel="icon" href="data:,">
</head>
<body>
{{.Body}}
<script src="/dist/{{.Name}}.js"></script>
</body>
</html>
`))

// handler serves the pages, their bundles and their JSON.
func handler(dist string) http.Handler {
	mux := http.NewServeMux()
	for _, l := range libraries {
		mux.HandleFunc("GET /"+l.Name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = shell.Execute(w, l) // fails only where the client has gone
		})
	}
	for name, table := range tables() {
		mux.HandleFunc("GET /api/"+name, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(table) // fails only where the client has gone
		})
	}
	mux.Handle("GET /dist/", http.StripPrefix("/dist/", http.FileServerFS(os.DirFS(dist))))
	return mux
}
