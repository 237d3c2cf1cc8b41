//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tabfarm/tabfarm/bench/peers"
	"github.com/tabfarm/tabfarm/bench/site"
	"github.com/tabfarm/tabfarm/browserpool"
)

// Result is all that was measured, as it is kept in JSON.
type Result struct {
	Date         time.Time         `json:"date"`
	Machine      Machine           `json:"machine"`
	Browser      string            `json:"browser"`  // product and version
	Versions     map[string]string `json:"versions"` // of the peers' libraries, Node.js, Go and Postgres
	Rounds       int               `json:"rounds"`
	Pages        int               `json:"pages"` // of a driver in a round
	Workers      int               `json:"workers"`
	Kinds        []Kind            `json:"kinds"`
	Measurements []Measurement     `json:"measurements"`
}

// Machine is what all share.
type Machine struct {
	Cores  int    `json:"cores"`
	Memory uint64 `json:"memory_bytes"`
	System string `json:"system"`
}

// Kind is a kind of page: the rows that it has, and those that its document holds.
type Kind struct {
	Name  string `json:"name"`
	Rows  int    `json:"rows"`
	Drawn int    `json:"drawn"`
}

// Measurement is one driver with the pages of one round. Its figures are 0 where a
// problem left none.
type Measurement struct {
	Kind      string  `json:"kind"`
	Driver    string  `json:"driver"`
	Round     int     `json:"round"`         // 0 is that of the memory
	Asked     int     `json:"asked"`         // pages
	Pages     int     `json:"pages"`         // of them, read
	Failed    int     `json:"failed"`        // of them, as the driver says
	Documents int     `json:"documents"`     // requests for pages that the site had
	Expected  int     `json:"rows_expected"` // of all pages asked for
	Rows      int     `json:"rows"`
	Seconds   float64 `json:"seconds"`
	CPU       float64 `json:"cpu_seconds"`               // driver and browser
	CPUAll    float64 `json:"cpu_seconds_with_postgres"` // the same as CPU for who has none
	PSS       int64   `json:"peak_pss_bytes"`            // driver and browser
	PSSAll    int64   `json:"peak_pss_bytes_with_postgres"`
	Problem   string  `json:"problem,omitempty"`
}

// line tells of a measurement while the others still run.
func (m Measurement) line() string {
	text := fmt.Sprintf("%-10s round %d  %-25s %6.2f pages/s  %3d of %d pages  %6d of %d rows  CPU %.3f s/page  %4d MB",
		m.Kind, m.Round, m.Driver, m.rate(), m.Pages, m.Asked, m.Rows, m.Expected, m.cpuPerPage(), m.PSSAll>>20)
	if m.Problem != "" {
		text += "  " + m.Problem
	}
	return text
}

// rate is pages/s, 0 where none is known.
func (m Measurement) rate() float64 { return ratio(float64(m.Pages), m.Seconds) }

func (m Measurement) cpuPerPage() float64 { return ratio(m.CPUAll, float64(m.Pages)) }

// ratio is 0 where there is nothing to divide by.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// median of figures, of which there is one at least.
func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

func newResult(ctx context.Context, root string, browser browserpool.Browser, o options, kinds []site.Kind) (*Result, error) {
	r := &Result{
		Date: time.Now().UTC().Truncate(time.Second), Browser: browser.Product + " " + browser.Version,
		Rounds: o.rounds, Pages: o.pages, Workers: o.workers,
	}
	for _, k := range kinds {
		r.Kinds = append(r.Kinds, Kind{k.Name, k.Rows, k.Drawn})
	}
	var err error
	if r.Versions, err = peers.Versions(root); err != nil {
		return nil, err
	}
	r.Versions["go"] = strings.TrimPrefix(runtime.Version(), "go")
	if version, err := exec.CommandContext(ctx, "node", "--version").Output(); err == nil { // without it there is no driver of it
		r.Versions["node"] = strings.TrimPrefix(strings.TrimSpace(string(version)), "v")
	}
	r.Machine = Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH}
	var info syscall.Sysinfo_t
	if err := syscall.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("ask for the machine's memory: %w", err)
	}
	r.Machine.Memory = info.Totalram * uint64(info.Unit)
	return r, nil
}

// write puts the result into out.json and out.md, and its table into the README.
func (r *Result) write(out, readme string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write the result: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return fmt.Errorf("make the folder of %q: %w", out, err)
	}
	for name, text := range map[string][]byte{out + ".json": append(text, '\n'), out + ".md": []byte(r.markdown())} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			return fmt.Errorf("write %q: %w", name, err)
		}
	}
	if readme == "" {
		return nil
	}
	old, err := os.ReadFile(readme)
	if err != nil {
		return fmt.Errorf("read %q: %w", readme, err)
	}
	changed, err := between(string(old), r.short())
	if err != nil {
		return fmt.Errorf("write the table into %q: %w", readme, err)
	}
	if err := os.WriteFile(readme, []byte(changed), 0o644); err != nil { //nolint:gosec // it is for all to read
		return fmt.Errorf("write %q: %w", readme, err)
	}
	return nil
}
