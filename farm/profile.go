package farm

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/tabfarm/tabfarm/recipe"
)

// Profile adds up where the time of the pages of a run went, as far as this process
// worked on them. Its methods are called one at a time.
type Profile struct {
	run    int64
	tries  int
	again  int // of them, that failed and are repeated
	took   time.Duration
	phases map[string]*spread
	hosts  map[string]*hostTimes
	inTabs time.Duration // of all runs: tabs work for any
}

// hostTimes is what a Profile knows of a host.
type hostTimes struct {
	tries        int
	took, waited time.Duration
}

// PhaseOther is what is left of the tries beside their phases.
const PhaseOther = "other"

// phaseNames are all phases in their order, and what is left over.
func phaseNames() []string {
	var names []string
	for name := range (Phases{}).All() {
		names = append(names, name)
	}
	return append(names, PhaseOther)
}

// NewProfile is for the events of one run; those of others only keep tabs busy.
func NewProfile(run int64) *Profile {
	p := &Profile{run: run, phases: map[string]*spread{}, hosts: map[string]*hostTimes{}}
	for _, name := range phaseNames() {
		p.phases[name] = &spread{steps: map[int]int{}}
	}
	return p
}

// Add counts an event, if it ends a try of a page.
func (p *Profile) Add(e Event) {
	if e.Took <= 0 {
		return
	}
	p.inTabs += e.Phases.inTab()
	if e.RunID != p.run {
		return
	}
	p.tries++
	if !e.Last {
		p.again++
	}
	p.took += e.Took
	for name, d := range e.Phases.All() {
		p.phases[name].add(d, e.Address)
	}
	p.phases[PhaseOther].add(e.Took-e.Phases.sum(), e.Address)
	host, err := recipe.Host(e.Address)
	if err != nil {
		return
	}
	h := p.hosts[host]
	if h == nil {
		h = &hostTimes{}
		p.hosts[host] = h
	}
	h.tries++
	h.took += e.Took
	h.waited += e.Phases.Host
}

// PhaseTime is what one phase took of the tries that came to it.
type PhaseTime struct {
	Phase    string
	Tries    int           // that came to it
	Total    time.Duration // all of them together
	Share    float64       // of the time of all tries
	P50, P95 time.Duration // half of those tries took no longer, and 95 of 100; true to 5 %
	Longest  time.Duration
	Address  string // of the page that took longest
}

// Tries is how many tries were counted, and how long they took together.
func (p *Profile) Tries() (n int, took time.Duration) { return p.tries, p.took }

// Phases tells of every phase, in the order in which pages come to them, and last of
// what is left over, PhaseOther.
func (p *Profile) Phases() []PhaseTime {
	var out []PhaseTime
	for _, name := range phaseNames() {
		s := p.phases[name]
		t := PhaseTime{
			Phase: name, Tries: s.n, Total: s.sum, Share: p.share(s.sum),
			P50: s.quantile(.5), P95: s.quantile(.95), Longest: s.longest, Address: s.address,
		}
		out = append(out, t)
	}
	return out
}

// share is the part that a time is of all tries.
func (p *Profile) share(d time.Duration) float64 { return ratio(d, p.took) }

// ratio is a of b, 0 of nothing.
func ratio(a, b time.Duration) float64 {
	if b <= 0 {
		return 0
	}
	return float64(a) / float64(b)
}

// spread tells how long times are. It counts them in steps, each 5 % longer than the
// one before, so that a million pages need no more room than a hundred.
type spread struct {
	n       int
	sum     time.Duration
	longest time.Duration
	address string
	steps   map[int]int
}

const stepRatio = 1.05

// add counts a time; one that did not pass is of a phase that the try did not come to.
func (s *spread) add(d time.Duration, address string) {
	if d <= 0 {
		return
	}
	s.n++
	s.sum += d
	if d > s.longest {
		s.longest, s.address = d, address
	}
	s.steps[int(math.Ceil(math.Log(float64(d))/math.Log(stepRatio)))]++
}

// quantile is the end of the step in which the n-th part of the times has come.
func (s *spread) quantile(part float64) time.Duration {
	left := int(math.Ceil(part * float64(s.n)))
	for _, step := range slices.Sorted(maps.Keys(s.steps)) {
		if left -= s.steps[step]; left <= 0 {
			return min(time.Duration(math.Pow(stepRatio, float64(step))), s.longest)
		}
	}
	return 0
}
