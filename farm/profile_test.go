package farm

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Each phase is told with its times, in their order, and what is left over with them.
func TestProfile(t *testing.T) {
	t.Parallel()
	p := NewProfile(7)
	for i := range 100 {
		ms := time.Duration(i+1) * time.Millisecond
		e := Event{
			RunID: 7, Address: fmt.Sprintf("https://a.example/%d", i+1), Last: true, Took: 10 * ms,
			Phases: Phases{Host: ms, Navigate: 2 * ms, Settle: 3 * ms},
		}
		if i < 10 {
			e.Phases.Store = ms
		}
		p.Add(e)
	}
	p.Add(Event{RunID: 8, Address: "https://b.example/", Last: true, Took: time.Hour, Phases: Phases{Read: time.Hour}})
	p.Add(Event{RunID: 7, Host: "https://a.example", Paused: time.Hour})
	if n, took := p.Tries(); n != 100 || took != 50500*time.Millisecond {
		t.Errorf("%d tries in %v", n, took)
	}
	want := []PhaseTime{
		{Phase: "host", Tries: 100, Total: 5050 * time.Millisecond, Share: .1, P50: 50 * time.Millisecond, P95: 95 * time.Millisecond, Longest: 100 * time.Millisecond, Address: "https://a.example/100"},
		{Phase: "tab"},
		{Phase: "navigate", Tries: 100, Total: 10100 * time.Millisecond, Share: .2, P50: 100 * time.Millisecond, P95: 190 * time.Millisecond, Longest: 200 * time.Millisecond, Address: "https://a.example/100"},
		{Phase: "settle", Tries: 100, Total: 15150 * time.Millisecond, Share: .3, P50: 150 * time.Millisecond, P95: 285 * time.Millisecond, Longest: 300 * time.Millisecond, Address: "https://a.example/100"},
		{Phase: "read"},
		{Phase: "type"},
		{Phase: "store", Tries: 10, Total: 55 * time.Millisecond, Share: 55. / 50500, P50: 5 * time.Millisecond, P95: 10 * time.Millisecond, Longest: 10 * time.Millisecond, Address: "https://a.example/10"},
		{Phase: "other", Tries: 100, Total: 20145 * time.Millisecond, Share: 20145. / 50500, P50: 200 * time.Millisecond, P95: 380 * time.Millisecond, Longest: 400 * time.Millisecond, Address: "https://a.example/100"},
	}
	near := cmp.Comparer(func(a, b time.Duration) bool { return float64(a) <= 1.05*float64(b) && float64(b) <= 1.05*float64(a) })
	share := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 })
	if diff := cmp.Diff(want, p.Phases(), near, share); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
}

// Quantiles are never below what they promise, nor more than a step above.
func TestQuantiles(t *testing.T) {
	t.Parallel()
	for _, ds := range [][]time.Duration{
		{time.Nanosecond},
		{time.Hour},
		{time.Microsecond, time.Minute},
		{time.Second, time.Second, time.Second, time.Second + 1},
	} {
		s := spread{steps: map[int]int{}}
		for _, d := range ds {
			s.add(d, "")
		}
		for _, part := range []float64{.01, .5, .95, 1} {
			want := ds[min(int(part*float64(len(ds))), len(ds)-1)]
			if part*float64(len(ds)) == float64(int(part*float64(len(ds)))) {
				want = ds[int(part*float64(len(ds)))-1]
			}
			if got := s.quantile(part); got < want || float64(got) > stepRatio*float64(want)+1 {
				t.Errorf("%v of %v is %v, want %v", part, ds, got, want)
			}
		}
	}
	empty := spread{}
	if got := empty.quantile(.5); got != 0 {
		t.Errorf("half of nothing is %v", got)
	}
}
