package browserpool_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// own starts a pool of the test's own, for tests that break browsers. It is
// closed at the test's end, and nothing may be left in its folder, unless that is
// the test's own, too.
func own(t *testing.T, c browserpool.Config) *browserpool.Pool {
	t.Helper()
	shared := c.Dir != ""
	if !shared {
		c.Dir = chrometest.Dir(t)
	}
	p, err := browserpool.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
		if left := folders(t, c.Dir); !shared && len(left) > 0 {
			t.Errorf("folders left: %q", left)
		}
	})
	return p
}

func folders(t *testing.T, dir string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, "[0-9]*"))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// group lists the processes of a process group that are no zombies.
func group(t *testing.T, pgid int) []int {
	t.Helper()
	out, err := exec.Command("ps", "-axo", "pid=,pgid=,stat=").Output()
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) == 3 && f[1] == strconv.Itoa(pgid) && !strings.HasPrefix(f[2], "Z") {
			pid, err := strconv.Atoi(f[0])
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// chromeOf is Chrome's own main process in a group: distributions start it by a
// wrapper script, which leads the group.
func chromeOf(t *testing.T, pgid int) int {
	t.Helper()
	for _, pid := range group(t, pgid) {
		args, err := exec.Command("ps", "-ww", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
		if err == nil && pid != pgid && !strings.Contains(string(args), "--type=") {
			return pid
		}
	}
	return pgid
}

// eventually waits for a condition that other processes bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after 10 s still not: %s", what)
		}
	}
}

// struck opens a page, calls strike when the site says that it has arrived, and
// returns how long after that Open ended, and how.
func struck(t *testing.T, tab *browserpool.Tab, url string, arrived <-chan struct{}, strike func()) (time.Duration, error) {
	t.Helper()
	var at time.Time
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() {
		select {
		case <-arrived:
			at = time.Now()
			strike()
		case <-ctx.Done():
			t.Error("the page did not arrive")
		}
	})
	_, err := tab.Open(t.Context(), browserpool.Request{URL: url, Script: "fetch('/arrived')", Timeout: 20 * time.Second})
	end := time.Now()
	cancel()
	wg.Wait()
	return end.Sub(at), err
}

// TestCrashes breaks what is below a page while it is read, and while its answer
// is waited for.
func TestCrashes(t *testing.T) {
	t.Parallel()
	strikes := map[string]func(t *testing.T, tab *browserpool.Tab){
		"renderer crashes": func(_ *testing.T, tab *browserpool.Tab) { tab.CrashRenderer() },
		"target closes":    func(_ *testing.T, tab *browserpool.Tab) { tab.CloseTarget() },
		"browser is killed": func(t *testing.T, tab *browserpool.Tab) {
			if err := syscall.Kill(chromeOf(t, tab.BrowserPID()), syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		},
		"main process is killed": func(t *testing.T, tab *browserpool.Tab) {
			if err := syscall.Kill(tab.BrowserPID(), syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		},
	}
	arrived := make(chan struct{}, 1)
	s := site(t, map[string]http.HandlerFunc{
		"/page":    html("<li>a</li>"),
		"/good":    html("<li>good</li>"),
		"/arrived": func(http.ResponseWriter, *http.Request) { arrived <- struct{}{} },
		"/hang":    func(_ http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; hang(r) },
	})
	p := own(t, browserpool.Config{Processes: 1, Tabs: 1})
	for name, strike := range strikes {
		for _, path := range []string{"/page", "/hang"} {
			t.Run(name+path, func(t *testing.T) {
				err := p.Do(t.Context(), func(tab *browserpool.Tab) error {
					pgid := tab.BrowserPID()
					if s := p.Stats(); s.Tabs != 1 || s.TabsBusy != 1 || s.Browsers != 1 {
						t.Errorf("with its tab lent: stats are %+v", s)
					}
					took, err := struck(t, tab, s.URL+path, arrived, func() { strike(t, tab) })
					// A renderer that is told to crash while its page's answer is
					// waited for does so later; then the deadline ends the page.
					late := name == "renderer crashes" && path == "/hang"
					if !errors.Is(err, browserpool.ErrCrashed) && (!late || !errors.Is(err, browserpool.ErrTimeout)) {
						t.Errorf("ended with %v", err)
					}
					start := time.Now()
					visit(t, tab, browserpool.Request{URL: s.URL + "/good", Script: rowsScript, Timeout: 20 * time.Second}, ending{payload: goodRows, status: 200})
					t.Logf("noticed after %v, served again after %v", took.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
					if tab.BrowserPID() != pgid && len(group(t, pgid)) > 0 {
						t.Errorf("processes of the old browser live: %v", group(t, pgid))
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
	}
	if s := p.Stats(); s.BrowserRestarts != 4 || s.BrowserStarts != 5 || s.TabsBusy != 0 {
		t.Errorf("stats are %+v", s)
	}
}

// TestCrowdedBrowserDies kills a browser under all of its tabs. (They open
// different URLs, for Chrome asks a host for one URL in one tab after the other.)
func TestCrowdedBrowserDies(t *testing.T) {
	t.Parallel()
	const tabs = 3
	arrived := make(chan struct{}, tabs)
	s := site(t, map[string]http.HandlerFunc{
		"/hang": func(_ http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; hang(r) },
		"/good": html("<li>good</li>"),
	})
	p := own(t, browserpool.Config{Processes: 1, Tabs: tabs})
	var wg sync.WaitGroup
	pids := make(chan int, tabs)
	for n := range tabs {
		wg.Go(func() {
			err := p.Do(t.Context(), func(tab *browserpool.Tab) error {
				pids <- tab.BrowserPID()
				_, err := tab.Open(t.Context(), browserpool.Request{URL: fmt.Sprint(s.URL, "/hang?", n), Timeout: 20 * time.Second})
				if !errors.Is(err, browserpool.ErrCrashed) {
					t.Errorf("ended with %v", err)
				}
				visit(t, tab, browserpool.Request{URL: s.URL + "/good", Script: rowsScript, Timeout: 20 * time.Second}, ending{payload: goodRows, status: 200})
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	for range tabs {
		<-arrived
	}
	if err := syscall.Kill(-<-pids, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if s := p.Stats(); s.BrowserRestarts != 1 {
		t.Errorf("stats are %+v", s)
	}
}

func TestCloseUnderLoad(t *testing.T) {
	t.Parallel()
	const tabs = 3
	arrived := make(chan struct{}, tabs)
	s := site(t, map[string]http.HandlerFunc{"/hang": func(_ http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; hang(r) }})
	c := browserpool.Config{Processes: 2, Tabs: tabs, Dir: chrometest.Dir(t)}
	p := own(t, c)
	var wg sync.WaitGroup
	pids := make(chan int, tabs)
	for n := range tabs + 2 { // two wait for a tab
		wg.Go(func() {
			err := p.Do(t.Context(), func(tab *browserpool.Tab) error {
				_, err := tab.Open(t.Context(), browserpool.Request{URL: fmt.Sprint(s.URL, "/hang?", n), Timeout: time.Minute})
				pids <- tab.BrowserPID()
				return err
			})
			if !errors.Is(err, browserpool.ErrClosed) {
				t.Errorf("ended with %v", err)
			}
		})
	}
	for range tabs {
		<-arrived
	}
	start := time.Now()
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	t.Logf("closed after %v", time.Since(start).Round(time.Millisecond))
	if s := p.Stats(); s.Tabs != tabs || s.Browsers != 0 {
		t.Errorf("of a closed pool: stats are %+v", s)
	}
	wg.Wait()
	close(pids)
	for pid := range pids {
		if left := group(t, pid); len(left) > 0 {
			t.Errorf("processes left: %v", left)
		}
	}
	if left := folders(t, c.Dir); len(left) > 0 {
		t.Errorf("folders left: %q", left)
	}
	if err := p.Do(t.Context(), func(*browserpool.Tab) error { return nil }); !errors.Is(err, browserpool.ErrClosed) {
		t.Errorf("a closed pool lent a tab: %v", err)
	}
}

func TestPanicGivesTheTabBack(t *testing.T) {
	t.Parallel()
	p := own(t, browserpool.Config{Processes: 1, Tabs: 1})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = p.Do(t.Context(), func(*browserpool.Tab) error { panic("x") })
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := p.Do(ctx, func(*browserpool.Tab) error { return nil }); err != nil {
		t.Error(err)
	}
}

// helperDir tells the test binary that it is the helper of TestProcessDies: a
// program that has a pool in that folder and opens a page that never answers.
const helperDir, helperURL = "TABFARM_TEST_POOL_DIR", "TABFARM_TEST_URL"

func helper() (code int) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	p, err := browserpool.New(ctx, browserpool.Config{Processes: 2, Tabs: 2, Dir: os.Getenv(helperDir)})
	if err != nil {
		fmt.Println("error", err)
		return 1
	}
	err = p.Do(ctx, func(tab *browserpool.Tab) error {
		fmt.Println("browser", tab.BrowserPID())
		_, err := tab.Open(ctx, browserpool.Request{URL: os.Getenv(helperURL), Timeout: time.Minute})
		return err
	})
	if !errors.Is(err, context.Canceled) {
		fmt.Println("error", err)
	}
	if err := p.Close(); err != nil {
		fmt.Println("error", err)
		return 1
	}
	return 0
}

// TestProcessDies ends a program with a pool, gently and by kill -9, and looks
// for what it left behind; after the kill, once the next pool has started.
func TestProcessDies(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{}, 1)
			s := site(t, map[string]http.HandlerFunc{"/": func(_ http.ResponseWriter, r *http.Request) { arrived <- struct{}{}; hang(r) }})
			dir := chrometest.Dir(t)
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), helperDir+"="+dir, helperURL+"="+s.URL+"/")
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			lines.Scan()
			pgid, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "browser "))
			if err != nil {
				t.Fatalf("helper says %q", lines.Text())
			}
			<-arrived
			if len(folders(t, dir)) != 1 || len(group(t, pgid)) == 0 {
				t.Errorf("before the end: folders %q, processes %v", folders(t, dir), group(t, pgid))
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Error(err)
			}
			for lines.Scan() {
				t.Errorf("helper says %q", lines.Text())
			}
			err = cmd.Wait()
			if sig == syscall.SIGKILL {
				if len(folders(t, dir)) != 1 {
					t.Errorf("after kill -9: folders %q; the test has nothing to look for", folders(t, dir))
				}
				own(t, browserpool.Config{Processes: 1, Tabs: 1, Dir: dir})
				if left := folders(t, dir); len(left) != 1 {
					t.Errorf("folders after the sweep: %q", left)
				}
			} else if err != nil || len(folders(t, dir)) != 0 || len(group(t, pgid)) != 0 {
				t.Errorf("after SIGINT: %v, folders %q, processes %v", err, folders(t, dir), group(t, pgid))
			}
			eventually(t, "all processes of the browser are gone", func() bool { return len(group(t, pgid)) == 0 })
		})
	}
}

// TestBrowsersAreRenewed: a browser of one tab makes its share of targets and then way
// for a new one; one that tabs share does not, for that would take their pages.
func TestBrowsersAreRenewed(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/{$}": html("<p>here</p><script>for (const end = Date.now() + 400; Date.now() < end;);</script>")})
	for _, c := range []struct {
		tabs int
		want int64 // browsers that were started
	}{{tabs: 1, want: 3}, {tabs: 2, want: 1}} {
		pool := own(t, browserpool.Config{Processes: 1, Tabs: c.tabs})
		pool.SetMaxTargets(2)
		var used time.Duration
		for n := range 5 { // each in a target of its own
			a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", Group: fmt.Sprint(n), Script: said(`document.querySelector('p').textContent`)})
			if err != nil || string(a.Payload) != "here" {
				t.Fatalf("page %d of %d tabs: %q, %v", n, c.tabs, a.Payload, err)
			}
			cpu, _ := pool.CPU()
			if cpu.Own < used {
				t.Errorf("page %d of %d tabs: CPU time fell from %v to %v", n, c.tabs, used, cpu.Own)
			}
			used = cpu.Own
		}
		if stats := pool.Stats(); stats.BrowserStarts != c.want || stats.BrowserRestarts != 0 || stats.TabsReplaced != 0 {
			t.Errorf("%d tabs: %+v", c.tabs, stats)
		}
	}
}
