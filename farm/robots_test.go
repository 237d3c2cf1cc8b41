package farm

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestRobots(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		path   string
		denied bool
		delay  time.Duration
	}{
		{name: "allowed", status: 200, body: "User-agent: *\nDisallow: /private", path: "/public"},
		{name: "denied to all", status: 200, body: "User-agent: *\nDisallow: /private", path: "/private/x", denied: true},
		{name: "denied to tabfarm alone", status: 200, body: "User-agent: tabfarm\nDisallow: /\n\nUser-agent: *\nAllow: /", path: "/x", denied: true},
		{name: "query counts", status: 200, body: "User-agent: *\nDisallow: /*?page=", path: "/list?page=2", denied: true},
		{name: "longest match wins", status: 200, body: "User-agent: *\nDisallow: /a\nAllow: /a/b", path: "/a/b/c"},
		{name: "not found means allowed", status: 404, path: "/x"},
		{name: "forbidden means allowed", status: 403, path: "/x"},
		{name: "server error means denied", status: 500, path: "/x", denied: true},
		{name: "too many requests means denied", status: 429, path: "/x", denied: true},
		{name: "crawl-delay", status: 200, body: "User-agent: *\nCrawl-delay: 3", path: "/x", delay: 3 * time.Second},
		{name: "cut at 500 KiB", status: 200, body: "User-agent: *\nDisallow: /a\n" + strings.Repeat("#\n", 300<<10) + "Disallow: /b\n", path: "/b"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var fetched atomic.Int32
			site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fetched.Add(1)
				if agent := r.Header.Get("User-Agent"); agent != "tabfarm/test" {
					t.Errorf("User-Agent is %q", agent)
				}
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			}))
			t.Cleanup(site.Close)
			f := newTestFarm(t, Config{})
			for range 2 {
				rules, err := f.robots.rules(t.Context(), nil, site.URL)
				if err != nil {
					t.Fatal(err)
				}
				if reason := rules.denies(site.URL + tt.path); (reason != "") != tt.denied {
					t.Errorf("denies(%q) = %q, want denied: %v", tt.path, reason, tt.denied)
				}
				if rules.delay() != tt.delay {
					t.Errorf("delay is %s, want %s", rules.delay(), tt.delay)
				}
			}
			if fetched.Load() != 1 {
				t.Errorf("robots.txt was fetched %d times", fetched.Load())
			}
		})
	}
}

func TestRobotsOfAPrivateHostIsNotFetched(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("robots.txt was fetched") }))
	t.Cleanup(site.Close)
	f, err := New(Config{Product: "tabfarm/test"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.robots.rules(t.Context(), nil, site.URL); err == nil {
		t.Error("no error")
	}
}

// newTestFarm is a farm that may open loopback addresses.
func newTestFarm(t *testing.T, c Config) *Farm {
	t.Helper()
	c.Product = "tabfarm/test"
	c.Allow = append(c.Allow, "127.0.0.1")
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.client.CloseIdleConnections)
	return f
}
