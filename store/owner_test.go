package store_test

import (
	"testing"

	"github.com/tabfarm/tabfarm/store"
)

func TestOwnership(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	d.exec("CREATE TABLE users (id int); CREATE VIEW v AS SELECT 1; CREATE SEQUENCE s; CREATE INDEX i ON users (id)")
	try := func(recipeName string, tables ...store.TableOwner) error {
		_, err := d.StartRun(ctx, store.NewRun{Recipe: recipeName, Pages: pagesOf(host, 1), Tables: tables, Supersede: true})
		return err
	}
	for _, name := range []string{"users", "v", "s", "i"} {
		err := try("a", store.TableOwner{Name: name})
		want(t, as[*store.OwnershipError](t, err).Error(), "public."+name+" exists and was not made by tabfarm; choose another name")
	}
	if n := get[int](d, "SELECT count(*) FROM tabfarm_internal.run"); n != 0 {
		t.Errorf("%d runs", n)
	}
	ok(t, try("a", leaders)) // keeps the name while its run is unfinished
	err := try("b", leaders)
	want(t, as[*store.OwnershipError](t, err).Error(), "public.leaders belongs to the recipe a; choose another name")
	run, _, err := d.NewestRun(ctx, "a")
	ok(t, err)
	ok(t, d.CancelRun(ctx, run.ID))
	ok(t, try("b", leaders)) // a never filled it

	r := newReader(t, d, leaders)
	run, _, err = d.NewestRun(ctx, "b")
	ok(t, err)
	ok(t, d.CancelRun(ctx, run.ID))
	r.read(players(line{"Jordan", "1"}))
	err = try("b", leaders)
	want(t, as[*store.OwnershipError](t, err).Error(), "public.leaders belongs to the recipe recipe; choose another name")
	err = try("recipe", store.TableOwner{Name: "leaders", Key: []string{"player", "season"}})
	want(t, as[*store.OwnershipError](t, err).Error(),
		"public.leaders was made with the key player and the recipe now has player, season; choose another name, or drop the table")
	d.exec("DROP TABLE leaders")
	ok(t, try("recipe", store.TableOwner{Name: "leaders", Key: []string{"player", "season"}}))
	d.exec("CREATE TABLE leaders (player text)") // somebody else's, now
	err = try("recipe", leaders)
	want(t, as[*store.OwnershipError](t, err).Error(), "public.leaders exists and was not made by tabfarm; choose another name")
}

// A table that another made while the run was under way is not written to.
func TestTableMadeMeanwhile(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	v, pages := r.run(1)
	d.exec("CREATE TABLE leaders (player text)")
	_, err := v.Finish(t.Context(), result(pages[0], players(line{"Jordan", "1"})))
	want(t, as[*store.OwnershipError](t, err).Error(), "public.leaders exists and was not made by tabfarm; choose another name")
	w := players(line{"Jordan", "1"})
	w.Name = "mine"
	_, err = v.Finish(t.Context(), result(pages[0], w))
	ok(t, err)
	other := newReader(t, d)
	other.start("other", 1)
	run := d.start("other", 1)
	v, pages = d.visit(other.w, run.ID, 1)
	_, err = v.Finish(t.Context(), result(pages[0], w))
	want(t, as[*store.OwnershipError](t, err).Error(), "public.mine belongs to the recipe recipe; choose another name")
}

// Tables and columns that a person drops come again.
func TestDroppedByHand(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	r.read(players(line{"Jordan", "1"}))
	v, pages := r.run(3)
	d.exec("ALTER TABLE leaders DROP COLUMN pts")
	counts, err := v.Finish(t.Context(), result(pages[0], players(line{"Jordan", "2"})))
	ok(t, err)
	wantCounts(t, counts["leaders"], 0, 1, 0)
	d.exec("DROP TABLE leaders")
	counts, err = v.Finish(t.Context(), result(pages[1], players(line{"Jordan", "3"})))
	ok(t, err)
	wantCounts(t, counts["leaders"], 1, 0, 0)
	d.exec("ALTER TABLE leaders ALTER COLUMN pts TYPE text") // a person's type holds
	d.second()
	_, err = d.second().Progress(t.Context(), 1)
	ok(t, err)
	c, _, err := d.Contract(t.Context(), "leaders")
	ok(t, err)
	if c.Columns[1].Type != "text" {
		t.Errorf("type %s", c.Columns[1].Type)
	}
	want(t, d.text("select player, pts from leaders"), "Jordan|3\n")
	d.exec("DROP TABLE leaders")
	if _, there, err := d.Contract(t.Context(), "leaders"); there || err != nil {
		t.Errorf("a dropped table is there: %v %v", there, err)
	}
	tables, err := d.Tables(t.Context())
	ok(t, err)
	if len(tables) != 1 || tables[0].Rows != nil || tables[0].Name != "leaders" {
		t.Errorf("tables %+v", tables)
	}
}
