package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// reader finishes pages of runs of one recipe, each page in a new run unless the
// test says otherwise.
type reader struct {
	*db
	w      *store.Worker
	tables []store.TableOwner
}

func newReader(t testing.TB, d *db, tables ...store.TableOwner) *reader {
	return &reader{d, d.worker(), tables}
}

// run begins a run with n pages and claims them.
func (r *reader) run(n int) (*store.Visit, []store.Page) {
	r.t.Helper()
	run := r.start("recipe", n, r.tables...)
	return r.visit(r.w, run.ID, n)
}

// read finishes the first page of a new run.
func (r *reader) read(w store.TableWrite) store.TableCounts {
	r.t.Helper()
	v, pages := r.run(1)
	counts, err := v.Finish(r.t.Context(), result(pages[0], w))
	ok(r.t, err)
	ok(r.t, v.Close(r.t.Context()))
	return counts[w.Name]
}

func TestUpsertCounts(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	wantCounts(t, r.read(players(line{"Jordan", "3041"}, line{"Malone", "2500"})), 2, 0, 0)
	first := get[string](d, "SELECT string_agg(ctid::text || xmin::text || _run || _page || _first_seen || _changed, ' ' ORDER BY player) FROM leaders")
	wantCounts(t, r.read(players(line{"Malone", "2500"}, line{"Jordan", "3041"})), 0, 0, 2)
	want(t, get[string](d, "SELECT string_agg(ctid::text || xmin::text || _run || _page || _first_seen || _changed, ' ' ORDER BY player) FROM leaders"), first)
	wantCounts(t, r.read(players(line{"Malone", "NULL"}, line{"Jordan", "3041"}, line{"Bird", "NULL"})), 1, 1, 1)
	want(t, d.text("select player, pts, _url, _run, _first_seen = _changed as once from leaders order by 1"),
		"Bird|NULL|"+host+"/1|3|t\nJordan|3041|"+host+"/1|1|t\nMalone|NULL|"+host+"/1|3|f\n")
	want(t, d.text("select string_agg(attname, ' ' order by attnum) from pg_attribute where attrelid = 'leaders'::regclass and attnum > 0"),
		"player pts _url _page _run _first_seen _changed\n")
	want(t, d.text("select col_description('leaders'::regclass, 2), obj_description('leaders'::regclass)"),
		"pts|rows of the recipe recipe, made by tabfarm; one row for each player\n")
}

// Every type takes its canonical text, and reading it again changes nothing.
func TestAllTypes(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d)
	columns := []struct {
		typ          recipe.Type
		text, stored string
	}{
		{recipe.Text, " a\x00b\xff ", " ab\uFFFD "},
		{recipe.Integer, "-9223372036854775808", "-9223372036854775808"},
		{recipe.Numeric, "12345678901234567890.1200", "12345678901234567890.1200"},
		{recipe.Boolean, "true", "t"},
		{recipe.Date, "2024-02-29", "2024-02-29"},
		{recipe.Time, "07:05:00", "07:05:00"},
		{recipe.Timestamp, "2024-02-29T12:00:00Z", "2024-02-29 12:00:00+00"},
		{recipe.Duration, "2052s", "00:34:12"},
		{recipe.JSON, `{"b": [1.50, "\u0000x", "\ud83d\ude00", "\ud800"], "a": "\\u0000"}`, `{"a": "\\u0000", "b": [1.50, "x", "😀", "` + "\uFFFD" + `"]}`},
	}
	w := store.TableWrite{Name: "t", Key: []string{"text"}, Rows: [][]*string{{}, {}}}
	names, stored := []string{}, []string{}
	for _, c := range columns {
		w.Columns = append(w.Columns, col(string(c.typ), c.typ))
		w.Rows[0] = append(w.Rows[0], &c.text)
		w.Rows[1] = append(w.Rows[1], nil)
		names, stored = append(names, `"`+string(c.typ)+`"`), append(stored, c.stored)
	}
	empty := ""
	w.Rows[1][0] = &empty
	wantCounts(t, r.read(w), 2, 0, 0)
	want(t, d.text("select "+strings.Join(names, ", ")+" from t order by text desc"), strings.Join(stored, "|")+"\n"+strings.Repeat("|NULL", 8)+"\n")
	wantCounts(t, r.read(w), 0, 0, 2)
	c, there, err := d.Contract(t.Context(), "t")
	ok(t, err)
	if !there || c.Recipe != "recipe" || len(c.Key) != 1 || c.Version != 1 {
		t.Errorf("contract %v %+v", there, c)
	}
	for i, have := range c.Columns {
		if have != w.Columns[i] {
			t.Errorf("contract has %+v, want %+v", have, w.Columns[i])
		}
	}
}

// With no key, a page's rows are replaced as they are now.
func TestRowsWithoutKey(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, store.TableOwner{Name: "spending"})
	write := func(lines ...line) store.TableWrite {
		return store.TableWrite{Name: "spending", Columns: []store.Column{col("what", recipe.Text)}, Rows: rows(lines...)}
	}
	v, pages := r.run(2)
	for _, p := range pages {
		_, err := v.Finish(t.Context(), result(p, write(line{"a"}, line{"a"}, line{"b"})))
		ok(t, err)
	}
	ok(t, v.Close(t.Context()))
	want(t, d.text("select string_agg(attname, ' ' order by attnum) from pg_attribute where attrelid = 'spending'::regclass and attnum > 0"),
		"_url _row what _page _run _first_seen _changed\n")
	all := "select substr(_url, length(_url)) || _row, what from spending order by 1"
	want(t, d.text(all), "11|a\n12|a\n13|b\n21|a\n22|a\n23|b\n")
	c := r.read(write(line{"a"}, line{"c"}))
	wantCounts(t, c, 0, 1, 1)
	if c.Gone != 1 || c.Conflicts != 0 {
		t.Errorf("gone %d, conflicts %d", c.Gone, c.Conflicts)
	}
	want(t, d.text(all), "11|a\n12|c\n21|a\n22|a\n23|b\n")
	wantCounts(t, r.read(write(line{"a"}, line{"c"}, line{"d"})), 1, 0, 2)
	c = r.read(write())
	if c.Gone != 3 {
		t.Errorf("gone %d of an empty page, want 3", c.Gone)
	}
	want(t, d.text(all), "21|a\n22|a\n23|b\n")
}

// With _row in the key, rows of the same other columns are replaced.
func TestKeyWithRow(t *testing.T) {
	t.Parallel()
	d := open(t)
	key := []string{"month", "_row"}
	r := newReader(t, d, store.TableOwner{Name: "s", Key: key})
	write := func(lines ...line) store.TableWrite {
		return store.TableWrite{Name: "s", Key: key, Columns: []store.Column{col("what", recipe.Text), col("month", recipe.Date)}, Rows: rows(lines...)}
	}
	wantCounts(t, r.read(write(line{"a", "2024-01-01"}, line{"x", "2024-02-01"}, line{"b", "2024-01-01"}, line{"c", "2024-01-01"})), 4, 0, 0)
	all := "select to_char(month, 'MM'), _row, what from s order by 1, 2"
	want(t, d.text(all), "01|1|a\n01|2|b\n01|3|c\n02|1|x\n")
	c := r.read(write(line{"a", "2024-01-01"}, line{"c", "2024-01-01"}, line{"y", "2024-03-01"}))
	wantCounts(t, c, 1, 1, 1)
	if c.Gone != 1 {
		t.Errorf("gone %d", c.Gone)
	}
	want(t, d.text(all), "01|1|a\n01|2|c\n02|1|x\n03|1|y\n")

	// Two pages of one run that give the same month: the later holds, and it is told.
	v, pages := r.run(2)
	_, err := v.Finish(t.Context(), result(pages[0], write(line{"p", "2024-05-01"}, line{"q", "2024-05-01"})))
	ok(t, err)
	counts, err := v.Finish(t.Context(), result(pages[1], write(line{"r", "2024-05-01"})))
	ok(t, err)
	if c := counts["s"]; c.Conflicts != 2 || c.Gone != 1 || c.Updated != 1 {
		t.Errorf("two pages of one month: %+v", c)
	}
}

func TestConflicts(t *testing.T) {
	t.Parallel()
	d := open(t)
	ctx := t.Context()
	r := newReader(t, d, leaders)
	r.read(players(line{"Jordan", "1"}, line{"Malone", "1"}, line{"Bird", "1"}))
	v, pages := r.run(4)
	finish := func(page int, w store.TableWrite) store.TableCounts {
		t.Helper()
		counts, err := v.Finish(ctx, result(pages[page], w))
		ok(t, err)
		return counts["leaders"]
	}
	c := finish(0, players(line{"Jordan", "2"}, line{"Malone", "1"}, line{"New", "1"}))
	if c.Conflicts != 0 || c.Updated != 1 {
		t.Errorf("values of an older run: %+v", c)
	}
	// Jordan and New are of page 1; Malone was left as an older run wrote it.
	c = finish(1, players(line{"Jordan", "3"}, line{"Malone", "2"}, line{"New", "1"}, line{"Bird", "2"}))
	if c.Conflicts != 1 || c.Updated != 3 || c.Unchanged != 1 {
		t.Errorf("values of another page: %+v", c)
	}
	want(t, c.Conflict, "player=Jordan: pts 2, then 3 ("+host+"/1, then "+host+"/2)")
	last := players(line{"Jordan", "4"})
	last.Last = true
	if c = finish(2, last); c.Conflicts != 0 || c.Updated != 1 {
		t.Errorf("duplicates: last: %+v", c)
	}
	p, err := d.Progress(ctx, pages[0].RunID)
	ok(t, err)
	if got := p.Tables["leaders"]; got.Conflicts != 1 || !strings.Contains(got.Conflict, "player=Jordan") {
		t.Errorf("progress: %+v", got)
	}
}

// Two pages that write the same new keys at the same moment: each key is inserted
// once and is a conflict once.
func TestConflictsOfPagesAtOnce(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	r.read(players(line{"seed", "0"}))
	const rounds, keys = 8, 40
	v, pages := r.run(2 * rounds)
	var sum store.TableCounts
	var mu sync.Mutex
	for round := range rounds {
		var both sync.WaitGroup
		for side := range 2 {
			both.Go(func() {
				w := players()
				for k := range keys {
					n := k
					if side == 1 {
						n = keys - 1 - k // in the other order
					}
					w.Rows = append(w.Rows, rows(line{fmt.Sprintf("%d-%d", round, n), fmt.Sprint(side)})...)
				}
				counts, err := v.Finish(t.Context(), result(pages[2*round+side], w))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				c := counts["leaders"]
				sum.Inserted += c.Inserted
				sum.Updated += c.Updated
				sum.Conflicts += c.Conflicts
			})
		}
		both.Wait()
	}
	if sum.Inserted != rounds*keys || sum.Updated != rounds*keys || sum.Conflicts != rounds*keys {
		t.Errorf("inserted, updated, conflicts %d, %d, %d, want %d each", sum.Inserted, sum.Updated, sum.Conflicts, rounds*keys)
	}
}

func TestRefusedRows(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	r.read(players(line{"Jordan", "1"}))
	v, pages := r.run(1)
	short := players(line{"a", "1"})
	short.Rows[0] = short.Rows[0][:1]
	typeless := players(line{"a", "1"})
	typeless.Columns[1].Type = ""
	strange := players(line{"a", "1"})
	strange.Columns[1].Type = "money"
	own := players(line{"a", "1"})
	own.Columns[1].Name = "_run"
	keyless := players(line{"a"})
	keyless.Columns = keyless.Columns[1:]
	for _, c := range []struct {
		w    store.TableWrite
		code string
	}{
		{players(line{"NULL", "1"}), "23502"},
		{players(line{"a", "1"}, line{"a", "2"}), "21000"},
		{players(line{"a", "1.5"}), "22P02"},
		{players(line{"a", "9223372036854775808"}), "22003"},
		{short, "42601"},
		{typeless, "42P18"},
		{strange, "42704"},
		{own, "42701"},
		{store.TableWrite{Name: "leaders", Key: []string{"player"}, Columns: keyless.Columns, Rows: rows(line{"1"})}, "42703"},
	} {
		_, err := v.Finish(t.Context(), result(pages[0], c.w))
		if e := as[*store.StatementError](t, err); e.Code != c.code || e.Message == "" {
			t.Errorf("%v: code %s %q, want %s", c.w.Rows, e.Code, e.Message, c.code)
		}
	}
	_, err := v.Finish(t.Context(), result(pages[0], players(), players()))
	_ = as[*store.StatementError](t, err)
	want(t, d.text("select player, pts from leaders"), "Jordan|1\n")
	_, err = v.Finish(t.Context(), result(pages[0], players(line{"Bird", "2"}))) // the page is still in hand
	ok(t, err)
}
