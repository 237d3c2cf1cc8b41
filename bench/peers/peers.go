// Package peers owns the other drivers of browsers that tabfarm is measured
// against, each set up as its own documentation says is fast, and how they are
// built. All are programs with the contract of node/main.mjs: the browser, the
// number of workers and the CSS of a row as flags, URLs on standard input, a line
// of JSON for each page and one at the end. It measures nothing.
package peers

import (
	"bufio"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tabfarm/tabfarm/internal/bundle"
)

// Floor is the barest loop there is, in bench/floor where that exists: it opens
// the pages and reads nothing.
const Floor = "floor"

// node and golang are the drivers of the two programs, in the order in which they
// are shown.
var (
	node = []string{
		"crawlee-playwright", "crawlee-puppeteer", "puppeteer-cluster-page", "puppeteer-cluster-context",
		"playwright-context", "playwright-reused",
	}
	golang = []string{"chromedp-tab", "rod-pool"}
)

// Names are all drivers that Build knows at a module's root.
func Names(root string) []string {
	names := slices.Concat(node, golang)
	if _, err := os.Stat(filepath.Join(root, "bench", Floor)); err == nil {
		names = append(names, Floor)
	}
	return names
}

//go:embed node/*.mjs node/package.json node/package-lock.json
var files embed.FS

// Build makes the programs of the drivers, those of Go in a folder, and gives the
// command of each without its flags. Packages come from npm and the Go proxy.
func Build(ctx context.Context, root, dir string, names []string) (map[string][]string, error) {
	commands := map[string][]string{}
	of := func(all []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(all, n) })
	}
	if drivers := of(node); len(drivers) > 0 {
		own, err := fs.Sub(files, "node")
		if err != nil {
			return nil, fmt.Errorf("read the drivers of Node.js: %w", err)
		}
		installed, err := bundle.Install(ctx, "benchpeers", own)
		if err != nil {
			return nil, fmt.Errorf("install the drivers of Node.js: %w", err)
		}
		for _, n := range drivers {
			commands[n] = []string{"node", filepath.Join(installed, "main.mjs"), n}
		}
	}
	if drivers := of(golang); len(drivers) > 0 {
		program := filepath.Join(dir, "peers")
		if err := compile(ctx, filepath.Join(root, "bench", "peers", "go"), program, "."); err != nil {
			return nil, err
		}
		for _, n := range drivers {
			commands[n] = []string{program, n}
		}
	}
	if len(of([]string{Floor})) > 0 {
		program := filepath.Join(dir, Floor)
		if err := compile(ctx, root, program, "./bench/"+Floor); err != nil {
			return nil, err
		}
		commands[Floor] = []string{program}
	}
	for _, n := range names {
		if commands[n] == nil {
			return nil, fmt.Errorf("no driver %q; there are %s", n, strings.Join(Names(root), ", "))
		}
	}
	return commands, nil
}

func compile(ctx context.Context, dir, program, from string) error {
	build := exec.CommandContext(ctx, "go", "build", "-o", program, from)
	build.Dir = dir
	if output, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %q: %w\n%s", from, err, output)
	}
	return nil
}

// Versions are those of the libraries that the drivers are made with.
func Versions(root string) (map[string]string, error) {
	text, err := files.ReadFile("node/package.json")
	if err != nil {
		return nil, fmt.Errorf("read the packages of Node.js: %w", err)
	}
	var packages struct {
		Dependencies map[string]string `json:"dependencies"`
	}
	if err := json.Unmarshal(text, &packages); err != nil {
		return nil, fmt.Errorf("read the packages of Node.js: %w", err)
	}
	versions := packages.Dependencies
	module, err := os.Open(filepath.Join(root, "bench", "peers", "go", "go.mod"))
	if err != nil {
		return nil, fmt.Errorf("read the modules of Go: %w", err)
	}
	defer func() { _ = module.Close() }()
	lines := bufio.NewScanner(module)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) == 2 && (strings.HasSuffix(words[0], "/chromedp/chromedp") || strings.HasSuffix(words[0], "/go-rod/rod")) {
			versions[filepath.Base(words[0])] = strings.TrimPrefix(words[1], "v")
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the modules of Go: %w", err)
	}
	return versions, nil
}
