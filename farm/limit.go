package farm

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/store"
)

// LimitKind says what kept a run from going faster.
type LimitKind string

// The kinds of a Limit. What is not clear is none.
const (
	LimitUnknown     LimitKind = ""
	LimitPace        LimitKind = "pace"        // the clock of a host was in use nearly all of the time
	LimitConcurrency LimitKind = "concurrency" // so many pages at once of each host, and no more tabs than that
	LimitCPU         LimitKind = "cpu"         // the machine's, in use by us
	LimitOthers      LimitKind = "others"      // the machine's, in use by other programs
	LimitPages       LimitKind = "pages"       // all tabs were in use, and did not use the CPU
	LimitDatabase    LimitKind = "database"    // pages waited to be stored, and tabs were idle
)

// Limit is what kept a run from going faster, with the figures that say so.
type Limit struct {
	Kind   LimitKind
	Hosts  int        // that have to do with it
	Host   string     // the foremost of them
	Pace   store.Pace // of that one
	Places int        // pages that may be at the hosts at once
	Phase  string     // the longest one in the tab
	Share  float64    // of the time of pages that was spent on it; 0 where that tells nothing
	Evidence
	TabsBusy float64 // part of the time of all tabs in which they worked
}

// Evidence is what else has to be known of the time in which a run was worked on.
type Evidence struct {
	Took   time.Duration
	Tabs   int
	Cores  float64 // that may be used; 0 where nothing is known of the CPU
	CPU    float64 // part of them that was in use, by whoever
	OwnCPU float64 // by this program and its browsers
}

// NewEvidence is what tabs and a CPU say of a time.
func NewEvidence(took time.Duration, tabs int, used browserpool.CPU) Evidence {
	e := Evidence{Took: took, Tabs: tabs}
	all := func(cores float64) time.Duration { return time.Duration(cores * float64(took)) }
	e.Cores, e.CPU, e.OwnCPU = used.Cores, ratio(used.Busy, all(used.Cores)), ratio(used.Own, all(used.Cores))
	if own := ratio(used.Own, all(used.Usable)); used.Usable < used.Cores && own > e.CPU {
		e.Cores, e.CPU, e.OwnCPU = used.Usable, own, own // the machine may be idle: we are not given more of it
	}
	return e
}

const (
	// A run that was shorter, or had fewer tries, tells of its beginning alone.
	limitTook  = 5 * time.Second
	limitTries = 20

	// nearlyAll is the part of the time from which on something counts as in use all
	// of the time: what lies between two pages is no part of it.
	nearlyAll = .8
	// fullCPU is the same of CPUs; below roomyCPU there is room for more tabs. In
	// between nothing is said.
	fullCPU, roomyCPU = .9, .75
	// A tab that uses less CPU than idleTab of its time mostly waits for something
	// else, also where it has to share the CPU; from hungryTab on it waits for that.
	idleTab, hungryTab = .15, .2
	// mostly is the part of the time of pages from which on a phase is what they
	// mostly do.
	mostly = .5
	// longWait is longer than a database takes to say that it is a page's turn.
	longWait = 100 * time.Millisecond

	// asked is for how many hosts the database is asked for their pace: those with
	// the most pages.
	asked = 10
)

// Limit says what kept the run of a profile from going faster.
func (f *Farm) Limit(ctx context.Context, p *Profile, e Evidence) (Limit, error) {
	if p.tries < limitTries || e.Took < limitTook {
		return p.limit(nil, e), nil
	}
	paces, err := f.Store.Paces(ctx, p.run, p.busiest())
	if err != nil {
		return Limit{}, err
	}
	return p.limit(paces, e), nil
}

// busiest are the hosts with the most tries.
func (p *Profile) busiest() []string {
	hosts := slices.SortedFunc(maps.Keys(p.hosts), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.hosts[b].tries, p.hosts[a].tries), cmp.Compare(a, b))
	})
	return hosts[:min(len(hosts), asked)]
}

// limit decides by what is known of the time. The order matters: a host's pace holds
// whatever the machine does, and a machine at its end makes all else slow.
func (p *Profile) limit(paces map[string]store.Pace, e Evidence) Limit {
	l := Limit{Evidence: e, Hosts: len(p.hosts)}
	if hosts := p.busiest(); len(hosts) > 0 {
		l.Host, l.Pace = hosts[0], paces[hosts[0]]
	}
	l.Places = p.places(paces)
	l.TabsBusy = ratio(p.inTabs, e.Took*time.Duration(e.Tabs))
	placesBusy := ratio(p.inTab(), e.Took*time.Duration(l.Places)) // tabs work for other runs too
	hunger := ratio(time.Duration(e.OwnCPU*e.Cores*float64(e.Took)), p.inTabs)
	switch {
	case p.tries < limitTries, e.Took < limitTook:
	case p.paced(paces, &l):
		l.Kind = LimitPace
	case e.Cores > 0 && e.CPU >= fullCPU && e.OwnCPU >= mostly*e.CPU:
		l.Kind = LimitCPU
	case e.Cores > 0 && e.CPU >= fullCPU && hunger >= hungryTab:
		l.Kind = LimitOthers
	case placesBusy >= nearlyAll && l.Places <= e.Tabs:
		l.Kind = LimitConcurrency
	case l.TabsBusy >= nearlyAll && e.Cores > 0 && (e.CPU < roomyCPU || hunger <= idleTab):
		l.Kind = LimitPages
		l.Phase, l.Share = p.longestInTab()
	case max(l.TabsBusy, placesBusy) < mostly && p.inDatabase(paces) >= mostly:
		l.Kind, l.Share = LimitDatabase, p.inDatabase(paces)
	}
	return l
}

// paced says that hosts let no more pages begin: their clocks were in use for nearly
// all of the time, or pages mostly waited for them, where other workers use them too.
// A host that asks to be left alone makes pages wait as well, and they come again.
func (p *Profile) paced(paces map[string]store.Pace, l *Limit) bool {
	most, hosts := 0., 0
	for _, host := range p.busiest() {
		used := ratio(time.Duration(p.hosts[host].tries)*paces[host].Delay, l.Took)
		if used >= nearlyAll {
			hosts++
		}
		if used > most {
			most, l.Host, l.Pace = used, host, paces[host]
		}
	}
	waited := p.phases[PhaseHost].sum
	if share := p.share(waited); share >= mostly {
		l.Share = share
	}
	if hosts > 0 {
		l.Hosts = hosts
		return true
	}
	return most > 0 && l.Share > 0 && waited/time.Duration(p.tries) >= longWait && p.again*10 < p.tries
}

// places is how many pages may be at the hosts at once.
func (p *Profile) places(paces map[string]store.Pace) int {
	places, most := 0, 1
	known := p.busiest()
	for _, host := range known {
		n := max(paces[host].Concurrency, 1)
		places, most = places+n, max(most, n)
	}
	return max(places+(len(p.hosts)-len(known))*most, 1)
}

// longestInTab is what pages do longest in their tab, and its part of that time.
func (p *Profile) longestInTab() (phase string, share float64) {
	var longest time.Duration
	for _, name := range []string{PhaseNavigate, PhaseSettle, PhaseRead} {
		if sum := p.phases[name].sum; sum > longest {
			phase, longest = name, sum
		}
	}
	return phase, ratio(longest, p.inTab())
}

// inTab is the time for which pages of the run worked in tabs.
func (p *Profile) inTab() time.Duration {
	return p.phases[PhaseNavigate].sum + p.phases[PhaseSettle].sum + p.phases[PhaseRead].sum
}

// inDatabase is the part of the time of pages in which they waited for the database:
// a host without a pace makes nobody wait, but the question whether it does.
func (p *Profile) inDatabase(paces map[string]store.Pace) float64 {
	sum := p.phases[PhaseStore].sum
	if !slices.ContainsFunc(p.busiest(), func(host string) bool { return paces[host].Delay > 0 }) {
		sum += p.phases[PhaseHost].sum
	}
	return p.share(sum)
}
