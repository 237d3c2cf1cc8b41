package store_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// db is a database of the test's own, with a plain connection to look at it.
type db struct {
	*store.Store
	t   testing.TB
	url string
}

func open(t testing.TB) *db { return openWith(t, store.Config{}) }

func openWith(t testing.TB, c store.Config) *db {
	t.Helper()
	c.URL = pgtest.DSN(t)
	s, err := store.Open(t.Context(), c)
	ok(t, err)
	t.Cleanup(s.Close)
	return &db{s, t, c.URL}
}

// ok ends the test at an error.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is ends the test unless err is of the kind.
func is(t testing.TB, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Fatalf("error %v, want %v", err, kind)
	}
}

// as ends the test unless err is of the type.
func as[E error](t testing.TB, err error) E {
	t.Helper()
	var e E
	if !errors.As(err, &e) {
		t.Fatalf("error %T %v, want %T", err, err, e)
	}
	return e
}

// exec runs SQL as somebody else would.
func (d *db) exec(sql string, args ...any) {
	d.t.Helper()
	d.conn(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql, args...)
		return err
	})
}

func (d *db) conn(f func(context.Context, *pgx.Conn) error) {
	d.t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, d.url)
	ok(d.t, err)
	err = f(ctx, c)
	ok(d.t, errors.Join(err, c.Close(ctx)))
}

// get reads one value.
func get[T any](d *db, sql string, args ...any) (v T) {
	d.t.Helper()
	d.conn(func(ctx context.Context, c *pgx.Conn) error { return c.QueryRow(ctx, sql, args...).Scan(&v) })
	return v
}

// text reads a result as text, a line for each row, cells split by |.
func (d *db) text(sql string) (out string) {
	d.t.Helper()
	rows, err := d.Query(d.t.Context(), sql)
	ok(d.t, err)
	defer rows.Close()
	for rows.Next() {
		for i, v := range rows.Values() {
			if i > 0 {
				out += "|"
			}
			if v == nil {
				out += "NULL"
			} else {
				out += *v
			}
		}
		out += "\n"
	}
	ok(d.t, rows.Err())
	return out
}

// fails is the error of a query, wherever it comes.
func (d *db) fails(sql string) error {
	rows, err := d.Query(d.t.Context(), sql)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		d.t.Logf("%s: %d values", sql, len(rows.Values()))
	}
	return rows.Err()
}

// sharedDir is a folder that other users may enter; T.TempDir is below one that
// they may not.
func sharedDir(t testing.TB, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tabfarm-store-")
	ok(t, err)
	t.Cleanup(func() { ok(t, os.RemoveAll(dir)) })
	ok(t, os.Chmod(dir, mode))
	return dir
}

// pagesOf are n pages of one host, numbered from 1.
func pagesOf(host string, n int) iter.Seq2[store.NewPage, error] {
	return func(yield func(store.NewPage, error) bool) {
		for i := 1; i <= n; i++ {
			u := fmt.Sprintf("%s/%d", host, i)
			if !yield(store.NewPage{Host: host, URL: u, Address: u, Vars: map[string]string{"n": fmt.Sprint(i)}}, nil) {
				return
			}
		}
	}
}

const host = "https://stats.example"

// start makes a run of n pages of the host, as fast as can be.
func (d *db) start(name string, n int, tables ...store.TableOwner) store.Run {
	d.t.Helper()
	return d.startWith(store.NewRun{Recipe: name, Pages: pagesOf(host, n), Tables: tables})
}

func (d *db) startWith(n store.NewRun) store.Run {
	d.t.Helper()
	if n.Hosts == nil {
		n.Hosts = func(string) store.Pace { return store.Pace{Concurrency: 4} }
	}
	n.Supersede = true
	run, err := d.StartRun(d.t.Context(), n)
	ok(d.t, err)
	return run
}

// worker registers, and closes at the end of the test.
func (d *db) worker() *store.Worker {
	d.t.Helper()
	w, err := d.Register(d.t.Context(), "test")
	ok(d.t, err)
	d.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := w.Close(ctx); err != nil {
			d.t.Errorf("close worker: %v", err)
		}
	})
	return w
}

// visit opens a visit that must be there, and claims n pages that must be there.
func (d *db) visit(w *store.Worker, run int64, n int) (*store.Visit, []store.Page) {
	d.t.Helper()
	v, err := w.OpenVisit(d.t.Context(), run)
	ok(d.t, err)
	pages, err := v.Claim(d.t.Context(), n)
	ok(d.t, err)
	if len(pages) != n {
		d.t.Fatalf("claimed %d pages, want %d", len(pages), n)
	}
	return v, pages
}

// result is a page that ended well with rows for one table.
func result(p store.Page, w ...store.TableWrite) store.PageResult {
	n := 0
	for _, t := range w {
		n += len(t.Rows)
	}
	return store.PageResult{Page: p, Outcome: "ok", OK: true, Proof: "end", Rows: n, Tables: w}
}

// col is a column "name type".
func col(name string, t recipe.Type) store.Column {
	return store.Column{Name: name, Header: name, Type: t, Rule: string(t)}
}

// rows makes rows of texts, "NULL" is nil.
func rows(lines ...[]string) [][]*string {
	out := make([][]*string, len(lines))
	for i, line := range lines {
		for _, cell := range line {
			if cell == "NULL" {
				out[i] = append(out[i], nil)
			} else {
				out[i] = append(out[i], &cell)
			}
		}
	}
	return out
}

type line = []string

// players is a write to the table leaders with the key player.
func players(lines ...line) store.TableWrite {
	return store.TableWrite{
		Name: "leaders", Key: []string{"player"},
		Columns: []store.Column{col("player", recipe.Text), col("pts", recipe.Integer)}, Rows: rows(lines...),
	}
}

var leaders = store.TableOwner{Name: "leaders", Key: []string{"player"}}

// wantCounts compares the counts of a table.
func wantCounts(t testing.TB, got store.TableCounts, inserted, updated, unchanged int64) {
	t.Helper()
	if got.Inserted != inserted || got.Updated != updated || got.Unchanged != unchanged {
		t.Errorf("inserted, updated, unchanged %d, %d, %d, want %d, %d, %d", got.Inserted, got.Updated, got.Unchanged, inserted, updated, unchanged)
	}
}

// want compares texts.
func want(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
