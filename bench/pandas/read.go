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

// readWithPandas reads the files with the first Python that has pandas: Debian's
// is in /usr/bin, whatever stands before it in PATH.
func readWithPandas(ctx context.Context, script string, files []string) (*pandasReadings, error) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(ctx, python, "-c", "import pandas, lxml").Run() != nil {
			continue
		}
		cmd := exec.CommandContext(ctx, python, append([]string{script}, files...)...)
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

// tabs is how many documents are read at once.
const tabs = 4

// readWithTabfarm reads the files in Chrome, all tables of each.
func readWithTabfarm(ctx context.Context, files []string) (map[string]reading, error) {
	url, closeSite, err := serve(ctx, filepath.Dir(files[0]))
	if err != nil {
		return nil, err
	}
	defer closeSite()
	pool, err := browserpool.New(ctx, browserpool.Config{Processes: 1, Tabs: tabs})
	if err != nil {
		return nil, fmt.Errorf("start Chrome: %w", err)
	}
	readings, err := readAll(ctx, pool, url, files)
	return readings, errors.Join(err, pool.Close())
}

func readAll(ctx context.Context, pool *browserpool.Pool, url string, files []string) (map[string]reading, error) {
	var mu sync.Mutex // guards the two that follow
	readings := map[string]reading{}
	var failed error
	names := make(chan string)
	var workers sync.WaitGroup
	for range tabs {
		workers.Go(func() {
			for name := range names {
				r, err := readOne(ctx, pool, url+"/"+name)
				mu.Lock()
				readings[name] = r
				failed = errors.Join(failed, err)
				mu.Unlock()
			}
		})
	}
	for _, file := range files {
		names <- filepath.Base(file)
	}
	close(names)
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
