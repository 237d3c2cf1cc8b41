package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/store"
)

var discard = slog.New(slog.DiscardHandler)

// numbers stand for a pool; askedQueue for a database that counts its looks.
type numbers browserpool.Stats

func (n numbers) Stats() browserpool.Stats { return browserpool.Stats(n) }

type askedQueue struct {
	looks int
	depth store.Depth
	err   error
}

func (q *askedQueue) Depth(context.Context) (store.Depth, error) {
	q.looks++
	return q.depth, q.err
}

// shown are the program's own metrics with their labels and values, sorted; a
// histogram shows how often and the sum.
func shown(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "tabfarm_") {
			continue
		}
		for _, s := range f.GetMetric() {
			name := f.GetName()
			for _, l := range s.GetLabel() {
				name += " " + l.GetValue()
			}
			switch {
			case s.GetHistogram() != nil:
				out[name+" count"], out[name+" sum"] = float64(s.GetHistogram().GetSampleCount()), s.GetHistogram().GetSampleSum()
			case s.GetCounter() != nil:
				out[name] = s.GetCounter().GetValue()
			default:
				out[name] = s.GetGauge().GetValue()
			}
		}
	}
	return out
}

// changed are the values that differ.
func changed(before, after map[string]float64) map[string]float64 {
	out := map[string]float64{}
	for name, v := range after {
		if old, there := before[name]; !there || old != v {
			out[name] = v
		}
	}
	return out
}

// Each event is counted as what it was.
func TestEventsAreCounted(t *testing.T) {
	t.Parallel()
	m := NewMetrics(Sources{})
	zero := shown(t, m)
	for _, o := range farm.Outcomes() {
		if n, there := zero["tabfarm_pages_total "+string(o)]; !there || n != 0 {
			t.Errorf("before any page %s is counted %v, there: %v", o, n, there)
		}
	}
	page := farm.Event{
		RunID: 1, Address: "https://stats.example/1", Outcome: farm.OK, Last: true, Rows: 50, Found: 2, Took: 5 * time.Second,
		Phases: farm.Phases{Tab: time.Second / 2, Host: time.Second, Navigate: 2 * time.Second, Settle: time.Second / 4, Read: time.Second / 2, Type: time.Second / 4, Store: time.Second / 8},
	}
	m.Event(page)
	m.Event(page)
	m.Event(farm.Event{Outcome: farm.Timeout, Last: true, Failed: true, Took: time.Second, Phases: farm.Phases{Navigate: time.Second}})
	m.Event(farm.Event{Outcome: farm.HTTPError, Retry: time.Minute, Took: time.Second})
	m.Event(farm.Event{}) // of what is no end of a try
	want := map[string]float64{
		"tabfarm_pages_total ok": 2, "tabfarm_pages_total timeout": 1, "tabfarm_pages_failed_total": 1,
		"tabfarm_page_retries_total http_error": 1, "tabfarm_rows_total": 100, "tabfarm_pages_found_total": 4,
		"tabfarm_page_duration_seconds count": 4, "tabfarm_page_duration_seconds sum": 12,
		"tabfarm_page_phase_duration_seconds tab count": 2, "tabfarm_page_phase_duration_seconds tab sum": 1,
		"tabfarm_page_phase_duration_seconds host count": 2, "tabfarm_page_phase_duration_seconds host sum": 2,
		"tabfarm_page_phase_duration_seconds navigate count": 3, "tabfarm_page_phase_duration_seconds navigate sum": 5,
		"tabfarm_page_phase_duration_seconds settle count": 2, "tabfarm_page_phase_duration_seconds settle sum": .5,
		"tabfarm_page_phase_duration_seconds read count": 2, "tabfarm_page_phase_duration_seconds read sum": 1,
		"tabfarm_page_phase_duration_seconds type count": 2, "tabfarm_page_phase_duration_seconds type sum": .5,
		"tabfarm_page_phase_duration_seconds store count": 2, "tabfarm_page_phase_duration_seconds store sum": .25,
	}
	if diff := cmp.Diff(want, changed(zero, shown(t, m))); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// Every number of the pool and of the queue is shown as what it is.
func TestGaugesAreRead(t *testing.T) {
	t.Parallel()
	pool := numbers{
		Tabs: 8, TabsBusy: 3, Browsers: 2, TabsReplaced: 11, TabsRecycled: 12, BrowserStarts: 13, BrowserRestarts: 14,
		Refused: 15, Timeouts: 16, Crashes: 17,
	}
	queue := &askedQueue{depth: store.Depth{Pages: 30, Due: 21, Hosts: 22, Oldest: 23 * time.Second, Running: 24, Stopped: 25, Paused: 26, Workers: 27}}
	want := map[string]float64{
		"tabfarm_tabs busy": 3, "tabfarm_tabs free": 5, "tabfarm_browsers": 2, "tabfarm_tabs_replaced_total": 11, "tabfarm_tabs_recycled_total": 12,
		"tabfarm_browser_starts_total": 13, "tabfarm_browser_restarts_total": 14, "tabfarm_addresses_refused_total": 15,
		"tabfarm_tab_timeouts_total": 16, "tabfarm_tab_crashes_total": 17,
		"tabfarm_queue_pages due": 21, "tabfarm_queue_pages later": 9, "tabfarm_queue_hosts": 22, "tabfarm_queue_oldest_due_seconds": 23,
		"tabfarm_runs running": 24, "tabfarm_runs stopped": 25, "tabfarm_hosts_paused": 26, "tabfarm_workers": 27, "tabfarm_queue_errors_total": 0,
	}
	with := shown(t, NewMetrics(Sources{Browser: pool, Queue: queue}))
	if diff := cmp.Diff(want, changed(shown(t, NewMetrics(Sources{})), with)); diff != "" {
		t.Errorf("shown (-want +got):\n%s", diff)
	}
}

// However often it is asked, the database is looked at once in a while. While it
// does not answer, no old number is shown.
func TestQueueIsLookedAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &askedQueue{depth: store.Depth{Workers: 2}}
		m := NewMetrics(Sources{Queue: q})
		for range 10 {
			if got := shown(t, m)["tabfarm_workers"]; got != 2 || q.looks != 1 {
				t.Fatalf("%v workers after %d looks, want 2 after one", got, q.looks)
			}
		}
		time.Sleep(queueHolds)
		q.err = errors.New("the database is away")
		for range 10 {
			now := shown(t, m)
			if _, there := now["tabfarm_workers"]; there || now["tabfarm_queue_errors_total"] != 1 || q.looks != 2 {
				t.Fatalf("after %d looks without an answer: %v", q.looks, now)
			}
		}
		time.Sleep(queueHolds)
		q.err, q.depth.Workers = nil, 5
		if got := shown(t, m)["tabfarm_workers"]; got != 5 {
			t.Errorf("%v workers when the database is back, want 5", got)
		}
	})
}

// The table of docs/operations.md is what is served, and Prometheus' conventions
// are kept.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	families, err := NewMetrics(Sources{Browser: numbers{}, Queue: &askedQueue{}}).registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	var served, names []string
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "tabfarm_") {
			continue
		}
		names = append(names, f.GetName())
		labels := ""
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels += "`" + l.GetName() + "`"
		}
		served = append(served, fmt.Sprintf("| `%s` | %s | %s | %s |", f.GetName(), strings.ToLower(f.GetType().String()), labels, f.GetHelp()))
	}
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `tabfarm_") {
			documented = append(documented, strings.TrimSpace(line))
		}
	}
	slices.Sort(served)
	slices.Sort(documented)
	if diff := cmp.Diff(served, documented); diff != "" {
		t.Errorf("docs/operations.md differs (-served +documented):\n%s", diff)
	}
	// Alerts and the like name no others.
	for _, name := range regexp.MustCompile(`tabfarm_[a-z_]+`).FindAllString(string(text), -1) {
		if !slices.Contains(names, name) {
			t.Errorf("docs/operations.md names %s, which is not served", name)
		}
	}
}
