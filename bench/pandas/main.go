// Command pandas reads the same HTML documents with tabfarm, in Chrome, and with
// pandas.read_html, and compares the tables as text: header, rows and foot. Pages
// of the demo site, which scripts draw, pandas gets as they stand when drawn. Each
// difference must be explained by a rule of tabfarm's that is named in
// differences.go, and each that is named must be there; else it exits 1.
//
//	go run ./bench/pandas [-o FILE]
//
// It needs Chrome and a Python with pandas and lxml: scripts/setup.sh browser pandas.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// limit bounds the whole comparison, on a slow machine.
const limit = 5 * time.Minute

func main() {
	out := flag.String("o", "", "write the result to this file, as Markdown")
	dir := flag.String("documents", "bench/pandas", "folder with documents and read.py")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, limit)
	ok, err := run(ctx, *dir, *out)
	cancel()
	stop()
	switch {
	case err != nil:
		fmt.Fprintf(os.Stderr, "pandas: %v\n", err)
		os.Exit(3)
	case !ok:
		os.Exit(1)
	}
}

// run compares all documents. ok is false when something differs that must not,
// or agrees that is said to differ.
func run(ctx context.Context, dir, out string) (ok bool, err error) {
	documents, theirs, ours, err := readBoth(ctx, dir)
	if err != nil {
		return false, err
	}
	c := compare(documents, theirs.Files, ours)
	for _, problem := range c.unexpected {
		fmt.Fprintln(os.Stderr, "pandas: "+problem)
	}
	fmt.Printf("%d documents: %d read alike, %d differ by a rule, %d unexplained\n",
		len(documents), len(c.equal), len(c.explained), len(c.unexpected))
	if out != "" {
		if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
			return false, fmt.Errorf("make folder of %q: %w", out, err)
		}
		if err := os.WriteFile(out, []byte(c.markdown(theirs.Version)), 0o600); err != nil {
			return false, fmt.Errorf("write %q: %w", out, err)
		}
	}
	return len(c.unexpected) == 0, nil
}

// A reading is the tables of a document as one of the two read them.
type reading struct {
	Tables []table `json:"tables"`
	Error  string  `json:"error"`
}

// A table is its lines as text, the first of them its header.
type table struct {
	Heads int        `json:"heads"`
	Lines [][]string `json:"lines"`
}

// comparison is what came of all documents.
type comparison struct {
	equal      []string
	explained  []difference
	unexpected []string
}

// difference is one document that the two read differently.
type difference struct {
	document, theirs, ours, rule string
}

// compare compares two readings of documents, each by the document's name.
func compare(documents []document, theirs, ours map[string]reading) comparison {
	var c comparison
	seen := map[string]bool{}
	for _, d := range documents {
		name := d.name
		seen[name] = true
		rule, named := rules[name]
		their, our := show(theirs[name]), show(ours[name])
		switch {
		case their == our && named:
			c.unexpected = append(c.unexpected, fmt.Sprintf("%s is read alike, and is said to differ: %s", name, rule))
		case their == our:
			c.equal = append(c.equal, name)
		case named:
			c.explained = append(c.explained, difference{name, their, our, rule})
		default:
			c.unexpected = append(c.unexpected, fmt.Sprintf("%s differs:\npandas\n%s\ntabfarm\n%s", name, their, our))
		}
	}
	for name := range rules {
		if !seen[name] {
			c.unexpected = append(c.unexpected, fmt.Sprintf("there is no document %q", name))
		}
	}
	slices.Sort(c.unexpected)
	return c
}

// show gives a reading as text: a line a row, cells with bars between, = below the
// header, an empty line between tables.
func show(r reading) string {
	var tables []string
	for _, t := range r.Tables {
		var lines []string
		for i, cells := range t.Lines {
			if i == t.Heads && i > 0 {
				lines = append(lines, "=")
			}
			lines = append(lines, strings.Join(cells, " | "))
		}
		tables = append(tables, strings.Join(lines, "\n"))
	}
	if r.Error != "" {
		tables = append(tables, "error: "+r.Error)
	}
	return strings.Join(tables, "\n\n")
}
