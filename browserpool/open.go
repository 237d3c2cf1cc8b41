package browserpool

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
)

const (
	// lastLimit is how long a page may take to be read as it stands at its
	// deadline, on a busy machine too. With what follows, Open returns within four
	// seconds of it.
	lastLimit = 3 * time.Second
	// lateBodiesLimit is how long the captured bodies of a page may take after its
	// deadline.
	lateBodiesLimit = 300 * time.Millisecond
)

// errRedirects ends pages that send themselves on for ever.
var errRedirects = fmt.Errorf("%w: %s", ErrUnreachable, wordRedirects)

// errRestless says that the page which had been read before took the tab elsewhere
// while the next one was on its way.
var errRestless = errors.New("the page before went elsewhere")

// Chrome's words for ends of a navigation that mean more than no answer.
const (
	wordRedirects = "net::ERR_TOO_MANY_REDIRECTS"
	wordAborted   = "net::ERR_ABORTED"
	wordStatus    = "net::ERR_HTTP_RESPONSE_CODE_FAILURE" // a status of 400 or more, and no body to show
)

// Open opens one page and returns what its script delivers. The context must
// have a deadline, or Request.Timeout must be set. Whatever the page does, Open
// returns by the deadline plus four seconds, and afterwards the tab is whole or is
// replaced before its next page. Allow and Turn must return when their context
// ends.
//
// The error is nil or matches one of the ends declared in this package, or the
// context's own error when the caller cancelled. The Answer holds what was known
// until then. An answer without a document to read, such as 204 or an error
// status without a body, is no error and has no payload.
func (t *Tab) Open(ctx context.Context, r Request) (Answer, error) {
	watch := startWatch()
	answer, err := t.open(ctx, r, watch)
	answer.Spent = watch.stop()
	if err != nil {
		return answer, fmt.Errorf("open %q: %w", r.URL, err)
	}
	return answer, nil
}

func (t *Tab) open(ctx context.Context, r Request, watch *stopwatch) (Answer, error) {
	deadline, limit, err := r.deadlines(ctx, time.Now())
	if err != nil {
		return Answer{URL: r.URL}, err
	}
	if err := r.check(); err != nil {
		t.pool.stats.refused.Add(1)
		return Answer{URL: r.URL}, err
	}
	ctx, cancel := t.pool.bound(ctx)
	defer cancel()
	if err := t.allowed(ctx, r, deadline); err != nil {
		return Answer{URL: r.URL}, t.reason(ctx, err)
	}
	answer, err := t.attempt(ctx, r, deadline, limit, watch)
	if errors.Is(err, errRestless) {
		answer, err = t.attempt(ctx, r, deadline, limit, watch) // in a new target, which shows no page before
	}
	return answer, err
}

// attempt opens the page in the target that the tab has, or in a new one.
func (t *Tab) attempt(ctx context.Context, r Request, deadline, limit time.Time, watch *stopwatch) (Answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ready, stop := context.WithDeadline(ctx, deadline)
	defer stop()
	if err := t.ready(ready, r.URL, r.Group); err != nil {
		return Answer{URL: r.URL}, t.reason(ready, err)
	}
	v := newVisit(ctx, t, r, deadline, limit)
	v.watch = watch
	if err := t.target.apply(ready, v); err != nil {
		t.giveUp()
		return Answer{URL: r.URL}, t.reason(ready, err)
	}
	t.pool.stats.pages.Add(1)
	t.target.pages++
	t.target.watch(v)
	v.run(ctx)
	answer := v.answer()
	t.target.watch(nil)
	cancel(context.Canceled)
	v.wg.Wait()
	return answer, t.conclude(ctx, v)
}

// conclude makes the tab ready for the next page, or gives its target up, and
// words the end of the visit.
func (t *Tab) conclude(ctx context.Context, v *visit) error {
	v.mu.Lock()
	err := v.err
	broken, committed, stays := v.broken, v.documents > 0, v.mayStay()
	v.mu.Unlock()
	switch {
	case err == nil && stays:
		t.target.stay()
		return nil
	case err == nil, !committed && (errors.Is(err, ErrUnreachable) || errors.Is(err, ErrDownload)):
		t.target.leave()
		return err
	case errors.Is(err, ErrTimeout):
		t.pool.stats.timeouts.Add(1)
		if broken != "" {
			err = fmt.Errorf("%w: the reading script failed: %s", err, broken)
		}
	case gone(err), errors.Is(err, ErrCrashed):
		t.pool.stats.crashes.Add(1)
	}
	t.giveUp()
	return t.reason(ctx, err)
}

// giveUp replaces the target before the next page: one that had to be broken off
// is not worth a doubt, and a new one costs a tenth of a second.
func (t *Tab) giveUp() {
	if t.target != nil {
		t.target.stop()
		t.pool.stats.replaced.Add(1)
		t.drop()
	}
}

// reason words err for the caller: what ended the context or the browser goes
// before what that made fail.
func (t *Tab) reason(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, ErrUnreachable), errors.Is(err, ErrDownload):
		return err
	case t.pool.ctx.Err() != nil:
		return ErrClosed
	case errors.Is(err, ErrTimeout), errors.Is(err, ErrRefused), errors.Is(err, ErrNoBrowser), errors.Is(err, ErrCrashed):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrTimeout, err)
	case ctx.Err() != nil && errors.Is(context.Cause(ctx), context.Canceled):
		return err
	case gone(err):
		return fmt.Errorf("%w: %w", ErrCrashed, err)
	}
	return err
}

// deadlines gives the end of the first load and of the page as a whole.
func (r *Request) deadlines(ctx context.Context, now time.Time) (deadline, limit time.Time, err error) {
	last, bounded := ctx.Deadline()
	switch {
	case r.PageLimit > 0:
		limit = now.Add(r.PageLimit)
	case r.Timeout > 0:
		limit = now.Add(r.Timeout)
	case !bounded:
		return limit, limit, errors.New("no deadline: give Request.Timeout or a context that has one")
	default:
		limit = last
	}
	if bounded && last.Before(limit) {
		limit = last
	}
	deadline = limit
	if r.Timeout > 0 && now.Add(r.Timeout).Before(limit) {
		deadline = now.Add(r.Timeout)
	}
	return deadline, limit, nil
}

// check refuses what is no URL of a web page.
func (r *Request) check() error {
	u, err := url.Parse(r.URL)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%w: only http and https are opened", ErrRefused)
	}
	return nil
}

// allowed asks Allow for the URL itself, before a tab is touched.
func (t *Tab) allowed(ctx context.Context, r Request, deadline time.Time) error {
	if r.Allow == nil {
		return nil
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	err := r.Allow(ctx, r.URL, netip.Addr{})
	if err == nil || ctx.Err() != nil {
		return err
	}
	t.pool.stats.refused.Add(1)
	return fmt.Errorf("%w: %w", ErrRefused, err)
}

// bound is ctx until the pool's end. Its deadline is left to the visit's timer,
// for a page is read as it stands when that comes, which takes a little longer.
func (p *Pool) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stopCaller := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel(context.Cause(ctx))
		}
	})
	stopPool := context.AfterFunc(p.ctx, func() { cancel(ErrClosed) })
	return out, func() {
		stopCaller()
		stopPool()
		cancel(context.Canceled)
	}
}

// run navigates and waits for the end of the visit.
func (v *visit) run(ctx context.Context) {
	s := v.target.session
	navigation := s.sendHeard(page.Navigate.Method, page.NavigateParams{URL: v.request.URL}, v.heardOf)
	navigated := navigation.done
	timer := time.NewTimer(time.Until(v.due()))
	defer timer.Stop()
	for {
		select {
		case <-v.ended:
			navigation.forget()
			return
		case a := <-navigated:
			navigated = nil
			v.arrived(navigation, a)
		case <-v.wake:
			timer.Reset(time.Until(v.due()))
		case <-timer.C:
			if time.Now().Before(v.due()) {
				timer.Reset(time.Until(v.due()))
				continue
			}
			v.atDeadline()
			navigation.forget()
			return
		case <-ctx.Done():
			navigation.forget()
			v.fail(context.Cause(ctx))
			return
		case <-s.gone:
			v.fail(ErrCrashed)
			return
		}
	}
}

// heardOf takes the answer to the first navigation on the reader: Chrome gives it
// when the document is about to commit, so before it tells of the document.
func (v *visit) heardOf(a answer) {
	var result page.NavigateResult
	if a.err != nil || decode(a.result, &result) != nil {
		return // arrived tells
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.first = string(result.LoaderID)
}

// mayStay says that the page, which was read, may stay in the tab until the next
// one replaces it. One that a person might have touched may ask whether it may be
// left; one with frames that were read, or with open connections, goes on working.
func (v *visit) mayStay() bool {
	return v.finished && v.delivered && v.documents == 1 && !v.acts && v.request.FrameScript == "" && !v.net.live
}

func (v *visit) due() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.deadline
}

// arrived takes the answer to the first navigation, which comes when its document
// has committed or is known not to.
func (v *visit) arrived(navigation *call, a answer) {
	var result page.NavigateResult
	err := navigation.decode(a, &result)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		if gone(err) {
			err = fmt.Errorf("%w: %w", ErrCrashed, err)
		}
		v.failLocked(err)
		return
	}
	if result.ErrorText == "" || v.doc != nil {
		return
	}
	if doc := v.docs[string(result.LoaderID)]; doc != nil {
		v.doc = doc
	} else {
		v.doc = &document{url: v.request.URL}
	}
	status := v.doc.status
	switch {
	case result.IsDownload:
		v.failLocked(ErrDownload)
	case status >= 400 && result.ErrorText == wordStatus, (status == 204 || status == 205) && result.ErrorText == wordAborted:
		v.finished = true // there is an answer, and nothing in it to read
		v.endLocked()
	case v.stale && result.ErrorText == wordAborted:
		v.failLocked(errRestless)
	default:
		v.doc.failed = result.ErrorText
		v.failLocked(fmt.Errorf("%w: %s", ErrUnreachable, result.ErrorText))
	}
}

// atDeadline reads the page as it stands, if there is a page.
func (v *visit) atDeadline() {
	v.mu.Lock()
	whole := v.framesDone() && v.checks == 0 // but for an answer to frameEnd's question
	var last []*call
	if !v.over && v.world.unique != "" && v.doc != nil {
		if next := v.net.leaving(); next != nil {
			v.nextURL = next.out.URL
			// While another document is on its way Chrome passes nothing on to this one.
			send(v.target.session, page.StopLoading, cdp.Empty{}).forget()
		}
		last = v.lastCalls()
	}
	v.mu.Unlock()
	timer := time.NewTimer(lastLimit)
	defer timer.Stop()
	for over := false; len(last) > 0 && !over; {
		select {
		case <-last[0].done:
			last = last[1:]
		case <-v.ended:
			over = true
		case <-v.target.session.gone:
			over = true
		case <-timer.C:
			over = true
		}
	}
	for _, c := range last {
		c.forget()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.err != nil:
	case whole:
		v.finished = true
	default:
		v.err = ErrTimeout // beside a payload, when it has come now
	}
	v.endLocked()
}

// lastCalls asks every script that has not delivered for what it has.
func (v *visit) lastCalls() []*call {
	const last = "globalThis.__tabfarm_last?.()"
	var calls []*call
	if !v.delivered {
		calls = append(calls, v.evaluate(last))
	}
	for _, f := range v.frames {
		if f.started && !f.done && f.world.unique != "" {
			calls = append(calls, f.evaluate(last))
		}
	}
	return calls
}

// answer puts together what is known when the visit has ended.
func (v *visit) answer() Answer {
	v.mu.Lock()
	a := Answer{URL: v.request.URL, Awaited: v.nextURL, Exceptions: v.exceptions, Exception: v.exception, Failed: v.net.failed}
	if doc := v.shown(); doc != nil {
		a.URL, a.Status, a.Header, a.MIMEType, a.Err = doc.url, doc.status, doc.header, doc.mime, doc.failed
	}
	if errors.Is(v.err, errRedirects) {
		a.Err = wordRedirects
	}
	if v.delivered && v.read.complete() {
		a.Payload = []byte(v.read.text())
		a.Frames = v.frameAnswers()
		a.Failed = append(a.Failed, v.frameFailures()...)
	}
	a.Parts = v.parts
	captured, end := slices.Concat(v.net.kept, v.net.captured), v.err
	until := time.Now().Add(lateBodiesLimit)
	if end == nil && v.deadline.After(until) {
		until = v.deadline
	}
	v.mu.Unlock()
	if end == nil || errors.Is(end, ErrTimeout) {
		ctx, cancel := context.WithDeadline(v.ctx, until)
		defer cancel()
		var late bool
		if a.Responses, late = responses(ctx, captured); late && end == nil {
			v.mu.Lock()
			v.err = fmt.Errorf("%w: captured bodies had not come", ErrTimeout)
			v.mu.Unlock()
		}
	}
	return a
}

// shown is the document that the visit ended at: the one that committed, else the
// one that was on its way.
func (v *visit) shown() *document {
	if v.doc != nil {
		return v.doc
	}
	for _, doc := range v.docs {
		return doc
	}
	return nil
}

// responses waits for the bodies that were asked for. late says that the context
// ended before some had come.
func responses(ctx context.Context, captured []*capture) (out []Response, late bool) {
	for _, c := range captured {
		if !c.ended {
			continue // still coming; nothing that was waited for
		}
		r := c.response
		if c.post != nil {
			var post struct {
				Data string `json:"postData"`
			}
			if c.post.wait(ctx, &post) == nil {
				r.PostData = post.Data
			}
		}
		if c.body != nil {
			body, err := bodyOf(ctx, c.body)
			if err == nil && c.sniff && !looksLikeJSON(body) {
				continue
			}
			r.Body, r.Lost = body, err != nil
			late = late || (err != nil && ctx.Err() != nil)
		}
		out = append(out, r)
	}
	return out, late
}

func looksLikeJSON(body []byte) bool {
	s := strings.TrimLeft(string(body[:min(len(body), 64)]), "\ufeff \t\r\n")
	for _, guard := range []string{")]}',", ")]}'", "while(1);", "for(;;);"} {
		s = strings.TrimLeft(strings.TrimPrefix(s, guard), " \t\r\n")
	}
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "[")
}
