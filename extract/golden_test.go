package extract_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tabfarm/tabfarm/extract"
)

var update = flag.Bool("update", false, "write what was read to the golden files")

// TestGoldenGrids reads the page of each file in testdata/grids and compares
// every grid with what the file says.
func TestGoldenGrids(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/grids/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			about, rest, _ := strings.Cut(string(text), "-- page.html --\n")
			page, want, _ := strings.Cut(rest, "-- grids --\n")
			r := readHTML(t, page)
			var b strings.Builder
			for i := range r.Grids {
				writeGrid(&b, &r.Grids[i])
			}
			if *update {
				text := about + "-- page.html --\n" + page + "-- grids --\n" + b.String()
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(want, b.String()); diff != "" {
				t.Errorf("grids (-want +got):\n%s", diff)
			}
		})
	}
}

// writeGrid writes a grid one line a row; ~ is a place without a cell.
func writeGrid(b *strings.Builder, g *extract.Grid) {
	fmt.Fprintf(b, "%s %q %q complete=%t %s", g.Kind, g.Selector, g.Caption, g.Complete, g.Proof)
	if g.Total != nil {
		fmt.Fprintf(b, " total=%d", *g.Total)
	}
	b.WriteByte('\n')
	line := func(name string, cells []*string) {
		fmt.Fprintf(b, "  %-8s", name)
		for _, c := range cells {
			if c == nil {
				b.WriteString(" | ~")
			} else {
				b.WriteString(" | " + *c)
			}
		}
		b.WriteByte('\n')
	}
	for _, cells := range g.Header {
		line("head", cells)
	}
	for _, row := range g.Rows {
		name := row.Role
		if name == "" {
			name = "row"
		}
		if len(row.Spans) > 0 {
			name += fmt.Sprint(row.Spans)
		}
		line(name, row.Cells)
	}
	for _, cells := range g.Foot {
		line("foot", cells)
	}
}
