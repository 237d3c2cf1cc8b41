//go:build linux

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/tabfarm/tabfarm/bench/site"
	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
	"github.com/tabfarm/tabfarm/store/localpg"
)

// stopLimit bounds the end of what was started.
const stopLimit = time.Minute

// parts are what a farm is made of, and what ends them, the last one first.
type parts struct {
	site    string // its URL
	sitePID int
	pool    *browserpool.Pool
	store   *store.Store
	farm    *farm.Farm
	ends    []func() error
}

func (p *parts) close() (err error) {
	for len(p.ends) > 0 {
		last := len(p.ends) - 1
		err = errors.Join(err, p.ends[last]())
		p.ends = p.ends[:last]
	}
	return err
}

// start starts all parts. What has started when it fails, close ends.
func start(ctx context.Context, tabs int) (p *parts, err error) {
	p = &parts{}
	// Not $TMPDIR: the path of a socket has room for about 100 bytes.
	dir, err := os.MkdirTemp("/tmp", "tabfarm-growth-")
	if err != nil {
		return p, fmt.Errorf("make a folder for the server: %w", err)
	}
	p.ends = append(p.ends, func() error { return os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // as root, the server's user goes through
		return p, fmt.Errorf("open the folder of the server: %w", err)
	}
	if err := p.startSite(ctx); err != nil {
		return p, fmt.Errorf("start the site: %w", err)
	}
	server, err := localpg.StartWith(ctx, localpg.Options{Dir: dir})
	if err != nil {
		return p, fmt.Errorf("start a Postgres: %w", err)
	}
	p.ends = append(p.ends, func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		return server.Stop(ctx)
	})
	if p.store, err = store.Open(ctx, store.Config{URL: server.URL}); err != nil {
		return p, err
	}
	p.ends = append(p.ends, func() error { p.store.Close(); return nil })
	if err := p.store.Migrate(ctx); err != nil {
		return p, err
	}
	if p.pool, err = browserpool.New(ctx, browserpool.Config{Tabs: tabs}); err != nil {
		return p, err
	}
	p.ends = append(p.ends, p.pool.Close)
	_, tabs = p.pool.Size()
	p.farm, err = farm.New(farm.Config{Browser: p.pool, Store: p.store, Allow: []string{"127.0.0.1"}, Tabs: tabs})
	return p, err
}

// startSite starts this program again, to serve the site.
func (p *parts) startSite(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	served := exec.CommandContext(ctx, self, "-serve")
	served.Stderr = os.Stderr
	in, err := served.StdinPipe()
	if err != nil {
		return err
	}
	out, err := served.StdoutPipe()
	if err != nil {
		return err
	}
	if err := served.Start(); err != nil {
		return err
	}
	p.sitePID = served.Process.Pid
	p.ends = append(p.ends, func() error { return errors.Join(in.Close(), served.Wait()) })
	line, err := bufio.NewReader(out).ReadString('\n')
	p.site = strings.TrimSpace(line)
	return err
}

// submit makes the run: all kinds in turn, so that each part of it has as many of each.
func (p *parts) submit(ctx context.Context, pages int) (run int64, rows int, err error) {
	dir, err := os.MkdirTemp("", "tabfarm-growth-recipe-")
	if err != nil {
		return 0, 0, fmt.Errorf("make a folder for the recipe: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, kinds := &site.Site{URL: p.site}, site.Kinds()
	var urls strings.Builder
	for i := range pages {
		kind := kinds[i%len(kinds)]
		rows += kind.Rows
		fmt.Fprintln(&urls, s.Page(kind.Name, i/len(kinds)))
	}
	file := filepath.Join(dir, "growth.yaml")
	text := fmt.Sprintf(`urls: {file: pages.txt}
page:
  block: [image, font, media]
tables:
  growth:
    from: "#rows"
polite: {rate: none, concurrency: %d}
`, p.farm.Tabs)
	err = errors.Join(os.WriteFile(filepath.Join(dir, "pages.txt"), []byte(urls.String()), 0o600), os.WriteFile(file, []byte(text), 0o600))
	if err != nil {
		return 0, 0, fmt.Errorf("write the recipe: %w", err)
	}
	r, err := recipe.Load(file)
	if err != nil {
		return 0, 0, err
	}
	submitted, err := p.farm.Submit(ctx, r, farm.SubmitOptions{})
	return submitted.RunID, rows, err
}
