package store_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// envStress makes TestNoHostIsForgotten as long as it says, such as 90s.
const envStress = "TABFARM_STRESS"

// Runs begin, several at once, on hosts that are just being emptied. No host is
// without a job while a page of it is due, whenever one looks; no sweep helps.
func TestNoHostIsForgotten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ hosts, slots int }{{8, 1}, {4, 4}} {
		t.Run(fmt.Sprintf("%d hosts of %d slots", c.hosts, c.slots), func(t *testing.T) {
			t.Parallel()
			length := time.Second
			if text := os.Getenv(envStress); text != "" {
				var err error
				length, err = time.ParseDuration(text)
				ok(t, err)
			}
			s := &stress{d: open(t), hosts: c.hosts, slots: c.slots}
			s.run(length)
		})
	}
}

type stress struct {
	d            *db
	hosts, slots int
	begun        atomic.Int64 // runs
	again        retries
}

func (s *stress) run(length time.Duration) {
	t := s.d.t
	var employed []func()
	for range 2 {
		employed = append(employed, s.employ())
	}
	ctx, stop := context.WithTimeout(t.Context(), length)
	defer stop()
	var wakers sync.WaitGroup
	waker := s.open()
	for i := range 6 {
		wakers.Go(func() { s.wake(ctx, waker, i) })
	}
	samples, forgotten := 0, 0
	for ; ctx.Err() == nil; samples++ {
		if get[int](s.d, withoutJob) > 0 {
			forgotten++
		}
	}
	wakers.Wait()
	done := get[int](s.d, "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()")
	t.Logf("%d runs, %d looks, %d transactions; begun again: %d for a deadlock, %d for else", s.begun.Load(), samples, done, s.again.deadlocks.Load(), s.again.others.Load())
	for _, d := range []string{
		"SELECT NOT EXISTS (SELECT FROM tabfarm_internal.page WHERE state <> 2)",
		"SELECT NOT EXISTS (SELECT FROM tabfarm_internal.run WHERE state <> 'done')",
		"SELECT NOT EXISTS (SELECT FROM tabfarm_internal.slot WHERE queued OR worker IS NOT NULL)",
	} {
		eventually(t, d, func() bool { return get[bool](s.d, d) })
	}
	for _, leave := range employed {
		leave()
	}
	if forgotten > 0 {
		t.Errorf("a host with due pages had no job in %d of %d looks", forgotten, samples)
	}
}

// backlog is how many pages may wait before no more runs begin.
const backlog = 20

// withoutJob counts hosts with a due page and no job that could bring a visit.
const withoutJob = `SELECT count(*) FROM (SELECT DISTINCT p.host FROM tabfarm_internal.page p
    JOIN tabfarm_internal.run r ON r.id = p.run_id AND r.state = 'running' WHERE p.state = 0 AND p.not_before <= now()) h
WHERE NOT EXISTS (SELECT FROM tabfarm_internal.river_job j WHERE j.kind = 'visit' AND j.args->>'host' = h.host
    AND j.state IN ('available', 'pending', 'running', 'retryable', 'scheduled'))`

// open is a store of its own whose transactions that begin again are counted.
func (s *stress) open() *db {
	s.d.t.Helper()
	st, err := store.Open(s.d.t.Context(), store.Config{URL: s.d.url, Log: slog.New(&s.again)})
	ok(s.d.t, err)
	s.d.t.Cleanup(st.Close)
	st.SetTimes(time.Second, time.Hour, time.Hour)
	return &db{st, s.d.t, s.d.url}
}

// employ has a worker do what comes, until it is told to leave.
func (s *stress) employ() (leave func()) {
	w := s.open().worker()
	told, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- w.Work(context.WithoutCancel(s.d.t.Context()), told, store.Jobs{Visits: 12, Longest: time.Minute, Visit: s.visit, Plan: plan(nil)})
	}()
	return sync.OnceFunc(func() {
		close(told)
		if err := <-ended; err != nil {
			s.d.t.Errorf("work: %v", err)
		}
	})
}

// visit does with pages what chance says; what it leaves in hand is given back.
func (s *stress) visit(ctx context.Context, v *store.Visit) error {
	for rand.IntN(4) > 0 {
		pages, err := v.Claim(ctx, 1+rand.IntN(2))
		if err != nil || len(pages) == 0 {
			return err
		}
		for _, p := range pages {
			switch rand.IntN(12) {
			case 0:
				err = v.Retry(ctx, p.ID, 0, "timeout", "")
			case 1: // left in hand
			default:
				_, err = v.Finish(ctx, result(p))
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// wake begins runs of two hosts, one after the other.
func (s *stress) wake(ctx context.Context, d *db, i int) {
	for n := 0; ctx.Err() == nil; n++ {
		if get[int](d, "SELECT count(*) FROM tabfarm_internal.page WHERE state = 0") > backlog {
			continue // hosts that are never emptied prove nothing
		}
		_, err := d.StartRun(ctx, store.NewRun{
			Recipe: fmt.Sprintf("r%d-%d", i, n),
			Hosts:  func(string) store.Pace { return store.Pace{Concurrency: s.slots} },
			Pages: func(yield func(store.NewPage, error) bool) {
				for k := range 2 {
					h := fmt.Sprintf("https://h%d.example", (i+n+k*3)%s.hosts)
					if !yield(store.NewPage{Host: h, URL: h, Address: fmt.Sprint(h, k)}, nil) {
						return
					}
				}
			},
		})
		if err == nil {
			s.begun.Add(1)
		} else if ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
			s.d.t.Error(err)
		}
	}
}

// retries is a log that counts transactions which begin again.
type retries struct{ deadlocks, others atomic.Int64 }

func (r *retries) Enabled(context.Context, slog.Level) bool { return true }
func (r *retries) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *retries) WithGroup(string) slog.Handler            { return r }

func (r *retries) Handle(_ context.Context, rec slog.Record) error {
	if rec.Message != "transaction begins again" {
		return nil
	}
	count := &r.others
	rec.Attrs(func(a slog.Attr) bool {
		if a.Key == "cause" && strings.Contains(a.Value.String(), "40P01") {
			count = &r.deadlocks
		}
		return true
	})
	count.Add(1)
	return nil
}
