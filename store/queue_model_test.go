package store_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"pgregory.net/rapid"

	"github.com/tabfarm/tabfarm/store"
)

// farmModel is a model of several runs on shared hosts, and of the workers at them.
type farmModel struct {
	d       *db
	conn    *pgx.Conn // to look at the database
	name    string    // makes hosts and recipes the check's own
	runs    []*runModel
	workers []*workerModel
	claims  int // so far
}

type runModel struct {
	id       int64
	state    string
	priority int
	places   int            // concurrency that it asks of its hosts
	size     int            // pages of its source
	there    int            // of these are added
	claimed  map[string]int // by host: when it was claimed from last, in claims of the model
	pages    []*pageOfRun
}

type pageOfRun struct {
	id      int64
	host    string
	attempt int
	by      *visitOfModel // nil: pending or ended
	outcome string        // "" unless ended
	page    store.Page
}

type visitOfModel struct {
	v    *store.Visit
	over bool
}

type workerModel struct {
	w      *store.Worker
	visits []*visitOfModel
}

var errBroken = errors.New("the source breaks")

// fewChecks is how often this one is checked: a check takes half a second.
const fewChecks = 6

// Random actions of people and workers at several runs. Steps see the whole of it:
// what each page is, what the next claim must give, and what must not be forgotten.
func TestRunsAgainstModel(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.SetTimes(time.Hour, time.Hour, time.Hour)
	d.SetChunk(2)
	conn, err := pgx.Connect(t.Context(), d.url)
	ok(t, err)
	defer func() { ok(t, conn.Close(context.Background())) }()
	checks := 0
	rapid.Check(t, func(rt *rapid.T) {
		if checks++; checks > fewChecks && flag.Lookup("rapid.checks").Value.String() == usualChecks {
			return
		}
		m := &farmModel{d: d, conn: conn, name: fmt.Sprint("c", checks)}
		for range 2 {
			m.hire(rt)
		}
		m.submit(rt)
		rt.Repeat(map[string]func(*rapid.T){
			"": m.check, "submit": m.submit, "plan": m.plan, "visit": m.visit, "claim": m.claim, "claim more": m.claim,
			"finish": m.finish, "finish more": m.finish, "retry": m.retry, "give": m.give, "leave": m.leave, "crash": m.crash,
			"cancel": m.cancel, "stop": m.stop, "resume": m.resume, "reopen": m.reopen, "end": m.end,
		})
		for _, w := range m.workers {
			must(rt, w.w.Close(d.t.Context()))
		}
		for _, r := range m.runs {
			must(rt, d.CancelRun(d.t.Context(), r.id)) // out of the way of the next check
		}
	})
}

// look reads one value.
func look[T any](m *farmModel, sql string, args ...any) (v T) {
	ok(m.d.t, m.conn.QueryRow(m.d.t.Context(), sql, args...).Scan(&v))
	return v
}

func must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func (m *farmModel) hire(t *rapid.T) {
	w, err := m.d.Register(m.d.t.Context(), "model")
	must(t, err)
	m.workers = append(m.workers, &workerModel{w: w})
}

func (r *runModel) unfinished() bool {
	return r.state == store.RunRunning || r.state == store.RunStopped
}
func (r *runModel) planned() bool { return r.there == r.size }
func (r *runModel) pace(string) store.Pace {
	return store.Pace{Concurrency: r.places}
}

// source gives the pages of a run, or breaks after some.
func (m *farmModel) source(r *runModel, breaks int) iter.Seq2[store.NewPage, error] {
	return func(yield func(store.NewPage, error) bool) {
		for i := range r.size {
			if i == breaks {
				yield(store.NewPage{}, errBroken)
				return
			}
			host := fmt.Sprintf("https://%s-h%d.example", m.name, (i/2+r.priority)%2)
			if !yield(store.NewPage{Host: host, URL: host, Address: fmt.Sprint(host, "/", i)}, nil) {
				return
			}
		}
	}
}

func (m *farmModel) submit(t *rapid.T) {
	if len(m.runs) == 3 {
		t.Skip("enough runs")
	}
	r := &runModel{claimed: map[string]int{}, state: store.RunRunning, priority: rapid.IntRange(0, 2).Draw(t, "priority"), places: rapid.IntRange(1, 2).Draw(t, "places"), size: rapid.IntRange(1, 7).Draw(t, "size")}
	run, err := m.d.StartRun(m.d.t.Context(), store.NewRun{Recipe: fmt.Sprint(m.name, "-", len(m.runs)), Priority: r.priority, Pages: m.source(r, -1), Hosts: r.pace})
	must(t, err)
	r.id = run.ID
	m.runs = append(m.runs, r)
	m.added(t, r, min(2, r.size))
	if run.Planned != (r.size < 2) { // two may be all, and nobody has asked for a third
		t.Fatalf("run of %d pages, planned: %t", r.size, run.Planned)
	}
	if r.size == 2 { // the end is read when the plan goes on
		m.finishPlan(t, r)
	}
}

// finishPlan reads a source to its end.
func (m *farmModel) finishPlan(t *rapid.T, r *runModel) {
	must(t, m.workers[0].w.PlanNow(m.d.t.Context(), r.id, m.source(r, -1), r.pace))
	m.added(t, r, r.size)
}

// added puts the run's new pages into the model.
func (m *farmModel) added(t *rapid.T, r *runModel, there int) {
	infos, err := m.d.Pages(m.d.t.Context(), store.PageFilter{RunID: r.id})
	must(t, err)
	if len(infos) != there {
		t.Fatalf("run %d has %d pages, want %d", r.id, len(infos), there)
	}
	slices.SortFunc(infos, func(a, b store.PageInfo) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range infos[len(r.pages):] {
		r.pages = append(r.pages, &pageOfRun{id: p.ID, host: p.URL[:strings.LastIndex(p.URL, "/")]})
	}
	r.there = there
}

// plan reads a run's source anew, which may break in the middle of a chunk.
func (m *farmModel) plan(t *rapid.T) {
	r := rapid.SampledFrom(m.runs).Draw(t, "run")
	breaks := rapid.IntRange(0, r.size+1).Draw(t, "breaks")
	w := rapid.SampledFrom(m.workers).Draw(t, "worker")
	err := w.w.PlanNow(m.d.t.Context(), r.id, m.source(r, breaks), r.pace)
	switch {
	case r.planned() || r.state != store.RunRunning:
		if !errors.Is(err, store.ErrFenced) {
			t.Fatalf("planned %t, %s: %v", r.planned(), r.state, err)
		}
	case breaks < r.size:
		if !errors.Is(err, errBroken) {
			t.Fatal(err)
		}
		m.added(t, r, max(r.there, breaks/2*2))
		if r.there == r.size { // the end itself was not read: not planned yet
			m.finishPlan(t, r)
		}
	default:
		must(t, err)
		m.added(t, r, r.size)
	}
}

// due are the pages that visits at a host claim, in their order.
func (m *farmModel) due(host string) (due []*pageOfRun) {
	for _, r := range m.sharing(host) {
		due = append(due, r.due(host)...)
	}
	return due
}

func (r *runModel) due(host string) (due []*pageOfRun) {
	for _, p := range r.pages {
		if p.host == host && p.by == nil && p.outcome == "" {
			due = append(due, p)
		}
	}
	return due
}

// sharing are the running runs that have pages on a host, in the order in which
// they are claimed from.
func (m *farmModel) sharing(host string) (runs []*runModel) {
	for _, r := range m.runs {
		if r.state == store.RunRunning && slices.ContainsFunc(r.pages, func(p *pageOfRun) bool { return p.host == host }) {
			runs = append(runs, r)
		}
	}
	slices.SortStableFunc(runs, func(a, b *runModel) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.claimed[host], b.claimed[host]))
	})
	return runs
}

// places is the concurrency of a host, 0 where nobody asks for it.
func (m *farmModel) places(host string) (n int) {
	for _, r := range m.runs {
		if r.unfinished() && slices.ContainsFunc(r.pages, func(p *pageOfRun) bool { return p.host == host }) && (n == 0 || r.places < n) {
			n = r.places
		}
	}
	return n
}

func (m *farmModel) living() (all []*visitOfModel) {
	for _, w := range m.workers {
		for _, v := range w.visits {
			if !v.over {
				all = append(all, v)
			}
		}
	}
	return all
}

func (m *farmModel) hosts() []string {
	return []string{fmt.Sprintf("https://%s-h0.example", m.name), fmt.Sprintf("https://%s-h1.example", m.name)}
}

// within counts the living visits at the slots that a host has now.
func (m *farmModel) within(host string) (n int) {
	for _, v := range m.living() {
		if v.v.Host == host && v.v.Slot < m.places(host) {
			n++
		}
	}
	return n
}

func (m *farmModel) visit(t *rapid.T) {
	w := rapid.SampledFrom(m.workers).Draw(t, "worker")
	v, err := w.w.OpenVisit(m.d.t.Context(), 0)
	if err != nil {
		_ = as[*store.NothingError](m.d.t, err) // else the test ends here
		for _, h := range m.hosts() {
			if len(m.due(h)) > 0 && m.within(h) < m.places(h) {
				t.Fatalf("no visit at %s, where %d pages are due and %d of %d slots taken", h, len(m.due(h)), m.within(h), m.places(h))
			}
		}
		return
	}
	if len(m.due(v.Host)) == 0 || v.Slot >= m.places(v.Host) {
		t.Fatalf("a visit at slot %d of %d, %d pages are due", v.Slot, m.places(v.Host), len(m.due(v.Host)))
	}
	for _, other := range m.living() {
		if other.v.Host == v.Host && other.v.Slot == v.Slot {
			t.Fatalf("slot %d is in two hands", v.Slot)
		}
	}
	w.visits = append(w.visits, &visitOfModel{v: v})
}

func (m *farmModel) claim(t *rapid.T) {
	living := m.living()
	if len(living) == 0 {
		t.Skip("no visit")
	}
	v := rapid.SampledFrom(living).Draw(t, "visit")
	n := rapid.IntRange(1, 3).Draw(t, "n")
	got, err := v.v.Claim(m.d.t.Context(), n)
	must(t, err)
	due := m.due(v.v.Host)
	due = due[:min(n, len(due))]
	m.note(v.v.Host, len(due))
	if len(got) != len(due) {
		t.Fatalf("claimed %d pages, want %d", len(got), len(due))
	}
	for i, p := range due {
		if p.attempt++; got[i].ID != p.id || got[i].Attempt != p.attempt {
			t.Fatalf("claimed page %d, try %d, want %d, %d", got[i].ID, got[i].Attempt, p.id, p.attempt)
		}
		p.by, p.page = v, got[i]
	}
}

// note writes down that pages of a host are claimed, by whose turn it was.
func (m *farmModel) note(host string, n int) {
	runs := m.sharing(host)
	if len(runs) == 1 {
		return // nobody to take turns with
	}
	for _, r := range runs {
		took := min(n, len(r.due(host)))
		if took == 0 {
			continue
		}
		m.claims++
		r.claimed[host] = m.claims
		n -= took
	}
}

// held draws a page in the hands of a visit, with its run.
func (m *farmModel) held(t *rapid.T) (*runModel, *pageOfRun) {
	type pair struct {
		r *runModel
		p *pageOfRun
	}
	var all []pair
	for _, r := range m.runs {
		for _, p := range r.pages {
			if p.by != nil {
				all = append(all, pair{r, p})
			}
		}
	}
	if len(all) == 0 {
		t.Skip("no page in hand")
	}
	drawn := all[rapid.IntRange(0, len(all)-1).Draw(t, "page")]
	return drawn.r, drawn.p
}

func (m *farmModel) finish(t *rapid.T) {
	_, p := m.held(t)
	outcome := rapid.SampledFrom([]string{"ok", "timeout"}).Draw(t, "outcome")
	_, err := p.by.v.Finish(m.d.t.Context(), store.PageResult{Page: p.page, Outcome: outcome, OK: outcome == "ok"})
	must(t, err)
	p.by, p.outcome = nil, outcome
}

// back is what becomes of a page that is not finished.
func (p *pageOfRun) back(r *runModel, uncount int) {
	p.by, p.attempt = nil, max(p.attempt-uncount, 0)
	if !r.unfinished() {
		p.outcome = "cancelled"
	}
}

func (m *farmModel) retry(t *rapid.T) {
	r, p := m.held(t)
	must(t, p.by.v.Retry(m.d.t.Context(), p.id, 0, "timeout", ""))
	p.back(r, 0)
}

func (m *farmModel) give(t *rapid.T) {
	r, p := m.held(t)
	must(t, p.by.v.GiveBack(m.d.t.Context(), p.id))
	p.back(r, 1)
}

func (m *farmModel) over(v *visitOfModel, uncount int) {
	v.over = true
	for _, r := range m.runs {
		for _, p := range r.pages {
			if p.by == v {
				p.back(r, uncount)
			}
		}
	}
}

func (m *farmModel) leave(t *rapid.T) {
	living := m.living()
	if len(living) == 0 {
		t.Skip("no visit")
	}
	v := rapid.SampledFrom(living).Draw(t, "visit")
	must(t, v.v.Close(m.d.t.Context()))
	m.over(v, 1)
}

// crash ends one of the workers; a new one takes over.
func (m *farmModel) crash(t *rapid.T) {
	i := rapid.IntRange(0, len(m.workers)-1).Draw(t, "worker")
	old := m.workers[i]
	_, err := m.conn.Exec(m.d.t.Context(), "UPDATE tabfarm_internal.worker SET heartbeat = 'epoch' WHERE id = $1", old.w.ID())
	must(t, err)
	m.workers = slices.Delete(m.workers, i, i+1)
	m.hire(t)
	for _, v := range old.visits {
		if !v.over {
			m.over(v, 0)
		}
	}
	must(t, old.w.Close(m.d.t.Context()))
}

func (m *farmModel) cancel(t *rapid.T) {
	r := rapid.SampledFrom(m.runs).Draw(t, "run")
	must(t, m.d.CancelRun(m.d.t.Context(), r.id))
	if !r.unfinished() {
		return
	}
	r.state = store.RunCancelled
	for _, p := range r.pages {
		if p.by == nil && p.outcome == "" {
			p.outcome = "cancelled"
		}
	}
}

func (m *farmModel) stop(t *rapid.T) {
	r := rapid.SampledFrom(m.runs).Draw(t, "run")
	must(t, m.d.EndRun(m.d.t.Context(), r.id, store.RunStopped))
	if r.unfinished() && !slices.ContainsFunc(r.pages, func(p *pageOfRun) bool { return p.by != nil }) {
		r.state = store.RunStopped
	}
}

func (m *farmModel) resume(t *rapid.T) {
	r := rapid.SampledFrom(m.runs).Draw(t, "run")
	err := m.d.ResumeRun(m.d.t.Context(), r.id)
	if r.unfinished() != (err == nil) {
		t.Fatalf("resume of a run that is %s: %v", r.state, err)
	}
	if r.unfinished() {
		r.state = store.RunRunning
	}
}

func (m *farmModel) reopen(t *rapid.T) {
	r := rapid.SampledFrom(m.runs).Draw(t, "run")
	n, err := m.d.Reopen(m.d.t.Context(), r.id, nil, false)
	must(t, err)
	for _, p := range r.pages {
		if p.outcome != "" && p.outcome != "ok" {
			p.outcome, p.attempt = "", 0
			r.state = store.RunRunning
			n--
		}
	}
	if n != 0 {
		t.Fatalf("%d pages too many were reopened", n)
	}
}

// ended says whether a run has nothing left to do.
func (r *runModel) ended() bool {
	return r.planned() && !slices.ContainsFunc(r.pages, func(p *pageOfRun) bool { return p.outcome == "" })
}

// end does the jobs that end runs.
func (m *farmModel) end(t *rapid.T) {
	for _, r := range m.runs {
		if look[int](m, `WITH j AS (DELETE FROM tabfarm_internal.river_job WHERE kind = 'finish' AND args = jsonb_build_object('run', $1::bigint) RETURNING 1)
SELECT count(*) FROM j`, r.id) == 0 {
			continue
		}
		err := m.d.EndRun(m.d.t.Context(), r.id, store.RunDone)
		if could := r.ended() || !r.unfinished(); could != (err == nil) {
			t.Fatalf("end of a run that could end: %t, error %v", could, err)
		}
		if err == nil && r.unfinished() {
			r.state = store.RunDone
		}
	}
}

// check compares runs and pages, and looks for what is forgotten.
func (m *farmModel) check(t *rapid.T) {
	var want strings.Builder
	var ids []int64
	for _, r := range m.runs {
		ids = append(ids, r.id)
		fmt.Fprintf(&want, "run %d %s %t\n", r.id, r.state, r.planned())
		for _, p := range r.pages {
			state := cmp.Or(p.outcome, "pending")
			if p.by != nil {
				state = fmt.Sprint("slot ", p.by.v.Slot)
			}
			fmt.Fprintf(&want, "page %d %s try %d\n", p.id, state, p.attempt)
		}
	}
	got := look[string](m, `SELECT string_agg(line, E'\n' ORDER BY run, page) || E'\n' FROM (
    SELECT id AS run, 0 AS page, concat_ws(' ', 'run', id, state, planned::text) AS line FROM tabfarm_internal.run WHERE id = ANY ($1)
    UNION ALL SELECT run_id, id, concat_ws(' ', 'page', id, CASE state WHEN 0 THEN 'pending' WHEN 1 THEN 'slot ' || slot ELSE outcome END, 'try', attempt)
    FROM tabfarm_internal.page WHERE run_id = ANY ($1)) l`, ids)
	if got != want.String() {
		t.Fatalf("got\n%swant\n%s", got, want.String())
	}
	const live = "('available', 'pending', 'running', 'retryable', 'scheduled')"
	if forgotten := look[int](m, `SELECT count(*) FROM tabfarm_internal.page p JOIN tabfarm_internal.run r ON r.id = p.run_id
JOIN tabfarm_internal.host h USING (host) WHERE r.id = ANY ($1) AND r.state = 'running' AND p.state = 0
  AND NOT EXISTS (SELECT FROM tabfarm_internal.slot s JOIN tabfarm_internal.river_job j ON j.kind = 'visit' AND j.state IN `+live+`
      AND j.args = jsonb_build_object('host', s.host, 'slot', s.slot, 'epoch', s.epoch)
      WHERE s.host = p.host AND s.queued AND s.slot < h.concurrency)`, ids); forgotten > 0 {
		t.Fatalf("%d pages are forgotten", forgotten)
	}
	for _, r := range m.runs {
		if r.state != store.RunRunning || !r.ended() {
			continue
		}
		if !look[bool](m, `SELECT EXISTS (SELECT FROM tabfarm_internal.river_job WHERE kind = 'finish' AND args = jsonb_build_object('run', $1::bigint))
    OR EXISTS (SELECT FROM tabfarm_internal.slot s JOIN tabfarm_internal.run_host rh USING (host) WHERE rh.run_id = $1 AND s.queued)`, r.id) {
			t.Fatalf("nobody will end run %d", r.id)
		}
	}
}
