//go:build linux

package proc

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shell runs a script that says when it is ready, and gives its pid, the rest of
// that line, and its input; what the script still runs ends when that is closed.
func shell(t *testing.T, script string) (pid int, line string, input io.WriteCloser) {
	t.Helper()
	// Not ended with the test's context: what a killed shell runs would outlive it.
	run := exec.CommandContext(context.WithoutCancel(t.Context()), "bash", "-c", script)
	run.Stderr = os.Stderr
	input, err := run.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = input.Close()
		_ = run.Wait()
	})
	line, err = bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("wait for the script: %v", err)
	}
	return run.Process.Pid, strings.TrimSpace(line), input
}

// burn makes a shell use CPU time; busy is some of what it then has used, far
// below it on any machine that is not ten times as fast as one of today.
const (
	burn = "for ((i = 0; i < 200000; i++)); do :; done"
	busy = 20 * time.Millisecond
)

// The time of a grandchild that runs is counted, and of one that has ended.
func TestCPUOfTheTree(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"itself":            burn + "; echo ready; read",
		"a child":           "(" + burn + "; echo ready; read); :",
		"a grandchild":      "( ( " + burn + "; echo ready; read ); : ); :",
		"one that ended":    "(" + burn + "); echo ready; read",
		"one below, ended":  "( (" + burn + "); : ); echo ready; read",
		"one beside a live": "(" + burn + ") ; sleep 60 & echo ready; read; kill $!; wait",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pid, _, _ := shell(t, script)
			cpu, err := CPU(pid)
			if err != nil || cpu < busy {
				t.Errorf("CPU %v, %v", cpu, err)
			}
			u, err := Read(pid)
			if err != nil || u.CPU < cpu {
				t.Errorf("%+v, %v after %v", u, err, cpu)
			}
		})
	}
}

// What is not below a process is not counted with it.
func TestOthersAreNotCounted(t *testing.T) {
	t.Parallel()
	idle, _, _ := shell(t, "echo ready; read")
	other, _, _ := shell(t, burn+"; echo ready; read")
	cpu, err := CPU(idle)
	theirs, err2 := CPU(other)
	if err != nil || err2 != nil || cpu >= theirs {
		t.Errorf("idle %v, %v; busy %v, %v", cpu, err, theirs, err2)
	}
	both, err := Read(idle, other, idle)
	if err != nil || both.Processes != 2 || both.CPU < theirs {
		t.Errorf("both: %+v, %v", both, err)
	}
}

func TestProcessesOfTheTree(t *testing.T) {
	t.Parallel()
	pid, child, _ := shell(t, "sleep 60 & sleep 60 & echo $!; read; kill %1 %2; wait")
	u, err := Read(pid)
	if err != nil || u.Processes != 3 || u.PSS <= 0 {
		t.Errorf("%+v, %v", u, err)
	}
	below, err := strconv.Atoi(child)
	if err != nil {
		t.Fatal(err)
	}
	if one, err := Read(below); err != nil || one.Processes != 1 || one.PSS <= 0 || one.PSS >= u.PSS {
		t.Errorf("a child: %+v, %v, in a tree of %+v", one, err, u)
	}
	// The child is named twice: by itself and as a part of the tree.
	if same, err := Read(below, pid); err != nil || same.Processes != 3 {
		t.Errorf("the child and the tree: %+v, %v", same, err)
	}
	if tree, err := Tree(pid); err != nil || len(tree) != 3 || tree[0] != pid || !slices.Contains(tree, below) {
		t.Errorf("the tree is %v, %v", tree, err)
	}
}

// A process that is no more is nothing, not a mistake.
func TestEndedProcess(t *testing.T) {
	t.Parallel()
	run := exec.CommandContext(t.Context(), "true")
	if err := run.Run(); err != nil {
		t.Fatal(err)
	}
	if u, err := Read(run.Process.Pid); err != nil || u != (Usage{}) {
		t.Errorf("%+v, %v", u, err)
	}
}

// Names of programs may hold what divides the fields.
func TestNamesWithBrackets(t *testing.T) {
	t.Parallel()
	const line = "42 (a) b (c d)) S 7 42 42 0 -1 4194304 100 0 0 0 5 6 70 800 20 0 1 0 100 1000 200"
	got, err := parse(42, []byte(line))
	if want := (stat{pid: 42, parent: 7, cpu: 8810 * time.Millisecond}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, line := range []string{"", "42 (a) S 7", "42 (a) S x 42 42 0 -1 4194304 100 0 0 0 5 6 70 800 20"} {
		if got, err := parse(42, []byte(line)); err == nil {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

// The sampler keeps the memory of a moment that has passed.
func TestPeak(t *testing.T) {
	t.Parallel()
	const text = 64 << 20
	// The shell holds a long text until it is told to forget it.
	pid, _, input := shell(t, "s=$(head -c "+strconv.Itoa(text)+" /dev/zero | tr '\\0' x); echo ready; read; s=; read")
	s, fast := Sample(pid), SampleCPU(pid)
	deadline := time.After(time.Minute)
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	before, err := Read(pid)
	if err != nil || before.PSS < text {
		t.Fatalf("%+v, %v", before, err)
	}
	if _, err := io.WriteString(input, "\n"); err != nil {
		t.Fatal(err)
	}
	for {
		u, err := Read(pid)
		if err != nil {
			t.Fatal(err)
		}
		if u.PSS < text {
			break
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("the shell still holds %+v", u)
		}
	}
	peak, err := s.Stop()
	if err != nil || peak.PSS < text || peak.Processes < 1 || s.Peak(0) != peak || s.Peak() != (Usage{}) {
		t.Errorf("peak %+v, %v, of the first %+v", peak, err, s.Peak(0))
	}
	if peak, err := fast.Stop(); err != nil || peak.PSS != 0 || peak.CPU < busy {
		t.Errorf("without memory: %+v, %v", peak, err)
	}
}

// CPU time between two times is in proportion where no look fell on them, and does
// not go back when processes end.
func TestCPUBetweenLooks(t *testing.T) {
	t.Parallel()
	began := time.Now()
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	s := Sampler{}
	for _, m := range []struct{ at, first, second float64 }{{0, 1, 10}, {1, 3, 10}, {2, 7, 20}, {3, 0, 20}} {
		s.moments = append(s.moments, Moment{at(m.at), []Usage{
			{CPU: time.Duration(m.first * float64(time.Second))}, {CPU: time.Duration(m.second * float64(time.Second))},
		}})
	}
	for _, c := range []struct {
		from, to float64
		trees    []int
		want     time.Duration
	}{
		{0, 2, []int{0}, 6 * time.Second},
		{0.5, 1.5, []int{0}, 3 * time.Second},
		{1.5, 1.75, []int{0, 1}, 3500 * time.Millisecond},
		{1, 3, []int{0}, 4 * time.Second}, // the first has ended at 3
		{-1, 9, []int{0}, 6 * time.Second},
		{2, 3, nil, 0},
	} {
		if got := s.CPUBetween(at(c.from), at(c.to), c.trees...); got != c.want {
			t.Errorf("from %v to %v of %v: %v, want %v", c.from, c.to, c.trees, got, c.want)
		}
	}
}
