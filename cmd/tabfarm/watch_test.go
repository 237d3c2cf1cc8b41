package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/web"
)

// A worker of real parts is seen from outside: what it lacks, what it does, and
// that it takes no more pages.
func TestWorkerIsSeen(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	a := &app{stdout: &out, stderr: &errs, log: slog.New(slog.DiscardHandler)}
	t.Cleanup(func() {
		if err := a.close(); err != nil {
			t.Error(err)
		}
	})
	a.settings.Database.URL, a.settings.Database.Schema = pgtest.DSN(t), "public"
	a.settings.Browser.Path, a.settings.Browser.Tabs, a.settings.Browser.Processes = os.Getenv("TABFARM_BROWSER_PATH"), 2, 1
	a.settings.Serve.Listen = "127.0.0.1:0"
	if _, err := a.openPool(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := a.openStore(ctx, writes); err != nil {
		t.Fatal(err)
	}
	var registered atomic.Bool
	drain := make(chan struct{})
	watch, url, err := a.openWeb(ctx, workerView{pulse: web.NewPulse(loopLimit), registered: registered.Load, drain: drain})
	if err != nil {
		t.Fatal(err)
	}
	a.settings.Serve.Listen = strings.TrimPrefix(url, "http://") // for health, as a person would write it

	asks := func(path, want string, code int) {
		t.Helper()
		out.Reset()
		if got := complain(&errs, a.health(ctx, path)); got != code || out.String() != want {
			t.Errorf("%s: exit %d, %q, want %d, %q; %s", path, got, out.String(), code, want, errs.String())
		}
	}
	asks(web.PathHealth, "alive\n", exitOK)
	asks(web.PathReady, "not ready\nworker: is not registered\n", exitPages)

	w, err := a.store.Register(ctx, "test")
	if err != nil {
		t.Fatal(err)
	}
	registered.Store(true)
	watch(farm.Event{Outcome: farm.OK, Last: true, Rows: 50, Took: time.Second})
	text := metricsOf(t, url)
	for _, line := range []string{
		`tabfarm_tabs{state="free"} 2`, `tabfarm_browsers 1`, `tabfarm_workers 1`, `tabfarm_queue_hosts 0`, `tabfarm_rows_total 50`,
		`tabfarm_pages_total{outcome="ok"} 1`, `tabfarm_pages_total{outcome="timeout"} 0`, `tabfarm_build_info{version="` + version + `"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics lack %q", line)
		}
	}
	if !strings.Contains(text, "\ngo_goroutines ") || !strings.Contains(text, "\nprocess_start_time_seconds ") {
		t.Error("the metrics lack Go's or the process's own")
	}

	// What it said a moment ago holds for a second.
	waitReady(t, url, http.StatusOK)
	close(drain)
	waitReady(t, url, http.StatusServiceUnavailable)
	asks(web.PathReady, "not ready\ndrain: takes no more pages\n", exitPages)
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}

	// A second worker cannot have the address, and is told what to do.
	if code := complain(&errs, func() error { _, _, err := a.openWeb(ctx, workerView{}); return err }()); code != exitUsage || !strings.Contains(errs.String(), "hint: serve.listen names another address") {
		t.Errorf("the address is taken: exit %d, %s", code, errs.String())
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
	asks(web.PathHealth, "", exitMissing)
	a.settings.Serve.Listen = ""
	asks(web.PathHealth, "", exitUsage)
	if watch, url, err := a.openWeb(ctx, workerView{}); err != nil || url != "" || watch == nil {
		t.Errorf("with serve.listen off: %q, %v", url, err)
	}
}

// fetched is the answer of a path.
func fetched(t *testing.T, url string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func metricsOf(t *testing.T, url string) string {
	t.Helper()
	status, text := fetched(t, url+web.PathMetrics)
	if status != http.StatusOK {
		t.Errorf("the metrics are answered with %d", status)
	}
	return text
}

// waitReady waits until the worker answers so.
func waitReady(t *testing.T, url string, want int) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	end := time.After(20 * time.Second)
	for {
		status, text := fetched(t, url+web.PathReady)
		if status == want {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("after 20 s it still answers %d %q, want %d", status, text, want)
		}
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"127.0.0.1:8077": "127.0.0.1:8077", "0.0.0.0:8077": "127.0.0.1:8077", ":8077": "127.0.0.1:8077",
		"[::]:8077": "[::1]:8077", "worker.example:80": "worker.example:80",
	} {
		if got := reachable(address); got != want {
			t.Errorf("%s is reached at %s, want %s", address, got, want)
		}
	}
}
