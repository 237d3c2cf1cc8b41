// Package libsite owns a test site whose pages are drawn by the libraries that
// real sites use: React, DataTables, AG Grid, Tabulator, MUI, Handsontable,
// TanStack, react-window, and two pages of an author's own that page by buttons.
// It builds their bundles from npm packages, once for each state of web/, and
// serves them with the JSON behind each page, so that a test can hold what was
// read against it.
//
// It is for tests alone and refuses to be part of the program: it needs Node.js
// and the npm registry.
package libsite

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/bundle"
	"github.com/tabfarm/tabfarm/internal/demosite"
)

// files holds what the bundles are built from.
//
//go:embed web/package.json web/package-lock.json web/build.mjs web/src web/lib
var files embed.FS

// Build makes the bundles, or takes those of before, and names their folder.
func Build(ctx context.Context) (dist string, err error) {
	web, err := fs.Sub(files, "web")
	if err != nil {
		return "", fmt.Errorf("read web: %w", err)
	}
	return bundle.Build(ctx, "libsite", web)
}

// Site is a running site.
type Site struct {
	URL   string // http://127.0.0.1:PORT, without a slash at its end
	Pages []Page
}

// Page is one page of the site and what it draws.
type Page struct {
	Name string // its library: react, datatables, aggrid and so on
	URL  string
	// Recipe is the text of a recipe for the page, table and recipe named as the page.
	Recipe string
	// Table is the JSON behind the page. Every one of its rows is on the page, in
	// this order, but not at once in the document: DataTables holds 10 rows of
	// 128, AG Grid some 40 of 2,000.
	Table demosite.Table
	// Placed says that rows are named by their place: equal ones are among them.
	Placed bool
	// Texts are the cells of Table as the library shows them, null as "".
	Texts [][]string
	// Withheld is the URL of the same page with one row left out that its total
	// still counts, and with the first columns only; "" where there is none.
	Withheld string
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

// newSite is the site at url with what is behind its pages.
func newSite(url string) *Site {
	s := &Site{URL: url}
	for _, l := range libraries {
		table := l.table()
		page := Page{Name: l.Name, URL: url + "/" + l.Name, Table: table, Placed: l.key == "", Texts: texts(table)}
		page.Recipe = l.recipe(page.URL)
		if l.withholds {
			page.Withheld = page.URL + "?withhold=1"
		}
		s.Pages = append(s.Pages, page)
	}
	return s
}

// recipe is the plainest recipe for a page at url. A page has far more time
// than it needs: machines that test are busy.
func (l library) recipe(url string) string {
	text := fmt.Sprintf("urls: %s\npage:\n  timeout: 120s\ntables:\n  %s:\n    from: %s\n", url, l.Name, strconv.Quote(l.from))
	if l.key != "" {
		text += "    key: [" + l.key + "]\n"
	}
	return text + l.more + "polite: {rate: none}\n"
}

// WithheldRecipe is the recipe for the page that leaves a row out.
func (p Page) WithheldRecipe() string {
	return strings.Replace(p.Recipe, p.URL, p.Withheld, 1)
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

// library is one page: its element, where its table is, what names a row (its
// place, where nothing is said), and what is behind it.
type library struct {
	Name      string
	Body      template.HTML
	Style     bool // its bundle has a style sheet
	from, key string
	more      string // further lines of the table in the recipe
	table     func() demosite.Table
	withholds bool // ?withhold=1 leaves a row out
}

const grid = `<div id="grid" style="width: 1100px; height: 600px"></div>`

var libraries = []library{
	{Name: "react", Body: `<div id="root"></div>`, from: "#leaders", key: "player", table: leaders},
	{Name: "datatables", Body: `<table id="notes" style="width: 100%"></table>`, from: "#notes", key: "note", table: demosite.Notes},
	{Name: "datatables_server", Body: `<table id="grid" style="width: 100%"></table>`, from: "#grid", table: narrowStations, withholds: true},
	{Name: "aggrid", Body: grid, from: "#grid", table: Stations, withholds: true},
	{
		Name: "tabulator", Body: `<p class="count"></p><div id="grid"></div>`, Style: true, from: "#grid", table: Stations, withholds: true,
		more: "    total: .count\n",
	},
	{Name: "muigrid", Body: `<div id="root"></div>`, from: ".MuiDataGrid-root", table: Stations, withholds: true},
	{Name: "handsontable", Body: `<div id="grid"></div>`, Style: true, from: "#grid", table: Stations, withholds: true},
	{Name: "tanstack", Body: `<div id="root"></div>`, from: "#grid", table: Stations, withholds: true},
	{Name: "reactwindow", Body: `<div id="root"></div>`, from: "[role=grid]", table: Stations, withholds: true},
	{
		Name: "loadmore", Body: `<table id="grid"><thead></thead><tbody></tbody></table><p class="count"></p><button>Load more</button>`,
		from: "#grid", table: narrowStations, withholds: true,
	},
	{
		Name: "numbered", Body: `<table id="grid"><thead></thead><tbody></tbody></table><p class="count"></p><nav class="pages"></nav>`,
		from: "#grid", table: narrowStations, withholds: true,
	},
}

func leaders() demosite.Table {
	table, _ := demosite.Leaders("1995-96")
	return table
}

func narrowStations() demosite.Table { return narrow(Stations(), 9) }

var shell = template.Must(template.New("shell").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>{{.Name}}</title>
<link rel="icon" href="data:,">
<style>.withheld { display: none !important }</style>
{{if .Style}}<link rel="stylesheet" href="/dist/{{.Name}}.css">{{end}}
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
	for name, table := range map[string]demosite.Table{"react": leaders(), "datatables": demosite.Notes(), "stations": Stations()} {
		mux.HandleFunc("GET /api/"+name, func(w http.ResponseWriter, _ *http.Request) { answer(w, table) })
	}
	wide, slim := Stations(), narrowStations()
	mux.HandleFunc("GET /api/part", func(w http.ResponseWriter, r *http.Request) {
		table := slim
		if r.FormValue("wide") != "" {
			table = wide
		}
		rows := part(table, r, "from", "size")
		if r.FormValue("size") == strconv.Itoa(stationRows) {
			answerUnnamed(w, rows)
			return
		}
		answer(w, rows)
	})
	mux.HandleFunc("GET /api/datatables_server", func(w http.ResponseWriter, r *http.Request) {
		answer(w, forDataTables(part(slim, r, "start", "length"), r.FormValue("draw")))
	})
	mux.Handle("GET /dist/", http.StripPrefix("/dist/", http.FileServerFS(os.DirFS(dist))))
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // fails only where the client has gone
}

// answerUnnamed answers in a type that nobody takes for JSON, so that a page which
// leaves a row out can be read by what it draws alone.
func answerUnnamed(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/x-stations")
	_ = json.NewEncoder(w).Encode(v) // fails only where the client has gone
}

// part is the rows of a table that a request asks for by its parameters from
// and size, less the one that is withheld where it says so. The total stays.
func part(table demosite.Table, r *http.Request, from, size string) demosite.Table {
	first, _ := strconv.Atoi(r.FormValue(from)) // no number is 0: the first row, no row
	count, _ := strconv.Atoi(r.FormValue(size))
	first = min(max(first, 0), len(table.Rows))
	last := min(first+max(count, 0), len(table.Rows))
	rows := slices.Clone(table.Rows[first:last])
	if r.FormValue("withhold") != "" && withheld >= first && withheld < last {
		rows = slices.Delete(rows, withheld-first, withheld-first+1)
	}
	table.Rows = rows
	return table
}

// forDataTables is the answer that DataTables asks of a server.
func forDataTables(table demosite.Table, draw string) any {
	number, _ := strconv.Atoi(draw)
	rows := make([]map[string]any, len(table.Rows))
	for i, row := range table.Rows {
		rows[i] = map[string]any{}
		for j, c := range table.Columns {
			rows[i][c.Key] = row[j]
		}
	}
	return map[string]any{"draw": number, "recordsTotal": table.Total, "recordsFiltered": table.Total, "data": rows}
}
