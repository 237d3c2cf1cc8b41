package browserpool

import (
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
)

// autoAttach makes Chrome attach us to a page's dedicated workers, and hold each
// until its requests are watched: what a worker fetches may be drawn by the page,
// and is not told on the page's own session. (Request.Block and Request.Headers
// do not reach workers.) With frames it does the same with frames that are targets
// of their own.
func autoAttach(frames bool) target.SetAutoAttachParams {
	filter := target.Filter{{Type: "worker"}, {Exclude: true}}
	if frames {
		filter = target.Filter{{Type: "worker"}, {Type: "iframe"}, {Exclude: true}}
	}
	return target.SetAutoAttachParams{AutoAttach: true, WaitForDebuggerOnStart: true, Flatten: new(true), Filter: filter}
}

// attachment takes the news, told on the session from, of a worker or frame that
// came or went. v is nil between pages.
func (t *tabTarget) attachment(v *visit, from *session, method string, params jsonv2.Value) {
	var ev struct {
		SessionID target.SessionID `json:"sessionId"`
		Info      struct {
			ID   string `json:"targetId"`
			Type string `json:"type"`
		} `json:"targetInfo"`
	}
	if decode(params, &ev) != nil || ev.SessionID == "" {
		return
	}
	switch {
	case method == "Target.detachedFromTarget" && v != nil:
		v.workerGone(ev.SessionID)
		v.frameGone(ev.SessionID)
	case method != "Target.attachedToTarget":
	case ev.Info.Type == "iframe":
		t.attachFrame(v, from, ev.SessionID, ev.Info.ID)
	default:
		t.attachWorker(v, from, ev.SessionID)
	}
}

// attachWorker takes up a worker that a page, frame or worker has made.
func (t *tabTarget) attachWorker(v *visit, maker *session, id target.SessionID) {
	var worker *session
	worker, err := t.chrome.mux.attach(id, func(method string, params jsonv2.Value) {
		t.mu.Lock()
		v := t.visit
		t.mu.Unlock()
		switch {
		case method == "Target.attachedToTarget", method == "Target.detachedFromTarget":
			t.attachment(v, worker, method, params)
		case v != nil:
			v.event(worker, method, params)
		}
	})
	if err != nil {
		return // the browser is gone
	}
	worker.of = maker
	if v != nil {
		v.workerCame()
	}
	send(worker, target.SetAutoAttach, autoAttach(false)).forget()
	size := int64(0)
	if v != nil {
		size = v.net.buffer()
	}
	send(worker, network.Enable, buffers(size)).forget()
	send(worker, cdpruntime.RunIfWaitingForDebugger, cdp.Empty{}).forget()
}
