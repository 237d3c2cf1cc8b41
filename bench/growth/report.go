//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

func (r *result) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Many pages through one farm

Made by `+"`make bench-growth`"+` on %d processors, which Chrome (%s), Postgres, the site and
tabfarm share: %d pages of bench/site, its kinds in turn, %d tabs, a private Postgres with
its usual settings. %d pages failed; %d rows of %d were stored. Memory is in MB: Go's heap
after a collection, resident memory of the process, and Chrome's proportional share
(PSS), each the median of its tenth. Go and Chrome are what tabfarm runs; its Postgres
and the site are not counted. After the end the connections to Postgres stay open, which
the start has fewer of.

`, r.Processors, r.Browser, r.Pages, r.Tabs, r.Failed, r.Rows, r.Expected)
	b.WriteString("| pages | pages/s | heap | resident | Chrome | processes of Chrome | files | goroutines |\n|---|---|---|---|---|---|---|---|\n")
	line(&b, "before anything", "", r.Before)
	line(&b, "at the start", "", r.Start)
	for i, t := range r.Tenths {
		line(&b, fmt.Sprintf("to %d", r.Pages*(i+1)/10), fmt.Sprintf("%.1f", t.PerSecond), t.look)
	}
	line(&b, "after the end", "", r.End)
	line(&b, "closed", "", r.Closed)
	if len(r.Tenths) == 10 {
		first, last := r.Tenths[0], r.Tenths[9]
		fmt.Fprintf(&b, "\nThe last tenth against the first: pages/s %.2f, heap %.2f, resident %.2f, Chrome %.2f.\n",
			last.PerSecond/first.PerSecond, ratio(last.Heap, first.Heap), ratio(last.Resident, first.Resident), ratio(last.Chrome, first.Chrome))
	}
	fmt.Fprintf(&b, "\nThe pool made %d tabs anew after their share of pages and %d that could not be made whole; %d browsers began, %d after the end of another; %d pages timed out and %d tabs crashed.\n",
		r.Pool.TabsRecycled, r.Pool.TabsReplaced, r.Pool.BrowserStarts, r.Pool.BrowserRestarts, r.Pool.Timeouts, r.Pool.Crashes)
	b.WriteString("\nThe largest tables at the end:\n\n")
	for _, name := range slices.Sorted(maps.Keys(r.Sizes)) {
		fmt.Fprintf(&b, "- %s: %s\n", name, r.Sizes[name])
	}
	return b.String()
}

func line(b *strings.Builder, name, speed string, l look) {
	fmt.Fprintf(b, "| %s | %s | %.1f | %.0f | %.0f | %d | %d | %d |\n", name, speed, mb(l.Heap), mb(l.Resident), mb(l.Chrome), l.Processes, l.Files, l.Goroutines)
}

func mb(bytes int64) float64 { return float64(bytes) / (1 << 20) }

func ratio(a, b int64) float64 { return float64(a) / float64(max(b, 1)) }

// write puts the result into a folder.
func (r *result) write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make folder %q: %w", dir, err)
	}
	var doc bytes.Buffer
	encoder := json.NewEncoder(&doc)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	for name, text := range map[string][]byte{"growth.json": doc.Bytes(), "growth.md": []byte(r.markdown())} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			return fmt.Errorf("write %q: %w", path, err)
		}
	}
	return nil
}
