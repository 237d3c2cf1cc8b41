package farm

import (
	"sync"
	"time"
)

// Phases tells where the time of one try of a page went. The phases follow each
// other, so that their sum is never more than the try took; what is left over was
// spent on robots.txt and on links.
type Phases struct {
	Tab   time.Duration // for a free tab
	Host  time.Duration // for the host's clock, also in the midst of the page when it asks for more
	Load  time.Duration // from the navigation until the page was read, without such waits
	Type  time.Duration // rows with their types; the first pages of a new table wait for each other
	Store time.Duration // for the transaction
}

// stopwatch measures a try of a page from its beginning.
type stopwatch struct {
	Phases
	start time.Time
	turns waits // for the host's clock while the page is open
}

// took is the time since the try began.
func (s *stopwatch) took() time.Duration { return time.Since(s.start) }

// loaded notes the end of a page that was opened at a moment: the time in which it
// waited for its host's turn is the host's.
func (s *stopwatch) loaded(opened time.Time) {
	waited := s.turns.all()
	s.Host += waited
	s.Load = time.Since(opened) - waited
}

// waits adds up the time in which at least one of several waits was on.
type waits struct {
	mu    sync.Mutex
	on    int
	since time.Time // when the first of those that are on began
	sum   time.Duration
}

// during runs f as a wait.
func (w *waits) during(f func() error) error {
	w.mu.Lock()
	if w.on++; w.on == 1 {
		w.since = time.Now()
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.on--; w.on == 0 {
			w.sum += time.Since(w.since)
		}
	}()
	return f()
}

// all is the time of the waits that have ended.
func (w *waits) all() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sum
}
