package browserpool

import (
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
)

// workersOnly makes Chrome attach us to a page's dedicated workers, and hold each
// until its requests are watched: what a worker fetches may be drawn by the page,
// and is not told on the page's own session. (Request.Block and Request.Headers
// do not reach workers.)
var workersOnly = target.SetAutoAttachParams{
	AutoAttach: true, WaitForDebuggerOnStart: true, Flatten: new(true),
	Filter: target.Filter{{Type: "worker"}, {Exclude: true}},
}

// workers takes the news of a worker that came or went. v is nil between pages.
func (t *tabTarget) workers(v *visit, method string, params jsonv2.Value) {
	var ev struct {
		SessionID target.SessionID `json:"sessionId"`
	}
	if decode(params, &ev) != nil || ev.SessionID == "" {
		return
	}
	if method == "Target.detachedFromTarget" && v != nil {
		v.workerGone(ev.SessionID)
	}
	if method != "Target.attachedToTarget" {
		return
	}
	var worker *session
	worker, err := t.chrome.mux.attach(ev.SessionID, func(method string, params jsonv2.Value) {
		t.mu.Lock()
		v := t.visit
		w := worker
		t.mu.Unlock()
		switch {
		case method == "Target.attachedToTarget", method == "Target.detachedFromTarget":
			t.workers(v, method, params)
		case v != nil:
			v.event(w, method, params)
		}
	})
	if err != nil {
		return // the browser is gone
	}
	send(worker, target.SetAutoAttach, workersOnly).forget()
	size := int64(0)
	if v != nil {
		size = v.net.buffer()
	}
	send(worker, network.Enable, buffers(size)).forget()
	send(worker, cdpruntime.RunIfWaitingForDebugger, cdp.Empty{}).forget()
}
