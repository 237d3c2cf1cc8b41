package demosite

import (
	"net/http"
	"sort"
	"strconv"
	"strings"
)

// source gives the table that an API answers with; false is 404.
type source func(r *http.Request) (Table, bool)

// sources are the APIs by their name below /api/.
var sources = map[string]source{
	"leaders":   func(r *http.Request) (Table, bool) { return Leaders(query(r, "season", "1986-87")) },
	"calendar":  func(r *http.Request) (Table, bool) { return Month(query(r, "month", "1984-07")) },
	"slow":      func(r *http.Request) (Table, bool) { return Month(query(r, "month", "1984-07")) },
	"never":     func(r *http.Request) (Table, bool) { return Month(query(r, "month", "1984-07")) },
	"error":     func(r *http.Request) (Table, bool) { return Month(query(r, "month", "1984-07")) },
	"standings": func(r *http.Request) (Table, bool) { return Standings(query(r, "season", "2022-23")) },
	"elements":  func(*http.Request) (Table, bool) { return Elements(), true },
	"batches":   func(*http.Request) (Table, bool) { return Elements(), true },
	"planets":   func(*http.Request) (Table, bool) { return Planets(), true },
	"terms":     func(*http.Request) (Table, bool) { return Terms(), true },
	"notes":     func(*http.Request) (Table, bool) { return Notes(), true },
	"years":     func(*http.Request) (Table, bool) { return Years(), true },
}

// query is a value of the query, or what stands for it where it is absent.
func query(r *http.Request, name, otherwise string) string {
	if value := r.URL.Query().Get(name); value != "" {
		return value
	}
	return otherwise
}

// serveTable answers with a source's table as JSON: late where the query says
// delay, in part where it says offset and limit, and broken where it says so.
func (p *pages) serveTable(source source) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		delay := r.URL.Query().Get("delay")
		if r.URL.Path == "/api/slow" && delay == "" {
			delay = "2s"
		}
		wait(r.Context(), delay)
		otherwise := ""
		if r.URL.Path == "/api/error" {
			otherwise = "api500"
		}
		kind := brokenKinds[p.broken(r, otherwise)]
		if kind.api != nil {
			kind.api(w, r)
			return
		}
		table, ok := source(r)
		if !ok {
			http.Error(w, `{"error":"there are no such figures"}`, http.StatusNotFound)
			return
		}
		if kind.table != nil {
			table = kind.table(table)
		}
		table.Rows = part(table.Rows, r)
		writeJSON(w, table)
	}
}

// part is the rows that offset and limit of the query ask for.
func part(rows [][]any, r *http.Request) [][]any {
	number := func(name string, otherwise int) int {
		n, err := strconv.Atoi(r.URL.Query().Get(name))
		if err != nil || n < 0 {
			return otherwise
		}
		return min(n, len(rows))
	}
	offset := number("offset", 0)
	return rows[offset:min(offset+number("limit", len(rows)), len(rows))]
}

// serveHeaders answers with the headers of the request itself as a table.
func serveHeaders(w http.ResponseWriter, r *http.Request) {
	t := Table{
		Title:   "Request headers",
		Columns: []Column{{Key: "header", Title: "Header"}, {Key: "value", Title: "Value"}},
	}
	for name, values := range r.Header {
		t.Rows = append(t.Rows, []any{name, strings.Join(values, ", ")})
	}
	sort.Slice(t.Rows, func(i, j int) bool { return t.Rows[i][0].(string) < t.Rows[j][0].(string) })
	t.Total = len(t.Rows)
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, t)
}
