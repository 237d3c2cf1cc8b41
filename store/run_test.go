package store_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/store"
)

func TestRunFromBeginToEnd(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.startWith(store.NewRun{
		Recipe: "nba", File: "/r/nba.yaml", Text: []byte("urls: x"), Hash: []byte{1, 2}, Limit: 7,
		Files: map[string][]byte{"a.txt": []byte("a\x00b"), "b.csv": {}}, Pages: pagesOf(host, 2), Tables: []store.TableOwner{leaders},
	})
	if run.State != store.RunRunning || run.StartedAt.IsZero() || !run.FinishedAt.IsZero() {
		t.Errorf("new run %+v", run)
	}
	again, there, err := d.OpenRun(ctx, "nba")
	ok(t, err)
	if diff := cmp.Diff(run, again); !there || diff != "" {
		t.Errorf("OpenRun %v, differs: %s", there, diff)
	}
	w := d.worker()
	v, pages := d.visit(w, run.ID, 2)
	if p := pages[0]; p.URL != host+"/1" || p.Attempt != 1 || p.Vars["n"] != "1" || p.RunID != run.ID {
		t.Errorf("first page %+v", p)
	}
	is(t, d.EndRun(ctx, run.ID, store.RunDone), store.ErrUnfinished)
	counts, err := v.Finish(ctx, result(pages[0], players(line{"Jordan", "3041"}, line{"Malone", "2500"})))
	ok(t, err)
	wantCounts(t, counts["leaders"], 2, 0, 0)
	total := 12
	_, err = v.Finish(ctx, store.PageResult{Page: pages[1], Outcome: "incomplete", Message: "3 of 12", StatedTotal: &total, Rows: 3, Seconds: 1.5, Proof: "none"})
	ok(t, err)
	ok(t, v.Close(ctx))
	nothing := noVisit(t, w, run.ID)
	if !nothing.Next.IsZero() || nothing.Leased {
		t.Errorf("after the last page: %+v", nothing)
	}
	ok(t, d.EndRun(ctx, run.ID, store.RunDone))
	p, err := d.Progress(ctx, run.ID)
	ok(t, err)
	if p.Total != 2 || p.Done != 1 || p.Failed != 1 || p.ByOutcome["incomplete"] != 1 || p.Tables["leaders"].Inserted != 2 {
		t.Errorf("progress %+v", p)
	}
	want(t, d.text("select recipe, state, pages, ok, failed, pending, finished_at is null from runs"), "nba|done|2|1|1|0|f\n")
	want(t, d.text("select url, variables, outcome, message, rows, proof, stated_total, attempts, seconds from pages order by url"),
		host+"/1|{\"n\": \"1\"}|ok|NULL|2|end|NULL|1|0\n"+host+"/2|{\"n\": \"2\"}|incomplete|3 of 12|3|none|12|1|1.5\n")
	want(t, d.text("select url, outcome from problems"), host+"/2|incomplete\n")
	want(t, d.text("select name, recipe, key, rows, last_ok_run from tables"), "leaders|nba|{player}|2|NULL\n")
	infos, err := d.Pages(ctx, store.PageFilter{RunID: run.ID, Failed: true})
	ok(t, err)
	if len(infos) != 1 || infos[0].Outcome != "incomplete" || *infos[0].StatedTotal != 12 || infos[0].OK {
		t.Errorf("failed pages %+v", infos)
	}
}

// noVisit expects that no slot is handed out.
func noVisit(t testing.TB, w *store.Worker, run int64) *store.NothingError {
	t.Helper()
	v, err := w.OpenVisit(t.Context(), run)
	if err == nil {
		t.Fatalf("a visit at %s was opened", v.Host)
	}
	return as[*store.NothingError](t, err)
}

func TestEqualPagesAreOne(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.startWith(store.NewRun{Recipe: "a", Pages: func(yield func(store.NewPage, error) bool) {
		for _, address := range []string{"x", "y", "x", "x#~d=1", "z\x00"} {
			if !yield(store.NewPage{Host: host, URL: "x", Address: address}, nil) {
				return
			}
		}
	}})
	p, err := d.Progress(t.Context(), run.ID)
	ok(t, err)
	if p.Total != 4 {
		t.Errorf("%d pages, want 4", p.Total)
	}
}

func TestBrokenSourceLeavesNoRun(t *testing.T) {
	t.Parallel()
	d := open(t)
	broken := errors.New("the sitemap is no XML")
	_, err := d.StartRun(t.Context(), store.NewRun{Recipe: "a", Pages: func(yield func(store.NewPage, error) bool) {
		_ = yield(store.NewPage{Host: host, URL: "x", Address: "x"}, nil) && yield(store.NewPage{}, broken)
	}})
	is(t, err, broken)
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.run"); n != 0 {
		t.Errorf("%d runs", n)
	}
	d.start("a", 1) // the connection is fit for the next
}

func TestSupersede(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	first := d.start("a", 3)
	_, err := d.StartRun(ctx, store.NewRun{Recipe: "a", Pages: pagesOf(host, 1)})
	if e := as[*store.RunOpenError](t, err); e.Run.ID != first.ID {
		t.Errorf("open run %d, want %d", e.Run.ID, first.ID)
	}
	w := d.worker()
	v, pages := d.visit(w, first.ID, 2)
	second := d.start("a", 1)
	_, err = v.Finish(ctx, result(pages[0])) // what is in hand is finished
	ok(t, err)
	ok(t, v.GiveBack(ctx, pages[1].ID)) // and what is given back is cancelled
	ok(t, v.Close(ctx))
	old, err := d.RunByID(ctx, first.ID)
	ok(t, err)
	p, err := d.Progress(ctx, first.ID)
	ok(t, err)
	if old.State != store.RunSuperseded || p.Pending != 0 || p.Done != 1 || p.ByOutcome["cancelled"] != 2 {
		t.Errorf("old run %s, %+v", old.State, p)
	}
	ok(t, d.EndRun(ctx, first.ID, store.RunDone)) // stays superseded
	if run, there, err := d.OpenRun(ctx, "a"); err != nil || !there || run.ID != second.ID {
		t.Errorf("open run %+v %v %v", run, there, err)
	}
	if run, _, err := d.NewestRun(ctx, ""); err != nil || run.ID != second.ID {
		t.Errorf("newest run %+v %v", run, err)
	}
	_, err = d.RunByID(ctx, 99)
	is(t, err, store.ErrNoRun)
}

func TestStopAndGoOn(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 2)
	w := d.worker()
	v, pages := d.visit(w, run.ID, 1)
	ok(t, d.EndRun(ctx, run.ID, store.RunStopped)) // others work at it: it goes on
	if r, err := d.RunByID(ctx, run.ID); err != nil || r.State != store.RunRunning {
		t.Errorf("state %s %v, want running", r.State, err)
	}
	_, err := v.Finish(ctx, result(pages[0]))
	ok(t, err)
	ok(t, v.Close(ctx))
	ok(t, d.EndRun(ctx, run.ID, store.RunStopped))
	if r, err := d.RunByID(ctx, run.ID); err != nil || r.State != store.RunStopped || r.FinishedAt.IsZero() {
		t.Errorf("state %s %v %v, want stopped", r.State, r.FinishedAt, err)
	}
	_ = noVisit(t, w, 0) // a worker that takes any run leaves a stopped one alone
	v, pages = d.visit(w, run.ID, 1)
	if r, err := d.RunByID(ctx, run.ID); err != nil || r.State != store.RunRunning || !r.FinishedAt.IsZero() {
		t.Errorf("state %s %v %v, want running", r.State, r.FinishedAt, err)
	}
	_, err = v.Finish(ctx, result(pages[0]))
	ok(t, err)
	ok(t, v.Close(ctx))
	ok(t, d.EndRun(ctx, run.ID, store.RunDone))
}

func TestCancelAndReopen(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 5)
	w := d.worker()
	v, pages := d.visit(w, run.ID, 3)
	for i, outcome := range []string{"ok", "timeout", "blocked"} {
		_, err := v.Finish(ctx, store.PageResult{Page: pages[i], Outcome: outcome, OK: outcome == "ok"})
		ok(t, err)
	}
	ok(t, d.CancelRun(ctx, run.ID))
	if got, err := v.Claim(ctx, 1); err != nil || len(got) != 0 {
		t.Errorf("claimed %d pages of a cancelled run, %v", len(got), err)
	}
	ok(t, v.Close(ctx))
	p, err := d.Progress(ctx, run.ID)
	ok(t, err)
	if diff := cmp.Diff(map[string]int{"ok": 1, "timeout": 1, "blocked": 1, "cancelled": 2}, p.ByOutcome); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		outcomes []string
		n        int
	}{{[]string{"http_error"}, 0}, {[]string{"timeout", "blocked"}, 2}, {nil, 2}} {
		n, err := d.Reopen(ctx, run.ID, c.outcomes, false)
		ok(t, err)
		if n != c.n {
			t.Errorf("reopened %d of %v, want %d", n, c.outcomes, c.n)
		}
	}
	v, pages = d.visit(w, run.ID, 4)
	for _, page := range pages {
		if page.Attempt != 1 {
			t.Errorf("attempt %d of a reopened page", page.Attempt)
		}
		_, err := v.Finish(ctx, result(page))
		ok(t, err)
	}
	ok(t, v.Close(ctx))
	ok(t, d.EndRun(ctx, run.ID, store.RunDone))
	other := d.start("a", 1)
	_, err = d.Reopen(ctx, run.ID, nil, false)
	if e := as[*store.RunOpenError](t, err); e.Run.ID != other.ID {
		t.Errorf("open run %d", e.Run.ID)
	}
}

func TestSlowestPaceHolds(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	pace := func(delay time.Duration, places int) func(string) store.Pace {
		return func(string) store.Pace { return store.Pace{Delay: delay, Concurrency: places} }
	}
	read := func() string {
		return get[string](d, "SELECT min_delay || ' ' || concurrency FROM tabfarm_internal.host")
	}
	fast := d.startWith(store.NewRun{Recipe: "fast", Pages: pagesOf(host, 3), Hosts: pace(time.Second, 4)})
	want(t, read(), "00:00:01 4")
	slow := d.startWith(store.NewRun{Recipe: "slow", Pages: pagesOf(host, 3), Hosts: pace(10*time.Second, 1)})
	want(t, read(), "00:00:10 1")
	ok(t, d.SetPace(ctx, fast.ID, host, store.Pace{Delay: 20 * time.Second, Concurrency: 2}))
	want(t, read(), "00:00:20 1")
	paces, err := d.Paces(ctx, fast.ID, []string{host, "https://other.example"})
	ok(t, err)
	if diff := cmp.Diff(map[string]store.Pace{host: {Delay: 20 * time.Second, Concurrency: 1}}, paces); diff != "" {
		t.Errorf("paces (-want +got):\n%s", diff)
	}
	ok(t, d.CancelRun(ctx, slow.ID))
	want(t, read(), "00:00:20 2")
	is(t, d.SetPace(ctx, 99, host, store.Pace{}), store.ErrNoRun)

	// A turn that was reserved with a shorter delay is moved.
	w := d.worker()
	v, _ := d.visit(w, fast.ID, 1)
	if wait, err := v.TakeTurn(ctx); err != nil || wait != 0 {
		t.Fatalf("first turn: wait %s, %v", wait, err)
	}
	wait, err := v.TakeTurn(ctx)
	ok(t, err)
	if wait <= 10*time.Second || wait > 20*time.Second {
		t.Errorf("second turn in %s", wait)
	}
	ok(t, d.SetPace(ctx, fast.ID, host, store.Pace{Delay: 60 * time.Second}))
	if wait, err = v.TakeTurn(ctx); err != nil || wait <= 50*time.Second || wait > 60*time.Second {
		t.Errorf("after a longer delay: turn in %s, %v", wait, err)
	}
	busy(t, v, time.Hour)
	if wait, err = v.TakeTurn(ctx); err != nil || wait <= 59*time.Minute || wait > time.Hour+time.Minute {
		t.Errorf("after a push: turn in %s, %v", wait, err)
	}
	busy(t, v, time.Second) // never shortens
	ok(t, v.Close(ctx))
	if n := noVisit(t, w, fast.ID); time.Until(n.Next) < 50*time.Minute {
		t.Errorf("a pushed host is due at %s", n.Next)
	}
}

func TestManyHostsAreVisitedInTurn(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.startWith(store.NewRun{Recipe: "a", Pages: func(yield func(store.NewPage, error) bool) {
		for i := range 30 {
			u := fmt.Sprintf("https://h%d.example/%d", i%3, i)
			if !yield(store.NewPage{Host: u[:len("https://h0.example")], URL: u, Address: u}, nil) {
				return
			}
		}
	}, Hosts: func(string) store.Pace { return store.Pace{Concurrency: 1} }})
	w := d.worker()
	seen := map[string]int{}
	for range 9 {
		v, _ := d.visit(w, run.ID, 1)
		seen[v.Host]++
		ok(t, v.Close(ctx))
	}
	if got := slices.Sorted(maps.Values(seen)); !slices.Equal(got, []int{3, 3, 3}) {
		t.Errorf("visits by host: %v", seen)
	}
}
