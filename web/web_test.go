package web

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// serve opens a server on a free port and closes it at the end of the test.
func serve(t *testing.T, c Config) *Server {
	t.Helper()
	c.Listen = "127.0.0.1:0"
	s, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// ask sends a request and gives what came.
func ask(t *testing.T, method, url, accept string) (status int, kind, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	r.Close = true // an idle connection would be a goroutine of the client's
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Content-Type"), string(text)
}

// part is ready while its error is nil.
func part(name, problem string, err error) Part {
	return Part{Name: name, Problem: problem, Check: func(context.Context) error { return err }}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	secret := errors.New("postgres://me:hunter2@db.example/stats does not answer")
	well := serve(t, Config{Alive: NewPulse(time.Hour), Ready: []Part{part("browser", "is not started", nil)}, Metrics: NewMetrics(Sources{Version: "1.2.3"})}).URL()
	ill := serve(t, Config{Alive: NewPulse(-1), Ready: []Part{
		part("browser", "is not started", nil), part("database", "does not answer", secret), part("worker", "is draining", secret),
	}}).URL()
	const plain, json = "text/plain; charset=utf-8", "application/json"
	for _, c := range []struct {
		method, url, accept string
		status              int
		kind, body          string // body as a whole, or its beginning before ...
	}{
		{"GET", well + "/", "", 200, plain, "tabfarm worker\n/healthz  is it alive\n/readyz   does it take pages, and why not\n/metrics  for Prometheus\n"},
		{"GET", well + PathHealth, "", 200, plain, "alive\n"},
		{"HEAD", well + PathHealth, "", 200, plain, ""},
		{"GET", well + PathReady, "*/*", 200, plain, "ready\n"},
		{"GET", well + PathReady, json, 200, json, `{"ok":true,"parts":[{"name":"browser","ready":true}]}` + "\n"},
		{"GET", well + PathMetrics, "", 200, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores", "# HELP ..."},
		{"GET", ill + PathHealth, "", 503, plain, "not alive\nloop: has not moved for 0s\n"},
		{"GET", ill + PathReady, "", 503, plain, "not ready\ndatabase: does not answer\nworker: is draining\n"},
		{"GET", ill + PathReady, json, 503, json, `{"ok":false,"parts":[{"name":"browser","ready":true},{"name":"database","ready":false,"problem":"does not answer"},{"name":"worker","ready":false,"problem":"is draining"}]}` + "\n"},
		// Nothing else is there, and nothing can be changed.
		{"GET", ill + PathMetrics, "", 404, plain, "404 page not found\n"},
		{"GET", well + "/debug/pprof/", "", 404, plain, "404 page not found\n"},
		{"GET", well + "/healthz/x", "", 404, plain, "404 page not found\n"},
		{"POST", well + PathReady, "", 405, plain, "Method Not Allowed\n"},
		{"DELETE", well + PathMetrics, "", 405, plain, "Method Not Allowed\n"},
	} {
		status, kind, body := ask(t, c.method, c.url, c.accept)
		if begin, cut := strings.CutSuffix(c.body, "..."); cut {
			body, c.body = body[:min(len(begin), len(body))], begin
		}
		if status != c.status || kind != c.kind || body != c.body {
			t.Errorf("%s %s (%s): %d %q %q, want %d %q %q", c.method, c.url, c.accept, status, kind, body, c.status, c.kind, c.body)
		}
	}
}

func TestAddressTaken(t *testing.T) {
	t.Parallel()
	taken := strings.TrimPrefix(serve(t, Config{}).URL(), "http://")
	_, err := Open(t.Context(), Config{Listen: taken})
	var address *AddressError
	if !errors.As(err, &address) || address.Address != taken || !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second server at %s: %v", taken, err)
	}
}

// slowQueue answers when it is let go.
type slowQueue struct{ asked, let chan struct{} }

func (q slowQueue) Depth(context.Context) (store.Depth, error) {
	close(q.asked)
	<-q.let
	return store.Depth{Workers: 3}, nil
}

// An answer that is on its way at Close is finished; nobody is served afterwards.
func TestCloseFinishesAnswers(t *testing.T) {
	t.Parallel()
	q := slowQueue{make(chan struct{}), make(chan struct{})}
	s, err := Open(t.Context(), Config{Listen: "127.0.0.1:0", Metrics: NewMetrics(Sources{Queue: q})})
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		status int
		body   string
	}
	answers, closed := make(chan answer), make(chan error)
	go func() {
		status, _, body := ask(t, "GET", s.URL()+PathMetrics, "")
		answers <- answer{status, body}
	}()
	<-q.asked
	go func() { closed <- s.Close() }()
	close(q.let)
	if a := <-answers; a.status != 200 || !strings.Contains(a.body, "tabfarm_workers 3\n") {
		t.Errorf("answered %d %q", a.status, a.body)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+PathHealth, nil)
	if err != nil {
		t.Fatal(err)
	}
	if late, err := http.DefaultClient.Do(r); err == nil {
		late.Body.Close()
		t.Error("a closed server answers")
	}
}

func TestPulse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPulse(time.Minute)
		time.Sleep(time.Minute)
		if still := p.Still(); still != 0 {
			t.Errorf("a loop that moved a minute ago stands still for %v", still)
		}
		time.Sleep(time.Second)
		if still := p.Still(); still != 61*time.Second {
			t.Errorf("stands still for %v, want 61 s", still)
		}
		p.Beat()
		if still := p.Still(); still != 0 {
			t.Errorf("after a beat it stands still for %v", still)
		}
	})
}

// However many ask, the parts are asked once a second, and no longer than the limit.
func TestReadinessIsAskedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var looks atomic.Int32
		h := handler(Config{Ready: []Part{{Name: "database", Problem: "does not answer", Check: func(ctx context.Context) error {
			looks.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}}}, Log: discard})
		probe := func() int {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, PathReady, nil))
			return w.Code
		}
		start := time.Now()
		codes := make(chan int)
		for range 20 {
			go func() { codes <- probe() }()
		}
		for range 20 {
			if code := <-codes; code != 503 {
				t.Errorf("answered %d", code)
			}
		}
		if took := time.Since(start); looks.Load() != 1 || took != checkLimit {
			t.Errorf("20 probes asked %d times and took %v, want once and %v", looks.Load(), took, checkLimit)
		}
		time.Sleep(checkAgain)
		if probe(); looks.Load() != 2 {
			t.Errorf("a second later it was asked %d times, want twice", looks.Load())
		}
	})
}
