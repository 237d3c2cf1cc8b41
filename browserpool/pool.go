package browserpool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
)

// Pool owns browsers and their tabs. It is made by New and ended by Close, and
// its methods may be called from several goroutines.
type Pool struct {
	config Config
	binary Browser
	run    user
	folder *folder
	log    *slog.Logger

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc

	slots []*slot
	free  chan *Tab // tabs that nobody has borrowed

	maxPayload int   // MaxPayload, but for tests
	maxTargets int64 // targetsPerBrowser, but for tests

	mu     sync.Mutex // guards closed against lent
	closed bool
	lent   sync.WaitGroup // borrowed tabs

	once     sync.Once
	closeErr error

	stats counters
}

type counters struct {
	pages, replaced, recycled, starts, restarts, refused, timeouts, crashes atomic.Int64

	ended atomic.Int64 // ns of CPU time of browsers that were ended, but for what the system counts itself
}

// New makes a pool, sweeps what dead pools left below Config.Dir, and starts the
// first browser, so that what keeps a browser from starting is known at once; the
// other browsers start when a tab of theirs is first borrowed. The error matches
// ErrNoBrowser when the browser is to blame.
func New(ctx context.Context, c Config) (*Pool, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("read browser settings: %w", err)
	}
	p := &Pool{config: c, log: c.Log, maxPayload: MaxPayload, maxTargets: targetsPerBrowser}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if p.binary, err = Find(c.Path); err != nil {
		return nil, err
	}
	if p.run, err = chromeUser(c); err != nil {
		return nil, err
	}
	dir := c.Dir
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "tabfarm-chrome-"+strconv.Itoa(os.Geteuid()))
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("find profile folder: %w", err)
	}
	if p.folder, err = openFolder(dir, p.log); err != nil {
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	perProcess := tabsPerProcess
	if p.binary.HeadlessShell() {
		perProcess = 1 // see draw.go
	}
	processes, tabs := readMachine(os.DirFS("/"), runtime.NumCPU()).size(c.Processes, c.Tabs, perProcess)
	p.config.Processes, p.config.Tabs = processes, tabs
	p.free = make(chan *Tab, tabs)
	for n := range processes {
		p.slots = append(p.slots, newSlot(p, n+1))
	}
	for n := range tabs {
		p.free <- &Tab{pool: p, slot: p.slots[n%processes]}
	}
	if _, err := p.slots[0].get(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Close ends the pool: pages being read end with ErrClosed, borrowed tabs are
// waited for, browsers are killed. When it returns no process, profile folder or
// goroutine of the pool is left. It may be called again.
func (p *Pool) Close() error {
	p.once.Do(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		p.cancel(ErrClosed)
		p.lent.Wait()
		var errs []error
		for _, s := range p.slots {
			errs = append(errs, s.close())
		}
		if err := p.folder.close(); err != nil {
			errs = append(errs, fmt.Errorf("remove profile folder: %w", err))
		}
		p.closeErr = errors.Join(errs...)
	})
	return p.closeErr
}

// Size is the number of browser processes and of tabs in all.
func (p *Pool) Size() (processes, tabs int) { return len(p.slots), p.config.Tabs }

// Browser is the binary that the pool runs.
func (p *Pool) Browser() Browser { return p.binary }

// Stats counts what the pool has done so far. It waits for nobody, so it may be
// asked often.
func (p *Pool) Stats() Stats {
	c := &p.stats
	living := 0
	for _, s := range p.slots {
		if b := s.shown.Load(); b != nil && b.alive() {
			living++
		}
	}
	return Stats{
		Tabs: p.config.Tabs, TabsBusy: p.config.Tabs - len(p.free), Browsers: living,
		Pages: c.pages.Load(), TabsReplaced: c.replaced.Load(), TabsRecycled: c.recycled.Load(),
		BrowserStarts: c.starts.Load(), BrowserRestarts: c.restarts.Load(),
		Refused: c.refused.Load(), Timeouts: c.timeouts.Load(), Crashes: c.crashes.Load(),
	}
}

// Do lends a tab to f, which alone may use it until it returns. It waits for a
// free tab until ctx ends. The tab is given back whatever f does, a panic
// included, and f's error is returned as it is. After Close the error matches
// ErrClosed.
func (p *Pool) Do(ctx context.Context, f func(*Tab) error) error {
	if !p.borrowed() {
		return fmt.Errorf("borrow tab: %w", ErrClosed)
	}
	defer p.lent.Done()
	var t *Tab
	select {
	case t = <-p.free:
	case <-ctx.Done():
		return fmt.Errorf("borrow tab: %w", context.Cause(ctx))
	case <-p.ctx.Done():
		return fmt.Errorf("borrow tab: %w", ErrClosed)
	}
	defer func() { p.free <- t }()
	return f(t)
}

// borrowed counts a borrower, unless the pool is closed: Close must not begin to
// wait for zero while the count still rises.
func (p *Pool) borrowed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.lent.Add(1)
	return true
}
