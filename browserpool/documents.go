package browserpool

import (
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/cdp/jsonv2"
)

// Which document the top frame shows, and which one is on its way.

// frameNavigated is the part of Page.frameNavigated that matters.
type frameNavigated struct {
	Frame struct {
		ParentID    string `json:"parentId"`
		LoaderID    string `json:"loaderId"`
		URL         string `json:"url"`
		Unreachable string `json:"unreachableUrl"`
	} `json:"frame"`
}

// navigated: the top frame has a new document.
func (v *visit) navigated(params jsonv2.Value) {
	var ev frameNavigated
	if decode(params, &ev) != nil || ev.Frame.ParentID != "" {
		return
	}
	if (v.stale || v.before[ev.Frame.LoaderID]) && ev.Frame.LoaderID != v.first {
		v.failLocked(errRestless) // it was the page before that went there
		return
	}
	v.stale = false
	doc := v.docs[ev.Frame.LoaderID]
	switch {
	case ev.Frame.Unreachable != "":
		// Chrome's own error page. Of the first navigation its answer tells more.
		if v.documents > 0 {
			if doc == nil {
				doc = &document{url: ev.Frame.Unreachable}
			}
			v.doc = doc
			v.failLocked(fmt.Errorf("%w: the page went to %q: %s", ErrUnreachable, cut(doc.url, 200), doc.failed))
		}
		return
	case doc == nil && isWeb(ev.Frame.URL):
		doc = &document{loader: ev.Frame.LoaderID, url: ev.Frame.URL}
	case doc == nil:
		v.tab.pool.stats.refused.Add(1)
		v.failLocked(fmt.Errorf("%w: the page went to %q, and only http and https are opened", ErrRefused, cut(ev.Frame.URL, 200)))
		return
	}
	v.doc = doc
	clear(v.docs)
	v.docs[doc.loader] = doc
	v.read, v.delivered, v.frames, v.turns = reading{}, false, nil, 0
	clear(v.sessions)
	v.net.keepOnly(doc.loader)
	for origin, s := range v.storage {
		if strings.HasPrefix(doc.url, origin+"/") {
			delete(v.storage, origin)
			v.target.uninstall(s).forget()
		}
	}
	if v.documents++; v.documents > maxDocuments {
		v.failLocked(fmt.Errorf("%w: the page sent itself on %d times", errRedirects, maxDocuments))
	}
}

// spoken: a dialog has opened. One of the page before may be the first of many, and
// nothing of the next page comes meanwhile.
func (v *visit) spoken() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stale {
		v.failLocked(errRestless)
	}
}

// leaving: the page is on its way to another document. That counts as a request in
// flight, for what is read before it has come is not what the page meant to show.
func (v *visit) leaving(params jsonv2.Value) {
	var ev struct {
		FrameID  string `json:"frameId"`
		LoaderID string `json:"loaderId"`
		URL      string `json:"url"`
		Type     string `json:"navigationType"`
	}
	if decode(params, &ev) != nil || v.doc == nil || ev.FrameID != string(v.target.id) || strings.Contains(ev.Type, "same") {
		return
	}
	v.net.requests[ev.LoaderID] = &request{from: v.target.session, loader: v.doc.loader, draws: true, leaves: true, out: Failure{URL: ev.URL}}
}

// stayed: the top frame has come to rest. A navigation that was under way and has
// brought no document was a download, or nothing.
func (v *visit) stayed(params jsonv2.Value) {
	var ev struct {
		FrameID string `json:"frameId"`
	}
	if decode(params, &ev) != nil || ev.FrameID != string(v.target.id) {
		return
	}
	for id, r := range v.net.requests {
		if r.leaves {
			delete(v.net.requests, id)
			v.landed(id)
		}
	}
}
