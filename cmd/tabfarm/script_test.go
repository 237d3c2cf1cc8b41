package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/itchyny/gojq"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/internal/pgtest"
)

// The test binary is also the program under test, under the name tabfarm.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "tabfarm" {
		main()
	}
	pgtest.Main(m)
}

// place is where the tests of the program work. As root, Chrome and Postgres
// run as other users, who must be able to pass through it; the folders of
// testing and testscript are for root alone.
type place struct {
	dir     string
	program string // path of the program under test
}

// TestProgram runs the program as people do: as a process, with real Chrome and
// real Postgres. When all is done nothing of it may be left.
func TestProgram(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "tabfarm-test-")
	if err != nil {
		t.Fatal(err)
	}
	p := &place{dir: dir, program: filepath.Join(dir, "bin", "tabfarm")}
	t.Cleanup(p.clear(t))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Mkdir(filepath.Dir(p.program), 0o755), os.Symlink(self, p.program)); err != nil {
		t.Fatal(err)
	}
	t.Run("script", p.testScripts)
	t.Run("interrupt", p.testInterrupts)
	t.Run("terminal", p.testTerminal)
	t.Run("soak", p.testSoak)
	t.Run("network", p.testNetwork)
	t.Run("outage", p.testOutage)
	t.Run("two runs", p.testTwoRuns)
	t.Run("two schedules", p.testTwoSchedules)
}

// clear removes the place, after a look at what commands left behind.
func (p *place) clear(t *testing.T) func() {
	return func() {
		profiles, _ := filepath.Glob(filepath.Join(p.dir, "tabfarm-chrome-*", "*")) // the pattern is well formed
		for _, left := range profiles {
			if info, err := os.Stat(left); err == nil && info.IsDir() {
				t.Errorf("%s was left behind", left)
			}
		}
		if err := os.RemoveAll(p.dir); err != nil {
			t.Error(err)
		}
	}
}

// testScripts runs the scripts in testdata. Besides testscript's own commands
// they have:
//
//	exits CODE COMMAND...   runs a command that must end with this exit code
//	database [plain]        a database of its own, in TABFARM_DATABASE_URL; plain: as a role without
//	                        rights, with the superuser's address in ADMIN
//	demosite [RECIPE...]    the demo site, in SITE, allowed; writes these of its recipes
//	repair                  the site's broken pages are mended
//	requests N PREFIX       the site was asked N times for paths that begin so, since the last time
//	json FILTER...          all jq filters give only true on each JSON value of stdout
//	envsubst FILE...        fills $NAME in files in
//	private                 no database.url: a private Postgres in a folder of its own
func (p *place) testScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		WorkdirRoot:         p.dir, // testscript's own folder stays where only some scripts are run
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               p.setUpScript,
		Condition: func(name string) (bool, error) {
			if name == "debian" {
				return system() == "debian", nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    cmdExits,
			"database": cmdDatabase,
			"demosite": cmdDemosite,
			"repair":   cmdRepair,
			"requests": cmdRequests,
			"json":     cmdJSON,
			"envsubst": cmdEnvsubst,
			"private":  p.cmdPrivate,
		},
	})
}

// state is what the commands of one script share.
type state struct {
	t    testing.TB
	site *watchedSite
}

type stateKey struct{}

func stateOf(ts *testscript.TestScript) *state { return ts.Value(stateKey{}).(*state) }

// setUpScript gives a script an empty home and none of the caller's settings.
func (p *place) setUpScript(env *testscript.Env) error {
	t, ok := env.T().(testing.TB)
	if !ok {
		return fmt.Errorf("testscript's T is a %T and no testing.TB", env.T())
	}
	env.Values[stateKey{}] = &state{t: t}
	home := filepath.Join(env.WorkDir, "home")
	for _, name := range []string{"XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "NO_COLOR"} {
		env.Setenv(name, "")
	}
	env.Setenv("HOME", home)
	env.Setenv("TMPDIR", p.dir)
	env.Setenv("PATH", filepath.Dir(p.program)+string(filepath.ListSeparator)+env.Getenv("PATH"))
	env.Setenv("TABFARM", p.program) // for scripts that change PATH
	return os.MkdirAll(home, 0o755)
}

func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		got = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func cmdDatabase(ts *testscript.TestScript, _ bool, args []string) {
	t := stateOf(ts).t
	if len(args) == 0 {
		ts.Setenv("TABFARM_DATABASE_URL", pgtest.Empty(t))
		return
	}
	admin := pgtest.AdminURL(t)
	psql := func(sql string) {
		if out, err := exec.Command("psql", "-qd", admin, "-c", sql).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", sql, err, out)
		}
	}
	role := fmt.Sprintf("tabfarm_test_role_%d", rand.Uint64())
	psql("CREATE ROLE " + role + " LOGIN PASSWORD 'hunter2'")
	t.Cleanup(func() { psql("DROP ROLE " + role) }) // after the database is dropped
	address := pgtest.Empty(t)
	ts.Setenv("ADMIN", address)
	u, err := url.Parse(address)
	ts.Check(err)
	u.User = url.UserPassword(role, "hunter2")
	ts.Setenv("TABFARM_DATABASE_URL", u.String())
	ts.Setenv("ROLE", role)
	ts.Setenv("DATABASE", strings.TrimPrefix(u.Path, "/"))
}

// watchedSite is a demo site whose requests are counted.
type watchedSite struct {
	*demosite.Site
	mu    sync.Mutex
	paths []string
	more  chan struct{} // gets a value after each request that fits
}

// startSite serves a demo site until the test ends.
func startSite(t testing.TB) *watchedSite {
	t.Helper()
	w := &watchedSite{more: make(chan struct{}, 1)}
	site, err := demosite.StartWith(t.Context(), demosite.Options{OnRequest: w.note})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := site.Close(); err != nil {
			t.Error(err)
		}
	})
	w.Site = site
	return w
}

func (w *watchedSite) note(r *http.Request) {
	w.mu.Lock()
	w.paths = append(w.paths, r.URL.RequestURI())
	w.mu.Unlock()
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// matching counts the requests whose path and query begin with a text.
func (w *watchedSite) matching(text string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, p := range w.paths {
		if strings.HasPrefix(p, text) {
			n++
		}
	}
	return n
}

func (w *watchedSite) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.paths = nil
}

// await waits until n requests begin with a text.
func (w *watchedSite) await(t testing.TB, n int, text string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for w.matching(text) < n {
		select {
		case <-w.more:
		case <-deadline:
			t.Fatalf("%d requests for %q came in a minute, want %d", w.matching(text), text, n)
		}
	}
}

func cmdDemosite(ts *testscript.TestScript, _ bool, names []string) {
	s := stateOf(ts)
	s.site = startSite(s.t)
	ts.Setenv("SITE", s.site.URL)
	ts.Setenv("HOST", strings.TrimPrefix(s.site.URL, "http://"))
	ts.Setenv("TABFARM_NETWORK_ALLOW_PRIVATE", "127.0.0.1")
	if len(names) > 0 {
		_, err := demosite.WriteRecipes(ts.MkAbs("."), s.site.URL, names...)
		ts.Check(err)
	}
}

func cmdRepair(ts *testscript.TestScript, _ bool, _ []string) { stateOf(ts).site.Repair() }

func cmdRequests(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: requests N PREFIX")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	site := stateOf(ts).site
	if got := site.matching(args[1]); got != want {
		ts.Fatalf("%d requests for %q, want %d", got, args[1], want)
	}
	site.forget()
}

// cmdJSON checks each JSON value of stdout with jq.
func cmdJSON(ts *testscript.TestScript, _ bool, filters []string) {
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	values := 0
	for decoder.More() {
		var v any
		if err := decoder.Decode(&v); err != nil {
			ts.Fatalf("stdout is no JSON: %v", err)
		}
		values++
		for _, filter := range filters {
			query, err := gojq.Parse(filter)
			if err != nil {
				ts.Fatalf("%s: %v", filter, err)
			}
			iter, results := query.Run(v), 0
			for got, ok := iter.Next(); ok; got, ok = iter.Next() {
				results++
				if got != true {
					ts.Fatalf("%s gives %v", filter, got)
				}
			}
			if results == 0 {
				ts.Fatalf("%s gives nothing", filter)
			}
		}
	}
	if values == 0 {
		ts.Fatalf("stdout holds no JSON value")
	}
}

func cmdEnvsubst(ts *testscript.TestScript, _ bool, files []string) {
	for _, file := range files {
		text := os.Expand(ts.ReadFile(file), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(file), []byte(text), 0o644))
	}
}

// cmdPrivate makes a data folder that other users can pass through, and stops
// the Postgres in it when the script ends.
func (p *place) cmdPrivate(ts *testscript.TestScript, _ bool, _ []string) {
	dir, err := os.MkdirTemp(p.dir, "data-")
	ts.Check(err)
	ts.Check(os.Chmod(dir, 0o755))
	ts.Setenv("XDG_DATA_HOME", dir)
	ts.Setenv("DATA", filepath.Join(dir, "tabfarm"))
	ts.Setenv("TABFARM_DATABASE_URL", "")
	ts.Defer(func() {
		if err := ts.Exec("tabfarm", "db", "stop"); err != nil {
			ts.Logf("stop the private Postgres: %v", err)
		}
	})
}
