package farm

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tabfarm/tabfarm/internal/demosite"
)

// The phases of a try follow each other: their sum fits within it, and each that
// the page came to took time.
func TestPhases(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	r := b.recipe("phases", `
urls: SITE/calendar?month={month}&broken={way}
with:
  month: [2000-01]
  way: [none, reset]
tables:
  days: {from: table.figures, key: [date]}
polite: {rate: 50/s, retries: 1, concurrency: 2}
`)
	s, err := b.farm.Submit(t.Context(), r, SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var events []Event
	b.work(t.Context(), s.RunID, nil, func(e Event) { events = append(events, e) })
	ended, again := 0, 0
	for _, e := range events {
		p := e.Phases
		if sum := p.Tab + p.Host + p.Load + p.Type + p.Store; sum > e.Took {
			t.Errorf("%s: phases of %v together, in a try of %v: %+v", e.Address, sum, e.Took, p)
		}
		if p.Tab <= 0 || p.Host <= 0 || p.Load <= 0 {
			t.Errorf("%s was opened in no time: %+v", e.Address, p)
		}
		if e.Last {
			ended++
		} else {
			again++
		}
		if stored := p.Store > 0; stored != e.Last {
			t.Errorf("%s, ended %v: stored in %v", e.Address, e.Last, p.Store)
		}
	}
	if ended != 2 || again != 1 {
		t.Errorf("%d pages ended and %d are tried again: %+v", ended, again, events)
	}
}

// Waits that overlap count once, and a page's loading is less by them.
func TestWaitsOfAPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		watch := &stopwatch{start: time.Now()}
		opened := time.Now()
		wait := func(after, d time.Duration) func() {
			return func() {
				time.Sleep(after)
				if err := watch.turns.during(func() error { time.Sleep(d); return nil }); err != nil {
					t.Error(err)
				}
			}
		}
		var waits sync.WaitGroup
		waits.Go(wait(time.Second, 4*time.Second))   // second 1 to 5
		waits.Go(wait(2*time.Second, time.Second))   // 2 to 3
		waits.Go(wait(4*time.Second, 2*time.Second)) // 4 to 6
		waits.Go(wait(8*time.Second, time.Second))   // 8 to 9
		waits.Wait()
		time.Sleep(time.Second)
		watch.loaded(opened)
		if watch.Host != 6*time.Second || watch.Load != 4*time.Second {
			t.Errorf("waited %v, loaded in %v, want 6 s and 4 s", watch.Host, watch.Load)
		}
	})
}
