package farm

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/store"
)

// pagesLike is the profile of n tries, spread over some hosts.
func pagesLike(n, hosts int, p Phases) *Profile {
	out := NewProfile(1)
	for i := range n {
		out.Add(Event{RunID: 1, Address: fmt.Sprintf("https://h%d.example/%d", i%hosts, i), Last: true, Took: p.sum(), Phases: p})
	}
	return out
}

func TestLimit(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	quick := Phases{Host: 5 * ms, Navigate: 100 * ms, Settle: 300 * ms, Read: 50 * ms, Store: 20 * ms}
	waiting := func(d time.Duration) Phases {
		p := quick
		p.Host = d
		return p
	}
	machine := func(took time.Duration, tabs int, cpu, own float64) Evidence {
		return Evidence{Took: took, Tabs: tabs, Cores: 2, CPU: cpu, OwnCPU: own}
	}
	failing := pagesLike(40, 1, waiting(2*time.Second))
	for i := range 10 {
		failing.Add(Event{RunID: 1, Address: "https://h0.example/", Retry: time.Duration(i), Took: time.Second})
	}
	beside := pagesLike(40, 1, quick) // another run, whose pages fill the tabs
	beside.Add(Event{RunID: 2, Address: "https://other.example/", Last: true, Took: 3 * time.Minute, Phases: Phases{Navigate: 3 * time.Minute}})
	aside := pagesLike(40, 1, quick)
	aside.Add(Event{RunID: 2, Address: "https://other.example/", Last: true, Took: time.Minute, Phases: Phases{Navigate: time.Minute}})
	tests := []struct {
		name  string
		p     *Profile
		delay time.Duration
		conc  int
		e     Evidence
		kind  LimitKind
		host  string
		share float64
		phase string
	}{
		{name: "too short", p: pagesLike(100, 1, quick), e: machine(4*time.Second, 4, 1, 1)},
		{name: "too few", p: pagesLike(19, 1, waiting(time.Minute)), delay: time.Minute, e: machine(20*time.Minute, 4, 0, 0)},
		{
			name: "the pace of a host", p: pagesLike(60, 1, waiting(600*ms)), delay: time.Second, e: machine(time.Minute, 4, .3, .2),
			kind: LimitPace, host: "https://h0.example", share: 600. / 1070,
		},
		{name: "a pace on a machine that is busy otherwise", p: pagesLike(60, 1, quick), delay: time.Second, e: machine(time.Minute, 4, 1, .1), kind: LimitPace},
		{name: "so slow a pace that nobody waits for it in the midst of a visit", p: pagesLike(20, 1, quick), delay: time.Minute, e: machine(20*time.Minute, 4, .1, .1), kind: LimitPace},
		{
			name: "a pace that other workers use up", p: pagesLike(40, 1, waiting(2*time.Second)), delay: 200 * ms, e: machine(time.Minute, 4, .1, .1),
			kind: LimitPace, share: 2000. / 2470,
		},
		{name: "a host that wants to be left alone", p: failing, delay: 200 * ms, e: machine(time.Minute, 4, .1, .1)},
		{name: "a pace of three hosts", p: pagesLike(180, 3, quick), delay: time.Second, e: machine(time.Minute, 4, .3, .2), kind: LimitPace},
		{name: "a pace that is not used up", p: pagesLike(100, 1, quick), delay: 100 * ms, e: machine(time.Minute, 4, .3, .2), conc: 4},
		{name: "the CPU", p: pagesLike(400, 1, quick), conc: 8, e: machine(time.Minute, 4, .97, .9), kind: LimitCPU},
		{name: "the CPU, while tabs are idle", p: pagesLike(100, 1, quick), conc: 8, e: machine(time.Minute, 4, .97, .9), kind: LimitCPU},
		{name: "other programs", p: pagesLike(400, 1, quick), conc: 8, e: machine(time.Minute, 4, .97, .4), kind: LimitOthers},
		{
			name: "other programs, while pages load slowly", p: pagesLike(480, 1, quick), conc: 8, e: machine(time.Minute, 4, 1, .2),
			kind: LimitPages, phase: PhaseSettle, share: 300. / 450,
		},
		{name: "other programs, and neither this nor that", p: pagesLike(480, 1, quick), conc: 8, e: machine(time.Minute, 4, 1, .3)},
		{name: "a page at a time", p: pagesLike(120, 1, quick), e: machine(time.Minute, 4, .3, .2), kind: LimitConcurrency, host: "https://h0.example"},
		{name: "a page at a time, and a pace that is quicker", p: pagesLike(120, 1, quick), delay: 200 * ms, e: machine(time.Minute, 4, .3, .2), kind: LimitConcurrency},
		{name: "a page at a time on two hosts", p: pagesLike(240, 2, quick), e: machine(time.Minute, 4, .3, .2), kind: LimitConcurrency},
		{name: "as many pages at a time as there are tabs", p: pagesLike(480, 1, quick), conc: 4, e: machine(time.Minute, 4, .3, .2), kind: LimitConcurrency},
		{name: "a page at a time, and nothing known of the CPU", p: pagesLike(120, 1, quick), e: Evidence{Took: time.Minute, Tabs: 4}, kind: LimitConcurrency},
		{
			name: "pages that load slowly", p: pagesLike(480, 1, quick), conc: 8, e: machine(time.Minute, 4, .3, .2),
			kind: LimitPages, phase: PhaseSettle, share: 300. / 450,
		},
		{name: "the same on many hosts", p: pagesLike(480, 40, quick), e: machine(time.Minute, 4, .3, .2), kind: LimitPages, phase: PhaseSettle, share: 300. / 450},
		{name: "the same, and nothing known of the CPU", p: pagesLike(480, 1, quick), conc: 8, e: Evidence{Took: time.Minute, Tabs: 4}},
		{name: "the same, and little CPU left", p: pagesLike(480, 1, quick), conc: 8, e: machine(time.Minute, 4, .8, .7)},
		{
			name: "Postgres", p: pagesLike(100, 1, Phases{Host: 500 * ms, Navigate: 100 * ms, Settle: 100 * ms, Store: 500 * ms}), conc: 8, e: machine(time.Minute, 4, .3, .2),
			kind: LimitDatabase, share: 1000. / 1200,
		},
		{name: "rows that are stored slowly while the tabs work on", p: pagesLike(480, 1, Phases{Settle: 450 * ms, Store: time.Second}), conc: 8, e: machine(time.Minute, 4, .3, .2), kind: LimitPages, phase: PhaseSettle, share: 1},
		{name: "tabs that are busy with another run", p: beside, e: machine(time.Minute, 4, .3, .2), kind: LimitPages, phase: PhaseSettle, share: 300. / 450},
		{name: "some tabs that are busy with another run", p: aside, e: machine(time.Minute, 4, .3, .2)},
		{name: "nothing that is known", p: pagesLike(60, 1, quick), conc: 8, e: machine(time.Minute, 4, .3, .2)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			paces := map[string]store.Pace{}
			for host := range tt.p.hosts {
				paces[host] = store.Pace{Delay: tt.delay, Concurrency: max(tt.conc, 1)}
			}
			got := tt.p.limit(paces, tt.e)
			if got.Kind != tt.kind || tt.host != "" && got.Host != tt.host || got.Phase != tt.phase || tt.share > 0 && (got.Share < tt.share-1e-9 || got.Share > tt.share+1e-9) {
				t.Errorf("got %+v, want %q of %q, phase %q, share %v", got, tt.kind, tt.host, tt.phase, tt.share)
			}
		})
	}
}

// What the pool says of the CPU, as parts of what may be used.
func TestEvidence(t *testing.T) {
	t.Parallel()
	const minute = time.Minute
	tests := []struct {
		name string
		used browserpool.CPU
		want Evidence
	}{
		{"unknown", browserpool.CPU{}, Evidence{Took: minute, Tabs: 4}},
		{
			"the whole machine",
			browserpool.CPU{Own: minute, Busy: 3 * minute / 2, Cores: 2, Usable: 2},
			Evidence{Took: minute, Tabs: 4, Cores: 2, CPU: .75, OwnCPU: .5},
		},
		{
			"all that a cgroup gives of an idle machine",
			browserpool.CPU{Own: minute / 2, Busy: minute, Cores: 8, Usable: .5},
			Evidence{Took: minute, Tabs: 4, Cores: .5, CPU: 1, OwnCPU: 1},
		},
		{
			"a cgroup on a machine that others use",
			browserpool.CPU{Own: minute / 4, Busy: 8 * minute, Cores: 8, Usable: .5},
			Evidence{Took: minute, Tabs: 4, Cores: 8, CPU: 1, OwnCPU: 1. / 32},
		},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, NewEvidence(minute, 4, tt.used)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// The pace of a run's hosts is what the database says, robots.txt and other runs
// counted.
func TestLimitOfRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	r := b.recipe("limited", `
urls: SITE/calendar?month={month}
with:
  month: [2000-01]
tables:
  days: {from: table.figures, key: [date]}
polite: {rate: 10/s}
`)
	s, err := b.farm.Submit(t.Context(), r, SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	host := b.site.URL
	if err := b.farm.Store.SetPace(t.Context(), s.RunID, host, store.Pace{Delay: 2 * time.Second, Concurrency: 1}); err != nil {
		t.Fatal(err)
	}
	p := NewProfile(s.RunID)
	for range 30 {
		p.Add(Event{RunID: s.RunID, Address: host + "/calendar", Last: true, Took: time.Second, Phases: Phases{Settle: time.Second}})
	}
	e := Evidence{Took: time.Minute, Tabs: 2}
	want := Limit{
		Kind: LimitPace, Hosts: 1, Host: host, Pace: store.Pace{Delay: 2 * time.Second, Concurrency: 1}, Places: 1,
		Evidence: e, TabsBusy: .25,
	}
	got, err := b.farm.Limit(t.Context(), p, e)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
