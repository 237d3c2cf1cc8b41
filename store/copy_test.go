package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// Whatever a text holds, it arrives, as a new row and as a changed one, and is
// equal when it is read again.
func TestTextsArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	d := open(t)
	texts := []string{"", `\N`, `\.`, `\`, "a\tb", "a\nb", "a\r\nb", `a\tb`, "\\\n", "NULL", "'; --", "É 😀", " a ", `{"x"}`, "(1,2)", strings.Repeat("long ", 20_000)}
	page := func(number string) store.TableWrite {
		w := store.TableWrite{Name: "t", Key: []string{"k"}, Columns: []store.Column{col("k", recipe.Text), col("n", recipe.Integer), col("v", recipe.Text)}}
		for i := range texts {
			w.Rows = append(w.Rows, []*string{&texts[i], &number, &texts[len(texts)-1-i]})
		}
		return w
	}
	r := newReader(t, d)
	n := int64(len(texts))
	wantCounts(t, r.read(page("1")), n, 0, 0)
	wantCounts(t, r.read(page("1")), 0, 0, n)
	wantCounts(t, r.read(page("2")), 0, n, 0)
	wantCounts(t, r.read(page("2")), 0, 0, n)
	var want, got []string
	for i, text := range texts {
		want = append(want, fmt.Sprintf("%q %q", text, texts[len(texts)-1-i]))
	}
	rows, err := d.Query(t.Context(), "SELECT k, v FROM t")
	ok(t, err)
	defer rows.Close()
	for rows.Next() {
		got = append(got, fmt.Sprintf("%q %q", *rows.Values()[0], *rows.Values()[1]))
	}
	ok(t, rows.Err())
	for _, line := range want {
		if !strings.Contains(strings.Join(got, "\n"), line) {
			t.Errorf("the table lacks %.80s", line)
		}
	}
}

// A value that is written otherwise and is equal is no change.
func TestEqualValuesAreUnchanged(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d)
	for i, c := range []struct {
		typ    recipe.Type
		stored string
		equal  []string
		other  string
	}{
		{recipe.Integer, "7", []string{"7", "+7", "007"}, "8"},
		{recipe.Numeric, "1.50", []string{"1.50", "1.5", "15e-1"}, "1.51"},
		{recipe.Boolean, "true", []string{"true", "t", "yes"}, "false"},
		{recipe.Date, "2024-02-29", []string{"2024-02-29", "20240229"}, "2024-03-01"},
		{recipe.Time, "07:05:00", []string{"07:05:00", "7:05"}, "07:05:01"},
		{recipe.Timestamp, "2024-02-29T12:00:00Z", []string{"2024-02-29T12:00:00Z", "2024-02-29T13:00:00+01:00", "2024-02-29 12:00:00+00"}, "2024-02-29T12:00:01Z"},
		{recipe.Timestamp, "2024-02-29T12:00:00.5Z", []string{"2024-02-29T12:00:00.5Z", "2024-02-29T12:00:00.500Z"}, "2024-02-29T12:00:00Z"},
		{recipe.Duration, "2052s", []string{"2052s", "00:34:12", "34 minutes 12 seconds"}, "2053s"},
		{recipe.JSON, `{"a": 1, "b": [true]}`, []string{`{"a": 1, "b": [true]}`, `{"b":[true],"a":1}`}, `{"a": 1}`},
		{recipe.Text, "a", []string{"a"}, "A"},
	} {
		table := fmt.Sprint("t", i)
		page := func(value string) store.TableWrite {
			return store.TableWrite{Name: table, Key: []string{"k"}, Columns: []store.Column{col("k", recipe.Text), col("v", c.typ)}, Rows: rows(line{"a", value}, line{"b", "NULL"})}
		}
		counts := func(value string, inserted, updated, unchanged int64) {
			t.Helper()
			got := r.read(page(value))
			if got.Inserted != inserted || got.Updated != updated || got.Unchanged != unchanged {
				t.Errorf("%s %s, then %s: %+v", c.typ, c.stored, value, got)
			}
		}
		counts(c.stored, 2, 0, 0)
		for _, equal := range c.equal {
			counts(equal, 0, 0, 2)
		}
		want(t, get[string](d, "SELECT string_agg(ctid::text, ' ' ORDER BY k) FROM "+table), "(0,1) (0,2)") // as they were put in
		counts(c.other, 0, 1, 1)
		counts("NULL", 0, 1, 1)
		counts(c.stored, 0, 1, 1)
	}
}

// A column that a person made narrower rounds what it is given: that is no change, and
// no conflict.
func TestNarrowedColumn(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, store.TableOwner{Name: "t", Key: []string{"k"}})
	page := store.TableWrite{Name: "t", Key: []string{"k"}, Columns: []store.Column{col("k", recipe.Text), col("v", recipe.Numeric)}, Rows: rows(line{"a", "1.505"})}
	wantCounts(t, r.read(page), 1, 0, 0)
	d.exec("ALTER TABLE t ALTER v TYPE numeric(6, 1)")
	for range 2 {
		c := r.read(page)
		wantCounts(t, c, 0, 0, 1)
		if c.Conflicts != 0 {
			t.Errorf("conflict: %s", c.Conflict)
		}
	}
}

// Rows that are their key and nothing more.
func TestKeyAlone(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d)
	page := func(lines ...line) store.TableWrite {
		return store.TableWrite{Name: "t", Key: []string{"k"}, Columns: []store.Column{col("k", recipe.Integer)}, Rows: rows(lines...)}
	}
	wantCounts(t, r.read(page(line{"1"}, line{"2"})), 2, 0, 0)
	wantCounts(t, r.read(page(line{"3"}, line{"2"}, line{"1"})), 1, 0, 2)
	want(t, d.text("SELECT string_agg(k::text, ' ' ORDER BY k) FROM t"), "1 2 3\n")
}

// The key may be the page alone, of which it has one row.
func TestPageAsKey(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d)
	page := func(lines ...line) store.TableWrite {
		return store.TableWrite{Name: "t", Key: []string{"_url"}, Columns: []store.Column{col("v", recipe.Integer)}, Rows: rows(lines...)}
	}
	wantCounts(t, r.read(page(line{"1"})), 1, 0, 0)
	wantCounts(t, r.read(page(line{"1"})), 0, 0, 1)
	wantCounts(t, r.read(page(line{"2"})), 0, 1, 0)
	want(t, d.text("SELECT string_agg(v::text, ' ' ORDER BY v) FROM t"), "2\n")
}

// A table that takes no COPY, because somebody gave it row security, gets its rows.
func TestTableWithRowSecurity(t *testing.T) {
	t.Parallel()
	role := newRole(t, "CREATEROLE")
	d := open(t)
	d.exec(fmt.Sprintf("GRANT CREATE, CONNECT ON DATABASE %q TO %q; GRANT USAGE, CREATE ON SCHEMA public TO %[2]q; GRANT USAGE, CREATE ON SCHEMA tabfarm, tabfarm_internal TO %[2]q; GRANT ALL ON ALL TABLES IN SCHEMA tabfarm_internal TO %[2]q; GRANT ALL ON ALL SEQUENCES IN SCHEMA tabfarm_internal TO %[2]q; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tabfarm_internal TO %[2]q",
		get[string](d, "SELECT current_database()"), role.name))
	s, err := store.Open(t.Context(), store.Config{URL: role.url(t, d.url)})
	ok(t, err)
	t.Cleanup(s.Close)
	r := newReader(t, &db{s, t, d.url}, leaders)
	wantCounts(t, r.read(players(line{"Jordan", "1"})), 1, 0, 0)
	d.exec("ALTER TABLE leaders ENABLE ROW LEVEL SECURITY; ALTER TABLE leaders FORCE ROW LEVEL SECURITY; CREATE POLICY open ON leaders USING (true)")
	wantCounts(t, r.read(players(line{"Jordan", "2"}, line{"Malone", "1"}, line{"Bird", "1"})), 2, 1, 0)
}

// The rows of a page are looked up by key, also where Postgres would rather read the
// whole table, once it knows how many rows that has.
func TestRowsAreLookedUp(t *testing.T) {
	t.Parallel()
	d := open(t)
	s, err := store.Open(t.Context(), store.Config{URL: d.url})
	ok(t, err)
	worker, err := s.Register(t.Context(), "test")
	ok(t, err)
	r := &reader{&db{s, t, d.url}, worker, []store.TableOwner{leaders}}
	w := players()
	for i := range 10_000 {
		w.Rows = append(w.Rows, rows(line{fmt.Sprint("player ", i), "1"})...)
	}
	r.read(w)
	d.exec("VACUUM ANALYZE leaders")
	before := get[int64](d, "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'leaders'")
	read := func() int64 {
		return get[int64](d, "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relname = 'leaders'") - before
	}
	w.Rows = w.Rows[:1000]
	wantCounts(t, r.read(w), 0, 0, 1000)
	two := "2"
	for _, row := range w.Rows {
		row[1] = &two
	}
	wantCounts(t, r.read(w), 0, 1000, 0)
	ok(t, worker.Close(t.Context()))
	s.Close() // a connection that ends tells what it did
	eventually(t, "what was read is told", func() bool {
		return read() > 0 || get[int64](d, "SELECT idx_scan FROM pg_stat_user_tables WHERE relname = 'leaders'") >= 2000
	})
	if n := read(); n > 0 {
		t.Errorf("%d rows were read to find 1,000", n)
	}
}
