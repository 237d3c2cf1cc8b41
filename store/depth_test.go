package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// What waits is counted over all running runs, and over no others.
func TestDepth(t *testing.T) {
	t.Parallel()
	d := open(t)
	look := func(want store.Depth) time.Duration {
		t.Helper()
		got, err := d.Depth(t.Context())
		ok(t, err)
		oldest := got.Oldest
		got.Oldest = 0
		if got != want {
			t.Errorf("depth %+v, want %+v", got, want)
		}
		return oldest
	}
	if oldest := look(store.Depth{}); oldest != 0 {
		t.Errorf("with no page the oldest waits %v", oldest)
	}

	older := d.start("older", 5)
	d.startWith(store.NewRun{Recipe: "newer", Pages: func(yield func(store.NewPage, error) bool) {
		for p := range pagesOf("https://other.example", 2) {
			yield(p, nil)
		}
		for p := range pagesOf("https://third.example", 1) {
			yield(p, nil)
		}
	}})
	w := d.worker()
	d.exec("UPDATE tabfarm_internal.run SET started_at = started_at - interval '1 hour' WHERE id = $1", older.ID)
	if oldest := look(store.Depth{Pages: 8, Due: 8, Hosts: 3, Running: 2, Workers: 1}); oldest < time.Hour {
		t.Errorf("the oldest waits %v, more than an hour", oldest)
	}

	// Leased pages do not wait, and one that is to be tried later is not due.
	v, pages := d.visit(w, older.ID, 2)
	ok(t, v.Retry(t.Context(), pages[0].ID, time.Hour, "timeout", "not ready"))
	look(store.Depth{Pages: 7, Due: 6, Hosts: 3, Running: 2, Workers: 1})

	// A paused host's pages wait on; it is no host to work on. Stopped runs do not count.
	d.exec("UPDATE tabfarm_internal.host SET paused = true WHERE host = $1", host)
	d.exec("UPDATE tabfarm_internal.worker SET heartbeat = heartbeat - interval '1 hour'")
	look(store.Depth{Pages: 7, Due: 6, Hosts: 2, Running: 2, Paused: 1})
	d.exec("UPDATE tabfarm_internal.run SET state = 'stopped' WHERE id = $1", older.ID)
	look(store.Depth{Pages: 3, Due: 3, Hosts: 2, Running: 1, Stopped: 1, Paused: 1})

	// What is enough is not counted on.
	d.exec("UPDATE tabfarm_internal.run SET state = 'running'")
	d.exec("UPDATE tabfarm_internal.host SET paused = false")
	got, err := d.DepthOf(t.Context(), 2, 1)
	ok(t, err)
	if got.Pages != 2 || got.Hosts != 1 {
		t.Errorf("counted to 2 pages and 1 host only: %+v", got)
	}
	look(store.Depth{Pages: 7, Due: 6, Hosts: 3, Running: 2})
}

func TestPing(t *testing.T) {
	t.Parallel()
	d := open(t)
	ok(t, d.Ping(t.Context()))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	is(t, d.Ping(ended), context.Canceled)
}
