package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

func TestColumnsAreAdded(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	r.read(players(line{"Jordan", "1"}))
	w := players(line{"Jordan", "1", "23.5", "NULL"}, line{"Bird", "2", "NULL", "NULL"})
	w.Columns = append(w.Columns, store.Column{Name: "pct", Header: "FG%", Unit: "%", Rule: `numeric unit="%"`, Type: recipe.Numeric, Declared: true},
		store.Column{Name: "empty", Header: "Nothing"}) // no value yet: no column
	wantCounts(t, r.read(w), 1, 1, 0)
	c, _, err := d.Contract(t.Context(), "leaders")
	ok(t, err)
	if c.Version != 2 || len(c.Columns) != 3 || c.Columns[2] != w.Columns[2] {
		t.Errorf("contract %+v", c)
	}
	want(t, d.text("select col_description('leaders'::regclass, attnum) from pg_attribute where attrelid = 'leaders'::regclass and attname = 'pct'"), "FG% (%)\n")
	wantCounts(t, r.read(players(line{"Jordan", "1"})), 0, 0, 1) // a page without the column leaves it
	want(t, d.text("select player, pts, pct from leaders order by 1"), "Bird|2|NULL\nJordan|1|23.5\n")
}

func TestWidening(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	r.read(players(line{"Jordan", "1"}))
	w := players(line{"Jordan", "1.0"}, line{"Bird", "2.5"})
	w.Columns[1].Type, w.Columns[1].Rule, w.Version = recipe.Numeric, "numeric", 1
	wantCounts(t, r.read(w), 1, 0, 1) // 1.0 is 1
	c, _, err := d.Contract(t.Context(), "leaders")
	ok(t, err)
	if c.Version != 2 || c.Columns[1].Type != recipe.Numeric || c.Columns[1].Rule != "numeric" {
		t.Errorf("contract %+v", c)
	}
	old := players(line{"Malone", "3"}) // typed before: an integer is numeric
	old.Version = 1
	wantCounts(t, r.read(old), 1, 0, 0)
	want(t, d.text("select player, pts from leaders order by 1"), "Bird|2.5\nJordan|1\nMalone|3\n")

	// What stands in the way is told in Postgres's words, and changes nothing.
	d.exec("CREATE TABLE other (); CREATE VIEW best AS SELECT max(pts) FROM leaders")
	v, pages := r.run(1)
	w = players(line{"Jordan", "1"})
	w.Columns = append(w.Columns, col("age", recipe.Integer))
	w.Rows = rows(line{"Jordan", "1", "24"})
	_, err = v.Finish(t.Context(), result(pages[0], w))
	ok(t, err)
	d.exec("CREATE VIEW oldest AS SELECT max(age) FROM leaders")
	v, pages = r.run(1)
	w.Columns[2].Type = recipe.Numeric
	_, err = v.Finish(t.Context(), result(pages[0], w))
	if e := as[*store.StatementError](t, err); e.Code != "0A000" || !strings.Contains(e.Error(), "oldest") {
		t.Errorf("%s %s", e.Code, e)
	}
}

func TestContractIsKept(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	r.read(players(line{"Jordan", "1"}))
	v, pages := r.run(1)
	text, unit, newer := players(line{"Jordan", "x"}), players(line{"Jordan", "2"}), players(line{"Jordan", "2"})
	text.Columns[1].Type = recipe.Text
	unit.Columns[1].Unit = "%"
	newer.Version = 9
	for _, w := range []store.TableWrite{text, unit, newer} {
		_, err := v.Finish(t.Context(), result(pages[0], w))
		is(t, err, store.ErrContract)
	}
	want(t, d.text("select player, pts from leaders"), "Jordan|1\n")
	p, err := d.Progress(t.Context(), pages[0].RunID)
	ok(t, err)
	if p.Leased != 1 {
		t.Errorf("the page is out of hand: %+v", p)
	}
	_, err = v.Finish(t.Context(), result(pages[0], players(line{"Jordan", "2"})))
	ok(t, err)
	if _, there, err := d.Contract(t.Context(), "nothing"); there || err != nil {
		t.Errorf("contract of no table: %v %v", there, err)
	}
}

// Pages of several processes add columns of their own and a common one at once.
func TestColumnsAreAddedAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	const n = 8
	run := d.start("recipe", n, leaders)
	v, pages := d.visit(d.worker(), run.ID, n)
	others := []*db{d, d.second(), d.second()}
	visits := make([]*store.Visit, len(others))
	visits[0] = v
	for i, o := range others[1:] {
		ok(t, v.GiveBack(t.Context(), pages[3*i+2].ID, pages[3*i+3].ID))
		var claimed []store.Page
		visits[i+1], claimed = o.visit(o.worker(), run.ID, 2)
		pages[3*i+2], pages[3*i+3] = claimed[0], claimed[1]
	}
	byPage := []*store.Visit{v, v, visits[1], visits[1], v, visits[2], visits[2], v}
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			w := players(line{fmt.Sprint("p", i), "1", "x", "2"})
			w.Columns = append(w.Columns, col(fmt.Sprint("own", i), recipe.Text), col("common", recipe.Integer))
			if i%2 == 0 { // the order of columns must not matter
				w.Columns[2], w.Columns[3] = w.Columns[3], w.Columns[2]
				w.Rows[0][2], w.Rows[0][3] = w.Rows[0][3], w.Rows[0][2]
			}
			if _, err := byPage[i].Finish(t.Context(), result(pages[i], w)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	c, _, err := d.Contract(t.Context(), "leaders")
	ok(t, err)
	if len(c.Columns) != 3+n {
		t.Errorf("%d columns, want %d: %+v", len(c.Columns), 3+n, c.Columns)
	}
	want(t, d.text("select count(*), sum(common) from leaders"), fmt.Sprintf("%d|%d\n", n, 2*n))
}

// Two tables in opposite order, each with a new column: nobody waits in a circle.
func TestTwoTablesAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	const n = 10
	v, pages := newReader(t, d).run(n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			w := []store.TableWrite{players(line{"all", fmt.Sprint(i), "1"}), players(line{"all", fmt.Sprint(i), "1"})}
			w[i%2].Name = "second"
			for j := range w {
				w[j].Columns = append(w[j].Columns, col(fmt.Sprint("c", i), recipe.Integer))
			}
			if _, err := v.Finish(t.Context(), result(pages[i], w...)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, table := range []string{"leaders", "second"} {
		c, _, err := d.Contract(t.Context(), table)
		ok(t, err)
		if len(c.Columns) != 2+n {
			t.Errorf("%s has %d columns", table, len(c.Columns))
		}
	}
}

// Names and texts are never SQL, whatever they look like.
func TestStrangeNames(t *testing.T) {
	t.Parallel()
	d := open(t)
	long := strings.Repeat("é", 31) + "x" // 63 bytes
	names := []string{`a"b`, `x'); DROP TABLE leaders; --`, "Ünïcode 球员", "select", "$1", `back\slash`, "%s%I", " space ", long}
	table := `t"; DROP SCHEMA tabfarm CASCADE; --`
	r := newReader(t, d, store.TableOwner{Name: table, Key: names[:1]})
	w := store.TableWrite{Name: table, Key: names[:1], Rows: [][]*string{{}}}
	for _, n := range names {
		w.Columns = append(w.Columns, store.Column{Name: n, Header: "it's \x00" + n + ` "\`, Unit: "'", Type: recipe.Text})
		w.Rows[0] = append(w.Rows[0], &n)
	}
	wantCounts(t, r.read(w), 1, 0, 0)
	wantCounts(t, r.read(w), 0, 0, 1)
	quoted := pgx.Identifier{table}.Sanitize()
	d.conn(func(ctx context.Context, c *pgx.Conn) error {
		res, err := c.Query(ctx, "SELECT * FROM "+quoted)
		if err != nil {
			return err
		}
		got, err := pgx.CollectOneRow(res, pgx.RowToMap)
		for _, n := range names {
			if got[n] != n {
				t.Errorf("column %q holds %q", n, got[n])
			}
		}
		return err
	})
	want(t, get[string](d, "SELECT col_description($1::regclass, 1)", quoted), `it's a"b "\ (')`)

	v, pages := r.run(1)
	for _, name := range []string{"", long + "y", "a\x00b", "\xff"} {
		bad := players(line{"a", "1"})
		bad.Columns[1].Name = name
		_, err := v.Finish(t.Context(), result(pages[0], bad))
		_ = as[*store.StatementError](t, err)
		bad = players(line{"a", "1"})
		bad.Name = name
		_, err = v.Finish(t.Context(), result(pages[0], bad))
		_ = as[*store.StatementError](t, err)
		_, err = d.StartRun(t.Context(), store.NewRun{Recipe: "b", Pages: pagesOf(host, 1), Tables: []store.TableOwner{{Name: name}}})
		_ = as[*store.OwnershipError](t, err)
	}
	d.start(`it's "a" recipe; --`, 1)
}

func TestRejected(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	w := players(line{"Jordan", "NULL"}, line{"Bird", "NULL"})
	w.Rejected = []store.Rejection{{0, "pts", "3,0x41\x00", "no integer"}, {1, "pts", "-", "no integer"}}
	w.Duplicates = 3
	c := r.read(w)
	if c.Rejected != 2 || c.Duplicates != 3 {
		t.Errorf("counts %+v", c)
	}
	want(t, d.text("select * from rejected order by key"), "leaders|player=Bird|pts|-|no integer|"+host+"/1\nleaders|player=Jordan|pts|3,0x41|no integer|"+host+"/1\n")
	p, err := d.Progress(t.Context(), 1)
	ok(t, err)
	if got := p.Tables["leaders"]; got.Rejected != 2 || len(got.Rejections) != 2 || got.Rejections[0] != "pts: 3,0x41 (no integer)" {
		t.Errorf("progress %+v", got)
	}
	w.Rejected = w.Rejected[:1] // the next reading replaces them
	r.read(w)
	want(t, d.text("select key from rejected"), "player=Jordan\n")
	many := players()
	for i := range 1500 {
		many.Rows = append(many.Rows, rows(line{fmt.Sprint("p", i), "NULL"})...)
		many.Rejected = append(many.Rejected, store.Rejection{i, "pts", strings.Repeat("é", 6000), "no integer"})
	}
	if c := r.read(many); c.Rejected != 1500 || c.Inserted != 1500 {
		t.Errorf("counts %+v", c)
	}
	want(t, d.text("select count(*), max(length(text)) from rejected"), "1000|5000\n")
}

func TestReadersMayRead(t *testing.T) {
	t.Parallel()
	role := newRole(t, "")
	d := openWith(t, store.Config{Schema: "results", Readers: []string{role.name, "nobody_of_this_name"}})
	ok(t, d.Migrate(t.Context()))
	newReader(t, d, leaders).read(players(line{"Jordan", "1"}))
	conn, err := pgx.Connect(t.Context(), role.url(t, d.url))
	ok(t, err)
	var n int
	ok(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM results.leaders, tabfarm.pages, tabfarm.tables t WHERE t.rows = 1 AND t.name = 'leaders'").Scan(&n))
	if n != 1 {
		t.Errorf("the reader sees %d rows", n)
	}
	_, err = conn.Exec(t.Context(), "DELETE FROM results.leaders")
	if err == nil {
		t.Error("the reader may delete")
	}
	ok(t, conn.Close(t.Context()))
	want(t, d.text("select player from leaders"), "Jordan\n") // found without its schema
	// Where another schema has a table of the name, both say where they are.
	d.exec("INSERT INTO tabfarm_internal.result_table (schema, name, recipe, key, made) VALUES ('elsewhere', 'leaders', 'other', '{}', true)")
	want(t, d.text("select name from tables order by 1"), "elsewhere.leaders\nresults.leaders\n")
}
