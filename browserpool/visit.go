package browserpool

import (
	"context"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/cdp/jsonv2"
	cdpruntime "github.com/chromedp/cdproto/runtime"
)

// maxDocuments is how many documents a page may load one after the other in its
// top frame, without a turn in between. A page that sends itself on for ever would ask its host for page
// after page with no regard to anybody's pace.
const maxDocuments = 20

// visit is the state of one page being opened. Events change it on the mux's
// reader, Open waits for its end.
type visit struct {
	tab     *Tab
	target  *tabTarget
	request Request
	ctx     context.Context // ends with the visit; for Allow and Turn
	wg      sync.WaitGroup  // questions to Allow and Turn
	wake    chan struct{}   // capacity 1: look at the deadline again
	ended   chan struct{}   // closed when err or finished is set

	asking sync.Mutex // held while a question is answered; goes before mu
	watch  *stopwatch

	mu        sync.Mutex
	deadline  time.Time // of the load that is on
	turns     int       // that are waited for; the deadline stands still meanwhile
	waiting   int       // all calls of Turn that are on, those for a document that has gone too
	held      time.Time // it, as it was when the first of them was asked for
	heldSince time.Time
	limit     time.Time // of the page
	err       error     // the first that ended it
	finished  bool      // the payload is there
	over      bool      // ended is closed
	checks    int       // questions to Allow that are not answered

	stale     bool                 // the tab still shows the page that it had read before
	before    map[string]bool      // loaders of the documents that were asked for until then
	first     string               // loader of the navigation to the URL, "" until Chrome tells
	acts      bool                 // the script has given the page inputs
	docs      map[string]*document // by loader, those that may still commit
	doc       *document            // that has committed
	documents int
	nextURL   string            // the document that the page was on its way to at its deadline
	reader                      // of the top document
	delivered bool              // it has delivered all of its payload
	frames    []*frame          // below it, in the order in which they appeared
	changes   int               // among them
	polling   bool              // they are being asked whether anything is to come
	sessions  map[*session]bool // of those frames that are targets of their own
	net       traffic
	storage   map[string]script // by origin, while it is not yet in place

	kept      string // for the script of the next document
	parts     [][]byte
	partBytes int // of parts

	inputs  int  // on their way to the page
	drawing bool // frames are being asked for

	exceptions int
	exception  string
	broken     string // what the reading script itself threw
}

// document is a navigation of the top frame.
type document struct {
	loader string
	url    string
	status int
	header map[string]string
	mime   string
	failed string // Chrome's word, when it broke off
}

// world is the execution context of the reading script in the current document.
type world struct {
	id     int64
	unique string
}

// reader is the reading script of one document.
type reader struct {
	session *session // that tells of the document
	world   world
	read    reading
}

// reading is what the script of the current document has said.
type reading struct {
	parts  []string
	next   int // piece that comes next; pieces come in their order
	bytes  int
	quiet  int             // N of the last quiet, 0 when none waits
	awaits map[string]bool // requests that it waits for
	waited int
	told   []byte // pieces of the next question
	on     bool   // it has said "read" and not delivered since
	draws  bool   // it waits for a frame
}

func (r *reading) complete() bool { return r.parts != nil && r.next == len(r.parts) }

func (r *reading) text() string { return strings.Join(r.parts, "") }

func newVisit(ctx context.Context, t *Tab, r Request, deadline, limit time.Time) *visit {
	return &visit{
		stale: t.target.old, before: map[string]bool{},
		tab: t, target: t.target, request: r, ctx: ctx, deadline: deadline, limit: limit,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
		docs: map[string]*document{}, reader: reader{session: t.target.session}, sessions: map[*session]bool{}, net: newTraffic(&r), storage: map[string]script{},
	}
}

// fail ends the visit with err, unless it has ended.
func (v *visit) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failLocked(err)
}

func (v *visit) failLocked(err error) {
	if v.err == nil && !v.over {
		v.err = err
		v.endLocked()
	}
}

// endLocked closes ended when the visit has an error, or its payload and every
// answer of Allow.
func (v *visit) endLocked() {
	if !v.over && (v.err != nil || (v.finished && v.checks == 0)) {
		v.over = true
		close(v.ended)
	}
}

// event takes one event of the tab or of one of its workers. It is called by the mux's reader and does
// not block.
func (v *visit) event(from *session, method string, params jsonv2.Value) {
	switch method {
	case "Inspector.targetCrashed":
		if from == v.session {
			v.fail(ErrCrashed)
		} else {
			v.frameDied(from)
		}
		return
	case "Fetch.requestPaused":
		v.paused(from, params)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.over {
		return
	}
	defer func() { v.watch.enter(v.stage()) }()
	if v.frameEvent(from, method, params) {
		return
	}
	switch method {
	case "Runtime.bindingCalled":
		v.called(from, params)
		return
	case "Runtime.executionContextCreated":
		v.contextCreated(from, params)
		return
	case "Runtime.executionContextDestroyed":
		v.contextDestroyed(from, params)
		return
	case "Runtime.executionContextsCleared":
		v.contextsCleared(from)
		return
	}
	if from != v.session {
		v.network(from, method, params)
		return
	}
	switch method {
	case "Runtime.exceptionThrown":
		v.thrown(params)
	case "Page.frameNavigated":
		v.navigated(params)
	case "Page.frameStartedNavigating":
		v.leaving(params)
	case "Page.frameStoppedLoading":
		v.stayed(params)
	default:
		v.network(from, method, params)
	}
}

func (v *visit) contextCreated(from *session, params jsonv2.Value) {
	var ev struct {
		Context struct {
			ID       int64  `json:"id"`
			Name     string `json:"name"`
			UniqueID string `json:"uniqueId"`
			AuxData  struct {
				FrameID string `json:"frameId"`
			} `json:"auxData"`
		} `json:"context"`
	}
	if decode(params, &ev) != nil || ev.Context.Name != worldName {
		return
	}
	made := world{id: ev.Context.ID, unique: ev.Context.UniqueID}
	if id := ev.Context.AuxData.FrameID; id == string(v.target.id) {
		v.world = made
	} else if f := v.frameOf(id); f != nil && f.session == from {
		f.world = made
	}
}

func (v *visit) contextDestroyed(from *session, params jsonv2.Value) {
	var ev struct {
		ID int64 `json:"executionContextId"`
	}
	if len(v.frames) == 0 || decode(params, &ev) != nil {
		return
	}
	if r, f := v.readerOf(from, ev.ID); f != nil { // the top document's stay until the next one's come
		r.world = world{}
	}
}

func (v *visit) contextsCleared(from *session) {
	for _, r := range v.readers() {
		if r.session == from {
			r.world = world{}
		}
	}
}

func (v *visit) thrown(params jsonv2.Value) {
	var ev struct {
		Details struct {
			Text      string `json:"text"`
			Context   int64  `json:"executionContextId"`
			Exception struct {
				Description string `json:"description"`
			} `json:"exception"`
		} `json:"exceptionDetails"`
	}
	if decode(params, &ev) != nil {
		return
	}
	text := ev.Details.Exception.Description
	if text == "" {
		text = ev.Details.Text
	}
	text = cut(text, 1000)
	if r, f := v.readerOf(v.session, ev.Details.Context); r != nil && ev.Details.Context != 0 {
		if f == nil && v.broken == "" {
			v.broken = text
		}
		return
	}
	if v.doc == nil {
		return // of the page before
	}
	v.exceptions++
	if v.exception == "" {
		v.exception = text
	}
}

// called takes a message of the reading script.
func (v *visit) called(from *session, params jsonv2.Value) {
	var ev struct {
		Name    string `json:"name"`
		Payload string `json:"payload"`
		Context int64  `json:"executionContextId"`
	}
	if decode(params, &ev) != nil || ev.Name != bindingName || v.doc == nil {
		return
	}
	r, f := v.readerOf(from, ev.Context)
	if r == nil {
		return
	}
	word, rest, _ := strings.Cut(ev.Payload, " ")
	switch word {
	case "quiet":
		if n, err := strconv.Atoi(rest); err == nil && n > 0 {
			v.quiet(r, n)
		}
	case "draw":
		v.draw(r)
	case "drawn":
		r.read.draws = false
	case "data":
		v.data(r, rest)
	case "turn":
		if n, err := strconv.Atoi(rest); err == nil {
			v.turn(r, n)
		}
	case "read":
		r.read.on = true
	case "more":
		if ms, err := strconv.Atoi(rest); err == nil && ms > 0 {
			v.extend(time.Now().Add(time.Duration(ms) * time.Millisecond))
		}
	default:
		if f != nil {
			v.frameCalled(f, word, rest)
		} else {
			v.topCalled(word, rest)
		}
	}
}

// topCalled takes a message that the reading script of the top document alone may send.
func (v *visit) topCalled(word, rest string) {
	switch word {
	case "done":
		if !v.read.complete() {
			v.failLocked(fmt.Errorf("read payload: done came after %d of %d pieces", v.read.next, len(v.read.parts)))
			return
		}
		v.delivered, v.read.on = true, false
		if rest == "alone" {
			v.frames = nil
		}
		v.beginFrames()
	case "input", "run", "ask":
		v.acts = v.acts || word != "ask"
		number, text, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		switch {
		case err != nil:
		case word == "ask":
			v.answerAsk(n, text)
		case word == "run":
			v.runInPage(n, text)
		default:
			v.input(n, text)
		}
	case "tell":
		v.tell(rest)
	case "part":
		v.part()
	case "keep":
		v.keep(rest)
	case "recall":
		v.callScript("__tabfarm_kept", v.kept)
	case "forget":
		v.net.forget()
	}
}

// maxParts is more pieces than MaxPayload can have when they are of a useful size.
const maxParts = 1 << 16

func (v *visit) data(r *reader, rest string) {
	index, rest, _ := strings.Cut(rest, " ")
	count, text, _ := strings.Cut(rest, " ")
	i, ierr := strconv.Atoi(index)
	of, oerr := strconv.Atoi(count)
	if ierr != nil || oerr != nil || i < 0 || of <= i || of > maxParts {
		v.failLocked(fmt.Errorf("read payload: piece %q of %q", cut(index, 20), cut(count, 20)))
		return
	}
	said := &r.read
	if i == 0 {
		said.parts, said.bytes = make([]string, of), 0 // what came before is told anew
	} else if i != said.next || of != len(said.parts) {
		v.failLocked(fmt.Errorf("read payload: piece %d of %d came, and %d of %d was to come", i, of, said.next, len(said.parts)))
		return
	}
	said.parts[i], said.next = text, i+1
	said.bytes += len(text)
	sum := v.partBytes
	for _, other := range v.readers() {
		sum += other.read.bytes
	}
	if limit := v.tab.pool.maxPayload; sum > limit {
		v.failLocked(fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit))
	}
}

// quiet notes what is in flight and lets the script go on when that has ended.
func (v *visit) quiet(r *reader, n int) {
	r.read.quiet, r.read.awaits = n, v.net.snapshot(r.session)
	r.read.waited = len(r.read.awaits)
	if time.Since(v.net.ended) < endsLate {
		r.read.waited++
	}
	v.goOn(r)
}

// goOn calls a script back when nothing that it waits for is in flight.
func (v *visit) goOn(r *reader) {
	if r.read.quiet == 0 || len(r.read.awaits) > 0 {
		return
	}
	r.callScript("__tabfarm_go", r.read.quiet, v.net.pending(r.session), r.read.waited, len(v.net.kept)+len(v.net.captured), v.net.loose())
	r.read.quiet = 0
}

// landed: a request is in flight no more.
func (v *visit) landed(id string) {
	for _, r := range v.readers() {
		delete(r.read.awaits, id)
		v.goOn(r)
	}
}

// evaluate runs an expression in the reading script's world.
func (r *reader) evaluate(expression string) *call {
	return send(r.session, cdpruntime.Evaluate, cdpruntime.EvaluateParams{
		Expression: expression, UniqueContextID: r.world.unique, AwaitPromise: new(true), ReturnByValue: new(false),
	})
}

// turn asks for the host's turn beside the reader. The time that it takes is not
// the page's.
func (v *visit) turn(r *reader, n int) {
	script := r.world
	grant := func() {
		v.documents = min(v.documents, 1)
		if r.world == script {
			r.callScript("__tabfarm_turn", n)
		}
	}
	if v.request.Turn == nil {
		grant()
		return
	}
	if v.turns == 0 {
		v.held, v.heldSince = v.deadline, time.Now()
	}
	v.turns++
	v.waiting++
	doc := v.doc
	v.deadline = v.limit
	v.poke()
	v.wg.Go(func() {
		err := v.request.Turn(v.ctx)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.waiting--
		v.watch.enter(v.stage())
		if v.doc != doc || v.over {
			return
		}
		if err != nil {
			v.failLocked(fmt.Errorf("take turn: %w", err))
			return
		}
		if v.turns--; v.turns == 0 {
			v.extend(v.held.Add(time.Since(v.heldSince)))
		}
		grant()
	})
}

// extend sets the deadline of the load, never past the page's limit. While a turn is
// waited for it holds from the end of that on.
func (v *visit) extend(to time.Time) {
	if v.turns > 0 {
		v.held = to.Add(-time.Since(v.heldSince))
		return
	}
	v.deadline = to
	if to.After(v.limit) {
		v.deadline = v.limit
	}
	v.poke()
}

// poke makes Open look at the deadline again.
func (v *visit) poke() {
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// ask puts a question to Allow beside the reader and hands its answer to then,
// which holds the lock. Until then the visit cannot end well.
func (v *visit) ask(url string, connected netip.Addr, then func(err error)) {
	v.checks++
	v.wg.Go(func() {
		err := v.request.Allow(v.ctx, url, connected)
		v.mu.Lock()
		defer v.mu.Unlock()
		v.checks--
		if err != nil && v.ctx.Err() == nil {
			v.tab.pool.stats.refused.Add(1)
			v.failLocked(fmt.Errorf("%w: %w", ErrRefused, err))
		}
		then(err)
		v.endLocked()
	})
}

func isWeb(url string) bool {
	return strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://")
}

// cut shortens text of a page for a message.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}
