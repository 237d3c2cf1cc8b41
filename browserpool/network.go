package browserpool

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/target"
)

// traffic is what a page asks for, as far as it matters: what is in flight, what
// is captured, what failed.
type traffic struct {
	capture  []*regexp.Regexp
	anyJSON  bool
	requests map[string]*request // in flight, that may draw or are captured
	captured []*capture
	kept     []*capture // of parts of the payload that are complete
	bodies   int64      // bytes asked for
	asks     bool       // what is heard may be asked about
	heard    []*heard
	live     bool // a connection stays open that may bring more
	workers  int  // that the document has made
	failed   []Failure
	ended    time.Time // when the last request that may draw did
}

// endsLate is how long after its end a request still counts: the page may have the end
// of the body to read, and to draw what it brought.
const endsLate = 20 * time.Millisecond

// request is one request in flight.
type request struct {
	// from is the session that tells of it: the page's or a worker's. Ids are unique
	// among them; the script of a worker begins on its maker's and ends on its own.
	from   *session
	loader string // of the document that made it
	draws  bool   // may still change what the page shows
	loose  bool   // has an end that the page may hear, but is not waited for
	leaves bool   // is for the next document of the top frame
	heard  *heard // what is kept of it for a question, if it ends well
	bytes  int64  // of the body so far, decoded
	hit    *capture
	out    Failure
}

// capture is a response whose body is wanted.
type capture struct {
	loader   string
	response Response
	sniff    bool  // keep it only if it turns out to be JSON
	body     *call // on its way, nil while the response is
	post     *call
	ended    bool
}

func newTraffic(r *Request) traffic {
	t := traffic{requests: map[string]*request{}, asks: r.Ask != nil}
	for _, part := range r.Capture {
		if part == "*" {
			t.anyJSON = true
			continue
		}
		t.capture = append(t.capture, regexp.MustCompile(strings.ReplaceAll(regexp.QuoteMeta(part), `\*`, `.*`)))
	}
	return t
}

// buffer is how many bytes of bodies Chrome is to keep: all that are captured, or
// as many as a question may be about.
func (t *traffic) buffer() int64 {
	switch {
	case t.anyJSON || len(t.capture) > 0:
		return maxBodies + MaxBody
	case t.asks:
		return maxHeardBytes
	}
	return 0
}

// snapshot is the set of requests in flight that may still draw, of the documents
// that a session tells of and their workers.
func (t *traffic) snapshot(of *session) map[string]bool {
	ids := map[string]bool{}
	for id, r := range t.requests {
		if r.draws && r.from.page() == of {
			ids[id] = true
		}
	}
	return ids
}

// pending counts the same.
func (t *traffic) pending(of *session) int {
	n := 0
	for _, r := range t.requests {
		if r.draws && r.from.page() == of {
			n++
		}
	}
	return n
}

// loose counts what may make the page draw, and is not waited for: images, fonts and
// styles in flight, workers, connections that stay open.
func (t *traffic) loose() int {
	n := t.workers
	for _, r := range t.requests {
		if r.loose {
			n++
		}
	}
	if t.live {
		n++
	}
	return n
}

// leaving is the request for another document that the page is on its way to, nil
// for none.
func (t *traffic) leaving() *request {
	for _, r := range t.requests {
		if r.leaves {
			return r
		}
	}
	return nil
}

// keepOnly forgets what other documents than that of the loader have asked for.
func (t *traffic) keepOnly(loader string) {
	for id, r := range t.requests {
		if r.loader != loader {
			delete(t.requests, id)
		}
	}
	t.captured = slices.DeleteFunc(t.captured, func(c *capture) bool { return c.loader != loader })
	t.heard = slices.DeleteFunc(t.heard, func(h *heard) bool { return h.loader != loader })
	t.failed, t.live, t.workers = nil, false, 0
}

// keep makes what is captured stay when the document is left.
func (t *traffic) keep() {
	t.kept = append(t.kept, t.captured...)
	t.captured = nil
}

// forget lets go of what was captured and of what is on its way.
func (t *traffic) forget() {
	t.kept, t.captured, t.bodies = nil, nil, 0
	for _, r := range t.requests {
		r.hit = nil
	}
}

// drawing are Chrome's resource types of requests that may change what a page
// shows. Event streams and WebSockets have types of their own.
var drawing = map[string]bool{"XHR": true, "Fetch": true, "Script": true, "Other": true, "": true}

// heardOf are those whose end a page may hear of.
var heardOf = map[string]bool{"Image": true, "Font": true, "Stylesheet": true}

// network takes an event of the Network domain. The lock is held.
func (v *visit) network(from *session, method string, params jsonv2.Value) {
	switch method {
	case "Network.requestWillBeSent":
		v.requested(from, params)
	case "Network.responseReceived":
		v.responded(from, params)
	case "Network.dataReceived":
		var ev struct {
			ID    string `json:"requestId"`
			Bytes int64  `json:"dataLength"`
		}
		if decode(params, &ev) == nil {
			if r := v.net.requests[ev.ID]; r != nil {
				r.bytes += ev.Bytes
			}
		}
	case "Network.loadingFinished":
		var ev struct {
			ID string `json:"requestId"`
		}
		if decode(params, &ev) == nil {
			v.finish(from, ev.ID)
		}
	case "Network.loadingFailed":
		v.loadingFailed(params)
	case "Network.webSocketCreated", "Network.webTransportCreated":
		v.net.live = true
	}
}

// response is the part of Network.Response that matters.
type response struct {
	URL     string            `json:"url"`
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	MIME    string            `json:"mimeType"`
	Remote  string            `json:"remoteIPAddress"`
}

func (v *visit) requested(from *session, params jsonv2.Value) {
	var ev struct {
		ID      string `json:"requestId"`
		Loader  string `json:"loaderId"`
		Frame   string `json:"frameId"`
		Type    string `json:"type"`
		Request struct {
			URL         string `json:"url"`
			Fragment    string `json:"urlFragment"`
			Method      string `json:"method"`
			PostData    string `json:"postData"`
			HasPostData bool   `json:"hasPostData"`
		} `json:"request"`
		Redirect *response `json:"redirectResponse"`
	}
	if decode(params, &ev) != nil {
		return
	}
	if ev.Type == "Document" {
		if ev.Frame == string(v.target.id) {
			if ev.Redirect != nil {
				v.connected(ev.Redirect)
			}
			v.docs[ev.Loader] = &document{loader: ev.Loader, url: ev.Request.URL}
			if v.stale {
				v.before[ev.Loader] = true
			}
		} else if ev.Redirect != nil {
			v.frameResponded(ev.Frame, ev.Redirect)
		}
		return
	}
	if ev.Redirect != nil {
		if r := v.net.requests[ev.ID]; r != nil {
			r.out.URL = ev.Request.URL
			if r.hit != nil {
				r.hit.response.URL = ev.Request.URL
			}
			return
		}
	}
	r := &request{
		from: from, loader: ev.Loader, out: Failure{URL: ev.Request.URL},
		draws: drawing[ev.Type] && !strings.HasSuffix(ev.Request.URL, "/favicon.ico") && !strings.HasPrefix(ev.Request.URL, "data:"),
	}
	if hit, sniff := v.net.matches(ev.Request.URL, ev.Type); hit {
		r.hit = &capture{loader: ev.Loader, sniff: sniff, response: Response{
			URL: ev.Request.URL, Method: ev.Request.Method, PostData: ev.Request.PostData,
		}}
		if ev.Request.HasPostData && ev.Request.PostData == "" {
			r.hit.post = send(from, network.GetRequestPostData, network.GetRequestPostDataParams{RequestID: network.RequestID(ev.ID)})
		}
	}
	if v.net.asks && (ev.Type == "XHR" || ev.Type == "Fetch") {
		r.heard = &heard{loader: ev.Loader, id: network.RequestID(ev.ID)}
	}
	if ev.Type == "EventSource" {
		v.net.live = true
	}
	r.loose = !r.draws && heardOf[ev.Type]
	if r.draws || r.loose || r.hit != nil {
		v.net.requests[ev.ID] = r
	}
}

// matches says whether the response to a request is captured, and whether only
// because it may turn out to be JSON.
func (t *traffic) matches(url, kind string) (hit, sniff bool) {
	for _, re := range t.capture {
		if re.MatchString(url) {
			return true, false
		}
	}
	return t.anyJSON && (kind == "XHR" || kind == "Fetch"), true
}

func (v *visit) responded(from *session, params jsonv2.Value) {
	var ev struct {
		ID       string   `json:"requestId"`
		Loader   string   `json:"loaderId"`
		Type     string   `json:"type"`
		Frame    string   `json:"frameId"`
		Response response `json:"response"`
	}
	if decode(params, &ev) != nil {
		return
	}
	if doc := v.docs[ev.Loader]; doc != nil && ev.Type == "Document" && ev.Frame == string(v.target.id) {
		doc.url, doc.status, doc.mime = ev.Response.URL, ev.Response.Status, ev.Response.MIME
		doc.header = make(map[string]string, len(ev.Response.Headers))
		for name, value := range ev.Response.Headers {
			doc.header[strings.ToLower(name)] = value
		}
		v.connected(&ev.Response)
		return
	}
	if ev.Type == "Document" {
		v.frameResponded(ev.Frame, &ev.Response)
	}
	r := v.net.requests[ev.ID]
	if r == nil {
		return
	}
	r.from, r.out.Status = from, ev.Response.Status
	for name, value := range ev.Response.Headers {
		if strings.EqualFold(name, "Retry-After") {
			r.out.RetryAfter = value
		}
	}
	if ev.Response.MIME == "text/event-stream" {
		r.draws, v.net.live = false, true // a stream by fetch ends as little as an EventSource does
		v.landed(ev.ID)
	}
	if h := r.heard; h != nil {
		h.response = Response{URL: ev.Response.URL, Status: ev.Response.Status, MIMEType: ev.Response.MIME}
	}
	if c := r.hit; c != nil {
		c.response.Status, c.response.MIMEType = ev.Response.Status, ev.Response.MIME
		if ev.Response.Status < 200 || ev.Response.Status > 299 || (c.sniff && !maybeJSON(ev.Response.MIME)) {
			r.hit = nil
			return
		}
		v.net.captured = append(v.net.captured, c)
	}
}

// maybeJSON leaves out the types that certainly are no JSON. Servers send JSON
// as text, script and bytes, too.
func maybeJSON(mime string) bool {
	return strings.Contains(mime, "json") || slices.Contains([]string{
		"", "text/plain", "text/javascript", "application/javascript", "application/x-javascript", "application/octet-stream", "text/html",
	}, mime)
}

// connected asks Allow for the address that a document came from.
func (v *visit) connected(r *response) {
	if v.request.Allow == nil || v.tab.pool.config.Proxy != "" || r.Remote == "" {
		return
	}
	addr, err := netip.ParseAddr(strings.Trim(r.Remote, "[]"))
	if err != nil {
		return // no address, as with answers that came out of the cache
	}
	v.ask(r.URL, addr.Unmap(), func(error) {})
}

// workerCame: the document has made a worker, of which nothing is known but its requests.
func (v *visit) workerCame() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.net.workers++
}

// workerGone ends the requests of a worker, or of a frame of its own, that has ended.
func (v *visit) workerGone(worker target.SessionID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, r := range v.net.requests {
		if r.from.id == worker {
			delete(v.net.requests, id)
			v.landed(id)
		}
	}
}

// finish: the body of a request is whole. A wanted one is asked for at once, for
// Chrome drops bodies when the page is left.
func (v *visit) finish(from *session, id string) {
	r := v.net.requests[id]
	if r == nil {
		return
	}
	v.net.drop(id, r)
	if r.out.Status >= 400 {
		v.net.fail(r)
	}
	v.hear(from, r)
	if c := r.hit; c != nil {
		c.ended = true
		if r.bytes > MaxBody || v.net.bodies+r.bytes > maxBodies {
			c.response.TooLarge = true
		} else {
			v.net.bodies += r.bytes
			c.body = send(from, network.GetResponseBody, network.GetResponseBodyParams{RequestID: network.RequestID(id)})
		}
	}
	v.landed(id)
}

func (v *visit) loadingFailed(params jsonv2.Value) {
	var ev struct {
		ID       string `json:"requestId"`
		Error    string `json:"errorText"`
		Canceled bool   `json:"canceled"`
		Blocked  string `json:"blockedReason"`
	}
	if decode(params, &ev) != nil {
		return
	}
	if doc := v.docs[ev.ID]; doc != nil { // the request of a document has its loader's id
		if ev.Canceled {
			return
		}
		doc.failed = ev.Error
		if doc == v.doc {
			// What came of it stays on the screen and may look whole.
			v.failLocked(fmt.Errorf("%w: the document broke off: %s", ErrUnreachable, ev.Error))
		}
		return
	}
	if !ev.Canceled {
		v.frameFailed(ev.ID, ev.Error)
	}
	r := v.net.requests[ev.ID]
	if r == nil {
		return
	}
	v.net.drop(ev.ID, r)
	switch {
	case r.out.Status >= 400: // a body that the page does not read ends as cancelled
		v.net.fail(r)
	case !ev.Canceled && ev.Blocked == "":
		r.out.Err = ev.Error
		v.net.fail(r)
	}
	if c := r.hit; c != nil {
		// Part of a body is no body.
		v.net.captured = slices.DeleteFunc(v.net.captured, func(other *capture) bool { return other == c })
	}
	v.landed(ev.ID)
}

// drop: a request has ended.
func (t *traffic) drop(id string, r *request) {
	delete(t.requests, id)
	if r.draws {
		t.ended = time.Now()
	}
}

func (t *traffic) fail(r *request) {
	if r.draws && len(t.failed) < maxFailures {
		t.failed = append(t.failed, r.out)
	}
}

// hostOf is scheme://host[:port] of a URL, lower case and without a default port.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "http" {
		host = strings.TrimSuffix(host, ":80")
	}
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	}
	return strings.ToLower(u.Scheme) + "://" + host
}
