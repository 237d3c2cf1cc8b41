package demosite

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves the site for one test.
func start(t *testing.T, o Options) *Site {
	t.Helper()
	site, err := StartWith(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	})
	return site
}

// client follows no redirect and leaves no connection behind.
func client(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// reply is a response but for its body.
type reply struct {
	StatusCode int
	Status     string
	Header     http.Header
}

func get(t *testing.T, c *http.Client, url string) (reply, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{response.StatusCode, response.Status, response.Header}, string(body)
}

func TestPagesAreEmptyWithoutScripts(t *testing.T) {
	t.Parallel()
	site, c := start(t, Options{}), client(t)
	for _, page := range pageList {
		response, body := get(t, c, site.URL+page.Path)
		if response.StatusCode != http.StatusOK || !strings.Contains(body, `<div id="app"></div>`) || strings.Contains(body, "<table") {
			t.Errorf("%s: %s\n%s", page.Path, response.Status, body)
		}
	}
	for _, file := range []string{"app.js", "table.js", "grid.js", "cards.js", "dom.js", "style.css"} {
		response, body := get(t, c, site.URL+"/static/"+file)
		if response.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s: %s", file, response.Status)
		}
	}
	if response, _ := get(t, c, site.URL+"/nothing"); response.StatusCode != http.StatusNotFound {
		t.Errorf("/nothing: %s", response.Status)
	}
}

// answered is an API's answer as its page reads it.
type answered struct {
	Title   string
	Total   int
	Columns []Column
	Rows    []map[string]any
}

// What an API answers must be the table that the tests compare results with.
func TestAPIsAnswerTheTables(t *testing.T) {
	t.Parallel()
	site, c := start(t, Options{}), client(t)
	leaders, _ := Leaders("1986-87")
	july, _ := Month("1969-07")
	standings, _ := Standings("2023-24")
	for path, want := range map[string]Table{
		"leaders?season=1986-87": leaders, "calendar?month=1969-07": july, "standings?season=2023-24": standings,
		"elements": Elements(), "batches": Elements(), "notes": Notes(), "terms": Terms(), "planets": Planets(), "years": Years(),
	} {
		_, body := get(t, c, site.URL+"/api/"+path)
		_, again := get(t, c, site.URL+"/api/"+path)
		if body != again {
			t.Errorf("%s: two answers differ", path)
		}
		var got answered
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got.Total != want.Total || got.Title != want.Title || len(got.Rows) != len(want.Rows) {
			t.Errorf("%s: %d rows of %d, want %d of %d", path, len(got.Rows), got.Total, len(want.Rows), want.Total)
		}
		if diff := cmp.Diff(want.Texts(), shown(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, path := range []string{"leaders?season=1066-67", "calendar?month=x", "standings?season=1"} {
		if response, _ := get(t, c, site.URL+"/api/"+path); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, response.Status)
		}
	}
}

// shown is an answer as a page shows it.
func shown(a answered) [][]string {
	texts := make([][]string, len(a.Rows))
	for i, row := range a.Rows {
		for _, column := range a.Columns {
			texts[i] = append(texts[i], show(row[column.Key], column.Format))
		}
	}
	return texts
}

func TestParts(t *testing.T) {
	t.Parallel()
	site, c := start(t, Options{}), client(t)
	rows := 0
	for _, query := range []string{"?offset=0&limit=20", "?offset=20&limit=100", "?offset=120&limit=20", "?offset=500&limit=20"} {
		var got answered
		_, body := get(t, c, site.URL+"/api/notes"+query)
		if err := json.Unmarshal([]byte(body), &got); err != nil || got.Total != 128 {
			t.Fatalf("%s: total %d, %v", query, got.Total, err)
		}
		rows += len(got.Rows)
	}
	if rows != 128 {
		t.Errorf("the parts have %d rows", rows)
	}
}

func TestSitemapsNameEveryPageOnce(t *testing.T) {
	t.Parallel()
	site, c := start(t, Options{}), client(t)
	type sitemap struct {
		Sitemaps []string `xml:"sitemap>loc"`
		URLs     []string `xml:"url>loc"`
	}
	read := func(text string) (s sitemap) {
		t.Helper()
		if err := xml.Unmarshal([]byte(text), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	_, body := get(t, c, site.URL+"/sitemap.xml")
	index := read(body)
	if diff := cmp.Diff([]string{site.URL + "/sitemap-leaders.xml", site.URL + "/sitemap-calendar.xml.gz"}, index.Sitemaps); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	_, body = get(t, c, index.Sitemaps[0])
	leaders := read(body).URLs
	_, body = get(t, c, index.Sitemaps[1])
	zipped, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zipped)
	if err != nil {
		t.Fatal(err)
	}
	calendar := read(string(text)).URLs
	seen := map[string]bool{}
	for _, page := range append(leaders, calendar...) {
		seen[page] = true
	}
	if len(leaders) != 40 || len(calendar) != 2400 || len(seen) != 2440 {
		t.Errorf("%d leaders' pages, %d calendar pages, %d different", len(leaders), len(calendar), len(seen))
	}
	// Different addresses are different pages.
	answers := map[string]bool{}
	for _, page := range calendar[:300] {
		_, body := get(t, c, strings.Replace(page, "/calendar", "/api/calendar", 1))
		answers[body] = true
	}
	if len(answers) != 300 {
		t.Errorf("300 pages have %d different tables", len(answers))
	}
}

func TestRobots(t *testing.T) {
	t.Parallel()
	var requests atomic.Int64
	open := start(t, Options{OnRequest: func(*http.Request) { requests.Add(1) }})
	closed := start(t, Options{Robots: "User-agent: *\nDisallow: /\n", RobotsStatus: http.StatusAccepted})
	c := client(t)
	if _, body := get(t, c, open.URL+"/robots.txt"); !strings.Contains(body, "Allow: /\n") || !strings.Contains(body, open.URL+"/sitemap.xml") {
		t.Errorf("robots.txt: %s", body)
	}
	if requests.Load() != 1 {
		t.Errorf("%d requests were counted", requests.Load())
	}
	if response, body := get(t, c, closed.URL+"/robots.txt"); response.StatusCode != http.StatusAccepted || !strings.Contains(body, "Disallow: /") {
		t.Errorf("robots.txt: %s %s", response.Status, body)
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	site, c := start(t, Options{}), client(t)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Jar = jar
	if response, _ := get(t, c, site.URL+"/members"); response.Header.Get("Location") != "/login" {
		t.Errorf("a stranger got %s", response.Status)
	}
	if response, _ := get(t, c, site.URL+"/api/members"); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("a stranger got the figures: %s", response.Status)
	}
	post := func(password string) string {
		form := url.Values{"user": {User}, "password": {password}}.Encode()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site.URL+"/login", strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		response, err := c.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		return response.Header.Get("Location")
	}
	if to := post("wrong"); to != "/login" {
		t.Errorf("a wrong password leads to %q", to)
	}
	if to := post(Password); to != "/members" {
		t.Errorf("signing in leads to %q", to)
	}
	response, _ := get(t, c, site.URL+"/members")
	_, body := get(t, c, site.URL+"/api/members")
	if response.StatusCode != http.StatusOK || !strings.Contains(body, "Jupiter") {
		t.Errorf("a member got %s %s", response.Status, body)
	}
}

func TestCloseEndsWaitingRequests(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{}, 1)
	site, err := StartWith(t.Context(), Options{OnRequest: func(*http.Request) { reached <- struct{}{} }})
	if err != nil {
		t.Fatal(err)
	}
	c := client(t)
	ended := make(chan error, 1)
	go func() {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, site.URL+"/api/leaders?broken=hang", nil)
		if err == nil {
			var response *http.Response
			if response, err = c.Do(request); err == nil {
				_ = response.Body.Close()
				err = errors.New("the API answered")
			} else {
				err = nil
			}
		}
		ended <- err
	}()
	<-reached
	if err := site.Close(); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the request goes on")
	}
}

func TestContextEndsTheSite(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	site, err := Start(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-site.done
	if err := site.Close(); err != nil {
		t.Error(err)
	}
}

func TestWriteRecipes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/made/by/it"
	paths, err := WriteRecipes(dir, "http://127.0.0.1:4711")
	if err != nil || len(paths) != len(RecipeNames()) || len(paths) < 10 {
		t.Fatalf("%d recipes, %v", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		if !strings.Contains(string(text), "http://127.0.0.1:4711/") || strings.Contains(string(text), placeholder) {
			t.Errorf("%s does not point at the site:\n%s", path, text)
		}
	}
	if _, err := os.Stat(dir + "/members-session.json"); err != nil {
		t.Error(err)
	}
	two, err := WriteRecipes(t.TempDir(), "http://127.0.0.1:1", "leaders", "grid")
	if err != nil || len(two) != 2 || !strings.HasSuffix(two[0], "/leaders.yaml") || !strings.HasSuffix(two[1], "/grid.yaml") {
		t.Errorf("%q, %v", two, err)
	}
	if _, err := WriteRecipes(t.TempDir(), "", "nonsense"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a recipe that is none: %v", err)
	}
}
