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
	dsn  string
	env  []string
}

func (at *place) newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, path: at.program, site: startSite(t), dir: t.TempDir(), dsn: pgtest.DSN(t)}
	p.write("")
	p.env = append(os.Environ(), "HOME="+p.dir, "XDG_CONFIG_HOME=", "XDG_DATA_HOME=", "TMPDIR="+at.dir,
		"TABFARM_NETWORK_ALLOW_PRIVATE=127.0.0.1", "TABFARM_DATABASE_URL="+p.dsn)
	return p
}

// write writes the recipe with more at its end.
func (p *program) write(more string) {
	p.t.Helper()
	text := fmt.Sprintf(slowRecipe, p.site.URL) + more
	if err := os.WriteFile(filepath.Join(p.dir, "days.yaml"), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
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
	t.Run("while starting", at.testStopsWhileStarting)
	t.Run("first drains", at.testFirstDrains)
	t.Run("second stops", at.testSecondStops)
	t.Run("kill", at.testKill)
	t.Run("kill a crawl", at.testKillCrawl)
}

// A signal while the browser is being started is no fault of the browser.
func (at *place) testStopsWhileStarting(t *testing.T) {
	t.Parallel()
	for command, code := range map[string]int{"run days.yaml": exitTerminated, "serve": exitOK} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			p := at.newProgram(t)
			dir := filepath.Join(at.dir, "browser of "+strings.Fields(command)[0]) // its user enters no folder of the test
			begun, browser := filepath.Join(dir, "begun"), filepath.Join(dir, "chrome")
			if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o777), os.WriteFile(browser, []byte("#!/bin/sh\n[ $1 != --version ] || { echo Chromium 148.0.0.0; exit; }\necho > '"+begun+"'; exec sleep 60\n"), 0o755)); err != nil {
				t.Fatal(err)
			}
			cmd, stdout, stderr := p.command(append(strings.Fields(command), "--browser", browser)...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			await(t, "the browser starts", time.Minute, func() bool { _, err := os.Stat(begun); return err == nil })
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if got := exitCode(t, cmd); got != code || strings.Contains(stderr.String(), "error") {
				t.Errorf("exit code %d, want %d; said\n%s%s", got, code, stdout, stderr)
			}
		})
	}
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
		then   func(*testing.T, *program, string) // gets the number of ended pages
	}{
		{"Ctrl-C, run again", syscall.SIGINT, exitInterrupt, `(?m)^\^C finishing .*, press again to stop now$`, runAgain},
		{"SIGTERM, resume", syscall.SIGTERM, exitTerminated, `(?m)^finishing .*, a second SIGTERM stops now$`, resume},
		{"Ctrl-C, recipe changed", syscall.SIGINT, exitInterrupt, `(?m)^\^C finishing `, runChanged},
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
			tt.then(t, p, m[1])
		})
	}
}

// expect runs a command to its end and compares what it prints and, line by
// line, what it says beside.
func (p *program) expect(t *testing.T, code int, stdout, said string, args ...string) {
	t.Helper()
	cmd, out, beside := p.command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if got := exitCode(t, cmd); got != code {
		t.Fatalf("%q: exit code %d, want %d; said\n%s%s", args, got, code, out, beside)
	}
	if unlimited(out.String()) != stdout {
		t.Errorf("%q: standard output says %q, want %q", args, out, stdout)
	}
	if !strings.Contains(beside.String(), said) {
		t.Errorf("%q: standard error says %q, want %q", args, beside, said)
	}
}

// unlimited is a summary without what limited the run: that depends on the machine.
func unlimited(summary string) string {
	return regexp.MustCompile(`(?m)^  limit: .*\n`).ReplaceAllString(summary, "")
}

// allDays is the summary of a run that came to its end.
const allDays = "days  40 of 40 pages ok\n  days        1,216 inserted   0 updated   0 unchanged\n"

func runAgain(t *testing.T, p *program, ended string) {
	t.Helper()
	p.expect(t, exitOK, allDays, "run 1 goes on at "+ended+" of 40 pages (--new starts over)\n", "run", "days.yaml", "--tabs", "2")
	if n := p.site.matching("/calendar?month="); n != 40 {
		t.Errorf("%d requests for pages, want 40", n)
	}
}

func resume(t *testing.T, p *program, ended string) {
	t.Helper()
	p.expect(t, exitOK, allDays, "run 1 goes on at "+ended+" of 40 pages\n", "resume", "1", "--tabs", "2")
	if n := p.site.matching("/calendar?month="); n != 40 {
		t.Errorf("%d requests for pages, want 40", n)
	}
}

// runChanged changes the recipe: a new run begins, and the old one is closed.
func runChanged(t *testing.T, p *program, _ string) {
	t.Helper()
	p.write("# changed\n")
	p.expect(t, exitOK, "days  1 of 1 page ok\n  days            0 inserted   0 updated   31 unchanged\n",
		"the recipe changed: run 2 begins, run 1 is closed as superseded\n", "run", "days.yaml", "--limit", "1")
	p.expect(t, exitUsage, "", "tabfarm: error: run 1 is superseded and does not go on\n", "resume", "1")
}

// The second Ctrl-C stops at once; no Chrome and no profile folder is left, and
// the run can go on.
func (at *place) testSecondStops(t *testing.T) {
	t.Parallel()
	p := at.newProgram(t)
	p.write("page: {ready: \"#never\", timeout: 9m}\n")
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
	p.expect(t, exitOK, "run 1 of days is cancelled at 0 of 40 pages\n", "", "cancel", "1")
	p.expect(t, exitUsage, "", "tabfarm: error: run 1 is cancelled and does not go on\n", "resume", "1")
	p.expect(t, exitUsage, "", "tabfarm: error: run 1 is cancelled already\n", "cancel", "1")
}

// After kill -9 the same command goes on: pages that had ended are not fetched
// again, those in flight are, and the killed program's Chrome is swept away.
func (at *place) testKill(t *testing.T) {
	t.Parallel()
	p := at.newProgram(t)
	cmd, stdout, stderr := p.command("run", "days.yaml", "--tabs", "2")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.site.await(t, 30, "/api/calendar") // the first 20 pages have their types, and are stored
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, cmd); code != -1 {
		t.Fatalf("exit code %d of a killed program; said\n%s%s", code, stdout, stderr)
	}
	var ended int
	out, _, _ := p.output(t, "query", "select count(*) from tabfarm.pages where outcome = 'ok'", "--format", "csv")
	if _, err := fmt.Sscanf(out, "count\n%d", &ended); err != nil || ended == 0 {
		t.Fatalf("%d pages had ended (%v): %q", ended, err, out)
	}
	p.site.forget()
	summary, said, code := p.output(t, "run", "days.yaml", "--tabs", "2")
	if code != exitOK || !strings.Contains(summary, "days  40 of 40 pages ok\n") {
		t.Errorf("exit code %d; said\n%s%s", code, summary, said)
	}
	if want := fmt.Sprintf("run 1 goes on at %d of 40 pages", ended); !strings.Contains(said, want) {
		t.Errorf("standard error says %q, want %q", said, want)
	}
	if n := p.site.matching("/calendar?month="); n != 40-ended {
		t.Errorf("%d pages were fetched after %d had ended", n, ended)
	}
	out, _, _ = p.output(t, "query", "select count(*), count(distinct date) from days", "--format", "csv")
	if out != "count,count\n1216,1216\n" {
		t.Errorf("rows: %q, want 1,216, each once", out)
	}
}

// output runs a command to its end.
func (p *program) output(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd, out, beside := p.command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	code = exitCode(t, cmd)
	return out.String(), beside.String(), code
}
