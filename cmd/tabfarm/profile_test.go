package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/store"
)

// One line says what limited a run, and what would help.
func TestLimitText(t *testing.T) {
	t.Parallel()
	machine := farm.Evidence{Took: time.Minute, Tabs: 4, Cores: 2, CPU: .972, OwnCPU: .914}
	tests := []struct {
		l    farm.Limit
		want string
	}{
		{farm.Limit{}, ""},
		{
			farm.Limit{Kind: farm.LimitPace, Hosts: 1, Host: "https://stats.example", Pace: store.Pace{Delay: time.Second}, Share: .83},
			"waiting for stats.example's pace (1 page/s), 83 % of the time; more tabs would not help",
		},
		{
			farm.Limit{Kind: farm.LimitPace, Hosts: 3, Host: "http://stats.example:81", Pace: store.Pace{Delay: 3 * time.Second}},
			"waiting for the pace of 3 hosts, as stats.example:81's (20 pages/min); more tabs would not help",
		},
		{
			farm.Limit{Kind: farm.LimitConcurrency, Hosts: 1, Host: "https://stats.example", Pace: store.Pace{Concurrency: 1}},
			"1 page at a time on stats.example (polite.concurrency); more would help if the site agrees, more tabs would not",
		},
		{
			farm.Limit{Kind: farm.LimitConcurrency, Hosts: 2, Host: "https://stats.example", Pace: store.Pace{Concurrency: 2}},
			"2 pages at a time on each of 2 hosts (polite.concurrency); more would help if the site agrees, more tabs would not",
		},
		{
			farm.Limit{Kind: farm.LimitCPU, Evidence: machine},
			"the CPU: 97 % of 2 cores in use, 91 % by tabfarm and its browsers; more cores or machines would help, more tabs would not",
		},
		{
			farm.Limit{Kind: farm.LimitOthers, Evidence: farm.Evidence{Cores: 1.5, CPU: 1.003, OwnCPU: .3}},
			"the CPU: 100 % of 1.5 cores in use, only 30 % by tabfarm and its browsers; an idle machine would help, more tabs would not",
		},
		{
			farm.Limit{Kind: farm.LimitPages, Phase: farm.PhaseNavigate, Share: .9, Places: 16, Evidence: machine},
			"sites that answer slowly: all 4 tabs were busy, 90 % of the time with that, and tabfarm and its browsers used 91 % of 2 cores; more tabs would help (--tabs 8)",
		},
		{
			farm.Limit{Kind: farm.LimitPages, Phase: farm.PhaseSettle, Share: .9, Places: 6, Evidence: machine},
			"pages that come to rest slowly: all 4 tabs were busy, 90 % of the time with that, and tabfarm and its browsers used 91 % of 2 cores; more tabs would help (--tabs 6)",
		},
		{
			farm.Limit{Kind: farm.LimitPages, Phase: farm.PhaseRead, Share: .6, Places: 2, Evidence: farm.Evidence{Tabs: 1, Cores: 2, OwnCPU: .2}},
			"grids that are scrolled and paged through: the tab was busy, 60 % of the time with that, and tabfarm and its browsers used 20 % of 2 cores; more tabs would help (--tabs 2)",
		},
		{
			farm.Limit{Kind: farm.LimitDatabase, Share: .74},
			"Postgres, 74 % of the time, while tabs were idle; a quicker or nearer database would help, more tabs would not",
		},
	}
	for _, tt := range tests {
		if got := limitText(tt.l); got != tt.want {
			t.Errorf("got  %q\nwant %q", got, tt.want)
		}
	}
}

func TestPaceText(t *testing.T) {
	t.Parallel()
	for delay, want := range map[time.Duration]string{
		20 * time.Millisecond:  "50 pages/s",
		400 * time.Millisecond: "2.5 pages/s",
		time.Second:            "1 page/s",
		3 * time.Second:        "20 pages/min",
		time.Minute:            "1 page/min",
		10 * time.Minute:       "6 pages/h",
		36 * time.Hour:         "a page in 1 d 12 h",
	} {
		if got := paceText(delay); got != want {
			t.Errorf("%v is %q, want %q", delay, got, want)
		}
	}
}

func TestShortTime(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0:                         "0 ms",
		20 * time.Microsecond:     "0 ms",
		400 * time.Microsecond:    "0.4 ms",
		4213 * time.Microsecond:   "4.21 ms",
		42130 * time.Microsecond:  "42.1 ms",
		421300 * time.Microsecond: "421 ms",
		1020 * time.Millisecond:   "1.02 s",
		41200 * time.Millisecond:  "41.2 s",
		2350 * time.Second:        "2,350 s",
	} {
		if got := shortTime(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}

// The table of a profile: the phases that no page came to are empty, and the page is
// cut where the screen is narrow.
func TestWriteProfile(t *testing.T) {
	t.Parallel()
	times := &timing{profile: farm.NewProfile(1), took: 10 * time.Second}
	add := func(address string, ms time.Duration) {
		d := ms * time.Millisecond
		times.profile.Add(farm.Event{
			RunID: 1, Address: address, Last: true, Took: 10 * d,
			Phases: farm.Phases{Host: 5 * d, Navigate: 2 * d, Settle: 2 * d, Read: d / 2},
		})
	}
	add("https://stats.example/leaders?season=2023-24", 100)
	add("https://stats.example/\n", 10)
	var b bytes.Buffer
	if err := writeProfile(&b, times, 72); err != nil {
		t.Fatal(err)
	}
	want := `
2 tries of pages took 1.10 s together, in 10.0 s:
 phase    |  total  | share |   p50   |   p95   | longest | page
----------+---------+-------+---------+---------+---------+----------------
 host     |  550 ms |  50 % | 51.6 ms |  500 ms |  500 ms | https://sta...
 tab      |         |       |         |         |         |
 navigate |  220 ms |  20 % | 20.4 ms |  200 ms |  200 ms | https://sta...
 settle   |  220 ms |  20 % | 20.4 ms |  200 ms |  200 ms | https://sta...
 read     | 55.0 ms |   5 % | 5.21 ms | 50.0 ms | 50.0 ms | https://sta...
 type     |         |       |         |         |         |
 store    |         |       |         |         |         |
 other    | 55.0 ms |   5 % | 5.21 ms | 50.0 ms | 50.0 ms | https://sta...
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	b.Reset()
	if err := writeProfile(&b, &timing{profile: farm.NewProfile(1), took: time.Second}, 0); err != nil || strings.Count(b.String(), "\n") != 2 {
		t.Errorf("of nothing: %v\n%s", err, b.String())
	}
}
