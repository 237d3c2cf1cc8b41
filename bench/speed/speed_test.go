//go:build linux

package main

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/tabfarm/tabfarm/bench/proc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var update = flag.Bool("update", false, "write the golden files anew")

// example has what a result may have: a driver that reads less than there is, one
// that fails once, one that never ends, and a kind that tabfarm was not measured with.
func example() *Result {
	r := &Result{
		Date:     time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC),
		Machine:  Machine{Cores: 2, Memory: 8 << 30, System: "linux/amd64"},
		Browser:  "chromium-headless-shell 148.0.7778.167",
		Versions: map[string]string{"rod": "0.116.2", "node": "20.20.2"},
		Rounds:   2, Pages: 10, Workers: 4,
		Kinds: []Kind{{"react", 200, 200}, {"aggrid", 200, 23}, {"plain", 300, 300}},
	}
	add := func(kind, driver string, round, pages, rows int, seconds float64, problem string) {
		expected := 2000
		if kind == "plain" {
			expected = 3000
		}
		m := Measurement{
			Kind: kind, Driver: driver, Round: round, Asked: 10, Pages: pages, Failed: 10 - pages, Rows: rows, Expected: expected,
			Seconds: seconds, CPU: float64(pages) / 10, CPUAll: float64(pages) / 10, Problem: problem,
		}
		if round == memoryRound {
			m.PSS, m.PSSAll = 300<<20, 300<<20
		}
		if driver == tabfarm {
			m.CPUAll += 0.5
			m.PSSAll += m.PSSAll / 10
		}
		r.Measurements = append(r.Measurements, m)
	}
	add("react", "rod-pool", 0, 10, 2000, 9, "")
	add("react", tabfarm, 0, 10, 2000, 9, "")
	add("react", "rod-pool", 1, 10, 2000, 2, "")
	add("react", tabfarm, 1, 10, 2000, 1, "")
	add("react", "hangs", 1, 0, 0, 0, "not done after 5m0s:\n  hangs ended before its pages")
	add("react", tabfarm, 2, 10, 2000, 2, "")
	add("react", "rod-pool", 2, 9, 1800, 4, "http://site/react/9: no element")
	add("aggrid", "rod-pool", 1, 10, 230, 5, "")
	add("aggrid", tabfarm, 1, 10, 2000, 2.5, "")
	add("plain", "rod-pool", 1, 10, 3000, 2.5, "")
	return r
}

// The pages that people read are as they were looked at.
func TestMarkdown(t *testing.T) {
	t.Parallel()
	for name, got := range map[string]string{"speed.md": example().markdown(), "readme.md": example().short()} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		figures []float64
		want    float64
	}{
		{[]float64{3}, 3},
		{[]float64{9, 1}, 5},
		{[]float64{9, 1, 2}, 2},
		{[]float64{8, 1, 2, 4}, 3},
	} {
		given := append([]float64(nil), c.figures...)
		if got := median(c.figures); got != c.want || !cmp.Equal(given, c.figures) {
			t.Errorf("median of %v is %v, want %v; left %v", given, got, c.want, c.figures)
		}
	}
	if got := ratio(3, 0); got != 0 {
		t.Errorf("3 / 0 is %v", got)
	}
}

func TestTableInItsPlace(t *testing.T) {
	t.Parallel()
	const text = "# x\n" + beginMark + "old\n" + endMark + "more\n"
	got, err := between(text, "new\n")
	if want := "# x\n" + beginMark + "new\n" + endMark + "more\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if again, err := between(got, "new\n"); err != nil || again != got {
		t.Errorf("again: %q, %v", again, err)
	}
	for _, text := range []string{"", beginMark, endMark + beginMark} {
		if got, err := between(text, "new\n"); err == nil {
			t.Errorf("%q became %q", text, got)
		}
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := between(string(readme), ""); err != nil {
		t.Errorf("README.md: %v", err)
	}
}

// Pages count once, and rows only where they are the page's own.
func TestWhatPeersTell(t *testing.T) {
	t.Parallel()
	pages := []string{"http://s/react/4", "http://s/react/5", "http://s/react/14"}
	const good = `{"url":"http://s/react/4","rows":200,"id":"4000"}` + "\n" +
		`{"url":"http://s/react/5","rows":25,"id":"5011"}` + "\n"
	for _, c := range []struct {
		name, output        string
		pages, rows, failed int
		done                bool
		problem             string
	}{
		{"all", good + `{"url":"http://s/react/14","rows":200,"id":"14000"}` + "\n" + `{"done":true}` + "\n", 3, 425, 0, true, ""},
		{"no rows are read", `{"url":"http://s/react/4"}` + "\n" + `{"done":true}`, 1, 0, 0, true, ""},
		{"an error", good + `{"url":"http://s/react/14","error":"Timeout"}` + "\n" + `{"done":true}`, 2, 225, 1, true, "http://s/react/14: Timeout"},
		{"another page's rows", `{"url":"http://s/react/14","rows":200,"id":"4000"}` + "\n" + `{"done":true}`, 0, 0, 1, true, `rows of another page, the first of them "4000"`},
		{"a page twice", good + good + `{"done":true}`, 2, 225, 2, true, "rows of another page"},
		{"chatter", "downloading…\n" + good + `{"done":true}`, 2, 225, 0, true, ""},
		{"no end", good, 2, 225, 0, false, ""},
	} {
		m := Measurement{}
		done, problem := m.listen(strings.NewReader(c.output), pages)
		if m.Pages != c.pages || m.Rows != c.rows || m.Failed != c.failed || done.IsZero() == c.done {
			t.Errorf("%s: %+v, done at %v", c.name, m, done)
		}
		if (problem == nil) != (c.problem == "") || (problem != nil && !strings.Contains(problem.Error(), c.problem)) {
			t.Errorf("%s: %v, want %q", c.name, problem, c.problem)
		}
	}
}

// A driver that hangs is ended with all below it.
func TestKill(t *testing.T) {
	t.Parallel()
	run := exec.CommandContext(context.WithoutCancel(t.Context()), "bash", "-c", "(sleep 600; :) & echo; wait")
	output, err := run.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := output.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	tree, err := proc.Tree(run.Process.Pid)
	if err != nil || len(tree) < 2 {
		t.Errorf("before: %v, %v", tree, err)
	}
	if err := kill(run.Process.Pid); err != nil {
		t.Error(err)
	}
	_ = run.Wait()
	// What lost its parent is taken by another process, and ends by itself.
	deadline := time.Now().Add(time.Minute)
	for _, pid := range tree {
		for {
			u, err := proc.Read(pid)
			if err != nil {
				t.Fatal(err)
			}
			if u.PSS == 0 { // gone, or nothing is left of it but its number
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("process %d lives", pid)
			}
		}
	}
}

// The end of a long complaint is kept.
func TestTail(t *testing.T) {
	t.Parallel()
	var b tail
	for range 100 {
		if n, err := b.Write([]byte(strings.Repeat("x", 99) + "\n")); n != 100 || err != nil {
			t.Fatal(n, err)
		}
	}
	_, _ = b.Write([]byte("the end\n"))
	if text := b.String(); len(text) > tailSize || !strings.HasSuffix(text, "x\nthe end") {
		t.Errorf("%d bytes: %q", len(text), text)
	}
}
