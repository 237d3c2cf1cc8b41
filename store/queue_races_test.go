package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// The races of races_test.go, with the queue at work. That a slot has the flag
// queued, beside its job, has no test here: without it nothing is lost, but whoever
// inserts the job of a slot that is just being left waits for the transaction that
// completes the old one, which waits for the slot's lock. Postgres ends one of the
// two, and it begins again.

// Gates hold whole statements, before they lock any row: as if the process that
// sent it had not come so far yet.
const (
	gateAtJobEnd    = "CREATE TRIGGER gate BEFORE UPDATE ON tabfarm_internal.river_job FOR EACH STATEMENT WHEN (current_query() LIKE '%JobSetStateIfRunningMany%') EXECUTE FUNCTION gate()"
	gateAtOpenVisit = "CREATE TRIGGER gate BEFORE UPDATE ON tabfarm_internal.slot FOR EACH STATEMENT WHEN (current_query() LIKE '%taken_at = clock_timestamp()%') EXECUTE FUNCTION gate()"
	gateAtBeginPlan = "CREATE TRIGGER gate BEFORE UPDATE ON tabfarm_internal.run FOR EACH STATEMENT WHEN (current_query() LIKE '%SET planner = $3%') EXECUTE FUNCTION gate()"
)

// atGate waits until n are held by the gate itself, held until n are by any lock.
func (g *gate) atGate(n int) { g.d.t.Helper(); g.until(n, "AND wait_event = 'advisory'") }
func (g *gate) held(n int)   { g.d.t.Helper(); g.until(n, "") }

func (g *gate) until(n int, which string) {
	g.d.t.Helper()
	eventually(g.d.t, fmt.Sprintf("%d are held", n), func() bool {
		var held int
		ok(g.d.t, g.conn.QueryRow(g.d.t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "+which).Scan(&held))
		return held >= n
	})
}

// hand is one worker at the queue that reaps only when it registers, and sweeps
// only then: what it forgets stays forgotten.
type hand struct {
	d     *db
	w     *store.Worker
	leave chan struct{}
	ended chan error
	dead  atomic.Bool
}

// hire starts a worker at the queue. It leaves at the end of the test.
func (d *db) hire(change func(*store.Jobs)) *hand {
	d.t.Helper()
	return d.hireSweeping(time.Hour, change)
}

// hireSweeping is hire for a worker that sweeps.
func (d *db) hireSweeping(sweep time.Duration, change func(*store.Jobs)) *hand {
	d.t.Helper()
	s := d.second()
	s.SetChunk(smallChunk)
	s.SetTimes(time.Hour, time.Hour, sweep)
	h := &hand{d: d, w: s.worker(), leave: make(chan struct{}), ended: make(chan error, 1)}
	jobs := store.Jobs{Visits: 8, Longest: time.Minute, Visit: finishing(nil), Plan: plan(nil)}
	if change != nil {
		change(&jobs)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(d.t.Context())) // that one ends before the clean-up
	go func() { h.ended <- h.w.Work(ctx, h.leave, jobs) }()
	d.t.Cleanup(func() {
		close(h.leave)
		bound := time.AfterFunc(15*time.Second, cancel) // where the test failed behind a closed gate
		err := <-h.ended
		bound.Stop()
		cancel()
		if err != nil && (!h.dead.Load() || !errors.Is(err, store.ErrWorkerLost)) {
			d.t.Errorf("work: %v", err)
		}
	})
	return h
}

// dies makes the worker one that others take for dead when they register.
func (h *hand) dies() {
	h.d.t.Helper()
	h.dead.Store(true)
	h.d.exec("UPDATE tabfarm_internal.worker SET heartbeat = 'epoch' WHERE id = $1", h.w.ID())
}

// finishing is a visit that finishes what it claims, a page at a time, and counts.
func finishing(n *atomic.Int64) func(context.Context, *store.Visit) error {
	return func(ctx context.Context, v *store.Visit) error {
		for {
			pages, err := v.Claim(ctx, 1)
			if err != nil || len(pages) == 0 {
				return unlessFenced(err)
			}
			if _, err := v.Finish(ctx, result(pages[0])); err != nil {
				return unlessFenced(err)
			}
			if n != nil {
				n.Add(1)
			}
		}
	}
}

// unlessFenced is the end of a visit: one whose turn is over has nothing to tell.
func unlessFenced(err error) error {
	if errors.Is(err, store.ErrFenced) {
		return nil
	}
	return err
}

// once gives true the first time.
func once() func() bool {
	var done atomic.Bool
	return func() bool { return done.CompareAndSwap(false, true) }
}

func alone(string) store.Pace { return store.Pace{Concurrency: 1} }

// A run begins on a host whose visit has looked for pages, found none, and is just
// about to end its job. The job ends in the transaction that frees the slot, and
// who queues the slot waits for that one, whatever the slot looks like.
func TestRunBeginsWhileJobEnds(t *testing.T) {
	t.Parallel()
	d := open(t)
	g := d.gate(gateAtJobEnd)
	first := d.startWith(store.NewRun{Recipe: "first", Pages: pagesOf(host, 1), Hosts: alone})
	d.hire(nil)
	g.atGate(1)
	var second store.Run
	began := g.waits(2, func() (err error) {
		second, err = d.StartRun(t.Context(), store.NewRun{Recipe: "second", Pages: pagesOf(host, 1), Hosts: alone})
		return err
	})
	g.open()
	ok(t, <-began)
	d.eventuallyState(first.ID, store.RunDone)
	d.eventuallyState(second.ID, store.RunDone)
}

// A page of another host leads to one of a host whose visit is about to end its
// job. Who adds it makes no slots, at which it would wait in any case.
func TestPageFoundWhileJobEnds(t *testing.T) {
	t.Parallel()
	d := open(t)
	g := d.gate(gateAtJobEnd)
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOnHosts(2, 1), Hosts: alone})
	goOn := make(chan struct{})
	d.hire(func(j *store.Jobs) {
		j.Visit = func(ctx context.Context, v *store.Visit) error {
			if v.Host == "https://h0.example" {
				return finishing(nil)(ctx, v)
			}
			pages, err := v.Claim(ctx, 1)
			if err != nil || len(pages) == 0 {
				return err
			}
			<-goOn
			to := store.NewPage{Host: "https://h0.example", URL: "https://h0.example/found", Address: "found"}
			_, added, err := v.FinishFinding(ctx, result(pages[0]), store.Found{Pages: []store.FoundPage{{NewPage: to}}, Hosts: alone})
			if added != 1 {
				t.Errorf("%d pages were added", added)
			}
			return err
		}
	})
	g.atGate(1)
	close(goOn)
	g.held(2)
	g.open()
	d.eventuallyState(run.ID, store.RunDone)
}

// A worker dies when it has told that pages are left, and before it has told that
// the job is to come again: the job stays in its hands.
func TestWorkerDiesBeforeItsJobIsBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	g := d.gate(gateAtJobEnd)
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, 1), Hosts: alone})
	first := d.hire(func(j *store.Jobs) {
		j.Visit = func(context.Context, *store.Visit) error { return nil }
	})
	g.atGate(1)
	first.dies()
	d.hire(nil)
	if epoch := get[int](d, "SELECT epoch FROM tabfarm_internal.slot"); epoch == 0 {
		t.Fatal("nobody took the slot over")
	}
	g.open()
	d.eventuallyState(run.ID, store.RunDone)
}

// A worker dies when it has got a job and before the first thing it does with it.
func TestWorkerDiesBeforeItBegins(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		gate, epoch string
		pages       int
	}{
		"visit": {gateAtOpenVisit, "SELECT epoch FROM tabfarm_internal.slot", 1},
		"plan":  {gateAtBeginPlan, "SELECT plan_epoch FROM tabfarm_internal.run", smallChunk + 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.SetChunk(smallChunk)
			g := d.gate(c.gate)
			run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, c.pages), Hosts: alone})
			planning := func(j *store.Jobs) { j.Plan = plan(pagesOf(host, c.pages)) }
			first := d.hire(planning)
			g.atGate(1)
			if name == "plan" { // a transaction of a visit would hold the worker's row
				eventually(t, "its visit has ended", func() bool { return liveVisits(d) == 0 })
			}
			first.dies()
			d.hire(planning)
			if epoch := get[int](d, c.epoch); epoch == 0 {
				t.Fatal("the job stays in a dead worker's hands")
			}
			g.open()
			d.eventuallyState(run.ID, store.RunDone)
		})
	}
}

// The job of a worker that was taken for dead is rescued by the queue, long after
// the slot went to another job: it changes nothing.
func TestRescuedJobOfOldEpoch(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, 2), Hosts: alone})
	holds, release := make(chan struct{}), make(chan struct{})
	first := d.hire(func(j *store.Jobs) {
		j.Visit = func(ctx context.Context, v *store.Visit) error {
			pages, err := v.Claim(ctx, 1)
			if err != nil {
				return err
			}
			close(holds)
			<-release
			_, err = v.Finish(context.WithoutCancel(ctx), result(pages[0])) // as if it did not know yet
			if !errors.Is(err, store.ErrFenced) {
				t.Errorf("a dead worker's finish: %v", err)
			}
			return nil
		}
	})
	<-holds
	first.dies()
	var finished atomic.Int64
	d.hire(func(j *store.Jobs) { j.Visit = finishing(&finished) })
	d.eventuallyState(run.ID, store.RunDone)
	eventually(t, "the new job has ended", func() bool {
		return get[bool](d, "SELECT NOT queued FROM tabfarm_internal.slot")
	})
	const slot = "SELECT concat_ws(' ', epoch, turn, queued, worker) FROM tabfarm_internal.slot"
	before := get[string](d, slot)
	const old = "kind = 'visit' AND args->>'epoch' = '0'"
	d.exec("UPDATE tabfarm_internal.river_job SET state = 'available' WHERE " + old + " AND state = 'running'")
	eventually(t, "the rescued job has ended", func() bool {
		return get[bool](d, "SELECT state = 'completed' FROM tabfarm_internal.river_job WHERE "+old)
	})
	if after := get[string](d, slot); after != before {
		t.Errorf("slot %s, before it was %s", after, before)
	}
	close(release)
	if n := finished.Load(); n != 2 {
		t.Errorf("%d pages were finished, want 2", n)
	}
}

// The queue rescues a job whose worker lives: two work at it, both of its epoch.
// The older turn changes nothing, and its end takes the job from nobody.
func TestJobInTwoHands(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, 3), Hosts: alone})
	type turn struct {
		holds, release chan struct{}
		fenced         error
	}
	turns := []*turn{{holds: make(chan struct{}), release: make(chan struct{})}, {holds: make(chan struct{}), release: make(chan struct{})}}
	var n atomic.Int64
	var finished atomic.Int64
	d.hire(func(j *store.Jobs) {
		j.Visit = func(ctx context.Context, v *store.Visit) error {
			i := int(n.Add(1)) - 1
			if i >= len(turns) {
				return finishing(&finished)(ctx, v)
			}
			pages, err := v.Claim(ctx, 1)
			if err != nil {
				return err
			}
			close(turns[i].holds)
			<-turns[i].release
			if _, turns[i].fenced = v.Finish(ctx, result(pages[0])); turns[i].fenced == nil {
				finished.Add(1)
			}
			return nil // pages are left, if the turn is not over
		}
	})
	<-turns[0].holds
	d.exec("UPDATE tabfarm_internal.river_job SET state = 'available' WHERE kind = 'visit'")
	<-turns[1].holds
	close(turns[0].release)
	eventually(t, "the older turn's end is told", func() bool {
		return get[bool](d, "SELECT bool_or(state <> 'running') FROM tabfarm_internal.river_job WHERE kind = 'visit'")
	})
	close(turns[1].release)
	d.eventuallyState(run.ID, store.RunDone)
	is(t, turns[0].fenced, store.ErrFenced)
	if n := finished.Load(); n != 3 {
		t.Errorf("%d pages were finished, want 3", n)
	}
}

// Slots are what bounds the visits at a host. Where a run lowers their number, jobs
// of those above it may be queued already.
func TestConcurrencyLoweredWhileQueued(t *testing.T) {
	t.Parallel()
	d := open(t)
	var runs []store.Run
	for i, places := range []int{3, 1} {
		runs = append(runs, d.startWith(store.NewRun{
			Recipe: fmt.Sprint("r", i), Pages: pagesOf(host, 6), Hosts: func(string) store.Pace { return store.Pace{Concurrency: places} },
		}))
	}
	var at atomic.Int64
	d.hire(func(j *store.Jobs) {
		j.Visit = func(ctx context.Context, v *store.Visit) error {
			if n := at.Add(1); n > 1 {
				t.Errorf("%d visits at once, at slot %d", n, v.Slot)
			}
			defer at.Add(-1)
			return finishing(nil)(ctx, v)
		}
	})
	for _, run := range runs {
		d.eventuallyState(run.ID, store.RunDone)
	}
}

// A visit that is above a lowered number of slots gives its page back: it is for
// the slots below, and these have found nothing and are no longer queued.
func TestGivenBackAboveLoweredConcurrency(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, 1), Hosts: func(string) store.Pace { return store.Pace{Concurrency: 2} }})
	holds, release := make(chan struct{}), make(chan struct{})
	d.hire(func(j *store.Jobs) {
		j.Visit = func(ctx context.Context, v *store.Visit) error {
			if v.Slot == 0 {
				<-holds
				return finishing(nil)(ctx, v)
			}
			pages, err := v.Claim(ctx, 1)
			if err != nil || len(pages) != 1 {
				return fmt.Errorf("claimed %d: %w", len(pages), err)
			}
			close(holds)
			<-release
			return nil
		}
	})
	<-holds
	ok(t, d.SetPace(t.Context(), run.ID, host, store.Pace{Concurrency: 1}))
	eventually(t, "slot 0 found nothing", func() bool {
		return get[bool](d, "SELECT NOT queued FROM tabfarm_internal.slot WHERE slot = 0")
	})
	close(release)
	d.eventuallyState(run.ID, store.RunDone)
}

// The last two pages of a run end at one moment, on two hosts: neither transaction
// sees the other's page ended.
func TestLastPagesEndTogether(t *testing.T) {
	t.Parallel()
	d := open(t)
	g := d.gate("CREATE CONSTRAINT TRIGGER gate AFTER UPDATE ON tabfarm_internal.page DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 2) EXECUTE FUNCTION gate()")
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOnHosts(2, 1), Hosts: alone})
	d.hire(nil)
	g.atGate(2)
	if s, err := d.RunState(t.Context(), run.ID); err != nil || s != store.RunRunning {
		t.Errorf("before the pages have ended: %s, %v", s, err)
	}
	g.open()
	d.eventuallyState(run.ID, store.RunDone)
}

// The pages of a run end while others wait on its only host: the run is done then,
// and not when the others are.
func TestRunEndsBesideAnother(t *testing.T) {
	t.Parallel()
	d := open(t)
	first := d.startWith(store.NewRun{Recipe: "first", Pages: pagesOf(host, 1), Hosts: alone, Priority: 1})
	second := d.startWith(store.NewRun{Recipe: "second", Pages: pagesOf(host, 2), Hosts: alone})
	d.hire(func(j *store.Jobs) {
		j.Visit = func(ctx context.Context, v *store.Visit) error {
			pages, err := v.Claim(ctx, 1)
			for _, p := range pages {
				if p.RunID == second.ID {
					return v.Retry(ctx, p.ID, time.Hour, "timeout", "not now")
				}
				_, err = v.Finish(ctx, result(p))
			}
			return err
		}
	})
	d.eventuallyState(first.ID, store.RunDone)
	if s, err := d.RunState(t.Context(), second.ID); err != nil || s != store.RunRunning {
		t.Errorf("the second run: %s, %v", s, err)
	}
}

// All pages that are there have ended, and the sources are still being read.
func TestPagesEndBeforeThePlan(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetChunk(smallChunk)
	release := make(chan struct{})
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, smallChunk+1), Hosts: alone})
	d.hire(func(j *store.Jobs) {
		j.Plan = func(ctx context.Context, p *store.Planning) error {
			<-release
			return plan(pagesOf(host, smallChunk+2))(ctx, p)
		}
	})
	eventually(t, "the pages have ended", func() bool {
		return get[bool](d, "SELECT count(*) = $1 FROM tabfarm_internal.page WHERE state = 2", smallChunk) && liveVisits(d) == 0
	})
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.river_job WHERE kind = 'finish'"); n != 0 {
		t.Errorf("%d jobs are to end a run that is not planned", n)
	}
	is(t, d.EndRun(t.Context(), run.ID, store.RunDone), store.ErrUnfinished)
	close(release)
	d.eventuallyState(run.ID, store.RunDone)
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.page WHERE ok"); n != smallChunk+2 {
		t.Errorf("%d pages, want %d", n, smallChunk+2)
	}
}

// A worker dies when the last page of a run has ended: before the visit's end, and
// with the job that ends the run in its hands.
func TestWorkerDiesBeforeTheRunEnds(t *testing.T) {
	t.Parallel()
	for name, close := range map[string]bool{"before the visit ends": false, "before the run ends": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.SetTimes(time.Hour, 15*time.Second, time.Hour)
			ctx := t.Context()
			run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, 1), Hosts: alone})
			dead := d.worker()
			v, pages := d.visit(dead, run.ID, 1)
			d.exec("UPDATE tabfarm_internal.river_job SET state = 'running', attempted_at = now()")
			_, err := v.Finish(ctx, result(pages[0]))
			ok(t, err)
			if close {
				ok(t, v.Close(ctx))
				d.exec("UPDATE tabfarm_internal.river_job SET state = 'running', attempted_at = now() WHERE kind = 'finish'")
			}
			d.exec("UPDATE tabfarm_internal.worker SET heartbeat = 'epoch'")
			d.hire(nil)
			d.eventuallyState(run.ID, store.RunDone)
		})
	}
}

// The worker that plans a run is taken for dead in the middle of a chunk. Another
// plans it from the beginning, and the first adds nothing more.
func TestPlanInTwoHands(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetChunk(smallChunk)
	const n = 3*smallChunk + 2
	holds, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	stuck := func(yield func(store.NewPage, error) bool) {
		i := 0
		for p, err := range pagesOf(host, n) {
			if i++; i == 2*smallChunk+2 { // two are in the chunk
				close(holds)
				<-release
			}
			if i > 2*smallChunk+2 {
				p.Address += "-zombie"
			}
			if !yield(p, err) {
				return
			}
		}
	}
	first := d.hire(func(j *store.Jobs) {
		j.Plan = func(ctx context.Context, p *store.Planning) error {
			err := plan(stuck)(context.WithoutCancel(ctx), p) // as if it did not know yet
			ended <- err
			return err
		}
	})
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, n), Hosts: alone})
	<-holds
	first.dies()
	goOn := make(chan struct{})
	// Sweeping, for the first one lives, and may take the new job and keep it.
	d.hireSweeping(100*time.Millisecond, func(j *store.Jobs) {
		j.Plan = func(ctx context.Context, p *store.Planning) error {
			<-goOn // the first one is past its chunk, and the run is still to be planned
			return plan(pagesOf(host, n))(ctx, p)
		}
	})
	close(release)
	is(t, <-ended, store.ErrFenced)
	close(goOn)
	d.eventuallyState(run.ID, store.RunDone)
	want(t, d.text("SELECT count(*), count(*) FILTER (WHERE url LIKE '%zombie') FROM pages"), fmt.Sprintf("%d|0\n", n))
}

// What people delete and cancel in the queue comes back with the next sweep.
func TestJobsThatPeopleTakeAway(t *testing.T) {
	t.Parallel()
	const deleted, cancelled = "DELETE FROM tabfarm_internal.river_job WHERE ", "UPDATE tabfarm_internal.river_job SET state = 'cancelled', finalized_at = now() WHERE "
	for name, sql := range map[string]string{
		"visit deleted":   deleted + "kind = 'visit'",
		"visit cancelled": cancelled + "kind = 'visit'",
		"plan deleted":    deleted + "kind = 'plan'",
		"plan cancelled":  cancelled + "kind = 'plan'",
		"all deleted":     deleted + "true",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.SetChunk(smallChunk)
			run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, smallChunk+1), Hosts: alone})
			d.exec(sql)
			d.hire(func(j *store.Jobs) { j.Plan = plan(pagesOf(host, smallChunk+1)) })
			d.eventuallyState(run.ID, store.RunDone)
		})
	}
}

// A plan waits to be tried again, its planner lives, and somebody deletes its job.
func TestPlanTakenFromALivingWorker(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetChunk(smallChunk)
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, smallChunk+1), Hosts: alone})
	broken := once()
	d.hire(func(j *store.Jobs) {
		j.Plan = func(ctx context.Context, p *store.Planning) error {
			if broken() {
				return errors.New("the sitemap does not answer")
			}
			return plan(pagesOf(host, smallChunk+1))(ctx, p)
		}
	})
	const waits = "kind = 'plan' AND state IN ('available', 'retryable') AND attempt > 0"
	eventually(t, "the plan waits", func() bool {
		return get[bool](d, "SELECT EXISTS (SELECT FROM tabfarm_internal.river_job WHERE "+waits+")")
	})
	d.exec("DELETE FROM tabfarm_internal.river_job WHERE " + waits)
	d.hire(func(j *store.Jobs) { j.Plan = plan(pagesOf(host, smallChunk+1)) }) // it sweeps
	d.eventuallyState(run.ID, store.RunDone)
}
