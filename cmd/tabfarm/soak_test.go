package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// The size of the test that kills workers: small in the suite, and with
// TABFARM_SOAK (make soak) the one that the promises are made by.
type soakSize struct {
	hosts, pages int
	delay        time.Duration
	life         int // pages asked for between two kills, on the average
}

func sizeOfSoak() soakSize {
	if os.Getenv("TABFARM_SOAK") != "" {
		return soakSize{hosts: 6, pages: 2000, delay: 250 * time.Millisecond, life: 40}
	}
	return soakSize{hosts: 3, pages: 90, delay: 150 * time.Millisecond, life: 16}
}

// pacedSite is several hosts whose requests are written down.
type pacedSite struct {
	hosts []*httptest.Server
	mu    sync.Mutex
	asked []request
}

// request is one for a page.
type request struct {
	host int
	page string // host/number
	at   time.Time
}

func newPacedSite(t *testing.T, hosts int) *pacedSite {
	s := &pacedSite{}
	for i := range hosts {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			number, isPage := strings.CutPrefix(r.URL.Path, "/page/")
			if !isPage {
				http.NotFound(w, r)
				return
			}
			s.mu.Lock()
			s.asked = append(s.asked, request{i, fmt.Sprintf("%d/%s", i, number), time.Now()})
			s.mu.Unlock()
			w.Header().Set("Content-Type", "text/html")
			_, _ = fmt.Fprintf(w, "<!doctype html><title>p</title><script>addEventListener('DOMContentLoaded', () => {"+
				"document.body.innerHTML = '<table id=t><tr><th>Name<th>N' + [1,2,3,4,5].map(i => `<tr><td>%d-%s-${i}<td>${i}`).join('') + '</table>' })</script><body>", i, number)
		}))
		t.Cleanup(server.Close)
		s.hosts = append(s.hosts, server)
	}
	return s
}

// recipe names all pages by a file.
func (s *pacedSite) recipe(t *testing.T, dir string, size soakSize) {
	t.Helper()
	var list strings.Builder
	for n := range size.pages {
		fmt.Fprintf(&list, "%s/page/%d\n", s.hosts[n%len(s.hosts)].URL, n)
	}
	text := fmt.Sprintf("urls: {file: soak.txt}\npage: {ready: \"#t\"}\ntables: {soak: {from: \"#t\", key: [name]}}\npolite: {rate: %d/min}\n", time.Minute/size.delay)
	for name, content := range map[string]string{"soak.txt": list.String(), "soak.yaml": text} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// paced fails where a host was asked faster than its pace. Requests come late by
// what the machine is busy with, so the pace is looked at over many of them.
func (s *pacedSite) paced(t *testing.T, delay time.Duration) {
	t.Helper()
	const window, late = 20, 8 // requests; how many delays the last one may be early
	for host := range s.hosts {
		var at []time.Time
		for _, r := range s.asked {
			if r.host == host {
				at = append(at, r.at)
			}
		}
		for i := window; i < len(at); i++ {
			if took := at[i].Sub(at[i-window]); took < (window-late)*delay {
				t.Errorf("host %d: %d requests in %s, at %s between two", host, window+1, took, delay)
				return
			}
		}
	}
}

// serving is a tabfarm serve that is killed and started again.
type serving struct {
	cmd    *exec.Cmd
	stderr *heard
}

func (p *program) serve() *serving {
	p.t.Helper()
	cmd, _, _ := p.command("serve", "--tabs", "2")
	stderr := &heard{}
	cmd.Stderr = stderr
	cmd.Env = append(slices.Clone(cmd.Env), "TABFARM_SERVE_LISTEN=127.0.0.1:0")
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	return &serving{cmd, stderr}
}

func (s *serving) kill(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, s.cmd); code != -1 {
		t.Errorf("a worker that was killed had ended with %d and said\n%s", code, s.stderr)
	}
}

// Three workers on one database, killed and started again at random moments: at
// the end every page is done once, with all its rows; no host was asked faster
// than its pace; no page was fetched again after it had ended.
func (at *place) testSoak(t *testing.T) {
	t.Parallel()
	p, size := at.newProgram(t), sizeOfSoak()
	site := newPacedSite(t, size.hosts)
	site.recipe(t, p.dir, size)
	out, said, code := p.output(t, "submit", "soak.yaml")
	if code != exitOK || !strings.HasPrefix(out, "soak  run 1 is queued, ") {
		t.Fatalf("exit code %d; said\n%s%s", code, out, said)
	}
	db, err := store.Open(t.Context(), store.Config{URL: p.dsn})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	workers := []*serving{p.serve(), p.serve(), p.serve()}
	kills := 0
	for site.moves(t, db, size.life/2+rand.N(size.life)) {
		time.Sleep(rand.N(500 * time.Millisecond)) // the moment is to be any
		i := rand.N(len(workers))
		workers[i].kill(t)
		kills++
		workers[i] = p.serve()
	}
	for _, w := range workers {
		w.stop(t)
	}
	t.Logf("%d pages on %d hosts, %d kills, %d requests", size.pages, size.hosts, kills, len(site.asked))
	if kills == 0 {
		t.Error("no worker was killed")
	}
	site.paced(t, size.delay)
	site.once(t, db, size)
}

// moves waits until a number of pages more were asked for: by what happens and not
// by the clock, for a slow machine must get somewhere between two kills. It is
// false when the run is done.
func (s *pacedSite) moves(t *testing.T, db *store.Store, pages int) bool {
	t.Helper()
	count := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.asked)
	}
	for goal := count() + pages; count() < goal; {
		state, err := db.RunState(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		if state == store.RunDone {
			return false
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
	return true
}

// stop tells the worker to stop, once it serves: a process that has hardly begun
// knows nothing of signals.
func (s *serving) stop(t *testing.T) {
	t.Helper()
	await(t, "the worker serves", time.Minute, func() bool { return strings.Contains(s.stderr.String(), "serving") })
	if err := s.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, s.cmd); code != exitOK {
		t.Errorf("exit code %d of a worker that was told to stop; said\n%s", code, s.stderr)
	}
}

// once fails unless every page and row is there once, and no page was asked for
// after it had ended.
func (s *pacedSite) once(t *testing.T, db *store.Store, size soakSize) {
	t.Helper()
	p, err := db.Progress(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	rows := p.Tables["soak"]
	want := store.TableCounts{Inserted: int64(5 * size.pages), Rejections: rows.Rejections}
	if p.Done != size.pages || p.Total != size.pages || !reflect.DeepEqual(rows, want) {
		t.Errorf("%d of %d pages ok, rows %+v; want %d, %+v", p.Done, p.Total, rows, size.pages, want)
	}
	pages, err := db.Pages(t.Context(), store.PageFilter{RunID: 1})
	if err != nil {
		t.Fatal(err)
	}
	ended := map[string]time.Time{}
	for _, page := range pages {
		host := slices.IndexFunc(s.hosts, func(h *httptest.Server) bool { return strings.HasPrefix(page.URL, h.URL+"/") })
		ended[strconv.Itoa(host)+page.URL[strings.LastIndex(page.URL, "/"):]] = page.FinishedAt
	}
	for _, r := range s.asked {
		if end, known := ended[r.page]; !known || r.at.After(end) {
			t.Errorf("page %s was asked for at %s and had ended at %s", r.page, r.at, end)
		}
	}
}
