package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// chainSite has pages /0 to /29; each links to the three behind it.
type chainSite struct {
	*httptest.Server
	mu    sync.Mutex
	asked int           // pages since the last look
	tenth chan struct{} // closed when ten pages were asked for
}

const chainPages = 30

func newChainSite(t *testing.T) *chainSite {
	t.Helper()
	s := &chainSite{tenth: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil || n >= chainPages {
			http.NotFound(w, r)
			return
		}
		s.mu.Lock()
		if s.asked++; s.asked == 10 {
			close(s.tenth)
		}
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, "<!doctype html><table id=t><tr><th>Page<th>Next<tr><td>page %d<td>", n)
		for to := n + 1; to <= n+3 && to < chainPages; to++ {
			_, _ = fmt.Fprintf(w, `<a href="/%d">%d</a> `, to, to)
		}
		_, _ = fmt.Fprint(w, "</table>")
	}))
	t.Cleanup(s.Close)
	return s
}

// take gives the number of pages asked for since the last look.
func (s *chainSite) take() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.asked
	s.asked = 100 // the tenth page of this run is no sign any more
	return n
}

// After kill -9 in the middle of a crawl the pages that were found are there, and
// the run comes to the same end as if nothing had been.
func (at *place) testKillCrawl(t *testing.T) {
	t.Parallel()
	p, site := at.newProgram(t), newChainSite(t)
	text := fmt.Sprintf(`
urls: [%s/0, {links: "#t a", depth: 100}]
page: {ready: "#t"}
tables: {chain: {from: "#t", key: [page]}}
polite: {rate: none}
`, site.URL)
	if err := os.WriteFile(filepath.Join(p.dir, "chain.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd, stdout, stderr := p.command("run", "chain.yaml", "--tabs", "2")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-site.tenth:
	case <-t.Context().Done():
		t.Fatal("ten pages were never asked for")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd); code != -1 {
		t.Fatalf("exit code %d of a killed program; said\n%s%s", code, stdout, stderr)
	}
	var ended int
	out, _, _ := p.output(t, "query", "select count(*) from tabfarm.pages where outcome = 'ok'", "--format", "csv")
	if _, err := fmt.Sscanf(out, "count\n%d", &ended); err != nil || ended == 0 {
		t.Fatalf("%d pages had ended (%v): %q", ended, err, out)
	}
	site.take()
	summary, said, code := p.output(t, "run", "chain.yaml", "--tabs", "2")
	if code != exitOK || !strings.Contains(summary, "chain  30 of 30 pages ok\n") {
		t.Errorf("exit code %d; said\n%s%s", code, summary, said)
	}
	if n := site.take() - 100; n != chainPages-ended {
		t.Errorf("%d pages were fetched after %d had ended", n, ended)
	}
	out, _, _ = p.output(t, "query", "select count(*), count(distinct page) from chain", "--format", "csv")
	if out != "count,count\n30,30\n" {
		t.Errorf("rows: %q, want 30, each once", out)
	}
}
