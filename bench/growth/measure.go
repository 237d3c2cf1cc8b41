//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/bench/proc"
	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/farm"
)

// every is the time between two looks at memory, which cost Chrome a tenth of a second.
const every = 3 * time.Second

// look is what there is at a moment.
type look struct {
	Heap       int64 `json:"heap_bytes"`       // of Go, after a collection
	Resident   int64 `json:"resident_bytes"`   // of this process
	Chrome     int64 `json:"chrome_pss_bytes"` // proportional, of all of its processes
	Processes  int   `json:"chrome_processes"`
	Files      int   `json:"files"` // open in this process
	Goroutines int   `json:"goroutines"`
}

// tenth is one tenth of the pages.
type tenth struct {
	PerSecond float64 `json:"pages_per_second"`
	look              // medians of the looks in it
}

// result is all that was measured.
type result struct {
	Processors int               `json:"processors"`
	Tabs       int               `json:"tabs"`
	Browser    string            `json:"browser"`
	Pages      int               `json:"pages"`
	Failed     int               `json:"failed"`
	Rows       int64             `json:"rows"`
	Expected   int               `json:"rows_expected"`
	Tenths     []tenth           `json:"tenths"`
	Before     look              `json:"before"` // nothing was started
	Start      look              `json:"start"`  // the browser is up, no page was opened
	End        look              `json:"end"`    // all pages have ended, the browser is up
	Closed     look              `json:"closed"` // the browser and the connections are closed
	Pool       browserpool.Stats `json:"pool"`
	Sizes      map[string]string `json:"database"` // the largest relations at the end
}

// measure runs the pages.
func measure(ctx context.Context, pages, tabs int) (_ *result, err error) {
	before, err := (&parts{}).look(true)
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, tabs)
	defer func() { err = errors.Join(err, p.close()) }()
	if err != nil {
		return nil, err
	}
	r := &result{Processors: runtime.NumCPU(), Pages: pages, Browser: p.pool.Browser().Version, Before: before}
	_, r.Tabs = p.pool.Size()
	if r.Start, err = p.look(true); err != nil {
		return nil, err
	}
	run, rows, err := p.submit(ctx, pages)
	if err != nil {
		return nil, err
	}
	r.Expected = rows
	w := newWatch(p, pages)
	err = p.farm.Work(ctx, nil, run, w.event)
	if err := errors.Join(err, w.stop()); err != nil {
		return nil, err
	}
	r.Tenths = w.tenths()
	if r.End, err = p.look(true); err != nil {
		return nil, err
	}
	if err := r.count(ctx, p, run); err != nil {
		return nil, err
	}
	r.Pool = p.pool.Stats()
	p.farm = nil
	if err := p.close(); err != nil {
		return nil, err
	}
	r.Closed, err = p.look(true)
	return r, err
}

// count asks the database what came of the pages.
func (r *result) count(ctx context.Context, p *parts, run int64) error {
	s, err := p.farm.Summary(ctx, run)
	if err != nil {
		return err
	}
	r.Failed = s.Failed + s.Pending
	for _, t := range s.Tables {
		r.Rows += t.Inserted
	}
	rows, err := p.store.Query(ctx, `SELECT relname, n_live_tup || ' rows, ' || n_dead_tup || ' dead, ' || pg_size_pretty(pg_total_relation_size(relid))
FROM pg_stat_user_tables ORDER BY pg_total_relation_size(relid) DESC LIMIT 6`)
	if err != nil {
		return err
	}
	defer rows.Close()
	r.Sizes = map[string]string{}
	for rows.Next() {
		r.Sizes[*rows.Values()[0]] = *rows.Values()[1]
	}
	return rows.Err()
}

// look looks. collect has Go collect its garbage before.
func (p *parts) look(collect bool) (l look, err error) {
	if collect {
		runtime.GC()
		runtime.GC() // what the first one only took out of pools
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		l.Heap = int64(m.HeapAlloc)
	}
	l.Goroutines = runtime.NumGoroutine()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return l, fmt.Errorf("list open files: %w", err)
	}
	l.Files = len(files) - 1 // without the folder's own
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return l, fmt.Errorf("read resident memory: %w", err)
	}
	resident, err := strconv.ParseInt(strings.Fields(string(statm))[1], 10, 64)
	if err != nil {
		return l, fmt.Errorf("read resident memory: %w", err)
	}
	l.Resident = resident * int64(os.Getpagesize())
	tree, err := proc.Tree(os.Getpid())
	if err != nil {
		return l, err
	}
	chrome := slices.DeleteFunc(tree, func(pid int) bool { return pid == os.Getpid() || pid == p.sitePID })
	usage, err := proc.Read(chrome...)
	l.Chrome, l.Processes = usage.PSS, usage.Processes
	return l, err
}

// watch notes when pages end, and looks from time to time.
type watch struct {
	parts *parts
	pages int
	begin time.Time
	ended []time.Time // of each page

	mu    sync.Mutex // guards looks, heaps and err
	looks [10][]look
	heaps [10]int64 // at the end of each tenth
	err   error

	done, gone chan struct{}
}

func newWatch(p *parts, pages int) *watch {
	w := &watch{parts: p, pages: pages, begin: time.Now(), done: make(chan struct{}), gone: make(chan struct{})}
	go w.run()
	return w
}

// event is called for one page after the other.
func (w *watch) event(e farm.Event) {
	if !e.Last || e.Address == "" {
		return
	}
	w.mu.Lock()
	w.ended = append(w.ended, time.Now())
	n := len(w.ended)
	w.mu.Unlock()
	if n*10/w.pages == (n-1)*10/w.pages {
		return
	}
	l, err := w.parts.look(true)
	w.add(n-1, l, err)
}

// add keeps a look that was taken when so many pages had ended.
func (w *watch) add(pages int, l look, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := min(pages*10/w.pages, 9)
	w.err = errors.Join(w.err, err)
	w.looks[t] = append(w.looks[t], l)
	if l.Heap > 0 {
		w.heaps[t] = l.Heap
		fmt.Fprintf(os.Stderr, "%d pages, %.1f/s: %+v\n", pages+1, float64(len(w.ended))/time.Since(w.begin).Seconds(), l)
	}
}

func (w *watch) run() {
	defer close(w.gone)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-w.done:
			return
		case <-ticker.C:
			l, err := w.parts.look(false)
			w.mu.Lock()
			pages := len(w.ended)
			w.mu.Unlock()
			w.add(pages, l, err)
		}
	}
}

func (w *watch) stop() error {
	close(w.done)
	<-w.gone
	return w.err
}

// tenths are the medians of each tenth, and its pages a second.
func (w *watch) tenths() []tenth {
	var all []tenth
	from := w.begin
	for i := range 10 {
		first, last := w.pages*i/10, min(w.pages*(i+1)/10, len(w.ended))
		if last <= first {
			break
		}
		to := w.ended[last-1]
		t := tenth{PerSecond: float64(last-first) / to.Sub(from).Seconds()}
		of := w.looks[i]
		t.Heap = w.heaps[i]
		t.Resident = median(of, func(l look) int64 { return l.Resident })
		t.Chrome = median(of, func(l look) int64 { return l.Chrome })
		t.Processes = int(median(of, func(l look) int64 { return int64(l.Processes) }))
		t.Files = int(median(of, func(l look) int64 { return int64(l.Files) }))
		t.Goroutines = int(median(of, func(l look) int64 { return int64(l.Goroutines) }))
		all, from = append(all, t), to
	}
	return all
}

func median(of []look, figure func(look) int64) int64 {
	if len(of) == 0 {
		return 0
	}
	var figures []int64
	for _, l := range of {
		figures = append(figures, figure(l))
	}
	slices.Sort(figures)
	return figures[len(figures)/2]
}
