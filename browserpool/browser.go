package browserpool

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
)

const (
	// answerLimit is how long a healthy browser takes for one command at the very
	// most, on a loaded machine. One that takes longer is taken for dead.
	answerLimit = 15 * time.Second
	// closeLimit is how long a target may take to go away before it is asked
	// again, and closeTries how often that is done before its browser is given up.
	closeLimit = time.Second
	closeTries = 15
	// idleGroups is the number of browser contexts without a tab that are kept for
	// their cookies and cache.
	idleGroups = 16
	// targetsPerBrowser is how many targets a browser of one tab makes: it grows by
	// about 20 MB meanwhile, with 500 pages, and takes a quarter of a second to start.
	targetsPerBrowser = 25
)

// slot is a place for one browser process. The browser in it comes and goes.
type slot struct {
	pool *Pool
	n    int

	lock    chan struct{} // capacity 1: holds starts and current
	starts  int
	current *chrome
	shown   atomic.Pointer[chrome] // current, for Stats, who must not wait for a start
}

func newSlot(p *Pool, n int) *slot {
	return &slot{pool: p, n: n, lock: make(chan struct{}, 1)}
}

// get gives the slot's browser and starts one when there is none that lives.
func (s *slot) get(ctx context.Context) (*chrome, error) {
	select {
	case s.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for browser: %w", context.Cause(ctx))
	}
	defer func() { <-s.lock }()
	if s.current != nil {
		alive := s.current.alive()
		if alive && !s.worn() {
			return s.current, nil
		}
		used := s.current.cpu()
		s.current.end()
		if state := s.current.cmd.ProcessState; state != nil {
			used -= state.UserTime() + state.SystemTime() // the system counts these with our children
		}
		s.pool.stats.ended.Add(int64(max(used, 0)))
		if !alive {
			s.pool.log.Warn("browser restarts", "browser", s.n, "exit", s.current.exitErr)
			s.pool.stats.restarts.Add(1)
		}
		s.current = nil
		s.shown.Store(nil)
	}
	s.starts++
	p := s.pool
	// Numbers of homes are never used twice: slots count in steps.
	proc, err := startProcess(ctx, p.config, p.binary, p.run, p.folder, s.n+(s.starts-1)*len(p.slots))
	if err != nil {
		return nil, err
	}
	p.stats.starts.Add(1)
	s.current = &chrome{process: proc, pool: p, groups: map[string]*group{}, lock: make(chan struct{}, 1), frame: make(chan struct{}, 1)}
	s.shown.Store(s.current)
	return s.current, nil
}

// worn says that the slot's browser has made its share of targets, and that it has one
// tab: the tab that asks for the next one, so that nobody else loses a page. The lock
// is held.
func (s *slot) worn() bool {
	p := s.pool
	return p.config.Processes == p.config.Tabs && s.current.targets.Load() >= p.maxTargets
}

// close ends the slot's browser. Nobody may be using the slot any more.
func (s *slot) close() error {
	s.lock <- struct{}{}
	defer func() { <-s.lock }()
	if s.current == nil {
		return nil
	}
	s.current.end()
	return s.current.dirErr
}

// chrome is a browser process with its browser contexts and targets.
type chrome struct {
	*process
	pool *Pool
	wg   sync.WaitGroup // closings of targets; they end when the browser does

	targets atomic.Int64  // that it has made
	frame   chan struct{} // capacity 1: holds a frame that is drawn

	lock   chan struct{} // capacity 1: holds groups, across the making of one
	groups map[string]*group
}

// group is a browser context: cookies and cache that pages share.
type group struct {
	name string
	id   cdp.BrowserContextID
	tabs int // targets in it, under chrome.lock
	used time.Time
}

func (c *chrome) alive() bool {
	select {
	case <-c.mux.lost:
		return false
	case <-c.exited:
		return false
	default:
		return true
	}
}

// end kills the browser and waits for everything of it.
func (c *chrome) end() {
	c.process.end()
	c.wg.Wait()
}

// enter gives the browser context of a name and counts one more tab in it.
func (c *chrome) enter(ctx context.Context, name string) (*group, error) {
	select {
	case c.lock <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("enter group %q: %w", name, context.Cause(ctx))
	}
	defer func() { <-c.lock }()
	if g := c.groups[name]; g != nil {
		g.tabs++
		return g, nil
	}
	c.forgetIdle()
	made, err := run(ctx, c.mux.root, target.CreateBrowserContext, target.CreateBrowserContextParams{DisposeOnDetach: new(true)})
	if err != nil {
		return nil, fmt.Errorf("make group %q: %w", name, err)
	}
	send(c.mux.root, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorDeny, BrowserContextID: made.BrowserContextID,
	}).forget()
	g := &group{name: name, id: made.BrowserContextID, tabs: 1}
	c.groups[name] = g
	return g, nil
}

// leave counts one tab less in a group.
func (c *chrome) leave(g *group) {
	c.lock <- struct{}{}
	defer func() { <-c.lock }()
	g.tabs--
	g.used = time.Now()
}

// forgetIdle disposes of the group that was used longest ago while too many have
// no tab. The lock is held.
func (c *chrome) forgetIdle() {
	var oldest *group
	idle := 0
	for _, g := range c.groups {
		if g.tabs > 0 {
			continue
		}
		idle++
		if oldest == nil || g.used.Before(oldest.used) {
			oldest = g
		}
	}
	if idle < idleGroups {
		return
	}
	delete(c.groups, oldest.name)
	send(c.mux.root, target.DisposeBrowserContext, target.DisposeBrowserContextParams{BrowserContextID: oldest.id}).forget()
}

// discard closes a target without waiting for it. Chrome may say that it closed
// a target and keep it, when the target was about to commit a page or its
// renderer hangs; so it is watched until it has detached, and asked again. A
// browser that cannot close its targets is killed: its tabs get another one.
func (c *chrome) discard(t *tabTarget) {
	root, s := c.mux.root, t.session
	c.wg.Go(func() {
		ask := func() {
			send(root, target.CloseTarget, target.CloseTargetParams{TargetID: t.id}).forget()
		}
		// The group is left only when the target is gone, for a context must not
		// be disposed of under it.
		defer c.leave(t.group)
		ask()
		timer := time.NewTicker(closeLimit)
		defer timer.Stop()
		for try := 0; ; try++ {
			select {
			case <-s.gone:
				return
			case <-timer.C:
			}
			if try == closeTries {
				c.pool.log.Warn("browser does not close its tabs and is killed", "profile", c.home)
				c.kill()
				<-s.gone
				return
			}
			send(s, page.Crash, cdp.Empty{}).forget()
			ask()
		}
	})
}
