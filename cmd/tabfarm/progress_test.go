package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/store"
)

// clock is a time that tests set.
type clock struct{ now time.Time }

func newClock() *clock { return &clock{time.Date(2026, 11, 23, 6, 30, 0, 0, time.UTC)} }

func (c *clock) time() time.Time { return c.now }

// ended tells p that pages of one host ended.
func ended(p *progress, n int, o farm.Outcome, rows int) {
	for i := range n {
		p.event(farm.Event{Address: fmt.Sprintf("https://stats.example/%d", i), Outcome: o, Message: "why", Rows: rows, Last: true, Failed: o != farm.OK})
	}
}

func TestProgressLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		pace float64
		make func(*progress, *clock)
		want string
	}{
		{"of the session", 20, func(p *progress, c *clock) {
			c.now = c.now.Add(63 * time.Second)
			ended(p, 20, farm.OK, 560)
			ended(p, 1, farm.DuplicateKey, 4)
		}, "21/40 pages  11,204 rows  20/min (this host's pace)  1 failed  1 min left"},
		{"at the beginning", 20, func(*progress, *clock) {}, "0/40 pages  0 rows  20/min (this host's pace)  2 min left"},
		{"slower than its pace", 20, func(p *progress, c *clock) {
			c.now = c.now.Add(2 * time.Minute)
			ended(p, 10, farm.OK, 1)
		}, "10/40 pages  10 rows  5/min  6 min left"},
		{"without a pace", 0, func(p *progress, c *clock) {
			c.now = c.now.Add(2 * time.Second)
			ended(p, 10, farm.OK, 0)
		}, "10/40 pages  0 rows  5.0/s  6 s left"},
		{"while sources are read", 0, func(p *progress, _ *clock) {
			p.sync(store.Progress{Total: 10000, Done: 12, Failed: 1})
		}, "13/10000+ pages  0 rows"},
		{"no pace and nothing known", 0, func(*progress, *clock) {}, "0/40 pages  0 rows"},
		{"several outcomes", 0, func(p *progress, c *clock) {
			c.now = c.now.Add(time.Minute)
			ended(p, 3, farm.Timeout, 0)
			ended(p, 1, farm.HTTPError, 0)
			ended(p, 36, farm.OK, 1)
		}, "40/40 pages  36 rows  40/min  4 failed (3 timeout, 1 http_error)"},
		{"a try again ends nothing", 20, func(p *progress, _ *clock) {
			p.event(farm.Event{Address: "https://stats.example/1", Outcome: farm.Timeout, Retry: time.Second})
		}, "0/40 pages  0 rows  20/min (this host's pace)  2 min left"},
		{"accepted empty pages", 20, func(p *progress, _ *clock) {
			p.event(farm.Event{Address: "https://stats.example/1", Outcome: farm.Empty, Last: true})
		}, "1/40 pages  0 rows  20/min (this host's pace)  2 min left"},
		{"pages given up with their host", 0, func(p *progress, c *clock) {
			c.now = c.now.Add(time.Minute)
			ended(p, 4, farm.OK, 1)
			p.event(farm.Event{Host: "https://stats.example", Outcome: farm.Unreachable, Paused: time.Minute, Waiting: 30})
			p.event(farm.Event{Host: "https://stats.example", Outcome: farm.Unreachable, GivenUp: 30})
		}, "34/40 pages  4 rows  34/min  30 failed  11 s left"},
		{"pages that links lead to", 20, func(p *progress, _ *clock) {
			p.event(farm.Event{Address: "https://stats.example/1", Outcome: farm.OK, Last: true, Found: 20})
		}, "1/60 pages  0 rows  20/min (this host's pace)  3 min left"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := newClock()
			p := newProgress(40, 0, 0, tt.pace, c.time)
			tt.make(p, c)
			if got := p.line(); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

// A run that goes on counts what was done before, but its rate is of now.
func TestProgressGoesOn(t *testing.T) {
	t.Parallel()
	c := newClock()
	p := newProgress(40, 22, 11204, 0, c.time)
	c.now = c.now.Add(time.Minute)
	ended(p, 6, farm.OK, 1)
	if got, want := p.line(), "28/40 pages  11,210 rows  6/min  2 min left"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestRoughly(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		time.Millisecond: "1 s", 50 * time.Second: "50 s", 51 * time.Second: "1 min", 61 * time.Second: "2 min", time.Hour: "1 h",
		2*time.Hour + 5*time.Minute: "2 h 5 min", 49 * time.Hour: "2 d 1 h", 24*time.Hour - time.Second: "1 d",
	} {
		if got := roughly(d); got != want {
			t.Errorf("roughly(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestRateText(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]string{20: "20/min", 1.5: "1.5/min", 6: "6/min", 0.5: "30/h", 60: "60/min", 300: "5.0/s"} {
		if got := rateText(rate); got != want {
			t.Errorf("rateText(%v) = %q, want %q", rate, got, want)
		}
	}
}

// safeBuffer may be read while a display writes.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
	// wrote gets a value after each write that fits.
	wrote chan struct{}
}

func newSafeBuffer() *safeBuffer { return &safeBuffer{wrote: make(chan struct{}, 1)} }

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer func() {
		select {
		case s.wrote <- struct{}{}:
		default:
		}
	}()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// await waits for a text to be written.
func (s *safeBuffer) await(t *testing.T, text string) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !strings.Contains(s.String(), text) {
		select {
		case <-s.wrote:
		case <-deadline:
			t.Fatalf("%q was not written, but %q", text, s.String())
		}
	}
}

func TestLinesAtEachTick(t *testing.T) {
	t.Parallel()
	c := newClock()
	p := newProgress(40, 0, 0, 0, c.time)
	tick := make(chan time.Time)
	w := newSafeBuffer()
	lines := newLines(w, "totals", p, tick)
	tick <- c.now
	w.await(t, "totals  0/40 pages  0 rows\n")
	ended(p, 1, farm.OK, 735)
	tick <- c.now
	w.await(t, "totals  1/40 pages  735 rows\n")
	lines.Close()
	if got := strings.Count(w.String(), "\n"); got != 2 {
		t.Errorf("%d lines were written, want 2", got)
	}
}

// The bar shows the line, lets notices stand above it, and is gone at its end.
func TestBar(t *testing.T) {
	t.Parallel()
	c := newClock()
	p := newProgress(40, 0, 0, 20, c.time)
	w := newSafeBuffer()
	bar := newBar(w, p, 120, mpb.ForceTTY(), mpb.ForceAutoRefresh())
	p.mu.Lock() // the bar reads the clock under this lock
	c.now = c.now.Add(time.Minute)
	p.mu.Unlock()
	ended(p, 20, farm.OK, 560)
	w.await(t, "[=========>        ]")
	w.await(t, "20/40 pages  11,200 rows  20/min (this host's pace)  1 min left")
	if _, err := bar.Write([]byte("a notice\n")); err != nil {
		t.Fatal(err)
	}
	w.await(t, "a notice\n")
	bar.Close()
	written := w.String()
	last := written[strings.LastIndex(written, "\n")+1:]
	if strings.Contains(last, "pages") {
		t.Errorf("the bar stays on the screen: %q", last)
	}
}
