package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// crew is workers at the queue of one database, each with connections of its own.
type crew struct {
	d     *db
	leave chan struct{}
	work  sync.WaitGroup

	mu    sync.Mutex
	ended map[int64]int // pages finished, by how often
}

// smallChunk is the number of pages that the tests add at a time.
const smallChunk = 4

// crew starts workers whose pages end at once. They leave at the end of the test.
func (d *db) crew(workers int, change func(*store.Jobs)) *crew {
	d.t.Helper()
	c := &crew{d: d, leave: make(chan struct{}), ended: map[int64]int{}}
	for range workers {
		s := d.second()
		s.SetChunk(smallChunk)
		w := s.worker()
		jobs := store.Jobs{Visits: 8, Longest: time.Minute, Visit: c.visit, Plan: plan(nil)}
		if change != nil {
			change(&jobs)
		}
		c.work.Go(func() {
			if err := w.Work(d.t.Context(), c.leave, jobs); err != nil {
				d.t.Errorf("work: %v", err)
			}
		})
	}
	d.t.Cleanup(c.stop)
	return c
}

func (c *crew) stop() {
	select {
	case <-c.leave:
	default:
		close(c.leave)
	}
	c.work.Wait()
}

// visit finishes what it claims, two at a time.
func (c *crew) visit(ctx context.Context, v *store.Visit) error {
	for {
		pages, err := v.Claim(ctx, 2)
		if err != nil || len(pages) == 0 {
			return err
		}
		for _, p := range pages {
			if _, err := v.Finish(ctx, result(p)); err != nil {
				return err
			}
			c.mu.Lock()
			c.ended[p.ID]++
			c.mu.Unlock()
		}
	}
}

// plan adds the pages of a source, nothing of a nil one.
func plan(pages iter.Seq2[store.NewPage, error]) func(context.Context, *store.Planning) error {
	return func(ctx context.Context, p *store.Planning) error {
		return p.Add(ctx, pages, func(string) store.Pace { return store.Pace{Concurrency: 2} })
	}
}

// once fails unless each page was finished once, n in all.
func (c *crew) once(n int) {
	c.d.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, times := range c.ended {
		if times != 1 {
			c.d.t.Errorf("page %d was finished %d times", id, times)
		}
	}
	if len(c.ended) != n {
		c.d.t.Errorf("%d pages were finished, want %d", len(c.ended), n)
	}
}

// eventually waits until a condition holds that nothing tells of.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // between two looks; nothing is assumed of its length
	}
}

// eventuallyState waits for the state of a run.
func (d *db) eventuallyState(run int64, state string) {
	d.t.Helper()
	defer func() {
		if d.t.Failed() {
			d.t.Log(get[string](d, `SELECT string_agg(concat_ws(' ', id, kind, args, state, attempt, attempted_by, scheduled_at - now(), errors), E'\n' ORDER BY id) FROM tabfarm_internal.river_job`))
			d.t.Log(get[string](d, `SELECT concat_ws(' ', (SELECT string_agg(to_jsonb(s)::text, E'\n') FROM tabfarm_internal.slot s), (SELECT string_agg((to_jsonb(r) - 'text' - 'hash')::text, E'\n') FROM tabfarm_internal.run r),
(SELECT string_agg(to_jsonb(w)::text, E'\n') FROM tabfarm_internal.worker w))`))
		}
	}()
	eventually(d.t, fmt.Sprintf("run %d is %s", run, state), func() bool {
		s, err := d.RunState(d.t.Context(), run)
		ok(d.t, err)
		return s == state
	})
}

func pagesOnHosts(hosts, each int) iter.Seq2[store.NewPage, error] {
	return func(yield func(store.NewPage, error) bool) {
		for i := range hosts * each {
			h := fmt.Sprintf("https://h%d.example", i%hosts)
			if !yield(store.NewPage{Host: h, URL: h, Address: fmt.Sprint(h, "/", i)}, nil) {
				return
			}
		}
	}
}

// Several workers do several runs, each page once; the runs end by themselves.
func TestQueueDoesRuns(t *testing.T) {
	t.Parallel()
	d := open(t)
	c := d.crew(3, nil)
	var runs []int64
	for i := range 3 {
		runs = append(runs, d.startWith(store.NewRun{Recipe: fmt.Sprint("r", i), Pages: pagesOnHosts(7, 6)}).ID)
	}
	for _, run := range runs {
		d.eventuallyState(run, store.RunDone)
	}
	// Slots that were woken for pages which others took find nothing, and end.
	eventually(t, "no job is left", func() bool { return liveVisits(d) == 0 })
	c.stop()
	c.once(3 * 7 * 6)
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.slot WHERE queued OR worker IS NOT NULL"); n != 0 {
		t.Errorf("%d slots are queued or held", n)
	}
}

func liveVisits(d *db) int {
	return get[int](d, "SELECT count(*) FROM tabfarm_internal.river_job WHERE kind = 'visit' AND state IN ('available', 'running', 'scheduled', 'retryable', 'pending')")
}

// The first pages of a run are worked on while the others are read, and pages of
// equal address are one.
func TestPlanInChunks(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetChunk(smallChunk)
	begun := make(chan struct{}) // the first page was finished
	pages := func(yield func(store.NewPage, error) bool) {
		n := 0
		for p, err := range pagesOnHosts(3, 10) {
			if n++; n == 25 {
				<-begun
			}
			for range 2 {
				if !yield(p, err) {
					return
				}
			}
		}
	}
	var first sync.Once
	var c *crew
	ready := make(chan struct{})
	c = d.crew(2, func(j *store.Jobs) {
		j.Visit = func(ctx context.Context, v *store.Visit) error {
			<-ready
			defer first.Do(func() { close(begun) })
			return c.visit(ctx, v)
		}
		j.Plan = plan(pages)
	})
	close(ready) // c is set
	run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOnHosts(3, 10)})
	if run.Planned {
		t.Error("a run of several chunks was planned at once")
	}
	d.eventuallyState(run.ID, store.RunDone)
	c.stop()
	c.once(30)
	if run, err := d.RunByID(t.Context(), run.ID); err != nil || !run.Planned || run.Problem != "" {
		t.Errorf("run %+v, %v", run, err)
	}
}

// A source that breaks is read anew, and its pages are not doubled; one that stays
// broken ends the planning, and the run says so.
func TestPlanThatBreaks(t *testing.T) {
	t.Parallel()
	for name, breaks := range map[string]int{"twice": 2, "always": 1000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			d.SetChunk(smallChunk)
			tries := 0 // of one job; one runs at a time
			broken := func(yield func(store.NewPage, error) bool) {
				tries++
				n := 0
				for p, err := range pagesOnHosts(2, 10) {
					if n++; n == 15 && tries <= breaks {
						yield(store.NewPage{}, errors.New("the sitemap ends in the middle"))
						return
					}
					if !yield(p, err) {
						return
					}
				}
			}
			// The waits between tries are River's business and would take a minute here.
			d.exec(`CREATE FUNCTION hurry() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.scheduled_at := now(); NEW.state := 'available'; RETURN NEW; END $$;
CREATE TRIGGER hurry BEFORE UPDATE ON tabfarm_internal.river_job FOR EACH ROW WHEN (NEW.kind = 'plan' AND (NEW.state = 'retryable' OR NEW.state = 'available' AND OLD.state = 'running')) EXECUTE FUNCTION hurry()`)
			run := d.startWith(store.NewRun{Recipe: "a", Pages: pagesOnHosts(2, 10)})
			done := d.crew(1, func(j *store.Jobs) { j.Plan = plan(broken) })
			d.eventuallyState(run.ID, store.RunDone)
			done.stop()
			run, err := d.RunByID(t.Context(), run.ID)
			ok(t, err)
			if name == "twice" {
				done.once(20)
				if run.Problem != "" {
					t.Errorf("problem %q", run.Problem)
				}
				return
			}
			done.once(12) // whole chunks
			if run.Problem != "the sitemap ends in the middle" {
				t.Errorf("problem %q", run.Problem)
			}
		})
	}
}
