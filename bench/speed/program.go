//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/tabfarm/tabfarm/bench/site"
)

// program is tabfarm as a person has it, with a private Postgres in a place of its
// own and with the settings that it gives it.
type program struct {
	path     string
	dir      string // for recipes; it has no tabfarm.yaml
	env      []string
	postgres int // pid of its first process
}

// startProgram builds tabfarm and starts its Postgres.
func startProgram(ctx context.Context, b *bench) (*program, error) {
	p := &program{path: filepath.Join(b.dir, tabfarm)}
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", p.path, "./cmd/tabfarm")
	if output, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build tabfarm: %w\n%s", err, output)
	}
	var err error
	if p.dir, err = b.place("recipes"); err != nil {
		return nil, err
	}
	data, err := b.place("data")
	if err != nil {
		return nil, err
	}
	// What the person who measures has set is not measured.
	for _, line := range os.Environ() {
		if !strings.HasPrefix(line, "TABFARM_") {
			p.env = append(p.env, line)
		}
	}
	p.env = append(p.env, "XDG_DATA_HOME="+data, "XDG_CONFIG_HOME="+data, "TABFARM_BROWSER_PATH="+b.browser,
		"TABFARM_BROWSER_TABS="+strconv.Itoa(b.workers), "TABFARM_NETWORK_ALLOW_PRIVATE=127.0.0.1")
	if _, err := p.output(ctx, "db", "url"); err != nil { // starts it
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(data, "tabfarm", "postgres", "data", "postmaster.pid"))
	if err != nil {
		return nil, fmt.Errorf("find Postgres: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if p.postgres, err = strconv.Atoi(first); err != nil {
		return nil, fmt.Errorf("find Postgres: %w", err)
	}
	return p, nil
}

func (p *program) command(ctx context.Context, args ...string) *exec.Cmd {
	run := exec.CommandContext(ctx, p.path, args...)
	run.Dir, run.Env = p.dir, p.env
	return run
}

func (p *program) output(ctx context.Context, args ...string) ([]byte, error) {
	run := p.command(ctx, args...)
	complaints := &tail{}
	run.Stderr = complaints
	text, err := run.Output()
	if err != nil {
		return nil, fmt.Errorf("run tabfarm %s: %w: %s", args[0], err, complaints)
	}
	return text, nil
}

// stop ends Postgres.
func (p *program) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := p.output(ctx, "db", "stop")
	return err
}

// answer is the last run as the database has it.
type answer struct {
	Run      int64
	State    string
	OK       int
	Failed   int
	Finished json.Number // seconds since 1970
	Rows     int
}

// measureProgram runs a recipe for the pages. The clock runs from the first
// document that is asked for to the end of the run in the database.
func (b *bench) measureProgram(ctx context.Context, k site.Kind, from int, m *Measurement) error {
	p := b.farm
	name := k.Name + ".yaml"
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(b.site.Recipe(k.Name, from, b.pages, b.workers)), 0o600); err != nil {
		return fmt.Errorf("write a recipe: %w", err)
	}
	run := p.command(ctx, "run", "--new", name)
	complaints := &tail{}
	run.Stdout, run.Stderr = complaints, complaints
	run.Cancel = func() error { return kill(run.Process.Pid) }
	run.WaitDelay = closing
	if err := run.Start(); err != nil {
		return fmt.Errorf("start tabfarm: %w", err)
	}
	sampler := m.sample(run.Process.Pid, p.postgres)
	ended := run.Wait()
	if _, err := sampler.Stop(); err != nil {
		return err
	}
	a, err := p.lastRun(ctx, k.Name)
	if err != nil {
		return fmt.Errorf("%w; tabfarm said: %s", err, complaints)
	}
	m.Pages, m.Failed, m.Rows = a.OK, a.Failed, a.Rows
	finished, err := a.Finished.Float64()
	if err != nil || a.State != "done" {
		return fmt.Errorf("run %d is %s: %s", a.Run, a.State, complaints)
	}
	m.figures(sampler, b.site.Documents().First, time.UnixMicro(int64(finished*1e6)), []int{0}, []int{0, 1})
	if ended != nil {
		return fmt.Errorf("tabfarm run: %w: %s", ended, complaints)
	}
	return nil
}

// lastRun asks what became of the last run, and for the rows that it wrote.
func (p *program) lastRun(ctx context.Context, kind string) (answer, error) {
	var a answer
	const run = `select run, state, ok, failed, extract(epoch from finished_at)::float8 as finished from tabfarm.runs order by run desc limit 1`
	text, err := p.output(ctx, "query", "--format", "jsonl", run)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("read the run from %q: %w", text, err)
	}
	if a.OK == 0 {
		return a, nil // there may be no table yet
	}
	rows := fmt.Sprintf("select count(*) as rows from %s where _run = %d", kind, a.Run)
	if text, err = p.output(ctx, "query", "--format", "jsonl", rows); err != nil {
		return a, err
	}
	if err := json.Unmarshal(text, &a); err != nil {
		return a, fmt.Errorf("read the rows from %q: %w", text, err)
	}
	return a, nil
}
