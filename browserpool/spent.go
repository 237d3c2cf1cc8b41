package browserpool

import (
	"slices"
	"sync"
	"time"
)

// Spent tells where the time of an Open went; together it is all of it. At each
// moment the page does one thing:
//
//	Turn      a script waits for Request.Turn;
//	Navigate  else no document is there, from the call of Open on, the making of the
//	          tab included, or another one is on its way to the top frame;
//	Read      else a script reads, from its word "read" until it has delivered, or all
//	          have and what was captured is fetched;
//	Settle    else: a document is there, and comes to rest or is acted on.
//
// So what a page takes to its next part, after it has delivered one, is Settle or
// Navigate again, and frames that come to rest while one of them is read are Read.
type Spent struct{ Turn, Navigate, Settle, Read time.Duration }

// stage is what a page does at a moment.
type stage int

const (
	navigates stage = iota
	settles
	reads
	waits
	stages
)

// stopwatch adds up the time of each stage.
type stopwatch struct {
	mu    sync.Mutex
	sums  [stages]time.Duration
	on    stage
	since time.Time
}

func startWatch() *stopwatch { return &stopwatch{on: navigates, since: time.Now()} }

// enter ends the stage that is on.
func (w *stopwatch) enter(next stage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.sums[w.on] += now.Sub(w.since)
	w.on, w.since = next, now
}

// stop gives the times, up to now.
func (w *stopwatch) stop() Spent {
	w.enter(stages - 1)
	return Spent{Turn: w.sums[waits], Navigate: w.sums[navigates], Settle: w.sums[settles], Read: w.sums[reads]}
}

// stage is what the page does now. The lock is held.
func (v *visit) stage() stage {
	switch {
	case v.waiting > 0:
		return waits
	case v.documents == 0, v.net.leaving() != nil:
		return navigates
	case v.read.on, slices.ContainsFunc(v.frames, func(f *frame) bool { return f.read.on }), v.framesDone():
		return reads
	}
	return settles
}
