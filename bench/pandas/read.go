package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
)

// pandasReadings is what read.py prints.
type pandasReadings struct {
	Version string             `json:"version"`
	Files   map[string]reading `json:"files"`
}

// readWithPandas reads the documents with the first Python that has pandas:
// Debian's is in /usr/bin, whatever stands before it in PATH.
func readWithPandas(ctx context.Context, script string, documents []document) (*pandasReadings, error) {
	arguments := []string{script}
	for _, d := range documents {
		arguments = append(arguments, d.name, d.file)
	}
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(ctx, python, "-c", "import pandas, lxml").Run() != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, python, arguments...)
		cmd.Stderr = os.Stderr
		text, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("run %s %s: %w", python, script, err)
		}
		r := new(pandasReadings)
		if err := json.Unmarshal(text, r); err != nil {
			return nil, fmt.Errorf("read what %s printed: %w", script, err)
		}
		return r, nil
	}
	return nil, errors.New("no python3 with pandas and lxml; scripts/setup.sh pandas installs it")
}

// A document is read by tabfarm at its URL and by pandas as a file.
type document struct{ name, url, file string }

// readBoth reads all documents both ways.
func readBoth(ctx context.Context, dir string) (documents []document, theirs *pandasReadings, ours map[string]reading, err error) {
	site, closeSite, err := serve(ctx, filepath.Join(dir, "documents"))
	if err != nil {
		return nil, nil, nil, err
	}
	defer closeSite()
	pool, err := browserpool.New(ctx, browserpool.Config{Processes: 1, Tabs: tabs})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("start Chrome: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	files, err := filepath.Glob(filepath.Join(dir, "documents", "*.html"))
	if err != nil || len(files) == 0 {
		return nil, nil, nil, fmt.Errorf("find documents in %q: %d files, %w", dir, len(files), err)
	}
	for _, file := range files {
		base := filepath.Base(file)
		documents = append(documents, document{strings.TrimSuffix(base, ".html"), site + "/" + base, file})
	}
	drawn, closeDemo, err := drawDemo(ctx, pool)
	if err != nil {
		return nil, nil, nil, err
	}
	defer closeDemo()
	documents = append(documents, drawn...)
	if ours, err = readWithTabfarm(ctx, pool, documents); err != nil {
		return nil, nil, nil, err
	}
	theirs, err = readWithPandas(ctx, filepath.Join(dir, "read.py"), documents)
	return documents, theirs, ours, err
}

// tabs is how many documents are read at once.
const tabs = 4

// readWithTabfarm reads the documents in Chrome, all tables of each.
func readWithTabfarm(ctx context.Context, pool *browserpool.Pool, documents []document) (map[string]reading, error) {
	var mu sync.Mutex // guards the two that follow
	readings := map[string]reading{}
	var failed error
	queue := make(chan document)
	var workers sync.WaitGroup
	for range tabs {
		workers.Go(func() {
			for d := range queue {
				r, err := readOne(ctx, pool, d.url)
				mu.Lock()
				readings[d.name] = r
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	for _, d := range documents {
		queue <- d
	}
	close(queue)
	workers.Wait()
	return readings, failed
}

// readOne reads all tables of one document.
func readOne(ctx context.Context, pool *browserpool.Pool, url string) (reading, error) {
	script, err := extract.Script(nil, nil, nil, true)
	if err != nil {
		return reading{}, err
	}
	var read *extract.Reading
	err = pool.Do(ctx, func(tab *browserpool.Tab) error {
		answer, err := tab.Open(ctx, browserpool.Request{
			URL: url, Script: script, PageScript: extract.PageScript(), Timeout: time.Minute,
		})
		if err != nil {
			return err
		}
		read, err = extract.Decode(append(answer.Parts, answer.Payload)...)
		return err
	})
	if err != nil {
		return reading{}, fmt.Errorf("open %s: %w", url, err)
	}
	var r reading
	for i := range read.Grids {
		g := &read.Grids[i]
		t := table{Heads: len(g.Header)}
		for _, cells := range g.Header {
			t.Lines = append(t.Lines, texts(cells))
		}
		for _, row := range g.Rows {
			t.Lines = append(t.Lines, texts(row.Cells))
		}
		for _, cells := range g.Foot {
			t.Lines = append(t.Lines, texts(cells))
		}
		r.Tables = append(r.Tables, t)
	}
	return r, nil
}

// texts are the texts of cells, "" for a place without one.
func texts(cells []*string) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		if c != nil {
			out[i] = *c
		}
	}
	return out
}

// serve serves a folder on a free port of loopback until it is closed.
func serve(ctx context.Context, dir string) (url string, stop func(), err error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, fmt.Errorf("listen for the documents: %w", err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(dir)), ReadHeaderTimeout: 30 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // always ErrServerClosed: the listener is ours alone
	}()
	return "http://" + listener.Addr().String(), func() {
		_ = server.Close() // its listener's error matters to nobody
		<-ended
	}, nil
}
