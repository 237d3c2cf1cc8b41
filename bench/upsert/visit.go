package main

import (
	"context"
	"fmt"
	"iter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tabfarm/tabfarm/store"
)

const host = "https://stats.example"

func pagesOf(n int) iter.Seq2[store.NewPage, error] {
	return func(yield func(store.NewPage, error) bool) {
		for i := range n {
			u := fmt.Sprintf("%s/%d", host, i)
			if !yield(store.NewPage{Host: host, URL: u, Address: u}, nil) {
				return
			}
		}
	}
}

// finish makes a run whose pages have n rows each, and claims them in a visit.
// around is called with what finishes them, by as many writers as there are.
func (b *bench) finish(ctx context.Context, table string, all rows, n int, around func(ctx context.Context, pages func(context.Context) error) error) error {
	count := (len(all.texts) + n - 1) / n
	owner := store.TableOwner{Name: table, Key: key}
	if _, err := b.store.StartRun(ctx, store.NewRun{
		Recipe: "bench-" + table, Pages: pagesOf(count), Tables: []store.TableOwner{owner}, Supersede: true,
		Hosts: func(string) store.Pace { return store.Pace{Concurrency: 1} },
	}); err != nil {
		return err
	}
	leave := make(chan struct{})
	done := false
	return b.worker.Work(ctx, leave, store.Jobs{Visits: 1, Longest: time.Hour, Visit: func(ctx context.Context, v *store.Visit) error {
		if done { // the slot was queued once more before the worker left
			return nil
		}
		pages, err := v.Claim(ctx, count)
		if err != nil {
			return err
		}
		if len(pages) < count {
			return fmt.Errorf("claimed %d pages of %d", len(pages), count)
		}
		done = true
		defer close(leave)
		return around(ctx, func(ctx context.Context) error { return b.finishAll(ctx, v, pages, table, all, n) })
	}})
}

// finishAll finishes pages, by as many writers as there are.
func (b *bench) finishAll(ctx context.Context, v *store.Visit, pages []store.Page, table string, all rows, n int) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(b.c.Writers)
	for i, p := range pages {
		g.Go(func() error {
			texts := all.texts[i*n : min((i+1)*n, len(all.texts))]
			_, _, err := v.FinishFinding(ctx, store.PageResult{
				Page: p, Outcome: "ok", OK: true, Proof: "end", Rows: len(texts),
				Tables: []store.TableWrite{{Name: table, Key: key, Columns: all.columns, Rows: texts}},
			}, store.Found{})
			return err
		})
	}
	return g.Wait()
}
