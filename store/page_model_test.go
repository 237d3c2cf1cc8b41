package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tabfarm/tabfarm/store"
)

// lifeOfPages is a model of the pages of one run: what each is, and in whose hands.
type lifeOfPages struct {
	d       *db
	worker  *store.Worker
	run     int64
	open    bool // the run is unfinished
	stopped bool
	pages   map[int64]*modelPage
	visits  []*modelVisit // open ones
}

type modelPage struct {
	page    store.Page
	attempt int
	visit   *modelVisit // nil: pending or ended
	outcome string      // "" unless ended
}

type modelVisit struct {
	v    *store.Visit
	dead bool // its worker was reaped
}

// Random actions of visits, workers and people, against the model.
func TestPagesAgainstModel(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetTimes(time.Hour, time.Hour, time.Hour)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		name := fmt.Sprintf("https://h%d.example", runs)
		run := d.startWith(store.NewRun{Recipe: name, Pages: pagesOf(name, 6), Hosts: func(string) store.Pace { return store.Pace{Concurrency: 3} }})
		m := &lifeOfPages{d: d, run: run.ID, open: true, pages: map[int64]*modelPage{}}
		m.register(rt)
		infos, err := d.Pages(t.Context(), store.PageFilter{RunID: run.ID})
		ok(t, err)
		for _, p := range infos {
			m.pages[p.ID] = &modelPage{}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"":        m.check,
			"visit":   m.openVisit,
			"claim":   m.claim,
			"finish":  m.finish,
			"retry":   m.retry,
			"give":    m.giveBack,
			"close":   m.closeVisit,
			"die":     m.die,
			"cancel":  m.cancel,
			"stop":    m.stop,
			"reopen":  m.reopen,
			"zombies": m.zombie,
		})
		ok(t, m.worker.Close(t.Context()))
	})
}

func (m *lifeOfPages) register(t *rapid.T) {
	w, err := m.d.Register(m.d.t.Context(), "model")
	if err != nil {
		t.Fatal(err)
	}
	m.worker = w
}

func (m *lifeOfPages) count(is func(*modelPage) bool) (n int) {
	for _, p := range m.pages {
		if is(p) {
			n++
		}
	}
	return n
}

func pending(p *modelPage) bool { return p.visit == nil && p.outcome == "" }
func leased(p *modelPage) bool  { return p.visit != nil }

func (m *lifeOfPages) check(t *rapid.T) {
	p, err := m.d.Progress(m.d.t.Context(), m.run)
	if err != nil {
		t.Fatal(err)
	}
	done := m.count(func(p *modelPage) bool { return p.outcome == "ok" })
	if p.Pending != m.count(pending) || p.Leased != m.count(leased) || p.Done != done || p.Total != len(m.pages) {
		t.Fatalf("pending, leased, done, total: %d, %d, %d, %d, want %d, %d, %d, %d",
			p.Pending, p.Leased, p.Done, p.Total, m.count(pending), m.count(leased), done, len(m.pages))
	}
}

func (m *lifeOfPages) openVisit(t *rapid.T) {
	alive := 0
	for _, v := range m.visits {
		if !v.dead {
			alive++
		}
	}
	v, err := m.worker.OpenVisit(m.d.t.Context(), m.run)
	possible := m.open && m.count(pending) > 0 && alive < 3
	if possible != (err == nil) {
		t.Fatalf("a visit possible: %v, error: %v", possible, err)
	}
	if m.stopped && m.open {
		m.stopped = false // asking for a visit makes it go on
	}
	if err != nil {
		n := as[*store.NothingError](m.d.t, err)
		if n.Next.IsZero() != (m.count(pending) == 0) || n.Leased != (m.count(leased) > 0) {
			t.Fatalf("%+v with %d pending and %d leased", n, m.count(pending), m.count(leased))
		}
		return
	}
	m.visits = append(m.visits, &modelVisit{v: v})
}

// living draws a visit that is not dead.
func (m *lifeOfPages) living(t *rapid.T) *modelVisit {
	var alive []*modelVisit
	for _, v := range m.visits {
		if !v.dead {
			alive = append(alive, v)
		}
	}
	if len(alive) == 0 {
		t.Skip("no visit")
	}
	return rapid.SampledFrom(alive).Draw(t, "visit")
}

func (m *lifeOfPages) claim(t *rapid.T) {
	v := m.living(t)
	n := rapid.IntRange(1, 3).Draw(t, "n")
	pages, err := v.v.Claim(m.d.t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	expected := min(n, m.count(pending))
	if !m.open || m.stopped {
		expected = 0
	}
	if len(pages) != expected {
		t.Fatalf("claimed %d, want %d", len(pages), expected)
	}
	for _, p := range pages {
		page := m.pages[p.ID]
		if page == nil || !pending(page) {
			t.Fatalf("claimed page %d, which is not pending", p.ID)
		}
		page.attempt++
		if p.Attempt != page.attempt {
			t.Fatalf("attempt %d, want %d", p.Attempt, page.attempt)
		}
		page.page, page.visit = p, v
	}
}

// held draws a page in the hands of a visit that is dead or not.
func (m *lifeOfPages) held(t *rapid.T) *modelPage {
	var ids []int64
	for id, p := range m.pages {
		if leased(p) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		t.Skip("no page in hand")
	}
	// Maps have no order, and rapid wants the same draws to mean the same.
	lowest := ids[0]
	for _, id := range ids {
		lowest = min(lowest, id)
	}
	return m.pages[lowest]
}

func (m *lifeOfPages) finish(t *rapid.T) {
	p := m.held(t)
	outcome := rapid.SampledFrom([]string{"ok", "timeout", "blocked"}).Draw(t, "outcome")
	if _, err := p.visit.v.Finish(m.d.t.Context(), store.PageResult{Page: p.page, Outcome: outcome, OK: outcome == "ok"}); err != nil {
		t.Fatal(err)
	}
	p.visit, p.outcome = nil, outcome
}

// back is what a page becomes that is not finished.
func (m *lifeOfPages) back(p *modelPage, uncount int) {
	p.visit = nil
	p.attempt = max(p.attempt-uncount, 0)
	if !m.open {
		p.outcome = "cancelled"
	}
}

func (m *lifeOfPages) retry(t *rapid.T) {
	p := m.held(t)
	if err := p.visit.v.Retry(m.d.t.Context(), p.page.ID, 0, "timeout", ""); err != nil {
		t.Fatal(err)
	}
	m.back(p, 0)
}

func (m *lifeOfPages) giveBack(t *rapid.T) {
	p := m.held(t)
	if err := p.visit.v.GiveBack(m.d.t.Context(), p.page.ID); err != nil {
		t.Fatal(err)
	}
	m.back(p, 1)
}

func (m *lifeOfPages) release(v *modelVisit, uncount int) {
	for _, p := range m.pages {
		if p.visit == v {
			m.back(p, uncount)
		}
	}
}

func (m *lifeOfPages) closeVisit(t *rapid.T) {
	v := m.living(t)
	if err := v.v.Close(m.d.t.Context()); err != nil {
		t.Fatal(err)
	}
	m.release(v, 1)
	v.dead = true
}

// die kills the worker; the next one takes over.
func (m *lifeOfPages) die(t *rapid.T) {
	old := m.worker
	m.d.exec("UPDATE tabfarm_internal.worker SET heartbeat = 'epoch' WHERE id = $1", old.ID())
	m.register(t)
	for _, v := range m.visits {
		if !v.dead {
			m.release(v, 0)
			v.dead = true
		}
	}
	if err := old.Close(m.d.t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (m *lifeOfPages) cancel(t *rapid.T) {
	if err := m.d.CancelRun(m.d.t.Context(), m.run); err != nil {
		t.Fatal(err)
	}
	if !m.open {
		return
	}
	m.open = false
	for _, p := range m.pages {
		if pending(p) {
			p.outcome = "cancelled"
		}
	}
}

func (m *lifeOfPages) stop(t *rapid.T) {
	if err := m.d.EndRun(m.d.t.Context(), m.run, store.RunStopped); err != nil {
		t.Fatal(err)
	}
	if m.open && m.count(leased) == 0 {
		m.stopped = true
	}
}

func (m *lifeOfPages) reopen(t *rapid.T) {
	n, err := m.d.Reopen(m.d.t.Context(), m.run, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	failed := func(p *modelPage) bool { return p.outcome != "" && p.outcome != "ok" }
	if n != m.count(failed) {
		t.Fatalf("reopened %d, want %d", n, m.count(failed))
	}
	if n == 0 {
		return
	}
	m.open, m.stopped = true, false
	for _, p := range m.pages {
		if failed(p) {
			p.outcome, p.attempt = "", 0
		}
	}
}

// zombie lets a visit act that is over.
func (m *lifeOfPages) zombie(t *rapid.T) {
	for _, v := range m.visits {
		if !v.dead {
			continue
		}
		for _, p := range m.pages {
			if p.page.ID == 0 {
				continue
			}
			if _, err := v.v.Finish(m.d.t.Context(), result(p.page)); !errors.Is(err, store.ErrFenced) {
				t.Fatalf("a visit that is over finished a page: %v", err)
			}
			break
		}
		if err := v.v.Close(m.d.t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
