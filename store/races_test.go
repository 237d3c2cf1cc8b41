package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tabfarm/tabfarm/store"
)

// The races below are made to happen: a gate in the database holds one
// transaction at the worst moment until the other one has done what it can.

// gate holds every transaction that fires its trigger until it is opened.
type gate struct {
	d    *db
	conn *pgx.Conn
}

const gateFunction = `CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(99);
    RETURN NEW; END $$;`

func (d *db) gate(trigger string) *gate {
	d.t.Helper()
	d.exec(gateFunction + trigger)
	conn, err := pgx.Connect(d.t.Context(), d.url)
	ok(d.t, err)
	_, err = conn.Exec(d.t.Context(), "SELECT pg_advisory_lock(99)")
	ok(d.t, err)
	g := &gate{d, conn}
	d.t.Cleanup(g.open)
	return g
}

func (g *gate) open() {
	if !g.conn.IsClosed() {
		ok(g.d.t, g.conn.Close(context.Background()))
	}
}

// waits lets do run until it is held by a lock or has ended; n is how many
// are held then, do included.
func (g *gate) waits(n int, do func() error) <-chan error {
	g.d.t.Helper()
	ended := make(chan error, 1)
	finished := make(chan struct{})
	go func() {
		err := do()
		close(finished)
		ended <- err
	}()
	for deadline := time.Now().Add(20 * time.Second); ; {
		select {
		case <-finished:
			return ended
		default:
		}
		var held int
		ok(g.d.t, g.conn.QueryRow(g.d.t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&held))
		if held >= n {
			return ended
		}
		if time.Now().After(deadline) {
			g.d.t.Fatal("neither held nor ended")
		}
	}
}

// A visit that looks for more pages while a run that brings some is not committed.
func TestVisitClosesWhileARunBegins(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetTimes(time.Hour, time.Hour, time.Hour)
	ctx := t.Context()
	alone := func(string) store.Pace { return store.Pace{Concurrency: 1} } // no other slot helps
	run := d.startWith(store.NewRun{Recipe: "first", Pages: pagesOf(host, 1), Hosts: alone})
	v, claimed := d.visit(d.worker(), run.ID, 1)
	_, err := v.Finish(ctx, result(claimed[0]))
	ok(t, err)
	g := d.gate("CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON tabfarm_internal.run DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gate()")
	second := store.NewRun{Recipe: "second", Pages: pagesOf(host, 1), Hosts: alone}
	began := g.waits(1, func() error { _, err := d.StartRun(ctx, second); return err })
	closed := g.waits(2, func() error { return v.Close(ctx) })
	g.open()
	ok(t, <-began)
	ok(t, <-closed)
	if n := stranded(d); n != 0 {
		t.Error("the new run's pages have no slot queued")
	}
}

// A worker that claims while others find it dead.
func TestDeadWorkerClaims(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetTimes(time.Hour, time.Hour, time.Hour)
	ctx := t.Context()
	run := d.start("a", 1)
	dead := d.worker()
	v, claimed := d.visit(dead, run.ID, 1)
	ok(t, v.GiveBack(ctx, claimed[0].ID))
	d.exec("UPDATE tabfarm_internal.worker SET heartbeat = 'epoch'")
	g := d.gate("CREATE TRIGGER gate BEFORE UPDATE ON tabfarm_internal.page FOR EACH ROW WHEN (OLD.state = 0 AND NEW.state = 1) EXECUTE FUNCTION gate()")
	claims := g.waits(1, func() error { _, err := v.Claim(ctx, 1); return err })
	takes := g.waits(2, func() error { d.worker(); return nil })
	g.open()
	ok(t, <-claims)
	ok(t, <-takes)
	p, err := d.Progress(ctx, run.ID)
	ok(t, err)
	if p.Pending != 1 {
		t.Errorf("the page is in the hands of a dead worker: %+v", p)
	}
}

// A page that is given back while its run is being cancelled.
func TestGivenBackWhileCancelled(t *testing.T) {
	t.Parallel()
	for name, back := range map[string]func(*store.Visit, context.Context, int64) error{
		"give back": func(v *store.Visit, ctx context.Context, id int64) error { return v.GiveBack(ctx, id) },
		"close":     func(v *store.Visit, ctx context.Context, _ int64) error { return v.Close(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := open(t)
			ctx := t.Context()
			run := d.start("a", 2)
			v, claimed := d.visit(d.worker(), run.ID, 1)
			g := d.gate("CREATE CONSTRAINT TRIGGER gate AFTER UPDATE ON tabfarm_internal.run DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION gate()")
			cancelled := g.waits(1, func() error { return d.CancelRun(ctx, run.ID) })
			given := g.waits(2, func() error { return back(v, ctx, claimed[0].ID) })
			g.open()
			ok(t, <-cancelled)
			ok(t, <-given)
			p, err := d.Progress(ctx, run.ID)
			ok(t, err)
			if p.ByOutcome["cancelled"] != 2 {
				t.Errorf("a page of a cancelled run waits: %+v", p)
			}
		})
	}
}

// Two pages that change one row: the second waits for the first and then sees
// that it is of the same run.
func TestConflictWithAPageNotCommitted(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	r := newReader(t, d, leaders)
	r.read(players(line{"x", "0"}))
	v, pages := r.run(2)
	g := d.gate("CREATE TRIGGER gate BEFORE INSERT ON leaders FOR EACH ROW WHEN (NEW.player = 'a gate') EXECUTE FUNCTION gate()")
	var first, second store.PageCounts
	one := g.waits(1, func() (err error) {
		first, err = v.Finish(ctx, result(pages[0], players(line{"a gate", "1"}, line{"x", "1"})))
		return err
	})
	two := g.waits(2, func() (err error) {
		second, err = v.Finish(ctx, result(pages[1], players(line{"x", "2"})))
		return err
	})
	g.open()
	ok(t, <-one)
	ok(t, <-two)
	if n := first["leaders"].Conflicts + second["leaders"].Conflicts; n != 1 {
		t.Errorf("%d conflicts, want 1", n)
	}
	want(t, d.text("select pts from leaders where player = 'x'"), "2\n")
}

// Two pages that bring one new row: the second, which had looked before the first
// ended, waits for it, begins again, and tells the conflict.
func TestNewRowOfAPageNotCommitted(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	r := newReader(t, d, leaders)
	r.read(players(line{"seed", "0"}))
	v, pages := r.run(2)
	g := d.gate("CREATE TRIGGER gate BEFORE INSERT ON leaders FOR EACH ROW WHEN (NEW.player = 'z gate') EXECUTE FUNCTION gate()")
	var first, second store.PageCounts
	one := g.waits(1, func() (err error) {
		first, err = v.Finish(ctx, result(pages[0], players(line{"x", "1"}, line{"z gate", "1"})))
		return err
	})
	two := g.waits(2, func() (err error) {
		second, err = v.Finish(ctx, result(pages[1], players(line{"x", "2"}, line{"y", "2"})))
		return err
	})
	g.open()
	ok(t, <-one)
	ok(t, <-two)
	wantCounts(t, first["leaders"], 2, 0, 0)
	wantCounts(t, second["leaders"], 1, 1, 0)
	want(t, second["leaders"].Conflict, "player=x: pts 1, then 2 ("+host+"/1, then "+host+"/2)")
	want(t, d.text("select player, pts from leaders order by 1"), "seed|0\nx|2\ny|2\nz gate|1\n")
}

// TestTableSeenMeanwhile: a transaction that looked for a table before another made
// it, and looks again, finds it, although its session knows from before that the
// table is not there. Two pages that bring the first rows of a table look so, the
// second time under the table's lock.
func TestTableSeenMeanwhile(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.start("r", 1, leaders)
	v, pages := d.visit(d.worker(), run.ID, 1)
	d.conn(func(ctx context.Context, c *pgx.Conn) error {
		if _, err := c.Exec(ctx, "SELECT to_regclass('public.leaders')"); err != nil {
			return err
		}
		return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
			before, err := d.SeesTable(ctx, tx, "leaders")
			if err != nil {
				return err
			}
			_, err = v.Finish(ctx, result(pages[0], players(line{"a", "1"})))
			ok(t, err)
			after, err := d.SeesTable(ctx, tx, "leaders")
			if before || !after {
				t.Errorf("there before: %t, after: %t", before, after)
			}
			return err
		})
	})
}
