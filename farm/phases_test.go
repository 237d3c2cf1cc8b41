package farm

import (
	"testing"

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
		if sum := p.sum(); sum > e.Took {
			t.Errorf("%s: phases of %v together, in a try of %v: %+v", e.Address, sum, e.Took, p)
		}
		if p.Tab <= 0 || p.Host <= 0 || p.Navigate <= 0 {
			t.Errorf("%s was opened in no time: %+v", e.Address, p)
		}
		if read := p.Settle > 0 && p.Read > 0; read != (e.Outcome == OK) {
			t.Errorf("%s, %s: came to rest in %v and was read in %v", e.Address, e.Outcome, p.Settle, p.Read)
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
