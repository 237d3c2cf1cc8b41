package browserpool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
)

const (
	// pagesPerTarget is the number of pages after which a tab gets a new target.
	// Targets that were never renewed grew to 500 MB each over 400 pages; a new
	// one every ten pages could not be seen in the pages per second.
	pagesPerTarget = 20
	// maxHeap is how much memory, in bytes, the pages of a target may have left behind
	// before it gets a new one: pages that follow each other in one process are only
	// collected when Chrome finds time for it, and large tables left 25 MB each.
	maxHeap = 128 << 20
	// blankLimit is how long a tab may take to leave a page that was read.
	blankLimit = 2 * time.Second
	// staysFor is how long a page that was read may stay in its tab when no other
	// page comes to replace it.
	staysFor = 250 * time.Millisecond

	defaultWidth, defaultHeight = 1280, 800

	blankURL = "about:blank"
)

// Tab is a borrowed tab. It belongs to the function that Pool.Do lent it to.
// Behind it stands a Chrome target that is renewed when it is broken, has served
// its share of pages, or is in the wrong group.
type Tab struct {
	pool   *Pool
	slot   *slot
	target *tabTarget // nil: none yet, or the last one was given up
}

// tabTarget is one Chrome target of type page, with what was set up in it.
type tabTarget struct {
	chrome  *chrome
	session *session
	id      target.ID
	group   *group
	pages   int
	heavy   bool // its pages have left more behind than maxHeap

	// What holds in the target now, so that only differences are sent.
	scripts  map[script]page.ScriptIdentifier
	blocked  string
	fetching string
	bodies   int64 // bytes of response bodies that Network keeps
	frames   bool  // frames that are targets of their own are attached to
	width    int
	height   int

	mu      sync.Mutex
	visit   *visit        // that gets the events, nil between pages
	stays   *time.Timer   // ends the stay of the last page; nil when it does not stay
	leaving *call         // of the navigation to about:blank that ended the last page
	empty   chan struct{} // closed when that about:blank has committed, then nil
	blank   bool          // it is what the target shows
	old     bool          // a page that was read is what the target shows
	// restless says that that page is on its way elsewhere, or has said something.
	restless bool
}

// ready makes sure that the tab has a whole target in the group.
func (t *Tab) ready(ctx context.Context, url, name string) error {
	if tt := t.target; tt != nil {
		whole := tt.replaceable(url) && tt.answers(ctx) || tt.left(ctx)
		switch {
		case whole && tt.group.name == name && tt.pages < pagesPerTarget && !tt.heavy:
			return nil
		case whole && tt.group.name == name:
			t.pool.stats.recycled.Add(1)
		case !whole:
			t.pool.stats.replaced.Add(1)
		}
		t.drop()
	}
	var err error
	for range 2 {
		// A browser can die between being asked for and being used; the second
		// time it is a new one.
		var c *chrome
		if c, err = t.slot.get(ctx); err != nil {
			return err
		}
		if t.target, err = c.open(ctx, name); err == nil {
			return nil
		}
		switch {
		case ctx.Err() != nil:
			return err
		case !c.alive():
		case errors.Is(err, context.DeadlineExceeded):
			t.pool.log.Warn("browser opens no tab and is killed", "profile", c.home, "error", err)
			c.kill()
		default:
			return err // it answers, and says no
		}
		<-c.gone
	}
	return fmt.Errorf("%w: %w", ErrCrashed, err)
}

// drop gives the target up. It is closed behind the scenes.
func (t *Tab) drop() {
	if t.target != nil {
		t.target.chrome.discard(t.target)
		t.target = nil
	}
}

// open makes a target in the group and sets it up.
func (c *chrome) open(ctx context.Context, name string) (*tabTarget, error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	g, err := c.enter(ctx, name)
	if err != nil {
		return nil, err
	}
	t := &tabTarget{chrome: c, group: g, scripts: map[script]page.ScriptIdentifier{}}
	root := c.mux.root
	made, err := run(ctx, root, target.CreateTarget, target.CreateTargetParams{
		URL: blankURL, BrowserContextID: g.id,
	})
	if err != nil {
		c.leave(g)
		return nil, fmt.Errorf("make tab: %w", err)
	}
	c.targets.Add(1)
	t.id = made.TargetID
	attached, err := run(ctx, root, target.AttachToTarget, target.AttachToTargetParams{TargetID: t.id, Flatten: new(true)})
	if err == nil {
		t.session, err = c.mux.attach(attached.SessionID, t.event)
	}
	if err != nil {
		send(root, target.CloseTarget, target.CloseTargetParams{TargetID: t.id}).forget()
		c.leave(g)
		return nil, fmt.Errorf("attach to tab: %w", err)
	}
	if err := t.setUp(ctx); err != nil {
		c.discard(t)
		return nil, fmt.Errorf("set tab up: %w", err)
	}
	return t, nil
}

// setUp sends everything that holds for all pages at once and waits for the
// answers. Runtime.enable is needed for the binding to live on in new documents.
func (t *tabTarget) setUp(ctx context.Context) error {
	s := t.session
	calls := []*call{
		send(s, page.Enable, page.EnableParams{}),
		send(s, inspector.Enable, cdp.Empty{}),
		send(s, cdpruntime.Enable, cdp.Empty{}),
		send(s, cdpruntime.AddBinding, cdpruntime.AddBindingParams{Name: bindingName, ExecutionContextName: worldName}),
		send(s, network.Enable, buffers(0)),
		// A page's service worker would answer from its own store, unseen by us.
		send(s, network.SetBypassServiceWorker, network.SetBypassServiceWorkerParams{Bypass: true}),
		// Only one tab of a window is visible in Chrome's own headless mode; the
		// others would get no frames. This makes each believe that it is.
		send(s, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}),
		send(s, target.SetAutoAttach, autoAttach(false)),
	}
	if asksForFrames(t.chrome.pool.config, t.chrome.pool.binary) {
		calls = append(calls, send(s, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
			Source: wrap(waitAlways), WorldName: worldName,
		}))
	}
	for _, c := range calls {
		if err := c.wait(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}

// buffers are the parameters of Network.enable: bodies are kept in the renderer
// only when some are wanted, and so many bytes of them.
func buffers(size int64) network.EnableParams {
	return network.EnableParams{
		MaxTotalBufferSize:    new(size),
		MaxResourceBufferSize: new(min(size, MaxBody+1)),
	}
}

// event is called by the mux's reader for each event of the target.
func (t *tabTarget) event(method string, params jsonv2.Value) { t.heard(t.session, method, params) }

// heard takes an event of the target, or of a frame of it that is a target of its own.
func (t *tabTarget) heard(from *session, method string, params jsonv2.Value) {
	t.mu.Lock()
	v := t.visit
	t.mu.Unlock()
	if v == nil && from == t.session {
		t.stirred(method, params)
	}
	switch method {
	case "Page.javascriptDialogOpening":
		dismiss(from, params)
		if v != nil {
			v.spoken()
		}
		return
	case "Inspector.targetCrashed":
		t.chrome.mux.fail(from.id, errCrashed)
	}
	switch {
	case strings.HasPrefix(method, "Target."):
		t.attachment(v, from, method, params)
	case v != nil:
		v.event(from, method, params)
	case method == "Fetch.requestPaused":
		abort(from, params)
	case method == "Page.frameNavigated" && from == t.session:
		t.emptied(params)
	}
}

// abort ends a request that a page makes while nobody reads it.
func abort(from *session, params jsonv2.Value) {
	var p pausedRequest
	if decode(params, &p) == nil {
		refuse(from, p)
	}
}

// watch hands the events of the target to a visit, or to nobody.
func (t *tabTarget) watch(v *visit) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.visit = v
}

// dismiss closes a dialog at once, for the page stands still while it is open.
// Leaving a page is always granted.
func dismiss(from *session, params jsonv2.Value) {
	var ev struct {
		Type string `json:"type"`
	}
	_ = decode(params, &ev) // a dialog that cannot be read is dismissed
	send(from, page.HandleJavaScriptDialog, page.HandleJavaScriptDialogParams{Accept: ev.Type == "beforeunload"}).forget()
}

// stay keeps a page that was read, for the next one replaces it: to leave it for
// about:blank first costs a third of a page's work in Chrome, which changes the
// process for it. When no page follows soon it is left after all. Its script has
// stopped what it had set up.
func (t *tabTarget) stay() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stays = time.AfterFunc(staysFor, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.stays != nil {
			t.leaveLocked()
		}
	})
}

// stirred takes an event of a page that stays. One that goes elsewhere or speaks is
// not replaced, for it might do so while the next page is on its way.
func (t *tabTarget) stirred(method string, params jsonv2.Value) {
	switch method {
	case "Page.frameStartedNavigating", "Page.frameRequestedNavigation", "Page.javascriptDialogOpening":
	default:
		return
	}
	var ev struct {
		FrameID string `json:"frameId"`
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if (t.stays != nil || t.old) && decode(params, &ev) == nil && (ev.FrameID == "" || ev.FrameID == string(t.id)) {
		t.restless = true
	}
}

// leave ends a page: its timers and requests stop now and not when the next page
// opens. left waits for it.
func (t *tabTarget) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.leaveLocked()
}

func (t *tabTarget) leaveLocked() {
	t.stays, t.old = nil, false
	t.empty, t.blank = make(chan struct{}), false
	t.leaving = send(t.session, page.Navigate, page.NavigateParams{URL: blankURL})
}

// replaceable says that a page that stays can be replaced by a URL. One with a
// fragment may lead to another place of the same document, where it is left.
func (t *tabTarget) replaceable(url string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stays == nil {
		return false
	}
	if strings.Contains(url, "#") {
		t.stays.Stop()
		t.leaveLocked()
		return false
	}
	t.stays.Stop()
	t.stays, t.old = nil, true
	return true
}

// answers says that the page that stays is quiet and has not hung: the next one
// would have to wait for it.
func (t *tabTarget) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, blankLimit)
	defer cancel()
	heap, err := run(ctx, t.session, cdpruntime.GetHeapUsage, cdp.Empty{})
	t.heavy = heap.UsedSize+heap.EmbedderHeapUsedSize+heap.BackingStorageSize > maxHeap
	t.mu.Lock()
	defer t.mu.Unlock()
	return err == nil && !t.restless
}

// emptied takes the news of a document while no page is open.
func (t *tabTarget) emptied(params jsonv2.Value) {
	var ev frameNavigated
	t.mu.Lock()
	defer t.mu.Unlock()
	if decode(params, &ev) != nil || ev.Frame.ParentID != "" {
		return
	}
	t.blank = ev.Frame.URL == blankURL // a page that sends itself on may come after it
	if t.blank && t.empty != nil {
		close(t.empty)
		t.empty = nil
	}
}

// left says that the target is whole and empty. The answer to the navigation is
// not enough: where a page has a beforeunload handler it comes before the
// document does, and a navigation begun in between is lost without a word.
func (t *tabTarget) left(ctx context.Context) bool {
	select {
	case <-t.session.gone:
		return false
	default:
	}
	t.mu.Lock()
	leaving, empty := t.leaving, t.empty
	t.leaving = nil
	t.mu.Unlock()
	if leaving == nil {
		return !t.old // that page does not answer
	}
	ctx, cancel := context.WithTimeout(ctx, blankLimit)
	defer cancel()
	var result page.NavigateResult
	err := leaving.wait(ctx, &result)
	if err != nil || result.ErrorText != "" {
		return false
	}
	if empty != nil {
		select {
		case <-empty:
		case <-ctx.Done():
			return false
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.blank
}

// stop makes a page that did not end well let go of its renderer: pending loads
// end, running scripts are broken off. Both are heard by a busy renderer.
func (t *tabTarget) stop() {
	send(t.session, page.StopLoading, cdp.Empty{}).forget()
	send(t.session, cdpruntime.TerminateExecution, cdp.Empty{}).forget()
}

// gone says that err is the end of the target or of its browser.
func gone(err error) bool {
	return errors.Is(err, errLost) || errors.Is(err, errGone) || errors.Is(err, errCrashed)
}
