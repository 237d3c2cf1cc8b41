package queue

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/store"
)

func TestMain(m *testing.M) { pgtest.Main(m) }

// envOut names the file for the result. Without it nothing is measured.
const envOut = "TABFARM_BENCH_QUEUE"

const (
	million   = 1_000_000
	manyHosts = 10_000
	samples   = 500             // claims that are timed
	working   = 8 * time.Second // of visits at work
)

// TestMeasure writes all tables, one after the other: nothing else is to run.
func TestMeasure(t *testing.T) {
	out := os.Getenv(envOut)
	if out == "" {
		t.Skip(envOut + " names no file for the result")
	}
	if !filepath.IsAbs(out) {
		out = filepath.Join("..", "..", out)
	}
	m := &measures{T: t}
	m.plans()
	m.visits()
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(out, []byte(m.markdown()), 0o600); err != nil {
		t.Fatal(err)
	}
}

type measures struct {
	*testing.T
	planned, claimed, visited []string // lines of the tables
}

func (m *measures) markdown() string {
	return fmt.Sprintf(`# The queue

Made by `+"`make bench-queue`"+` on %d processors, which Postgres and the workers
share. The server forgets what it stored when it is killed (fsync and
synchronous_commit are off); with a server of one's own in %s it is as that one is set.

## Planning

A source that costs nothing. Host after host is the order of a template with the
host as its slowest variable; in turn, as its fastest: each chunk has all hosts.

| pages | hosts | order | first page can be claimed | all planned | pages/s | MB with indexes |
|---|---|---|---|---|---|---|
%s
## Claiming one page

One visit at a time, %d claims, beside so many pending pages.

| pending | hosts | p50 | p99 |
|---|---|---|---|
%s
## Visits

%d hosts wait. A visit claims and finishes its host's pages, one at a time.
Milliseconds of Postgres are those of its processors, for each visit.

| workers | visits at once, each | pages of a host | visits/s | claims/s | ms of Postgres |
|---|---|---|---|---|---|
%s`, runtime.NumCPU(), pgtest.EnvURL, lines(m.planned), samples, lines(m.claimed), manyHosts, lines(m.visited))
}

func lines(l []string) string { return strings.Join(l, "\n") + "\n" }

// pages of many hosts: host after host, or each host in turn.
func pages(n, hosts int, inTurn bool) iter.Seq2[store.NewPage, error] {
	return func(yield func(store.NewPage, error) bool) {
		for i := range n {
			h := i / (n / hosts)
			if inTurn {
				h = i % hosts
			}
			host := fmt.Sprintf("https://h%d.example", h)
			url := fmt.Sprintf("%s/list?season=2024&page=%d", host, i)
			if !yield(store.NewPage{Host: host, URL: url, Address: url, Vars: map[string]string{"season": "2024", "page": fmt.Sprint(i)}}, nil) {
				return
			}
		}
	}
}

func pace(string) store.Pace { return store.Pace{Concurrency: 1} }

func (m *measures) ok(err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// work has workers do jobs until stop is called.
func (m *measures) work(dsn string, workers int, jobs store.Jobs) (stop func()) {
	m.Helper()
	leave := make(chan struct{})
	var all sync.WaitGroup
	var closing []func()
	for range workers {
		s, err := store.Open(m.Context(), store.Config{URL: dsn})
		m.ok(err)
		w, err := s.Register(m.Context(), "bench")
		m.ok(err)
		all.Go(func() {
			if err := w.Work(m.Context(), leave, jobs); err != nil {
				m.Errorf("work: %v", err)
			}
		})
		closing = append(closing, func() {
			if err := w.Close(m.Context()); err != nil {
				m.Errorf("close worker: %v", err)
			}
			s.Close()
		})
	}
	return func() {
		close(leave)
		all.Wait()
		for _, f := range closing {
			f()
		}
	}
}

// plans plans runs and then claims of them.
func (m *measures) plans() {
	for _, c := range []struct {
		pages, hosts int
		inTurn       bool
	}{{1000, 1, false}, {100_000, 1, false}, {million, 1, false}, {manyHosts, manyHosts, true}, {100_000, manyHosts, true}, {million, manyHosts, false}, {million, manyHosts, true}} {
		dsn := pgtest.DSN(m.T)
		s, err := store.Open(m.Context(), store.Config{URL: dsn})
		m.ok(err)
		took, first := m.plan(s, dsn, c.pages, c.hosts, c.inTurn)
		size := m.number(s, "SELECT sum(pg_total_relation_size(oid)) / 1048576 FROM pg_class WHERE relname = 'page' AND relkind = 'r'")
		order := "host after host"
		if c.inTurn {
			order = "in turn"
		}
		m.add(&m.planned, "| %d | %d | %s | %.2f s | %.1f s | %.0f | %.0f |", c.pages, c.hosts, order, first.Seconds(), took.Seconds(), float64(c.pages)/took.Seconds(), size)
		times := m.claims(dsn)
		m.add(&m.claimed, "| %d | %d | %.2f ms | %.2f ms |", c.pages, c.hosts, ms(times[len(times)/2]), ms(times[len(times)*99/100]))
		s.Close()
	}
}

func (m *measures) add(to *[]string, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	m.Log(line)
	*to = append(*to, line)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// plan starts a run and has a worker plan the rest of it, with no visit beside.
func (m *measures) plan(s *store.Store, dsn string, n, hosts int, inTurn bool) (took, first time.Duration) {
	begin := time.Now()
	run, err := s.StartRun(m.Context(), store.NewRun{Recipe: "bench", Pages: pages(n, hosts, inTurn), Hosts: pace})
	m.ok(err)
	first = time.Since(begin)
	if run.Planned {
		return first, first
	}
	planned := make(chan struct{})
	stop := m.work(dsn, 1, store.Jobs{
		Visits: 1, Longest: time.Hour,
		Visit: func(context.Context, *store.Visit) error {
			<-planned
			return nil
		},
		Plan: func(ctx context.Context, p *store.Planning) error {
			err := p.Add(ctx, pages(n, hosts, inTurn), pace)
			took = time.Since(begin)
			close(planned)
			return err
		},
	})
	<-planned
	stop()
	return took, first
}

// claims times claims in visits one after the other, in order of length.
func (m *measures) claims(dsn string) []time.Duration {
	var times []time.Duration
	enough := make(chan struct{})
	stop := m.work(dsn, 1, store.Jobs{Visits: 1, Longest: time.Hour, Visit: func(ctx context.Context, v *store.Visit) error {
		for len(times) < samples {
			begin := time.Now()
			got, err := v.Claim(ctx, 1)
			took := time.Since(begin)
			if err != nil || len(got) == 0 {
				return err
			}
			if times = append(times, took); len(times) == samples {
				close(enough)
			}
			if _, err := v.Finish(ctx, store.PageResult{Page: got[0], Outcome: "ok", OK: true}); err != nil {
				return err
			}
		}
		return nil
	}})
	<-enough
	stop()
	slices.Sort(times)
	return times
}

// visits has workers visit many hosts as fast as they can.
func (m *measures) visits() {
	for _, c := range []struct{ workers, at, each int }{{1, 8, 1}, {3, 8, 1}, {1, 8, 10}, {3, 8, 10}, {1, 64, 10}} {
		dsn := pgtest.DSN(m.T)
		s, err := store.Open(m.Context(), store.Config{URL: dsn})
		m.ok(err)
		m.plan(s, dsn, manyHosts*c.each, manyHosts, true)
		var claims, visits atomic.Int64
		before, begin := m.serverTime(s), time.Now()
		stop := m.work(dsn, c.workers, store.Jobs{Visits: c.at, Longest: time.Hour, Visit: func(ctx context.Context, v *store.Visit) error {
			visits.Add(1)
			for {
				got, err := v.Claim(ctx, 1)
				if err != nil || len(got) == 0 {
					return err
				}
				claims.Add(1)
				if _, err := v.Finish(ctx, store.PageResult{Page: got[0], Outcome: "ok", OK: true}); err != nil {
					return err
				}
			}
		}})
		time.Sleep(working)
		took, n, all := time.Since(begin), visits.Load(), claims.Load()
		cost := m.serverTime(s) - before
		stop()
		m.add(&m.visited, "| %d | %d | %d | %.0f | %.0f | %.2f |", c.workers, c.at, c.each,
			float64(n)/took.Seconds(), float64(all)/took.Seconds(), ms(cost)/float64(n))
		s.Close()
	}
}

// number is the one number of a query.
func (m *measures) number(s *store.Store, sql string) (n float64) {
	m.Helper()
	rows, err := s.Query(m.Context(), sql)
	m.ok(err)
	defer rows.Close()
	for rows.Next() {
		_, err = fmt.Sscan(*rows.Values()[0], &n)
		m.ok(err)
	}
	m.ok(rows.Err())
	return n
}

// serverTime is the time that the processors have spent on the server of this
// machine: on its first process, those that it has, and those that have ended.
func (m *measures) serverTime(s *store.Store) time.Duration {
	m.Helper()
	backend := fmt.Sprint(int(m.number(s, "SELECT pg_backend_pid()")))
	fields := stat(backend)
	if len(fields) < 15 {
		return 0 // the server is elsewhere
	}
	parent := fields[1]
	all, err := filepath.Glob("/proc/[0-9]*")
	m.ok(err)
	ticks := 0
	for _, dir := range all {
		pid := filepath.Base(dir)
		f := stat(pid)
		if len(f) < 15 || f[1] != parent && pid != parent {
			continue
		}
		upTo := 13 // utime and stime
		if pid == parent {
			upTo = 15 // and of its ended children
		}
		for _, text := range f[11:upTo] {
			var n int
			_, err := fmt.Sscan(text, &n)
			m.ok(err)
			ticks += n
		}
	}
	return time.Duration(ticks) * time.Second / 100
}

// stat are the fields of proc(5)'s stat from the third on, none where there is no
// such process.
func stat(pid string) []string {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return nil
	}
	_, after, _ := strings.Cut(string(text), ") ")
	return strings.Fields(after)
}
