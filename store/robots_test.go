package store_test

import (
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// Of all who ask for the robots.txt of a host one is to fetch it, and has so long.
func TestOneFetchesRobots(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	ask := func(d *db) (store.Robots, bool) {
		t.Helper()
		r, mine, err := d.AskRobots(ctx, host, time.Hour)
		ok(t, err)
		return r, mine
	}
	other := d.second()
	if _, mine := ask(d); !mine {
		t.Fatal("the first is not to fetch it")
	}
	if r, mine := ask(other); mine || r.Fresh > 0 {
		t.Fatalf("a second is to fetch it: %v, %+v", mine, r)
	}
	d.exec("UPDATE tabfarm_internal.robots SET asked_until = now()") // the first is dead
	if _, mine := ask(other); !mine {
		t.Fatal("nobody takes over")
	}
	ok(t, other.KeepRobots(ctx, host, store.Robots{Status: 200, Body: []byte("User-agent: *\x00"), Fresh: time.Hour}))
	r, mine := ask(d)
	if mine || r.Status != 200 || string(r.Body) != "User-agent: *\x00" || !near(r.Fresh, time.Hour) {
		t.Errorf("kept: %v, %+v", mine, r)
	}
	d.exec("UPDATE tabfarm_internal.robots SET fresh_until = now()")
	if _, mine := ask(d); !mine {
		t.Error("an old one is not fetched again")
	}
	ok(t, d.KeepRobots(ctx, host, store.Robots{})) // not had, for reasons of its own
	if _, mine := ask(other); !mine {
		t.Error("nobody may fetch it")
	}
}
