package farm

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

const oneRow = `<table><tr><th>Name<th>Pts<tr><td>Jordan<td>32</table>`

// pagesOfTwo is a recipe of n pages at one host and one at another.
func pagesOfTwo(t *testing.T, name, host, other string, n int) *recipe.Recipe {
	t.Helper()
	return parseText(t, name, fmt.Sprintf("urls: ['%s/page?n={n}', '%s/other']\nwith: {n: {from: 1, to: %d}}\ntables: {t: {}}\npolite: {rate: none, concurrency: 3, robots: ignore}\n", host, other, n))
}

func submit(b *bench, r *recipe.Recipe) int64 {
	b.t.Helper()
	s, err := b.farm.Submit(b.t.Context(), r, SubmitOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	return s.RunID
}

// A host that only fails is paused, told, and its pages wait; when it answers again
// they are read. The other host goes on.
func TestAPausedHostGoesOn(t *testing.T) {
	t.Parallel()
	var healed atomic.Bool
	site := serve(t, map[string]http.HandlerFunc{"/page": func(w http.ResponseWriter, r *http.Request) {
		if !healed.Load() {
			panic(http.ErrAbortHandler)
		}
		document(oneRow)(w, r)
	}})
	other := serve(t, map[string]http.HandlerFunc{"/other": document(oneRow)})
	b := newBench(t, demosite.Options{})
	run := submit(b, pagesOfTwo(t, "paused", site.URL, other.URL, 25))
	var paused []Event
	sum := b.work(t.Context(), run, nil, func(e Event) {
		if e.Paused > 0 {
			paused = append(paused, e)
			healed.Store(true)
			if err := b.farm.TryHosts(t.Context(), run); err != nil { // instead of the minute
				t.Error(err)
			}
		}
	})
	// A page that had failed before may end as the probe does, and begin a second pause.
	if len(paused) == 0 || paused[0].Host != site.URL || paused[0].Outcome != Unreachable || paused[0].Waiting < 10 {
		t.Errorf("paused: %+v", paused)
	}
	if sum.State != store.RunDone || sum.Done < 23 { // some may have been through their tries before
		t.Errorf("run: %s; %v", counts(sum), sum.Failures)
	}
	want := []string{site.URL + "|0|NULL|NULL"}
	if diff := cmp.Diff(want, b.query("select host, failures, reason, paused_until from tabfarm.hosts where host = '"+site.URL+"'")); diff != "" {
		t.Errorf("hosts (-want +got):\n%s", diff)
	}
}

// The end of the pauses is the end of the pages that wait; the run ends and says why.
func TestAHostIsGivenUp(t *testing.T) {
	t.Parallel()
	site := serve(t, map[string]http.HandlerFunc{"/page": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }})
	other := serve(t, map[string]http.HandlerFunc{"/other": document(oneRow)})
	b := newBench(t, demosite.Options{})
	run := submit(b, pagesOfTwo(t, "given-up", site.URL, other.URL, 25))
	var pauses []time.Duration
	given := 0
	sum := b.work(t.Context(), run, nil, func(e Event) {
		given += e.GivenUp
		if e.Paused > 0 {
			pauses = append(pauses, e.Paused.Round(time.Minute))
			if err := b.farm.TryHosts(t.Context(), run); err != nil {
				t.Error(err)
			}
		}
	})
	if diff := cmp.Diff([]time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute, 30 * time.Minute}, pauses); diff != "" {
		t.Errorf("pauses (-want +got):\n%s", diff)
	}
	if sum.State != store.RunDone || sum.Done != 1 || sum.ByOutcome[HTTPError] != 25 || given < 20 {
		t.Errorf("run: %s; %d given up; %v", counts(sum), given, sum.Failures)
	}
	messages := b.query("select count(*) from tabfarm.pages where message like 'given up: http://127.0.0.1:% has only failed for about an hour, last with: the server answers HTTP 500%'")
	if messages[0] < fmt.Sprint(given) {
		t.Errorf("%s messages say so, want %d", messages[0], given)
	}
}

// A busy host is left alone for as long as it asks, and the page loses no try,
// whether it is the page that it refuses or the data of the page.
func TestABusyHostCostsNoTry(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	refuses := func(next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked[r.URL.Path]++
			first := asked[r.URL.Path] == 1
			mu.Unlock()
			if first {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			next(w, r)
		}
	}
	site := serve(t, map[string]http.HandlerFunc{
		"/page": refuses(document(oneRow)),
		"/app":  document(`<script>fetch('/data').then(r => { if (!r.ok) throw r.status; return r.text() }).then(t => document.body.innerHTML = t)</script>`),
		"/data": refuses(document(oneRow)),
	})
	for _, page := range []string{"page", "app"} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demosite.Options{})
			sum := b.run(parseText(t, "busy", "urls: "+site.URL+"/"+page+"\ntables: {t: {}}\npolite: {rate: none, retries: 1, robots: ignore}\n"), SubmitOptions{})
			if got := b.query("select outcome, attempts from tabfarm.pages"); got[0] != "ok|1" {
				t.Errorf("outcome and attempts: %q; %v", got, sum.Failures)
			}
		})
	}
}

// What pages of one database left in a browser is not seen by those of another
// whose run has the same number.
func TestFarmsShareNoCookies(t *testing.T) {
	t.Parallel()
	pool, err := browserpool.New(t.Context(), browserpool.Config{
		Path: os.Getenv("TABFARM_BROWSER_PATH"), Processes: 1, Tabs: 1, Dir: chrometest.Dir(t), Product: "tabfarm/test",
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	var cookies []string
	site := serve(t, map[string]http.HandlerFunc{"/page": func(w http.ResponseWriter, r *http.Request) {
		cookies = append(cookies, r.Header.Get("Cookie"))
		http.SetCookie(w, &http.Cookie{Name: "seen", Value: "1"})
		document(oneRow)(w, r)
	}})
	for range 2 {
		s := pgtest.Store(t)
		b := &bench{t: t, store: s, farm: newTestFarm(t, Config{Browser: pool, Store: s})}
		r := parse(t, "one", site.URL, "urls: SITE/page\ntables: {one: {from: table}}\n")
		if sum := b.run(r, SubmitOptions{}); sum.Done != 1 || sum.RunID != 1 {
			t.Fatalf("run %d: %s", sum.RunID, counts(sum))
		}
	}
	if want := []string{"", ""}; !cmp.Equal(cookies, want) {
		t.Errorf("cookies %q, want %q", cookies, want)
	}
}

// A page that kills the browser under it, or its tab, each time it is opened fails
// alone, after its tries.
func TestAPoisonPageFailsAlone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("finds the browser in /proc")
	}
	for name, renderer := range map[string]bool{"browser": false, "tab": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := chrometest.Dir(t)
			pool, err := browserpool.New(t.Context(), browserpool.Config{
				Path: os.Getenv("TABFARM_BROWSER_PATH"), Processes: 1, Tabs: 2, Dir: dir, Product: "tabfarm/test",
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := pool.Close(); err != nil {
					t.Error(err)
				}
			})
			// The first kill hits the other page, too; the next waits for that one's end.
			arrived, ended := make(chan struct{}), make(chan struct{})
			var pages, kills atomic.Int32
			site := serve(t, map[string]http.HandlerFunc{
				"/page": func(w http.ResponseWriter, r *http.Request) {
					if pages.Add(1) == 1 {
						close(arrived)
						<-r.Context().Done()
						return
					}
					document(oneRow)(w, r)
				},
				"/poison": document("<script>fetch('/kill')</script>"),
				"/kill": func(_ http.ResponseWriter, r *http.Request) {
					after := arrived
					if kills.Add(1) > 1 {
						after = ended
					}
					select {
					case <-after:
						killChrome(t, dir, renderer)
					case <-r.Context().Done():
					}
					<-r.Context().Done()
				},
			})
			b := newBench(t, demosite.Options{})
			b.farm = newTestFarm(t, Config{Browser: pool, Store: b.store, Tabs: 2})
			run := submit(b, parseText(t, "poison", "urls: ["+site.URL+"/poison, "+site.URL+"/page]\ntables: {t: {}}\npolite: {rate: none, concurrency: 2, retries: 1, robots: ignore}\n"))
			b.work(t.Context(), run, nil, func(e Event) {
				if e.Last && e.Address == site.URL+"/page" {
					close(ended)
				}
			})
			want := []string{site.URL + "/page|ok|2", site.URL + "/poison|browser_crashed|2"}
			if diff := cmp.Diff(want, b.query("select url, outcome, attempts from tabfarm.pages order by url")); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
		})
	}
}

// killChrome kills the main process, or the renderers, of the browser whose profile
// is below a folder. Only the main process names the folder; all are of one group.
func killChrome(t *testing.T, dir string, renderers bool) {
	found, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Error(err)
	}
	groups, kill := map[int]bool{}, map[int][]int{} // processes to kill by group
	for _, file := range found {
		text, err := os.ReadFile(file)
		pid, aerr := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		group, gerr := syscall.Getpgid(pid)
		if errors.Join(err, aerr, gerr) != nil {
			continue // it has ended meanwhile
		}
		main := !strings.Contains(string(text), "--type=")
		if main && strings.Contains(string(text), dir) {
			groups[group] = true
		}
		if main != renderers && (main || strings.Contains(string(text), "--type=renderer")) {
			kill[group] = append(kill[group], pid)
		}
	}
	killed := 0
	for group := range groups {
		for _, pid := range kill[group] {
			if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
				killed++
			}
		}
	}
	if killed == 0 {
		t.Errorf("found no process of the browser in %s", dir)
	}
}
