package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/tabfarm/tabfarm/store"
)

// The states of rows, in the order in which a table goes through them.
const (
	stateNew       = "new"
	stateUnchanged = "unchanged"
	stateChanged   = "changed"
)

// pageRows are the sizes of pages.
var pageRows = []int{200, 2000}

// batchRows is how many rows a pgx.Batch has, each a transaction.
const batchRows = 2000

// bench is a database of one round, with the rows that come into it.
type bench struct {
	r      *report
	c      condition
	url    string
	conns  []*pgx.Conn // one for each writer, for COPY and pgx.Batch
	store  *store.Store
	worker *store.Worker
	first  rows // of the states new and unchanged
	second rows // of the state changed
	tables int
}

// measure takes each measure of a condition once, in a database of its own.
func measure(ctx context.Context, r *report, c condition, admin string, round int) (err error) {
	b := &bench{r: r, c: c, first: makeRows(r.rowsOf(c.Columns), c.Columns, 0), second: makeRows(r.rowsOf(c.Columns), c.Columns, 1)}
	const name = "bench"
	if err := b.open(ctx, admin, name); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close(context.WithoutCancel(ctx), admin, name)) }()
	ways := []func(context.Context) error{b.copy, b.batch}
	for _, n := range pageRows {
		ways = append(ways, func(ctx context.Context) error { return b.pages(ctx, n) })
	}
	for i := range ways { // another one is first in each round
		if err := ways[(i+round)%len(ways)](ctx); err != nil {
			return err
		}
	}
	return nil
}

func execAdmin(ctx context.Context, admin string, statements ...string) error {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return err
	}
	for _, sql := range statements {
		if _, e := conn.Exec(ctx, sql); e != nil {
			err = fmt.Errorf("execute %q: %w", sql, e)
			break
		}
	}
	return errors.Join(err, conn.Close(ctx))
}

func (b *bench) open(ctx context.Context, admin, name string) error {
	u, err := url.Parse(admin)
	if err != nil {
		return err
	}
	u.Path = "/" + name
	b.url = u.String()
	if err := execAdmin(ctx, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)", "CREATE DATABASE "+name+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return err
	}
	for range b.c.Writers {
		conn, err := pgx.Connect(ctx, b.url)
		if err != nil {
			return err
		}
		b.conns = append(b.conns, conn)
	}
	if b.store, err = store.Open(ctx, store.Config{URL: b.url}); err != nil {
		return err
	}
	if err := b.store.Migrate(ctx); err != nil {
		return err
	}
	b.worker, err = b.store.Register(ctx, "bench")
	return err
}

func (b *bench) close(ctx context.Context, admin, name string) error {
	var err error
	if b.worker != nil {
		err = b.worker.Close(ctx)
	}
	if b.store != nil {
		b.store.Close()
	}
	for _, conn := range b.conns {
		err = errors.Join(err, conn.Close(ctx))
	}
	return errors.Join(err, execAdmin(ctx, admin, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"))
}

// timed takes one measure. What came before is on the disk by then.
func (b *bench) timed(ctx context.Context, way string, page int, state string, f func(context.Context) error) error {
	if _, err := b.conns[0].Exec(ctx, "CHECKPOINT"); err != nil {
		return err
	}
	runtime.GC()
	before, err := b.processors(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := f(ctx); err != nil {
		return fmt.Errorf("%s, %s rows: %w", way, state, err)
	}
	took := time.Since(begin)
	after, err := b.processors(ctx)
	if err != nil {
		return err
	}
	n := float64(len(b.first.texts))
	b.r.add(b.c, way, page, state, n/took.Seconds(), (after-before).Seconds()*1e6/n)
	return nil
}

// processors is the time that the processors have spent on this program and on the
// server's processes. It is less shaken by what else the machine does than the clock.
func (b *bench) processors(ctx context.Context) (time.Duration, error) {
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, fmt.Errorf("ask for the time of the processors: %w", err)
	}
	sum := time.Duration(own.Utime.Nano() + own.Stime.Nano())
	rows, err := b.conns[0].Query(ctx, "SELECT pid FROM pg_stat_activity")
	if err != nil {
		return 0, fmt.Errorf("look for the server's processes: %w", err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
	if err != nil {
		return 0, fmt.Errorf("look for the server's processes: %w", err)
	}
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
		if err != nil {
			continue // ended this moment
		}
		var ns int64
		if _, err := fmt.Sscan(string(text), &ns); err != nil {
			return 0, fmt.Errorf("read the time of process %d: %w", pid, err)
		}
		sum += time.Duration(ns)
	}
	return sum, nil
}

// spread calls f for each writer with its share of n rows.
func (b *bench) spread(ctx context.Context, n int, f func(ctx context.Context, conn *pgx.Conn, from, to int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, conn := range b.conns {
		g.Go(func() error { return f(ctx, conn, n*i/len(b.conns), n*(i+1)/len(b.conns)) })
	}
	return g.Wait()
}

// table makes a table as the store makes one, with no row in it.
func (b *bench) table(ctx context.Context) (string, error) {
	b.tables++
	name := fmt.Sprintf("t%d", b.tables)
	one := rows{columns: b.first.columns, texts: makeRows(1, b.c.Columns, 0).texts}
	if err := b.finish(ctx, name, one, 1, func(ctx context.Context, pages func(context.Context) error) error { return pages(ctx) }); err != nil {
		return "", err
	}
	_, err := b.conns[0].Exec(ctx, "TRUNCATE "+name)
	return name, err
}

// own are the columns that tabfarm adds, with values as it would write them.
var own = []string{"_url", "_page", "_run", "_first_seen", "_changed"}

func names(columns []store.Column) []string {
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	return append(names, own...)
}

func withOwn(row []any, now time.Time) []any {
	return append(slices.Clone(row), "https://stats.example/1", int64(1), int64(1), now, now)
}

// copy is COPY in one go: each writer one statement with all of its rows.
func (b *bench) copy(ctx context.Context) error {
	name, err := b.table(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	var all [][]any
	for _, row := range b.first.values {
		all = append(all, withOwn(row, now))
	}
	return b.timed(ctx, wayCopy, 0, stateNew, func(ctx context.Context) error {
		return b.spread(ctx, len(all), func(ctx context.Context, conn *pgx.Conn, from, to int) error {
			_, err := conn.CopyFrom(ctx, pgx.Identifier{name}, names(b.first.columns), pgx.CopyFromRows(all[from:to]))
			return err
		})
	})
}

// batch is a pgx.Batch with a statement for each row.
func (b *bench) batch(ctx context.Context) error {
	name, err := b.table(ctx)
	if err != nil {
		return err
	}
	sql := insertOne(name, b.first.columns)
	now := time.Now()
	for _, s := range []struct {
		state string
		rows  rows
	}{{stateNew, b.first}, {stateUnchanged, b.first}, {stateChanged, b.second}} {
		err := b.timed(ctx, wayBatch, 0, s.state, func(ctx context.Context) error {
			return b.spread(ctx, len(s.rows.values), func(ctx context.Context, conn *pgx.Conn, from, to int) error {
				for part := range slices.Chunk(s.rows.values[from:to], batchRows) {
					var batch pgx.Batch
					for _, row := range part {
						batch.Queue(sql, withOwn(row, now)...)
					}
					if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
						return err
					}
				}
				return nil
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// insertOne is the statement of a row. It writes nothing where the row is there as
// it is, as tabfarm does.
func insertOne(table string, columns []store.Column) string {
	var values, set, old, new []string
	for i, name := range names(columns) {
		values = append(values, fmt.Sprintf("$%d", i+1))
		if slices.Contains(key, name) || name == "_first_seen" {
			continue
		}
		set = append(set, name+" = EXCLUDED."+name)
		if !slices.Contains(own, name) {
			old, new = append(old, "t."+name), append(new, "EXCLUDED."+name)
		}
	}
	return "INSERT INTO " + table + " AS t (" + strings.Join(names(columns), ", ") + ") VALUES (" + strings.Join(values, ", ") +
		") ON CONFLICT (" + strings.Join(key, ", ") + ") DO UPDATE SET " + strings.Join(set, ", ") +
		" WHERE (" + strings.Join(old, ", ") + ") IS DISTINCT FROM (" + strings.Join(new, ", ") + ")"
}

// pages is the store's way: pages of n rows, each finished with its rows.
func (b *bench) pages(ctx context.Context, n int) error {
	name, err := b.table(ctx)
	if err != nil {
		return err
	}
	for _, s := range []struct {
		state string
		rows  rows
	}{{stateNew, b.first}, {stateUnchanged, b.first}, {stateChanged, b.second}} {
		err := b.finish(ctx, name, s.rows, n, func(ctx context.Context, pages func(context.Context) error) error {
			return b.timed(ctx, wayStore, n, s.state, pages)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
