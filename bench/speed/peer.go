//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tabfarm/tabfarm/bench/proc"
	"github.com/tabfarm/tabfarm/bench/site"
)

// closing is how long a driver may take to close its browser after its pages.
const closing = 30 * time.Second

// told is a line of a peer.
type told struct {
	URL   string
	Rows  int
	ID    string // first cell of the first row
	Error string
	Done  bool
}

// measurePeer runs a peer with its URLs and counts what it tells. The clock runs
// from the first document that is asked for to the peer's last line.
func (b *bench) measurePeer(ctx context.Context, k site.Kind, from int, m *Measurement) error {
	scratch, err := b.place("tmp")
	if err != nil {
		return err
	}
	command := slices.Concat(b.commands[m.Driver], []string{"--browser", b.browser, "--workers", strconv.Itoa(b.workers), "--row", k.Row})
	run := exec.CommandContext(ctx, command[0], command[1:]...)
	run.Env = append(os.Environ(), "TMPDIR="+scratch, "PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1", "PUPPETEER_SKIP_DOWNLOAD=1")
	run.Stdin = strings.NewReader(strings.Join(b.site.Pages(k.Name, from, b.pages), "\n") + "\n")
	complaints := &tail{}
	run.Stderr = complaints
	output, err := run.StdoutPipe()
	if err != nil {
		return fmt.Errorf("listen to %s: %w", m.Driver, err)
	}
	run.Cancel = func() error { return kill(run.Process.Pid) }
	run.WaitDelay = closing
	if err := run.Start(); err != nil {
		return fmt.Errorf("start %s: %w", m.Driver, err)
	}
	sampler := m.sample(run.Process.Pid)
	done, problem := m.listen(output, b.site.Pages(k.Name, from, b.pages))
	_, err = sampler.Stop()
	err = errors.Join(err, end(run))
	if done.IsZero() {
		return errors.Join(fmt.Errorf("%s ended before its pages: %s", m.Driver, complaints), err)
	}
	m.figures(sampler, b.site.Documents().First, done, []int{0}, []int{0})
	return problem
}

// sample begins to look at trees of processes, at their memory too in its round.
func (m *Measurement) sample(pids ...int) *proc.Sampler {
	if m.Round == memoryRound {
		return proc.Sample(pids...)
	}
	return proc.SampleCPU(pids...)
}

// figures takes what a sampler saw between two times of a driver's trees, and of
// these with Postgres.
func (m *Measurement) figures(s *proc.Sampler, from, to time.Time, own, all []int) {
	m.Seconds = to.Sub(from).Seconds()
	m.CPU, m.CPUAll = s.CPUBetween(from, to, own...).Seconds(), s.CPUBetween(from, to, all...).Seconds()
	m.PSS, m.PSSAll = s.Peak(own...).PSS, s.Peak(all...).PSS
}

// listen counts pages and rows until the peer's last line, and gives its time, or
// none where that did not come. A page that was told twice, and rows of another
// page, are not counted. The problem is the first that a page had.
func (m *Measurement) listen(output io.Reader, pages []string) (done time.Time, problem error) {
	left := map[string]bool{}
	for _, p := range pages {
		left[p] = true
	}
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20) // an error may bring a call stack
	for lines.Scan() {
		var t told
		if json.Unmarshal(lines.Bytes(), &t) != nil {
			continue // what a library prints of its own
		}
		switch {
		case t.Done:
			return time.Now(), problem
		case t.Error != "":
			m.Failed++
			if problem == nil {
				problem = fmt.Errorf("%s: %.200s", t.URL, t.Error)
			}
		case left[t.URL] && t.isOf(t.URL):
			delete(left, t.URL)
			m.Pages++
			m.Rows += t.Rows
		default:
			m.Failed++
			problem = fmt.Errorf("%s: rows of another page, the first of them %q", t.URL, t.ID)
		}
	}
	return time.Time{}, errors.Join(problem, lines.Err())
}

// isOf says whether the first row is one of the page. Who reads no rows tells no id.
func (t told) isOf(url string) bool {
	if t.ID == "" {
		return true
	}
	id, err := strconv.Atoi(t.ID)
	return err == nil && strings.HasSuffix(url, "/"+strconv.Itoa(site.PageOf(id)))
}

// end waits for a process to close its browser and end, and ends what it left.
func end(run *exec.Cmd) error {
	tree, err := proc.Tree(run.Process.Pid)
	late := time.AfterFunc(closing, func() { _ = kill(run.Process.Pid) })
	_ = run.Wait() // how it ended does not matter after its last line
	late.Stop()
	for _, pid := range tree {
		_ = syscall.Kill(pid, syscall.SIGKILL) // nearly always it is gone already
	}
	return err
}

// kill ends a process and all below it.
func kill(pid int) error {
	tree, err := proc.Tree(pid)
	for _, pid := range tree {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended this moment
	}
	return err
}

// tail keeps the end of what a program complains of.
type tail struct{ text []byte }

// tailSize is about how much of it says what is wrong.
const tailSize = 1000

func (t *tail) Write(text []byte) (int, error) {
	t.text = append(t.text, text...)
	t.text = t.text[max(0, len(t.text)-tailSize):]
	return len(text), nil
}

func (t *tail) String() string { return strings.TrimSpace(string(t.text)) }
