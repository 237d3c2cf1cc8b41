package browserpool_test

import (
	"net/http"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// What /proc says of the machine and of groups of processes.
func TestReadCPU(t *testing.T) {
	t.Parallel()
	root := fstest.MapFS{}
	for name, text := range map[string]string{
		"proc/stat":    "cpu  100 20 30 9000 800 4 5 6 50 0\ncpu0 50 10 15 4500 400 2 2 3 25 0\ncpu1 50 10 15 4500 400 2 3 3 25 0\nintr 1 2 3\n",
		"proc/7/stat":  "7 (chrome) S 1 7 7 0 -1 4 0 0 0 0 100 50 20 10 20 0 1 0 1\n",
		"proc/8/stat":  "8 (a ) S 9 9 (x) S 7 7 7 0 -1 4 0 0 0 0 1 2 3 4 20 0 1 0 1\n",
		"proc/9/stat":  "9 (other) S 1 9 9 0 -1 4 0 0 0 0 1000 1000 0 0 20 0 1 0 1\n",
		"proc/10/stat": "",
	} {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	busy, cores := browserpool.ReadBusy(root)
	if want := 1650 * time.Millisecond; busy != want || cores != 2 {
		t.Errorf("%v busy on %d cores, want %v on 2", busy, cores, want)
	}
	want := map[int]time.Duration{7: 1900 * time.Millisecond, 11: 0}
	if diff := cmp.Diff(want, browserpool.ReadGroups(root, []int{7, 11})); diff != "" {
		t.Errorf("groups (-want +got):\n%s", diff)
	}
	if busy, cores := browserpool.ReadBusy(fstest.MapFS{}); busy != 0 || cores != 0 {
		t.Errorf("without /proc %v busy on %d cores", busy, cores)
	}
}

// The CPU time of browsers is in what the pool says of its own.
func TestPoolTellsItsCPU(t *testing.T) {
	t.Parallel()
	p := chrometest.Pool(t)
	before, ok := p.CPU()
	if !ok {
		t.Skip("the system does not tell")
	}
	s := site(t, map[string]http.HandlerFunc{"/": html("<ul><li>a</ul>")})
	var browser time.Duration
	err := p.Do(t.Context(), func(tab *browserpool.Tab) error {
		_, err := tab.Open(t.Context(), browserpool.Request{URL: s.URL, Script: rowsScript, Timeout: 20 * time.Second})
		browser = browserpool.ReadGroups(os.DirFS("/"), []int{tab.BrowserPID()})[tab.BrowserPID()]
		return err
	})
	after, _ := p.CPU()
	if err != nil || browser <= 0 || after.Own < browser || after.Busy <= before.Busy || after.Cores < 1 || after.Usable <= 0 {
		t.Errorf("%v, the browser has used %v, before %+v, after %+v", err, browser, before, after)
	}
	if used := after.Since(before); used.Own != after.Own-before.Own || used.Busy != after.Busy-before.Busy || used.Cores != after.Cores {
		t.Errorf("in between %+v", used)
	}
}
