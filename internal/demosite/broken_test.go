package demosite

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

func TestBrokenPages(t *testing.T) {
	t.Parallel()
	site, c := start(t, Options{}), client(t)
	for kind, want := range map[string]struct {
		status         int
		location, text string
	}{
		"404":     {404, "", "Not Found"},
		"429":     {429, "", "Too Many Requests"},
		"500":     {500, "", "Internal Server Error"},
		"503":     {503, "", "Service Unavailable"},
		"denied":  {200, "", "Access denied"},
		"login":   {302, "/login", ""},
		"refused": {302, "http://169.254.169.254/latest/meta-data/", ""},
		"text":    {200, "", "This is no page"},
		"api500":  {200, "", `<div id="app">`}, // the page itself is fine
	} {
		response, body := get(t, c, site.URL+"/leaders?season=1990-91&broken="+kind)
		if response.StatusCode != want.status || response.Header.Get("Location") != want.location || !strings.Contains(body, want.text) {
			t.Errorf("%s: %s to %q: %s", kind, response.Status, response.Header.Get("Location"), body)
		}
		if retry := response.Header.Get("Retry-After"); (retry != "") != (kind == "429" || kind == "503") {
			t.Errorf("%s: Retry-After is %q", kind, retry)
		}
	}
	for _, url := range []string{"/leaders?broken=reset", "/api/leaders?broken=apireset"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, site.URL+url, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.Do(request)
		if err == nil {
			_ = response.Body.Close()
			t.Errorf("%s: %s", url, response.Status)
		}
	}
	if response, _ := get(t, c, site.URL+"/status?code=418"); response.StatusCode != 418 {
		t.Errorf("/status?code=418: %s", response.Status)
	}
}

func TestBrokenFigures(t *testing.T) {
	t.Parallel()
	site, c := start(t, Options{}), client(t)
	read := func(query string) answered {
		t.Helper()
		var a answered
		response, body := get(t, c, site.URL+"/api/calendar?month=1984-07"+query)
		if err := json.Unmarshal([]byte(body), &a); err != nil || response.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s %v", query, response.Status, err)
		}
		return a
	}
	for kind, want := range map[string]struct{ rows, total int }{
		"empty": {0, 0}, "short": {20, 31}, "duplicate": {32, 32}, "nokey": {32, 32}, "renamed": {31, 31}, "nonsense": {31, 31},
	} {
		if got := read("&broken=" + kind); len(got.Rows) != want.rows || got.Total != want.total {
			t.Errorf("%s: %d rows of %d", kind, len(got.Rows), got.Total)
		}
	}
	twins := read("&broken=duplicate").Rows
	if first, last := twins[0], twins[31]; first["date"] != last["date"] || first["iso_week"] == last["iso_week"] {
		t.Errorf("duplicate: %v and %v", first, last)
	}
	if last := read("&broken=nokey").Rows[31]; last["date"] != nil || last["iso_week"] == nil {
		t.Errorf("nokey: %v", last)
	}
	if titles := read("&broken=renamed").Columns; titles[0].Title != "Date" || titles[1].Title != "New Weekday" {
		t.Errorf("renamed: %v", titles)
	}
	for kind, status := range map[string]int{"api404": 404, "api500": 500} {
		if response, _ := get(t, c, site.URL+"/api/calendar?broken="+kind); response.StatusCode != status {
			t.Errorf("%s: %s", kind, response.Status)
		}
	}
	if response, _ := get(t, c, site.URL+"/api/error"); response.StatusCode != 500 {
		t.Errorf("/api/error: %s", response.Status)
	}
	// Nothing of it may change what the others see.
	if got := read(""); len(got.Rows) != 31 || got.Columns[1].Title != "Weekday" {
		t.Errorf("after all that: %d rows, %v", len(got.Rows), got.Columns)
	}
}

func TestRepair(t *testing.T) {
	t.Parallel()
	site, c := start(t, Options{}), client(t)
	site.Repair()
	for _, kind := range Broken() {
		page, body := get(t, c, site.URL+"/calendar?month=1984-07&broken="+kind.Name)
		api, figures := get(t, c, site.URL+"/api/calendar?month=1984-07&broken="+kind.Name)
		var a answered
		err := json.Unmarshal([]byte(figures), &a)
		if page.StatusCode != 200 || !strings.Contains(body, `<div id="app">`) || strings.Contains(body, "data-broken") ||
			api.StatusCode != 200 || err != nil || len(a.Rows) != 31 {
			t.Errorf("%s: page %s, API %s with %d rows, %v", kind.Name, page.Status, api.Status, len(a.Rows), err)
		}
	}
}
