package farm

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/store"
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
				rules, err := f.robots.rules(t.Context(), nil, site.URL, nil)
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
	if _, err := f.robots.rules(t.Context(), nil, site.URL, nil); err == nil {
		t.Error("no error")
	}
}

// Workers that share a database ask a host once for its robots.txt; an answer that
// keeps all out is kept for a short time.
func TestRobotsAreAskedForOnce(t *testing.T) {
	t.Parallel()
	s := pgtest.Store(t)
	var asked atomic.Int32
	site := serve(t, map[string]http.HandlerFunc{
		"/robots.txt": func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, "User-agent: *\nDisallow: /private")
		},
	})
	all := func(denied bool) {
		t.Helper()
		var workers sync.WaitGroup
		for range 5 {
			f := newTestFarm(t, Config{Store: s}) // as another process: nothing in memory
			workers.Go(func() {
				rules, err := f.robots.rules(t.Context(), s, site.URL, func() error { return nil })
				if err != nil {
					t.Error(err)
					return
				}
				if got := rules.denies(site.URL+"/public") != ""; got != denied || rules.denies(site.URL+"/private") == "" {
					t.Errorf("denied: %v, want %v", got, denied)
				}
			})
		}
		workers.Wait()
	}
	all(true)
	if asked.Load() != 1 {
		t.Errorf("asked %d times", asked.Load())
	}
	// Its time is over; that it is, is the store's to know.
	if err := s.KeepRobots(t.Context(), site.URL, store.Robots{}); err != nil {
		t.Fatal(err)
	}
	all(false)
	if asked.Load() != 2 {
		t.Errorf("asked %d times", asked.Load())
	}
}

func TestRobotsAreFreshFor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer http.HandlerFunc
		fresh  time.Duration
		denied bool
		gone   bool
	}{
		"rules":              {func(http.ResponseWriter, *http.Request) {}, 24 * time.Hour, false, false},
		"none":               {http.NotFound, 24 * time.Hour, false, false},
		"server error":       {status(500, ""), time.Minute, true, false},
		"busy":               {status(503, "120"), 2 * time.Minute, true, false},
		"too many":           {status(429, "99999"), 5 * time.Minute, true, false},
		"redirects for ever": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, 24 * time.Hour, false, false},
		"no answer":          {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, false, true},
	} {
		site := serve(t, map[string]http.HandlerFunc{"/robots.txt": tt.answer})
		got, err := newTestFarm(t, Config{}).robots.fetch(t.Context(), site.URL)
		if err != nil {
			t.Fatal(err)
		}
		if denied := parseRobots(got).denies(site.URL+"/x") != ""; got.Fresh != tt.fresh || denied != tt.denied || (got.Failure != "") != tt.gone {
			t.Errorf("%s: fresh for %s, denied %v, failure %q; want %s, %v, %v", name, got.Fresh, denied, got.Failure, tt.fresh, tt.denied, tt.gone)
		}
	}
}

// status answers with an HTTP status and a Retry-After.
func status(code int, after string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", after)
		w.WriteHeader(code)
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
