package browserpool

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
)

// Frames below the top one are read where Request.FrameScript is given. Each
// document of each frame has a reading script of its own, with the words of
// script.go; what it delivers comes back as Answer.Frames. A frame of another site
// may be a target of its own in Chrome, with a session of its own: there the same
// things are set up before its document runs. Without a FrameScript nothing of
// this is asked of Chrome.

// maxFrames is the most frames that a page may have at a time.
const maxFrames = 1000

// What is said of a frame that was not read.
const (
	frameRefused  = "address refused"
	frameCrashed  = "crashed"
	frameRunaway  = "sends itself on for ever"
	frameLate     = "had not loaded"
	frameRestless = "had not come to rest"
)

// frame is one frame below the top one.
type frame struct {
	reader
	id      string
	url     string // of its document
	to      string // of the document that is or was on its way
	loader  string // of that
	shown   string // loader of the document that is there
	going   bool   // to another document
	fresh   bool   // a document is there and its script has not begun
	started bool   // the script of the document has begun
	done    bool   // and has delivered
	// lacks is what the frame does not hold, by the word of its script; nil until it
	// has said "bare" or has delivered.
	lacks     map[string]bool
	status    int
	err       string // why there is nothing to read
	documents int
}

// pending says that the frame may still deliver something.
func (f *frame) pending() bool { return f.going || f.fresh || (f.started && !f.done) }

// leave forgets the document of the frame.
func (f *frame) leave() {
	f.read = reading{}
	f.fresh, f.started, f.done, f.lacks = false, false, false, nil
}

// moveTo notes which session tells of the frame.
func (f *frame) moveTo(s *session) {
	if f.session != s {
		f.reader = reader{session: s} // contexts are numbered by session
	}
}

// newFrame gives the frame with an id, which s tells of from now on.
func (v *visit) newFrame(s *session, id string) *frame {
	if f := v.frameOf(id); f != nil {
		f.moveTo(s)
		return f
	}
	f := &frame{reader: reader{session: s}, id: id}
	v.frames = append(v.frames, f)
	if len(v.frames) > maxFrames {
		v.failLocked(ErrTooLarge)
	}
	return f
}

func (v *visit) frameOf(id string) *frame {
	if i := slices.IndexFunc(v.frames, func(f *frame) bool { return f.id == id }); i >= 0 {
		return v.frames[i]
	}
	return nil
}

// tells says that a session tells of frames of the current document.
func (v *visit) tells(s *session) bool { return s == v.session || v.sessions[s] }

// frameEvent takes an event about a frame below the top one; false for any other.
func (v *visit) frameEvent(from *session, method string, params jsonv2.Value) bool {
	var ev struct {
		FrameID     string `json:"frameId"`
		URL         string `json:"url"`
		Loader      string `json:"loaderId"`
		Type        string `json:"navigationType"`
		Reason      string `json:"reason"`
		Disposition string `json:"disposition"`
		Frame       struct {
			ID          string `json:"id"`
			Loader      string `json:"loaderId"`
			URL         string `json:"url"`
			Unreachable string `json:"unreachableUrl"`
		} `json:"frame"`
	}
	if v.request.FrameScript == "" || !strings.HasPrefix(method, "Page.frame") || decode(params, &ev) != nil {
		return false
	}
	id := ev.FrameID + ev.Frame.ID // an event has one of them
	if id == "" || id == string(v.target.id) || !v.tells(from) {
		return false
	}
	if method == "Page.frameAttached" {
		v.newFrame(from, id)
		v.changes++
		return true
	}
	f := v.frameOf(id)
	if f == nil {
		return true
	}
	switch method {
	case "Page.frameRequestedNavigation":
		// Told by the renderer, mostly before the browser tells that it has started. A
		// busy one tells it when the document has long been there.
		if ev.Disposition == "currentTab" && (ev.URL != f.to || f.loader == "") {
			f.going, f.to = true, ev.URL
		}
	case "Page.frameStartedNavigating":
		if !strings.Contains(ev.Type, "same") && ev.Loader != f.shown {
			f.going, f.to, f.loader, f.status, f.err = true, ev.URL, ev.Loader, 0, ""
		}
	case "Page.frameNavigated":
		f.moveTo(from)
		f.shown = ev.Frame.Loader
		f.arrived(ev.Frame.URL, ev.Frame.Unreachable)
		if f.fresh && f.world.unique != "" {
			// The document has the window of the empty one before it, which the page
			// has touched. There Chrome runs no script again.
			f.evaluate(wrapFrame(v.request.FrameScript)).forget()
		}
	case "Page.frameStoppedLoading":
		f.going, f.fresh = false, false
	case "Page.frameDetached":
		if ev.Reason != "swap" { // else its own session tells of it now
			v.frames = slices.DeleteFunc(v.frames, func(other *frame) bool { return other == f })
		}
	}
	v.frameEnd()
	return true
}

// arrived: the frame has a new document, or Chrome's own error page.
func (f *frame) arrived(url, unreachable string) {
	f.leave()
	f.going, f.fresh, f.url = false, true, url
	f.documents++
	switch {
	case f.documents > maxDocuments:
		f.fresh, f.err = false, frameRunaway
	case unreachable != "":
		f.fresh, f.to = false, unreachable
		if f.err == "" {
			f.err = frameLate
		}
	default:
		f.err = ""
	}
}

// readerOf finds who speaks in an execution context. The frame is nil for the top
// document, the reader for what is none of ours.
func (v *visit) readerOf(from *session, context int64) (*reader, *frame) {
	if from == v.session && context == v.world.id {
		return &v.reader, nil
	}
	for _, f := range v.frames {
		if f.session == from && f.world.id == context && f.world.unique != "" {
			return &f.reader, f
		}
	}
	return nil, nil
}

// readers are all reading scripts that there are.
func (v *visit) readers() []*reader {
	out := []*reader{&v.reader}
	for _, f := range v.frames {
		out = append(out, &f.reader)
	}
	return out
}

// frameCalled takes a message of the reading script of a frame. It may not give
// the page inputs, lead it on, or end it.
func (v *visit) frameCalled(f *frame, word, rest string) {
	switch word {
	case "frame":
		f.read = reading{}
		f.fresh, f.started, f.done, f.lacks = false, f.err == "", false, nil
		if v.delivered && f.started {
			f.callScript("__tabfarm_begin")
		}
	case "bare", "done":
		f.lacks = map[string]bool{}
		for _, name := range strings.Fields(rest) {
			f.lacks[name] = true
		}
		f.done = word == "done" && f.read.complete()
		f.read.on = f.read.on && !f.done
	}
	v.frameEnd()
}

// beginFrames lets the frames read: the top document has delivered.
func (v *visit) beginFrames() {
	for _, f := range v.frames {
		if f.started && !f.done {
			f.callScript("__tabfarm_begin")
		}
	}
	v.frameEnd()
}

// frameEnd ends the visit when the top document has delivered and no frame is
// waited for. What is told of the frames comes from several processes, and one
// frame may go before the next has come; so those that count are asked once more,
// and the end is one only if nothing has happened until they answer.
func (v *visit) frameEnd() {
	v.changes++
	if v.polling || v.over || !v.framesDone() {
		return
	}
	if len(v.frames) == 0 && v.request.FrameScript == "" {
		v.finished = true
		v.endLocked()
		return
	}
	v.polling = true
	var asked []*call
	for _, r := range v.readers() {
		if r.world.unique != "" && (r == &v.reader || r.read.complete()) {
			asked = append(asked, r.evaluate("0"))
		}
	}
	changes := v.changes
	v.wg.Go(func() {
		for _, c := range asked {
			_ = c.wait(v.ctx, nil) // a document that has gone since has told so
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		v.polling = false
		switch {
		case v.over || !v.framesDone():
		case v.changes != changes:
			v.frameEnd()
		default:
			v.finished = true
			v.endLocked()
		}
	})
}

// framesDone says that the top document has delivered and no frame is waited for.
func (v *visit) framesDone() bool { return v.delivered && !slices.ContainsFunc(v.frames, v.awaited) }

// awaited says that the visit waits for a frame. One that has nothing so far, and
// goes on and on, is left out when others hold all that it lacks.
func (v *visit) awaited(f *frame) bool {
	if !f.pending() {
		return false
	}
	if f.lacks == nil || f.going {
		return true
	}
	for name := range f.lacks {
		if !slices.ContainsFunc(v.frames, func(other *frame) bool { return other.done && !other.lacks[name] }) {
			return true
		}
	}
	return false
}

// frameAnswers is what came of each frame, in the order in which they appeared.
// Of those that held a document which has no script, such as pictures, nothing is said.
func (v *visit) frameAnswers() []Frame {
	var out []Frame
	for _, f := range v.frames {
		a := Frame{URL: cmp.Or(f.url, "about:blank"), Err: f.err}
		if f.going || f.err != "" {
			a.URL = f.to
		}
		switch {
		case f.done:
			a.Payload = []byte(f.read.text())
		case f.err != "":
			a.Late = f.err == frameCrashed || f.err == frameRunaway
		case f.going, f.fresh:
			a.Err, a.Late = frameLate, true
		case f.started && !v.awaited(f): // and others hold what it lacks
		case f.started:
			a.Err, a.Late = frameRestless, true
		default:
			continue
		}
		out = append(out, a)
	}
	return out
}

// frameFailures are the documents of frames that did not load, or with an error.
func (v *visit) frameFailures() []Failure {
	var out []Failure
	for _, f := range v.frames {
		switch {
		case f.status >= 400:
			out = append(out, Failure{URL: f.url, Status: f.status})
		case strings.HasPrefix(f.err, "net::"):
			out = append(out, Failure{URL: f.to, Err: f.err})
		}
	}
	return out
}

// frameFailed notes Chrome's word for a document that did not come.
func (v *visit) frameFailed(loader, word string) {
	for _, f := range v.frames {
		if f.loader == loader && f.err != frameRefused {
			f.err = word
		}
	}
}

// frameResponded notes the answer to the request for a frame's document.
func (v *visit) frameResponded(id string, r *response) {
	if f := v.frameOf(id); f != nil {
		f.status = r.Status
		v.connected(r)
	}
}

// frameAsked asks Allow for the document of a frame. A refused one is not loaded;
// the page goes on without it.
func (v *visit) frameAsked(from *session, p pausedRequest) {
	v.checks++
	v.wg.Go(func() {
		err := v.request.Allow(v.ctx, p.Request.URL, netip.Addr{})
		v.mu.Lock()
		defer v.mu.Unlock()
		v.checks--
		if err == nil {
			v.pass(from, p)
		} else {
			refuse(from, p)
			v.tab.pool.stats.refused.Add(1)
			if f := v.frameOf(p.Frame); f != nil {
				f.err = frameRefused
			}
		}
		v.endLocked()
	})
}

// attachFrame takes up a frame that is a target of its own.
func (t *tabTarget) attachFrame(v *visit, parent *session, id target.SessionID, frameID string) {
	var s *session
	s, err := t.chrome.mux.attach(id, func(method string, params jsonv2.Value) { t.heard(s, method, params) })
	if err != nil {
		return // the browser is gone
	}
	if v != nil {
		v.frameTarget(parent, s, frameID)
	}
	send(s, cdpruntime.RunIfWaitingForDebugger, cdp.Empty{}).forget()
}

// frameTarget sets up the session of a frame, as setUp and apply do with the
// page's. Chrome holds the frame until all of it is done.
func (v *visit) frameTarget(parent, s *session, id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over || v.request.FrameScript == "" || !v.tells(parent) {
		return
	}
	f := v.newFrame(s, id)
	f.leave()
	f.going = true
	v.sessions[s] = true
	r := &v.request
	calls := []*call{
		send(s, page.Enable, page.EnableParams{}),
		send(s, cdpruntime.Enable, cdp.Empty{}),
		send(s, cdpruntime.AddBinding, cdpruntime.AddBindingParams{Name: bindingName, ExecutionContextName: worldName}),
		send(s, network.Enable, buffers(v.net.buffer())),
		send(s, network.SetBypassServiceWorker, network.SetBypassServiceWorkerParams{Bypass: true}),
		send(s, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: blockPatterns(r.Block)}),
		send(s, target.SetAutoAttach, autoAttach(true)),
	}
	if patterns := r.intercepted(); len(patterns) > 0 {
		calls = append(calls, send(s, fetch.Enable, fetch.EnableParams{Patterns: patterns}))
	}
	for _, source := range r.frameScripts() {
		calls = append(calls, send(s, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
			Source: source.source, WorldName: source.world,
		}))
	}
	for _, c := range calls {
		c.forget()
	}
}

// frameGone: the session of a frame has ended. The frame comes back on its
// parent's session, or was removed, which that session has told.
func (v *visit) frameGone(id target.SessionID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for s := range maps.Keys(v.sessions) {
		if s.id == id {
			delete(v.sessions, s)
		}
	}
	for _, f := range v.frames {
		if f.session.id == id && f.err != frameCrashed {
			f.leave()
			f.going = true
		}
	}
}

// frameDied: the renderer of a frame has crashed.
func (v *visit) frameDied(s *session) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, f := range v.frames {
		if f.session == s {
			f.leave()
			f.going, f.err = false, frameCrashed
		}
	}
	v.frameEnd()
}
