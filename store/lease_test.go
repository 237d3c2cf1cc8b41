package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// second opens the same database as another process would.
func (d *db) second() *db {
	d.t.Helper()
	s, err := store.Open(d.t.Context(), store.Config{URL: d.url})
	ok(d.t, err)
	d.t.Cleanup(s.Close)
	return &db{s, d.t, d.url}
}

// killLock ends the connection that holds a worker's lock.
func (d *db) killLock(w *store.Worker) {
	d.t.Helper()
	d.exec(`SELECT pg_terminate_backend(pid) FROM pg_locks
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND objid = $1::bigint::oid AND objsubid = 2`, int64(w.ID()))
}

func TestZombieChangesNothing(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 2, leaders)
	zombie := d.worker()
	old, pages := d.visit(zombie, run.ID, 1)
	d.killLock(zombie)
	select {
	case <-zombie.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("the worker did not notice that its lock is gone")
	}
	w := d.second().worker() // takes over at once
	v, again := d.visit(w, run.ID, 2)
	if again[0].ID != pages[0].ID || again[0].Attempt != 2 || again[1].Attempt != 1 {
		t.Fatalf("taken over: %+v", again)
	}
	_, err := old.Finish(ctx, result(pages[0], players(line{"Zombie", "1"})))
	is(t, err, store.ErrFenced)
	is(t, old.Retry(ctx, pages[0].ID, 0, "timeout", "x"), store.ErrFenced)
	is(t, old.GiveBack(ctx, pages[0].ID), store.ErrFenced)
	_, err = old.Claim(ctx, 1)
	is(t, err, store.ErrFenced)
	_, err = old.TakeTurn(ctx)
	is(t, err, store.ErrFenced)
	ok(t, old.Close(ctx))
	_, err = v.Finish(ctx, result(again[0], players(line{"Jordan", "2"})))
	ok(t, err)
	want(t, d.text("select player from leaders"), "Jordan\n")
	ok(t, v.GiveBack(ctx, again[1].ID))
	_, err = zombie.OpenVisit(ctx, run.ID) // a page is there, but not for it
	is(t, err, store.ErrWorkerLost)
	ok(t, v.Close(ctx))
}

func TestStoppedProcessIsReaped(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetTimes(time.Hour, time.Hour, time.Hour) // as if stopped: it keeps its lock and renews nothing
	ctx := t.Context()
	run := d.start("a", 1)
	stopped := d.worker()
	old, pages := d.visit(stopped, run.ID, 1)
	d.exec("UPDATE tabfarm_internal.worker SET heartbeat = now() - interval '14 s'")
	other := d.second()
	n := noVisit(t, other.worker(), run.ID)
	if !n.Leased || !n.Next.IsZero() {
		t.Errorf("while its heartbeat is young: %+v", n)
	}
	d.exec("UPDATE tabfarm_internal.worker SET heartbeat = now() - interval '16 s' WHERE id = $1", stopped.ID())
	v, again := d.visit(other.worker(), run.ID, 1)
	if again[0].ID != pages[0].ID {
		t.Errorf("taken over: %+v", again)
	}
	_, err := old.Finish(ctx, result(pages[0]))
	is(t, err, store.ErrFenced)
	_, err = v.Finish(ctx, result(again[0]))
	ok(t, err)
	ok(t, v.Close(ctx))
}

func TestReapedWorkerIsLost(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetTimes(20*time.Millisecond, time.Hour, time.Hour)
	w := d.worker()
	d.exec("DELETE FROM tabfarm_internal.worker WHERE id = $1", w.ID())
	select {
	case <-w.Lost():
	case <-time.After(10 * time.Second):
		t.Fatal("the worker did not notice that it was reaped")
	}
}

// A living worker finds a dead one by itself, also with no pages but leased ones.
func TestReapingGoesOn(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetTimes(20*time.Millisecond, time.Hour, time.Hour)
	ctx := t.Context()
	run := d.start("a", 1)
	dead := d.worker()
	d.visit(dead, run.ID, 1)
	w := d.worker()
	d.killLock(dead)
	for deadline := time.Now().Add(10 * time.Second); ; {
		v, err := w.OpenVisit(ctx, run.ID)
		if err == nil {
			ok(t, v.Close(ctx))
			return
		}
		if n := as[*store.NothingError](t, err); n.Next.IsZero() && !n.Leased {
			t.Fatal("the page is lost")
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody took over")
		}
	}
}

func TestCloseGivesBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 4)
	w := d.worker()
	v, pages := d.visit(w, run.ID, 3)
	ok(t, v.GiveBack(ctx, pages[0].ID))
	ok(t, v.Retry(ctx, pages[1].ID, time.Hour, "timeout", "not ready"))
	ok(t, v.Close(ctx)) // pages[2]
	want(t, d.text("select url, attempts, message from pages order by url"),
		host+"/1|0|NULL\n"+host+"/2|1|timeout: not ready\n"+host+"/3|0|NULL\n"+host+"/4|0|NULL\n")
	v, _ = d.visit(w, run.ID, 3)
	if again, err := v.Claim(ctx, 1); err != nil || len(again) != 0 {
		t.Errorf("claimed %+v before it is due, %v", again, err)
	}
	second, err := d.second().Register(ctx, "another")
	ok(t, err)
	n := noVisit(t, second, run.ID)
	if !n.Leased || time.Until(n.Next) < 50*time.Minute {
		t.Errorf("next in %s, leased %v", time.Until(n.Next), n.Leased)
	}
	ok(t, second.Close(ctx))
	is(t, v.GiveBack(ctx, 99), store.ErrFenced)
}

func TestWorkerCloseGivesBack(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	run := d.start("a", 2)
	w, err := d.Register(ctx, "leaving")
	ok(t, err)
	d.visit(w, run.ID, 2)
	ok(t, w.Close(ctx))
	_, pages := d.visit(d.worker(), run.ID, 2)
	for _, p := range pages {
		if p.Attempt != 1 {
			t.Errorf("attempt %d", p.Attempt)
		}
	}
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.worker"); n != 1 {
		t.Errorf("%d workers", n)
	}
}

// Many visits of several workers at few slots: one slot is never in two hands,
// one page is never claimed twice, and each is finished once.
func TestSlotsAndPagesAreInOneHand(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	const hosts, perHost, workers, visitors = 3, 40, 3, 3
	run := d.startWith(store.NewRun{Recipe: "a", Tables: []store.TableOwner{leaders}, Pages: func(yield func(store.NewPage, error) bool) {
		for i := range hosts * perHost {
			h := fmt.Sprintf("https://h%d.example", i%hosts)
			if !yield(store.NewPage{Host: h, URL: h, Address: fmt.Sprint(h, i)}, nil) {
				return
			}
		}
	}, Hosts: func(string) store.Pace { return store.Pace{Concurrency: 2} }})
	h := &hands{t: t, held: map[string]bool{}, finished: map[int64]int{}}
	var all sync.WaitGroup
	for i := range workers {
		w := d.second().worker()
		for j := range visitors {
			r := rand.New(rand.NewPCG(uint64(i), uint64(j)))
			all.Go(func() {
				if err := untilDone(ctx, w, run.ID, func(v *store.Visit) error { return h.visit(v, r) }); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	for id, n := range h.finished {
		if n != 1 {
			t.Errorf("page %d was finished %d times", id, n)
		}
	}
	if len(h.finished) != hosts*perHost {
		t.Errorf("%d pages were finished, want %d", len(h.finished), hosts*perHost)
	}
	p, err := d.Progress(ctx, run.ID)
	ok(t, err)
	c := p.Tables["leaders"]
	// Every page but the first found the row "all" of another one.
	wantCounts(t, c, hosts*perHost+1, hosts*perHost-1, 0)
	if c.Conflicts != hosts*perHost-1 {
		t.Errorf("%d conflicts, want %d", c.Conflicts, hosts*perHost-1)
	}
}

// hands watches who holds what.
type hands struct {
	t        *testing.T
	mu       sync.Mutex
	held     map[string]bool
	finished map[int64]int
}

// visit does with claimed pages whatever chance says.
func (h *hands) visit(v *store.Visit, r *rand.Rand) error {
	ctx := h.t.Context()
	slot := fmt.Sprint(v.Host, v.Slot)
	h.mu.Lock()
	if h.held[slot] {
		h.t.Errorf("slot %s is in two hands", slot)
	}
	h.held[slot] = true
	h.mu.Unlock()
	for range 1 + r.IntN(3) {
		pages, err := v.Claim(ctx, 1+r.IntN(4))
		if err != nil {
			return err
		}
		for _, p := range pages {
			switch r.IntN(6) {
			case 0:
				err = v.GiveBack(ctx, p.ID)
			case 1:
				err = v.Retry(ctx, p.ID, 0, "timeout", "")
			case 2: // left to Close
			default:
				_, err = v.Finish(ctx, result(p, players(line{fmt.Sprint(p.ID), "1"}, line{"all", fmt.Sprint(p.ID)})))
				h.mu.Lock()
				h.finished[p.ID]++
				h.mu.Unlock()
			}
			if err != nil {
				return err
			}
		}
	}
	h.mu.Lock()
	h.held[slot] = false
	h.mu.Unlock()
	return v.Close(ctx)
}

// untilDone opens visits until no page of the run is left.
func untilDone(ctx context.Context, w *store.Worker, run int64, visit func(*store.Visit) error) error {
	for {
		v, err := w.OpenVisit(ctx, run)
		var nothing *store.NothingError
		switch {
		case errors.As(err, &nothing) && nothing.Next.IsZero() && !nothing.Leased:
			return nil
		case errors.As(err, &nothing):
			continue
		case err != nil:
			return err
		}
		if err := visit(v); err != nil {
			return err
		}
	}
}

// Runs begin and fail pages are reopened while visits drain the same hosts. No
// sweeper runs: a page that no wake-up reached would stay.
func TestNoWakeUpIsLost(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetTimes(time.Hour, time.Hour, time.Hour)
	ctx := t.Context()
	const inserters, each, drainers = 3, 8, 4
	w := d.worker()
	inserting, stop := context.WithCancel(ctx)
	defer stop()
	var wakers, visits sync.WaitGroup
	for i := range inserters {
		wakers.Go(func() {
			for j := range each {
				_, err := d.StartRun(ctx, store.NewRun{
					Recipe: fmt.Sprintf("r%d-%d", i, j),
					Hosts:  func(string) store.Pace { return store.Pace{Concurrency: 1 + j%3} },
					Pages: func(yield func(store.NewPage, error) bool) {
						for k := range 4 {
							h := fmt.Sprintf("https://h%d.example", (i+k)%3)
							if !yield(store.NewPage{Host: h, URL: h, Address: fmt.Sprint(h, k)}, nil) {
								return
							}
						}
					},
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	drain := func() (more bool, err error) {
		v, err := w.OpenVisit(ctx, 0)
		var nothing *store.NothingError
		if errors.As(err, &nothing) {
			return !nothing.Next.IsZero() || nothing.Leased, nil
		}
		if err != nil {
			return false, err
		}
		pages, err := v.Claim(ctx, 2)
		for _, p := range pages {
			if err == nil {
				_, err = v.Finish(ctx, result(p))
			}
		}
		return true, errors.Join(err, v.Close(ctx))
	}
	for range drainers {
		visits.Go(func() {
			for {
				more, err := drain()
				if err != nil {
					t.Error(err)
					return
				}
				if !more && inserting.Err() != nil {
					return
				}
				if more && inserting.Err() != nil && stranded(d) > 0 {
					t.Error("pages are pending on a host without a queued slot")
					return
				}
			}
		})
	}
	wakers.Wait()
	stop()
	visits.Wait()
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.page WHERE state <> 2"); n != 0 {
		t.Errorf("%d pages were left", n)
	}
}

// stranded counts hosts with pending pages and no slot that would be handed out.
func stranded(d *db) int {
	return get[int](d, `SELECT count(*) FROM tabfarm_internal.host h
WHERE EXISTS (SELECT FROM tabfarm_internal.page p WHERE p.host = h.host AND p.state = 0)
  AND NOT EXISTS (SELECT FROM tabfarm_internal.slot s WHERE s.host = h.host AND s.queued AND (s.slot < h.concurrency OR s.worker IS NOT NULL))`)
}

// The clock of a host keeps its distance however many ask.
func TestTurnsKeepTheirDistance(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	const delay = 30 * time.Millisecond
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOf(host, 10), Hosts: func(string) store.Pace { return store.Pace{Delay: delay, Concurrency: 3} }})
	w := d.worker()
	var mu sync.Mutex
	var all sync.WaitGroup
	turns := 0
	visits := make([]*store.Visit, 3) // opened before the first turn makes the host wait
	for i := range visits {
		var err error
		visits[i], err = w.OpenVisit(ctx, run.ID)
		ok(t, err)
	}
	begin := time.Now()
	for _, v := range visits {
		all.Go(func() {
			for range 5 {
				for {
					wait, err := v.TakeTurn(ctx)
					if err != nil {
						t.Error(err)
						return
					}
					if wait == 0 {
						break
					}
					if wait > 15*delay {
						t.Errorf("wait %s", wait)
					}
				}
				mu.Lock()
				turns++
				mu.Unlock()
			}
			if err := v.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took := time.Since(begin); turns != 15 || took < 14*delay {
		t.Errorf("%d turns took %s", turns, took)
	}
}
