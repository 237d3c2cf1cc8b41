package browserpool_test

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

func TestSizeFitsTheMachine(t *testing.T) {
	t.Parallel()
	const gb = 1 << 30
	for _, c := range []struct {
		cores                float64
		memory               int64
		processes, tabs      int // as asked for
		perProcess           int // 4 when 0
		wantProcesses, wants int
	}{
		{cores: 2, memory: 8 * gb, wantProcesses: 1, wants: 4},
		{cores: 8, memory: 64 * gb, wantProcesses: 4, wants: 16},
		{cores: 8, memory: 2 * gb, wantProcesses: 1, wants: 4},
		{cores: 0.5, memory: 8 * gb, wantProcesses: 1, wants: 1},
		{cores: 2, memory: 100 << 20, wantProcesses: 1, wants: 1},
		{cores: 2, wantProcesses: 1, wants: 4},
		{cores: 2, memory: 8 * gb, tabs: 9, wantProcesses: 3, wants: 9},
		{cores: 2, memory: 8 * gb, processes: 3, tabs: 2, wantProcesses: 2, wants: 2},
		{cores: 1, memory: 8 * gb, processes: 4, wantProcesses: 4, wants: 4},
		{cores: 2, memory: 8 * gb, perProcess: 1, wantProcesses: 4, wants: 4},
		{cores: 8, memory: 2 * gb, perProcess: 1, wantProcesses: 3, wants: 3},
		{cores: 2, memory: 8 * gb, tabs: 9, processes: 2, perProcess: 1, wantProcesses: 2, wants: 9},
	} {
		processes, tabs := browserpool.Machine(c.cores, c.memory).Size(c.processes, c.tabs, cmp.Or(c.perProcess, 4))
		if processes != c.wantProcesses || tabs != c.wants {
			t.Errorf("%+v: %d processes, %d tabs", c, processes, tabs)
		}
	}
}

func TestLimitsOfCgroupsCount(t *testing.T) {
	t.Parallel()
	files := func(pairs ...string) fstest.MapFS {
		fsys := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal:       16777216 kB\nMemFree: 1 kB\n")}}
		for i := 0; i < len(pairs); i += 2 {
			fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
		}
		return fsys
	}
	const gb = 1 << 30
	for name, c := range map[string]struct {
		files  fstest.MapFS
		cores  float64
		memory int64
	}{
		"none": {files(), 8, 16 * gb},
		"version 2 in a container": {files("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/memory.max", "2147483648\n",
			"sys/fs/cgroup/cpu.max", "150000 100000\n"), 1.5, 2 * gb},
		"version 2, a group above is smaller": {files("proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/memory.max", "1073741824\n",
			"sys/fs/cgroup/a/b/memory.max", "max\n", "sys/fs/cgroup/a/b/cpu.max", "max 100000\n"), 8, gb},
		"version 1": {files("proc/self/cgroup", "5:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n",
			"sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "3221225472\n",
			"sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "200000\n", "sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us", "100000\n"), 2, 3 * gb},
		"version 1 without limits": {files("proc/self/cgroup", "5:memory:/\n", "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n", "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"), 8, 16 * gb},
	} {
		cores, memory := browserpool.ReadMachine(c.files, 8).Limits()
		if cores != c.cores || memory != c.memory {
			t.Errorf("%s: %v cores, %d bytes; want %v, %d", name, cores, memory, c.cores, c.memory)
		}
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	b, err := browserpool.Find("")
	if err != nil || !filepath.IsAbs(b.Path) || b.Product == "" || strings.Count(b.Version, ".") != 3 {
		t.Errorf("%v, found %+v", err, b)
	}
	if words := strings.Fields(b.String()); len(words) != 2 || words[1] != b.Version[:3] {
		t.Errorf("it is told as %q", b)
	}
	if _, err := browserpool.Find("no-such-browser"); !errors.Is(err, browserpool.ErrNoBrowser) || !strings.Contains(err.Error(), `"no-such-browser"`) {
		t.Errorf("an absent one: %v", err)
	}
}

// program writes a shell script that stands in for a browser binary.
func program(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(chrometest.Dir(t), "browser")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return path
}

// TestStartErrors has browsers that do not start. Nothing of them may be left.
func TestStartErrors(t *testing.T) {
	t.Parallel()
	const version = `if [ "$1" = --version ]; then echo Chromium 156.0.1.2; exit; fi; `
	for name, c := range map[string]struct {
		program string
		config  browserpool.Config
		words   string
	}{
		"ends at once": {version + "echo some words; exit 7", browserpool.Config{}, "some words"},
		"no sandbox":   {version + "echo '[1] No usable sandbox! more' >&2; exit 1", browserpool.Config{}, "browser.sandbox: off"},
		"no version":   {"echo hello", browserpool.Config{}, "does not tell a version"},
		"too old":      {"echo Chromium 98.0.1.2", browserpool.Config{}, "140 or newer"},
		"root user":    {version, browserpool.Config{User: "root"}, "unprivileged"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.config.User != "" && os.Geteuid() != 0 {
				t.Skip("the user is only looked at as root")
			}
			c.config.Path, c.config.Dir = program(t, c.program), chrometest.Dir(t)
			p, err := browserpool.New(t.Context(), c.config)
			if err == nil {
				t.Fatal("it started", p.Close())
			}
			if !strings.Contains(err.Error(), c.words) || (c.config.User == "" && !errors.Is(err, browserpool.ErrNoBrowser)) {
				t.Errorf("error is %v, want %q in it", err, c.words)
			}
			if left := folders(t, c.config.Dir); len(left) > 0 {
				t.Errorf("folders left: %q", left)
			}
		})
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []browserpool.Config{{Sandbox: "maybe"}, {Tabs: -1}, {Product: "a\r\nb"}} {
		if p, err := browserpool.New(t.Context(), c); err == nil {
			t.Errorf("%+v was taken: %v", c, p.Close())
		}
	}
}

// TestForeignFolders: a folder that others could have prepared is not used, and
// the sweep spares what lives and what it does not know.
func TestForeignFolders(t *testing.T) {
	t.Parallel()
	dir := chrometest.Dir(t)
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // what is refused
		t.Fatal(err)
	}
	if _, err := browserpool.New(t.Context(), browserpool.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "written by others") {
		t.Errorf("a folder that all can write to: %v", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // to be passed through
		t.Fatal(err)
	}
	first := own(t, browserpool.Config{Processes: 1, Tabs: 1, Dir: dir})

	// A left-over folder notes a process group that is somebody else's now.
	other := exec.Command("sleep", "60")
	other.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Wait() }()
	defer func() { _ = other.Process.Kill() }()
	old := filepath.Join(dir, "1-old")
	if err := os.MkdirAll(filepath.Join(old, "1", "profile"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, "1.pgid"), []byte(strconv.Itoa(other.Process.Pid)), 0o600); err != nil {
		t.Fatal(err)
	}
	own(t, browserpool.Config{Processes: 1, Tabs: 1, Dir: dir})
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the left-over folder is still there: %v", err)
	}
	if len(group(t, other.Process.Pid)) != 1 {
		t.Error("a process was killed that is not of a browser")
	}
	if n := len(folders(t, dir)); n != 2 {
		t.Errorf("%d folders, want those of the two pools", n)
	}
	s := site(t, map[string]http.HandlerFunc{"/": html("<li>good</li>")})
	if a, err := open(t, first, browserpool.Request{URL: s.URL}); err != nil || string(a.Payload) != goodRows {
		t.Errorf("the first pool was disturbed: %v, payload %q", err, a.Payload)
	}
}

// TestWholeBrowser uses Chrome's own headless mode, where only one tab of a
// window is visible: frames must run in all of them nevertheless.
func TestWholeBrowser(t *testing.T) {
	t.Parallel()
	path := ""
	for _, name := range []string{"chromium", "google-chrome", "chromium-browser"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		t.Skip("no browser with windows on this machine")
	}
	s := site(t, map[string]http.HandlerFunc{"/": html(`<ul></ul><script>let n = 0; const frame = () => {
		document.querySelector('ul').innerHTML += '<li>' + (++n) + '</li>'; if (n < 3) requestAnimationFrame(frame); }; requestAnimationFrame(frame)</script>`)})
	p := own(t, browserpool.Config{Path: path, Processes: 1, Tabs: 3, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if p.Browser().HeadlessShell() {
		t.Skipf("%s is a headless shell", path)
	}
	var wg sync.WaitGroup
	for n := range 3 {
		wg.Go(func() {
			a, err := open(t, p, browserpool.Request{
				URL: fmt.Sprint(s.URL, "/", n), Timeout: 30 * time.Second,
				Script: `setInterval(() => { if (document.querySelectorAll('li').length === 3) { __tabfarm('data 0 1 all'); __tabfarm('done') } }, 10)`,
			})
			if err != nil || string(a.Payload) != "all" {
				t.Errorf("%v, payload %q", err, a.Payload)
			}
		})
	}
	wg.Wait()
}
