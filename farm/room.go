package farm

import (
	"context"
	"sync"
	"time"
)

// room counts the visits of a worker that want a tab or have one. A worker whose
// tabs are all wanted takes no more visits while others could: the queue gives
// every worker as many as it asks for, and knows nothing of tabs.
type room struct {
	tabs  int
	mu    sync.Mutex
	visit int           // that want a tab or have one
	freed chan struct{} // closed and made anew when one of them does no more
}

func newRoom(tabs int) *room { return &room{tabs: tabs, freed: make(chan struct{})} }

// enter waits up to a time for room for one more visit, and takes it.
func (r *room) enter(ctx context.Context, patience time.Duration) bool {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		r.mu.Lock()
		freed := r.freed
		if r.visit < r.tabs {
			r.visit++
			r.mu.Unlock()
			return true
		}
		r.mu.Unlock()
		select {
		case <-freed:
		case <-timer.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// back counts a visit again that waited for its host's turn.
func (r *room) back() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visit++
}

// away says that a visit needs no tab for now, or any more.
func (r *room) away() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.visit--
	close(r.freed)
	r.freed = make(chan struct{})
}
