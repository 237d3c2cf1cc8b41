package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/store"
)

// later gives times that come after a while from now; a negative one was missed.
func later(d time.Duration) func(time.Time) time.Time {
	return func(now time.Time) time.Time { return now.Add(d) }
}

// due makes a schedule that was due a minute ago.
func (d *db) due(recipe string) store.Due {
	d.t.Helper()
	_, err := d.PutSchedule(d.t.Context(), store.NewSchedule{Recipe: recipe, Hash: []byte(recipe), Rule: "* * * * *", Next: later(-time.Minute)})
	ok(d.t, err)
	all, err := d.DueSchedules(d.t.Context())
	ok(d.t, err)
	for _, s := range all {
		if s.Recipe == recipe {
			return store.Due{Schedule: s.ID, At: s.NextAt, Next: later(time.Hour)}
		}
	}
	d.t.Fatalf("%s is not due", recipe)
	return store.Due{}
}

// TestPutSchedule: the same recipe again changes nothing, also a time that was
// missed; a changed one counts from now.
func TestPutSchedule(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	if next, err := d.NextDue(ctx); err != nil || !next.IsZero() {
		t.Errorf("the next of none is %v, %v", next, err)
	}
	n := store.NewSchedule{
		Recipe: "a", File: "/old/a.yaml", Text: []byte("urls: 1"), Hash: []byte{1}, Rule: "30 6 * * *", Timezone: "UTC",
		Files: map[string][]byte{"a.txt": []byte("one"), "b.txt": {}}, Next: later(-time.Hour),
	}
	first, err := d.PutSchedule(ctx, n)
	ok(t, err)
	_, err = d.PutSchedule(ctx, store.NewSchedule{Recipe: "b", Hash: []byte{1}, Rule: "0 0 1 1 *", Timezone: "UTC", Next: func(time.Time) time.Time { return time.Time{} }})
	ok(t, err)
	n.File, n.Next = "/new/a.yaml", later(time.Hour)
	if again, err := d.PutSchedule(ctx, n); err != nil || !again.Equal(first) {
		t.Errorf("unchanged, the next time is %v, want %v; %v", again, first, err)
	}
	due, err := d.DueSchedules(ctx)
	ok(t, err)
	want := []store.Schedule{{ID: 1, Recipe: "a", File: "/new/a.yaml", Text: n.Text, Files: n.Files, NextAt: first}}
	if diff := cmp.Diff(want, due); diff != "" {
		t.Errorf("due (-want +got)\n%s", diff)
	}
	ok(t, d.PassDue(ctx, store.Due{Schedule: 1, At: first, Next: later(-time.Second)}, "not started: it rains"))
	n.Hash, n.Files = []byte{2}, map[string][]byte{"c.txt": []byte("three")}
	changed, err := d.PutSchedule(ctx, n)
	ok(t, err)
	if !changed.After(time.Now()) {
		t.Errorf("changed, the next time is %v", changed)
	}
	if next, err := d.NextDue(ctx); err != nil || !next.Equal(changed) {
		t.Errorf("the next of all is %v, want %v; %v", next, changed, err)
	}
	all, err := d.Schedules(ctx)
	ok(t, err)
	for i := range all {
		all[i].EnabledAt = time.Time{}
	}
	infos := []store.ScheduleInfo{
		{Recipe: "a", Rule: "30 6 * * *", Timezone: "UTC", NextAt: changed, File: "/new/a.yaml"},
		{Recipe: "b", Rule: "0 0 1 1 *", Timezone: "UTC"},
	}
	if diff := cmp.Diff(infos, all); diff != "" {
		t.Errorf("schedules (-want +got)\n%s", diff)
	}
	for _, there := range []bool{true, false} {
		if was, err := d.DropSchedule(ctx, "a"); err != nil || was != there {
			t.Errorf("dropped %v, want %v; %v", was, there, err)
		}
	}
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.schedule_file"); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// TestStartDueOnce: of many who start a recipe for one time, at once, one does. The
// runs may overlap, so nothing but the time keeps the others from it.
func TestStartDueOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	due := d.due("a")
	const starters = 6
	var (
		all   sync.WaitGroup
		begin = make(chan struct{})
		errs  = make([]error, starters)
	)
	for i := range starters {
		all.Go(func() {
			<-begin
			_, errs[i] = d.StartRun(t.Context(), store.NewRun{Recipe: "a", Pages: pagesOf(host, 2), Beside: true, Due: &due})
		})
	}
	close(begin)
	all.Wait()
	started := 0
	for _, err := range errs {
		switch {
		case err == nil:
			started++
		case !errors.Is(err, store.ErrNotDue):
			t.Error(err)
		}
	}
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.run"); started != 1 || n != 1 {
		t.Errorf("%d of %d began, and %d runs are there", started, starters, n)
	}
	is(t, d.PassDue(t.Context(), due, "too late"), store.ErrNotDue)
	want(t, d.text("select last_run, last_state, note, next_at > now() + interval '50 min', last_at <= now() from schedules"), "1|running|NULL|t|t\n")
	if left, err := d.DueSchedules(t.Context()); err != nil || len(left) > 0 {
		t.Errorf("%d are due still, %v", len(left), err)
	}
}

// TestStartDueBeside: a run that is going keeps a scheduled one away, unless both may
// be there; one that was stopped is closed.
func TestStartDueBeside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, state string
		beside      bool
		want        string // states of both runs
	}{
		{"skip a running one", store.RunRunning, false, "running"},
		{"close a stopped one", store.RunStopped, false, "superseded running"},
		{"beside a running one", store.RunRunning, true, "running running"},
		{"beside a stopped one", store.RunStopped, true, "stopped running"},
		{"after one that is done", store.RunCancelled, false, "cancelled running"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			ctx := t.Context()
			first := d.start("a", 1)
			if c.state != store.RunRunning {
				ok(t, d.EndRun(ctx, first.ID, c.state))
			}
			due := d.due("a")
			run, err := d.StartRun(ctx, store.NewRun{Recipe: "a", Pages: pagesOf(host, 1), Beside: c.beside, Due: &due})
			if c.want == "running" {
				if e := as[*store.RunOpenError](t, err); e.Run.ID != first.ID {
					t.Errorf("open run %d", e.Run.ID)
				}
				ok(t, d.PassDue(ctx, due, "skipped"))
				want(t, d.text("select last_run, note, next_at > now() from schedules"), "NULL|skipped|t\n")
			} else {
				ok(t, err)
				if open, _, err := d.OpenRun(ctx, "a"); err != nil || open.ID != run.ID {
					t.Errorf("run %d is the open one, want %d; %v", open.ID, run.ID, err)
				}
			}
			want(t, d.text("select string_agg(state, ' ' order by run) from runs"), c.want+"\n")
		})
	}
}

// TestReopenBeside: where runs may be there beside each other, one that is going
// does not keep the failed pages of another from being tried again. A changed recipe
// closes both.
func TestReopenBeside(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	first := d.start("a", 1)
	v, pages := d.visit(d.worker(), first.ID, 1)
	_, err := v.Finish(ctx, store.PageResult{Page: pages[0], Outcome: "timeout"})
	ok(t, err)
	ok(t, v.Close(ctx))
	ok(t, d.EndRun(ctx, first.ID, store.RunDone))
	second := d.start("a", 1)
	if n, err := d.Reopen(ctx, first.ID, nil, true); err != nil || n != 1 {
		t.Errorf("%d pages are opened again, %v", n, err)
	}
	want(t, d.text("select string_agg(state, ' ' order by run) from runs"), "running running\n")
	ok(t, d.CancelRun(ctx, second.ID)) // and each is cancelled for itself
	want(t, d.text("select string_agg(state, ' ' order by run) from runs"), "running cancelled\n")
	_, err = d.StartRun(ctx, store.NewRun{Recipe: "a", Pages: pagesOf(host, 1), Beside: true})
	ok(t, err)
	d.start("a", 1)
	want(t, d.text("select string_agg(state, ' ' order by run) from runs"), "superseded cancelled superseded running\n")
}

func TestAnyWorker(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, there := range []bool{false, true} {
		if there {
			d.worker()
		}
		if any, err := d.AnyWorker(t.Context()); err != nil || any != there {
			t.Errorf("a worker lives: %v, want %v; %v", any, there, err)
		}
	}
}
