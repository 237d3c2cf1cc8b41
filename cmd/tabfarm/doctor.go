package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/tabfarm/tabfarm/browserpool"
)

// The states of a finding.
const (
	stateOK   = "ok"
	stateWarn = "warn" // works, but worse than it could
	stateFail = "fail" // needed and missing
)

// finding is one line of doctor.
type finding struct {
	name, state, text string
	fix               string // what to do, "" where nothing is to be done
}

func newDoctor(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Chrome, sandbox, Postgres and its rights, memory: what works and what to do",
		Args:  takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			findings := a.checkChrome(cmd.Context())
			findings = append(findings, a.checkPostgres(cmd.Context())...)
			findings = append(findings, checkMemory(), checkSharedMemory())
			return printFindings(a.stdout, findings)
		},
	}
}

// printFindings writes a line for each finding and what to do below it. The
// exit code is 3 if something needed is missing.
func printFindings(w io.Writer, findings []finding) error {
	width, code := 0, exitOK
	for _, f := range findings {
		width = max(width, len(f.name))
	}
	for _, f := range findings {
		if f.state == stateFail {
			code = exitMissing
		}
		if _, err := fmt.Fprintf(w, "%-*s  %-4s  %s\n", width, f.name, f.state, f.text); err != nil {
			return err
		}
		for line := range strings.Lines(f.fix) {
			_, _ = fmt.Fprintf(w, "%-*s        %s\n", width, "", strings.TrimRight(line, "\n"))
		}
	}
	return exit(code)
}

// checkChrome starts the browser for real and borrows a tab of it.
func (a *app) checkChrome(ctx context.Context) []finding {
	b, err := browserpool.Find(a.settings.Browser.Path)
	if err != nil {
		f := noBrowser(err, a.settings.Browser.Path)
		return []finding{{"Chrome", stateFail, f.err.Error(), f.hint}}
	}
	findings := []finding{{"Chrome", stateOK, fmt.Sprintf("%s, %s", b, b.Path), ""}}
	a.settings.Browser.Tabs, a.settings.Browser.Processes = 1, 1
	pool, err := a.openPool(ctx)
	if err == nil {
		err = pool.Do(ctx, func(*browserpool.Tab) error { return nil })
	}
	sandbox := finding{"Sandbox", stateOK, "on, a tab was opened in it", ""}
	switch {
	case err != nil:
		sandbox.state, sandbox.text = stateFail, err.Error()
		sandbox.fix = "a container needs the seccomp profile of Chrome or --cap-add SYS_ADMIN; elsewhere allow unprivileged user namespaces"
	case a.settings.Browser.Sandbox == "off":
		sandbox.state, sandbox.text = stateWarn, "off (browser.sandbox)"
		sandbox.fix = "pages are foreign code: set browser.sandbox to on"
	case os.Geteuid() == 0:
		sandbox.text += "; as root Chrome runs as another user"
	}
	return append(findings, sandbox)
}

// checkPostgres opens the database and asks store what it thinks of it.
func (a *app) checkPostgres(ctx context.Context) []finding {
	s, err := a.openStore(ctx, looks)
	if err != nil {
		f := explain(err)
		if f.err == nil {
			f.err = err
		}
		return []finding{{"Postgres", stateFail, f.err.Error(), f.hint}}
	}
	where := withoutPassword(a.settings.Database.URL)
	if a.local != nil {
		where = "private, in " + placeOf(a.local.Dir)
	}
	findings := []finding{{"Postgres", stateOK, where, ""}}
	checks, err := s.Doctor(ctx)
	if err != nil {
		return append(findings, finding{"Postgres", stateFail, err.Error(), ""})
	}
	for _, c := range checks {
		findings = append(findings, finding{strings.ToUpper(c.Name[:1]) + c.Name[1:], c.State, c.Text, c.Fix})
	}
	return findings
}

// Memory below which one browser with a few tabs works badly, in bytes.
const (
	littleMemory = 1 << 30
	littleShm    = 256 << 20
)

func checkMemory() finding {
	f := finding{name: "Memory", state: stateOK}
	total, err := memory()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		f.text = "not looked at on " + runtime.GOOS
	case err != nil:
		f.state, f.text = stateWarn, err.Error()
	case total < littleMemory:
		f.state, f.text = stateWarn, size(total)+" for tabfarm and Chrome"
		f.fix = "set browser.tabs to 1 or 2, or give it 1 GB or more"
	default:
		f.text = size(total)
	}
	return f
}

// memory is what this process may use, in bytes: that of the machine, or the
// limit of its control group.
func memory() (uint64, error) {
	if runtime.GOOS != "linux" {
		return 0, errors.ErrUnsupported
	}
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, fmt.Errorf("read memory: %w", err)
	}
	var total uint64
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "MemTotal:" {
			kilobytes, err := strconv.ParseUint(fields[1], 10, 64)
			if err != nil {
				return 0, fmt.Errorf("read memory: %w", err)
			}
			total = kilobytes << 10
		}
	}
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // another version of control groups, or none
		}
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
			total = min(total, limit) // "max" is no limit
		}
	}
	return total, nil
}

// checkSharedMemory looks at /dev/shm, which engines make 64 MB large by
// themselves; Chrome's tabs crash when it is full.
func checkSharedMemory() finding {
	f := finding{name: "/dev/shm", state: stateOK}
	if runtime.GOOS != "linux" {
		f.text = "not used on " + runtime.GOOS
		return f
	}
	var fs unix.Statfs_t
	if err := unix.Statfs("/dev/shm", &fs); err != nil {
		f.state, f.text, f.fix = stateWarn, "missing: "+err.Error(), "mount a tmpfs there"
		return f
	}
	total := fs.Blocks * uint64(max(fs.Bsize, 0))
	f.text = size(total)
	if total < littleShm {
		f.state, f.fix = stateWarn, "give containers more: docker run --shm-size=1g"
	}
	return f
}

// size writes bytes as people read them.
func size(bytes uint64) string {
	if bytes >= 1<<30 {
		return strconv.FormatFloat(math.Round(float64(bytes)/(1<<30)*10)/10, 'f', -1, 64) + " GB"
	}
	return fmt.Sprintf("%d MB", bytes>>20)
}
