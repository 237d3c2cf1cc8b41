package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/pgtest"
)

// slowRecipe has 40 pages that take a while each: enough to be interrupted.
const slowRecipe = `urls: %s/calendar?month={month}&page_delay=200ms
with:
  month: {from: 1990-01, to: 1993-04}
tables:
  days:
    from: table.figures
    key: [date]
polite: {rate: none, concurrency: 2}
`

// program is a run of the slow recipe in a folder and a database of its own.
type program struct {
	t    *testing.T
	path string
	site *watchedSite
	dir  string
	env  []string
}

func (at *place) newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, path: at.program, site: startSite(t), dir: t.TempDir()}
	text := fmt.Sprintf(slowRecipe, p.site.URL)
	if err := os.WriteFile(filepath.Join(p.dir, "days.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	p.env = append(os.Environ(), "HOME="+p.dir, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "TMPDIR="+at.dir,
		"TABFARM_NETWORK_ALLOW_PRIVATE=127.0.0.1", "TABFARM_DATABASE_URL="+pgtest.DSN(t))
	return p
}

// command is a tabfarm that is started later; its output is in the buffers.
func (p *program) command(args ...string) (cmd *exec.Cmd, stdout, stderr *bytes.Buffer) {
	p.t.Helper()
	cmd = exec.CommandContext(p.t.Context(), p.path, args...)
	stdout, stderr = &bytes.Buffer{}, &bytes.Buffer{}
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, p.env, stdout, stderr
	return cmd, stdout, stderr
}

// exitCode waits for a command.
func exitCode(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	err := cmd.Wait()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

func (at *place) testInterrupts(t *testing.T) {
	t.Run("first drains", at.testFirstDrains)
	t.Run("second stops", at.testSecondStops)
}

// The first Ctrl-C finishes what is in flight and the run can go on; each page
// is fetched once, and no row is missing or doubled.
func (at *place) testFirstDrains(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		signal syscall.Signal
		code   int
		told   string
	}{
		{"Ctrl-C", syscall.SIGINT, exitInterrupt, `(?m)^\^C finishing .*, press again to stop now$`},
		{"SIGTERM", syscall.SIGTERM, exitTerminated, `(?m)^finishing .*, a second SIGTERM stops now$`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := at.newProgram(t)
			cmd, stdout, stderr := p.command("run", "days.yaml", "--tabs", "2")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			p.site.await(t, 4, "/api/calendar")
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			if code := exitCode(t, cmd); code != tt.code {
				t.Fatalf("exit code %d, want %d; said\n%s%s", code, tt.code, stdout, stderr)
			}
			if !regexp.MustCompile(tt.told).MatchString(stderr.String()) {
				t.Errorf("standard error says\n%s", stderr)
			}
			m := regexp.MustCompile(`(?m)^days: stopped at (\d+) of 40 pages, run 1\. The same command goes on\.$`).FindStringSubmatch(stdout.String())
			if m == nil {
				t.Fatalf("standard output says\n%s", stdout)
			}

			again, stdout, stderr := p.command("run", "days.yaml", "--tabs", "2")
			if err := again.Run(); err != nil {
				t.Fatalf("%v; said\n%s%s", err, stdout, stderr)
			}
			if want := fmt.Sprintf("run 1 goes on at %s of 40 pages (--new starts over)\n", m[1]); !strings.Contains(stderr.String(), want) {
				t.Errorf("standard error says %q, want %q", stderr, want)
			}
			if want := "days  40 of 40 pages ok\n  days        1,216 inserted   0 updated   0 unchanged\n"; stdout.String() != want {
				t.Errorf("standard output says %q, want %q", stdout, want)
			}
			if n := p.site.matching("/calendar?month="); n != 40 {
				t.Errorf("%d requests for pages, want 40", n)
			}
		})
	}
}

// The second Ctrl-C stops at once; no Chrome and no profile folder is left, and
// the run can go on.
func (at *place) testSecondStops(t *testing.T) {
	t.Parallel()
	p := at.newProgram(t)
	text := strings.ReplaceAll(fmt.Sprintf(slowRecipe, p.site.URL), "page_delay=200ms", "page_delay=5m")
	if err := os.WriteFile(filepath.Join(p.dir, "days.yaml"), []byte(text+"page: {timeout: 9m}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd, stdout, stderr := p.command("run", "days.yaml", "--tabs", "1")
	told := newSafeBuffer()
	cmd.Stderr = told
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.site.await(t, 1, "/calendar?month=")
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	told.await(t, "press again to stop now")
	second := time.Now()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd); code != exitInterrupt {
		t.Fatalf("exit code %d, want %d; said\n%s%s%s", code, exitInterrupt, stdout, stderr, told)
	}
	if took := time.Since(second); took > 20*time.Second {
		t.Errorf("stopping took %s", took)
	}
	if want := "days: stopped at 0 of 40 pages, run 1. The same command goes on.\n"; stdout.String() != want {
		t.Errorf("standard output says %q, want %q", stdout, want)
	}
}
