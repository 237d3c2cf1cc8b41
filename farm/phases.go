package farm

import (
	"iter"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
)

// Phases tells where the time of one try of a page went. The phases follow each
// other, so that their sum is never more than the try took; what is left over was
// spent on robots.txt, on links, and on what is noted of the host.
type Phases struct {
	Host     time.Duration // for the host's clock, also in the midst of the page when it asks for more
	Tab      time.Duration // for a free tab
	Navigate time.Duration // until the document came; of a page that goes on to others, until each of them came
	Settle   time.Duration // until what is wanted was at rest, the recipe's steps included
	Read     time.Duration // reading, scrolling and paging through grids, and until all of it was here
	Type     time.Duration // rows with their types; the first pages of a new table wait for each other
	Store    time.Duration // for the transaction
}

// The names of the phases, in the order in which a page comes to them.
const (
	PhaseHost     = "host"
	PhaseTab      = "tab"
	PhaseNavigate = "navigate"
	PhaseSettle   = "settle"
	PhaseRead     = "read"
	PhaseType     = "type"
	PhaseStore    = "store"
)

// All gives every phase with its name, in their order.
func (p Phases) All() iter.Seq2[string, time.Duration] {
	return func(yield func(string, time.Duration) bool) {
		_ = yield(PhaseHost, p.Host) && yield(PhaseTab, p.Tab) && yield(PhaseNavigate, p.Navigate) && yield(PhaseSettle, p.Settle) &&
			yield(PhaseRead, p.Read) && yield(PhaseType, p.Type) && yield(PhaseStore, p.Store)
	}
}

// sum is the time of all phases together.
func (p Phases) sum() (sum time.Duration) {
	for _, d := range p.All() {
		sum += d
	}
	return sum
}

// inTab is the time for which the page worked in its tab.
func (p Phases) inTab() time.Duration { return p.Navigate + p.Settle + p.Read }

// stopwatch measures a try of a page from its beginning.
type stopwatch struct {
	Phases
	start time.Time
}

// took is the time since the try began.
func (s *stopwatch) took() time.Duration { return time.Since(s.start) }

// opened adds what the tab did. The time in which the page waited for its host's
// turn there is the host's.
func (s *stopwatch) opened(spent browserpool.Spent) {
	s.Host += spent.Turn
	s.Navigate += spent.Navigate
	s.Settle += spent.Settle
	s.Read += spent.Read
}
