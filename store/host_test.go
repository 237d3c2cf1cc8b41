package store_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// busy tells that the host asked to be left alone, and gives for how long it is.
func busy(t testing.TB, v *store.Visit, after time.Duration) time.Duration {
	t.Helper()
	p, err := v.Trouble(t.Context(), store.Trouble{Reason: "http_error", Busy: true, After: after})
	ok(t, err)
	return p.Push
}

// fail tells n times that the host failed, and gives what the last led to.
func fail(t testing.TB, v *store.Visit, n int) (p store.Treatment) {
	t.Helper()
	for range n {
		var err error
		p, err = v.Trouble(t.Context(), store.Trouble{Reason: "unreachable"})
		ok(t, err)
	}
	return p
}

// hostRow is the host as people see it, its times as the nearest seconds from now.
func hostRow(d *db) string {
	return d.text(`SELECT pages_waiting, failures, reason, round(extract(epoch FROM paused_until - now())), round(extract(epoch FROM next_start - now()))
FROM tabfarm.hosts WHERE host = '` + host + `'`)
}

// rest lets the host's pause be over.
func (d *db) rest() {
	d.exec("UPDATE tabfarm_internal.host SET paused_until = now(), next_start = now()")
}

func near(got, want time.Duration) bool { return got > want-10*time.Second && got <= want+time.Second }

// A host that only fails is paused, longer each time, and given up in the end; one
// page at a time probes it.
func TestHostsThatOnlyFailArePaused(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 30)
	other := d.start("b", 5)
	w := d.worker()
	v, pages := d.visit(w, run.ID, 1)
	if p := fail(t, v, 9); p != (store.Treatment{}) {
		t.Fatalf("after 9 failures: %+v", p)
	}
	want(t, hostRow(d), "34|9|unreachable|NULL|NULL\n")
	for i, pause := range []time.Duration{1, 2, 4, 8, 16, 30} {
		p := fail(t, v, 1)
		if !p.Begins || p.GiveUp || p.Waiting != 34 || !near(p.Paused, pause*time.Minute) {
			t.Fatalf("pause %d: %+v, want %d min", i+1, p, pause)
		}
		if p := fail(t, v, 3); p.Begins || p.GiveUp || p.Paused == 0 { // they began before
			t.Fatalf("failures of other pages while paused: %+v", p)
		}
		if n := get[int](d, "SELECT failures FROM tabfarm_internal.host"); n != 10+i {
			t.Errorf("%d failures count at pause %d", n, i+1)
		}
		_ = noVisit(t, w, run.ID)
		if more, err := v.Claim(ctx, 1); err != nil || len(more) > 0 {
			t.Fatalf("claimed %d pages of a paused host, %v", len(more), err)
		}
		d.rest()
		if wait, err := v.TakeTurn(ctx); wait > 0 || err != nil {
			t.Fatalf("the probe waits %s, %v", wait, err)
		}
		if wait, err := v.TakeTurn(ctx); wait < time.Minute || err != nil {
			t.Fatalf("a second probe waits %s, %v", wait, err)
		}
	}
	if p := fail(t, v, 1); !p.GiveUp || p.Begins {
		t.Fatalf("after the last pause: %+v", p)
	}
	ended, err := v.GiveUp(ctx, "unreachable", "it answers nothing")
	ok(t, err)
	if len(ended) != 2 || ended[run.ID] != 29 || ended[other.ID] != 5 {
		t.Errorf("pages given up: %v", ended)
	}
	want(t, d.text("SELECT outcome, message, count(*) FROM pages WHERE outcome IS NOT NULL GROUP BY 1, 2"), "unreachable|it answers nothing|34\n")
	want(t, hostRow(d), "0|0|NULL|NULL|NULL\n")
	_, err = v.Finish(ctx, result(pages[0]))
	ok(t, err)
}

// A turn of a host without a pace costs no write; one with a pace is reserved.
func TestTurnsOfAHostWithoutAPace(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.start("a", 3)
	v, _ := d.visit(d.worker(), run.ID, 1)
	row := func() string { return get[string](d, "SELECT xmin::text FROM tabfarm_internal.host") }
	for delay, written := range map[string]bool{"0 s": false, "1 h": true} {
		d.exec("UPDATE tabfarm_internal.host SET min_delay = $1::text::interval, next_start = clock_timestamp()", delay)
		before := row()
		if wait, err := v.TakeTurn(t.Context()); wait > 0 || err != nil {
			t.Fatalf("delay %s: waits %s, %v", delay, wait, err)
		}
		if got := row() != before; got != written {
			t.Errorf("delay %s: written %t", delay, got)
		}
		wait, err := v.TakeTurn(t.Context())
		if err != nil || (wait > 0) != written {
			t.Errorf("delay %s: the second turn waits %s, %v", delay, wait, err)
		}
	}
}

func TestAnAnswerEndsTheTrouble(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 30)
	v, _ := d.visit(d.worker(), run.ID, 1)
	fail(t, v, 9)
	ok(t, v.Answered(ctx))
	if p := fail(t, v, 9); p.Paused > 0 {
		t.Fatalf("%+v", p)
	}
	fail(t, v, 1)
	paused := hostRow(d)
	ok(t, v.Answered(ctx)) // a page that began before the pause
	want(t, hostRow(d), paused)
	d.rest()
	_, err := v.TakeTurn(ctx) // the probe, which keeps others off
	ok(t, err)
	ok(t, v.Answered(ctx))
	want(t, hostRow(d), "29|0|NULL|NULL|NULL\n")
	if wait, err := v.TakeTurn(ctx); wait > 0 || err != nil {
		t.Errorf("after the probe: wait %s, %v", wait, err)
	}
	if p := fail(t, v, 10); !near(p.Paused, time.Minute) {
		t.Errorf("the next pause is %s", p.Paused)
	}
}

// With few pages left a pause would only keep them from their end.
func TestFewPagesAreNotPaused(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 10)
	v, _ := d.visit(d.worker(), run.ID, 1)
	if p := fail(t, v, 30); p != (store.Treatment{}) {
		t.Errorf("%+v", p)
	}
	// A pause that began with more ends with them.
	d.exec("UPDATE tabfarm_internal.host SET pauses = 3")
	_, err := v.TakeTurn(ctx)
	ok(t, err)
	if p := fail(t, v, 1); p != (store.Treatment{}) {
		t.Errorf("%+v", p)
	}
	want(t, hostRow(d), "9|31|unreachable|NULL|NULL\n")
}

func TestBusyHostsAreLeftAlone(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 5) // too few for a pause
	w := d.worker()
	v, pages := d.visit(w, run.ID, 1)
	pushed := func() { d.exec("UPDATE tabfarm_internal.host SET pushed_until = now(), next_start = now()") }
	for i, s := range []time.Duration{10, 20, 40, 80, 120, 120} {
		if got := busy(t, v, 0); got > s*time.Second || got < (s-5)*time.Second {
			t.Errorf("push %d: %s, want %d s", i+1, got, s)
		}
		busy(t, v, 0) // asked together with the one before
		_ = noVisit(t, w, run.ID)
		pushed()
	}
	ok(t, v.Answered(ctx))
	if got := busy(t, v, 0); got > 10*time.Second {
		t.Errorf("after an answer: %s", got)
	}
	if got := busy(t, v, time.Hour); !near(got, time.Hour) {
		t.Errorf("Retry-After of 1 h: %s", got)
	}
	ok(t, v.Answered(ctx)) // of a page that began before
	if wait, err := v.TakeTurn(ctx); err != nil || !near(wait, time.Hour) {
		t.Errorf("after an answer: wait %s, %v", wait, err)
	}
	// The page has lost no try.
	ok(t, v.Wait(ctx, pages[0].ID, 0, true, "http_error", "HTTP 503"))
	pushed()
	again, err := v.Claim(ctx, 1)
	ok(t, err)
	if len(again) != 1 || again[0].ID != pages[0].ID || again[0].Attempt != 1 || again[0].Pushed != 1 {
		t.Errorf("claimed again: %+v", again)
	}
}

// Whoever starts a run by hand does not wait for the end of a pause.
func TestTryHosts(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 30)
	w := d.worker()
	v, _ := d.visit(w, run.ID, 1)
	fail(t, v, 10)
	ok(t, v.Close(ctx))
	_ = noVisit(t, w, run.ID)
	epochs := func() int { return get[int](d, "SELECT sum(epoch)::integer FROM tabfarm_internal.slot") }
	before := epochs()
	ok(t, d.TryHosts(ctx, run.ID))
	if epochs() == before {
		t.Error("the jobs that wait for the end of the pause were not replaced")
	}
	v, _ = d.visit(w, run.ID, 1)
	_, err := v.TakeTurn(ctx) // the probe, which its worker does not survive
	ok(t, err)
	_ = noVisit(t, w, run.ID)
	ok(t, d.TryHosts(ctx, run.ID))
	if wait, err := v.TakeTurn(ctx); wait > 0 || err != nil {
		t.Errorf("a second probe by hand waits %s, %v", wait, err)
	}
	if p := fail(t, v, 1); !p.Begins || !near(p.Paused, 2*time.Minute) {
		t.Errorf("the probe failed: %+v", p)
	}
}

// However many fail at once, one begins the pause.
func TestOnePauseOfManyFailures(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.start("a", 60)
	var mu sync.Mutex
	var all sync.WaitGroup
	begun := 0
	visits := make([]*store.Visit, 4)
	for i := range visits {
		visits[i], _ = d.visit(d.second().worker(), run.ID, 1)
	}
	for _, v := range visits {
		all.Go(func() {
			for range 10 {
				p, err := v.Trouble(t.Context(), store.Trouble{Reason: "timeout"})
				mu.Lock()
				if err != nil {
					t.Error(err)
				}
				if p.Begins {
					begun++
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if n := get[int](d, "SELECT pauses FROM tabfarm_internal.host"); begun != 1 || n != 1 {
		t.Errorf("%d pauses begun, %d in the row", begun, n)
	}
	if n := get[int](d, "SELECT failures FROM tabfarm_internal.host"); n != 10 {
		t.Errorf("%d failures count", n)
	}
}

// Runs of one host take turns; one of higher priority goes first.
func TestRunsOfAHostTakeTurns(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	names := map[int64]string{}
	for _, r := range []struct {
		name     string
		pages    int
		priority int
	}{{"old", 6, 0}, {"young", 3, 0}, {"urgent", 2, 1}} {
		run := d.startWith(store.NewRun{Recipe: r.name, Pages: pagesOf(host, r.pages), Priority: r.priority})
		names[run.ID] = r.name
	}
	v, err := d.worker().OpenVisit(ctx, 0)
	ok(t, err)
	var got []string
	for range 11 {
		pages, err := v.Claim(ctx, 1)
		ok(t, err)
		if len(pages) != 1 {
			t.Fatalf("claimed %d pages", len(pages))
		}
		got = append(got, names[pages[0].RunID])
	}
	order := []string{"urgent", "urgent", "old", "young", "old", "young", "old", "young", "old", "old", "old"}
	if !slices.Equal(got, order) {
		t.Errorf("claimed %v, want %v", got, order)
	}
}
