package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/farm"
)

// timing measures the work at a run: where the time of its pages goes, and what the
// machine does meanwhile.
type timing struct {
	pool    *browserpool.Pool
	profile *farm.Profile
	began   time.Time
	before  browserpool.CPU
	known   bool // the system tells of its CPUs

	took  time.Duration
	used  browserpool.CPU
	limit farm.Limit
}

func startTiming(pool *browserpool.Pool, run int64) *timing {
	t := &timing{pool: pool, profile: farm.NewProfile(run), began: time.Now()}
	t.before, t.known = pool.CPU()
	return t
}

// stop ends it with the work.
func (t *timing) stop() {
	t.took = time.Since(t.began)
	if now, ok := t.pool.CPU(); ok && t.known {
		t.used = now.Since(t.before)
	}
}

// judge finds what limited the run. Nothing depends on it, so that an error is only logged.
func (a *app) judge(ctx context.Context, f *farm.Farm, t *timing) {
	_, tabs := t.pool.Size()
	limit, err := f.Limit(ctx, t.profile, farm.NewEvidence(t.took, tabs, t.used))
	if err != nil {
		a.log.Debug("what limited the run is not known", "error", err)
	}
	t.limit = limit
}

// limitText says in one line what a run waited for and what would help; "" where
// that is not clear.
func limitText(l farm.Limit) string {
	host := clean(bareHost(l.Host))
	switch l.Kind {
	case farm.LimitPace:
		return pacedText(l, host)
	case farm.LimitConcurrency:
		where := "on " + host
		if l.Hosts > 1 {
			where = fmt.Sprintf("on each of %d hosts", l.Hosts)
		}
		return fmt.Sprintf("%s at a time %s (polite.concurrency); more would help if the site agrees, more tabs would not", pagesWords(max(l.Pace.Concurrency, 1)), where)
	case farm.LimitCPU:
		return fmt.Sprintf("the CPU: %s in use, %s by tabfarm and its browsers; more cores or machines would help, more tabs would not", cpuText(l), percent(l.OwnCPU))
	case farm.LimitOthers:
		return fmt.Sprintf("the CPU: %s in use, only %s by tabfarm and its browsers; an idle machine would help, more tabs would not", cpuText(l), percent(l.OwnCPU))
	case farm.LimitPages:
		return fmt.Sprintf("%s, and tabfarm and its browsers used %s of %.3g cores; more tabs would help (--tabs %d)", slowText(l), percent(l.OwnCPU), l.Cores, moreTabs(l))
	case farm.LimitDatabase:
		return fmt.Sprintf("Postgres, %s of the time, while tabs were idle; a quicker or nearer database would help, more tabs would not", percent(l.Share))
	}
	return ""
}

func pacedText(l farm.Limit, host string) string {
	what := fmt.Sprintf("waiting for %s's pace (%s)", host, paceText(l.Pace.Delay))
	if l.Hosts > 1 {
		what = fmt.Sprintf("waiting for the pace of %d hosts, as %s's (%s)", l.Hosts, host, paceText(l.Pace.Delay))
	}
	if l.Share > 0 {
		what += fmt.Sprintf(", %s of the time", percent(l.Share))
	}
	return what + "; more tabs would not help"
}

// moreTabs is how many tabs to try next: no more than may be at the hosts at once.
func moreTabs(l farm.Limit) int {
	if l.Places > l.Tabs {
		return min(2*l.Tabs, l.Places)
	}
	return 2 * l.Tabs // they work for other runs too
}

// slowText says what the tabs were busy with.
func slowText(l farm.Limit) string {
	what := map[string]string{
		farm.PhaseNavigate: "sites that answer slowly",
		farm.PhaseSettle:   "pages that come to rest slowly",
		farm.PhaseRead:     "grids that are scrolled and paged through",
	}[l.Phase]
	tabs := "the tab was"
	if l.Tabs > 1 {
		tabs = fmt.Sprintf("all %d tabs were", l.Tabs)
	}
	return fmt.Sprintf("%s: %s busy, %s of the time with that", what, tabs, percent(l.Share))
}

func cpuText(l farm.Limit) string { return fmt.Sprintf("%s of %.3g cores", percent(l.CPU), l.Cores) }

// percent is "83 %". What is more than all comes of clocks that differ a little.
func percent(part float64) string { return fmt.Sprintf("%.0f %%", 100*min(part, 1)) }

// paceText is the pace that a delay means: "1 page/s", "20 pages/min".
func paceText(delay time.Duration) string {
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{time.Second, "s"}, {time.Minute, "min"}, {time.Hour, "h"}} {
		if n := float64(unit.d) / float64(delay); n >= 1 {
			number := strings.TrimSuffix(fmt.Sprintf("%.1f", n), ".0")
			if number == "1" {
				return "1 page/" + unit.name
			}
			return number + " pages/" + unit.name
		}
	}
	return "a page in " + roughly(delay)
}

// bareHost is a host as people name it.
func bareHost(host string) string {
	return strings.TrimPrefix(strings.TrimPrefix(host, "https://"), "http://")
}

// writeProfile tells people where the time of the pages of a run went.
func writeProfile(w io.Writer, t *timing, width int) error {
	tries, took := t.profile.Tries()
	if _, err := fmt.Fprintf(w, "\n%s %s together, in %s:\n", count(int64(tries), "try of a page took", "tries of pages took"), shortTime(took), shortTime(t.took)); err != nil || tries == 0 {
		return err
	}
	table := &screenTable{
		names: []string{"phase", "total", "share", "p50", "p95", "longest", "page"},
		right: []bool{false, true, true, true, true, true, false},
		fit:   width,
	}
	for _, p := range t.profile.Phases() {
		if p.Tries == 0 {
			table.rows = append(table.rows, []string{p.Phase, "", "", "", "", "", ""})
			continue
		}
		table.rows = append(table.rows, []string{
			p.Phase, shortTime(p.Total), percent(p.Share), shortTime(p.P50), shortTime(p.P95), shortTime(p.Longest), p.Address,
		})
	}
	return table.write(w)
}

// shortTime writes a time in few digits: 0.4 ms, 4.21 ms, 380 ms, 1.02 s, 2,350 s.
func shortTime(d time.Duration) string {
	n, unit := d.Seconds(), " s"
	if d < time.Second {
		n, unit = 1000*n, " ms"
	}
	switch {
	case n >= 100:
		return thousands(int64(n+.5)) + unit
	case n >= 10:
		return fmt.Sprintf("%.1f", n) + unit
	case n >= 1:
		return fmt.Sprintf("%.2f", n) + unit
	case n < .05:
		return "0 ms"
	}
	return fmt.Sprintf("%.1f", n) + unit
}

// profileReport is the profile in what run --json --profile prints. Every phase is
// there, and those that no page came to as zeros.
type profileReport struct {
	Seconds   float64                `json:"seconds"`
	Tries     int                    `json:"tries"`
	LimitedBy farm.LimitKind         `json:"limited_by"`
	Limit     string                 `json:"limit"`
	Tabs      int                    `json:"tabs"`
	TabsBusy  float64                `json:"tabs_busy"`
	CPU       *cpuReport             `json:"cpu"`
	Phases    map[string]phaseReport `json:"phases"`
}

// cpuReport is null where the system does not tell.
type cpuReport struct {
	Cores float64 `json:"cores"`
	Busy  float64 `json:"busy"`
	Own   float64 `json:"own"`
}

type phaseReport struct {
	Tries   int     `json:"tries"`
	Seconds float64 `json:"seconds"`
	Share   float64 `json:"share"`
	P50     float64 `json:"p50"`
	P95     float64 `json:"p95"`
	Longest float64 `json:"longest"`
	URL     string  `json:"url"` // of the page that took longest
}

func newProfileReport(t *timing) *profileReport {
	tries, _ := t.profile.Tries()
	l := t.limit
	r := &profileReport{
		Seconds: t.took.Seconds(), Tries: tries, LimitedBy: l.Kind, Limit: limitText(l), Tabs: l.Tabs, TabsBusy: l.TabsBusy,
		Phases: map[string]phaseReport{},
	}
	if l.Cores > 0 {
		r.CPU = &cpuReport{Cores: l.Cores, Busy: l.CPU, Own: l.OwnCPU}
	}
	for _, p := range t.profile.Phases() {
		r.Phases[p.Phase] = phaseReport{
			Tries: p.Tries, Seconds: p.Total.Seconds(), Share: p.Share,
			P50: p.P50.Seconds(), P95: p.P95.Seconds(), Longest: p.Longest.Seconds(), URL: p.Address,
		}
	}
	return r
}
