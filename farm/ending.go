package farm

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// ending is how a page ended.
type ending struct {
	outcome  Outcome
	message  string
	accepted bool          // empty, and min_rows: 0 says that this is fine
	again    bool          // it may heal: worth another try
	host     verdict       // what it says of the host
	push     time.Duration // leave the host alone for so long; 0 of a busy one: it does not say
	proof    extract.Proof
	total    *int
	rows     int
}

// verdict is what the end of a page says of its host.
type verdict int

const (
	unasked verdict = iota // nothing
	answers
	fails // no answer, or HTTP 5xx
	busy  // it asks to be left alone: HTTP 429 or 503
)

// failed says that the page counts as failed. A nil ending has not failed.
func (e *ending) failed() bool { return e != nil && e.outcome != OK && !e.accepted }

// hide takes secrets out of the message.
func (e *ending) hide(known secrets) {
	if e != nil {
		e.message = known.hide(e.message)
	}
}

// recall tells beside an ending without rows what the page gave in an earlier run:
// a table that was always full is empty for another reason than one that never was.
func (w *work) recall(ctx context.Context, p store.Page, e *ending) {
	if e.outcome != Empty && e.outcome != SelectorMissing {
		return
	}
	earlier, ok, err := w.farm.Store.Earlier(ctx, p)
	if err != nil || !ok {
		return // the page's end is told without it
	}
	rows := fmt.Sprintf("%d rows", earlier.Rows)
	if earlier.Rows == 1 {
		rows = "1 row"
	}
	e.message = strings.TrimSpace(fmt.Sprintf("%s In run %d, on %s, it gave %s.", e.message, earlier.Run, earlier.At.UTC().Format(time.DateOnly), rows))
}

// success is the ending of a page whose tables and links are all fine.
func success(rows *pageRows) *ending {
	e := &ending{outcome: OK}
	for _, t := range rows.tables {
		e.rows += len(t.Rows)
		if e.proof == "" || slices.Index(proofs, t.Proof) > slices.Index(proofs, e.proof) {
			e.proof = t.Proof
		}
		if t.Total != nil {
			e.total = t.Total
		}
	}
	if e.rows == 0 && len(rows.kind.Tables) > 0 {
		e.outcome, e.accepted = Empty, true
	}
	return e
}

// proofs from the strongest to the weakest.
var proofs = []extract.Proof{extract.ProofTotal, extract.ProofSource, extract.ProofEnd, extract.ProofNone}

// arrived says why no page arrived that could be read, nil when one did.
func arrived(a browserpool.Answer, err error, kind *recipe.Kind, limit time.Duration) *ending {
	if err != nil && (!errors.Is(err, browserpool.ErrTimeout) || a.Payload == nil) {
		return noAnswer(a, err, kind, limit)
	}
	if a.Status >= http.StatusBadRequest {
		e := httpError(a)
		if len(kind.Page.Steps) > 0 || kind.Page.Next != nil { // the page may have been led elsewhere
			e.message += fmt.Sprintf(" (%s)", shortURL(a.URL))
		}
		return e
	}
	return notHTML(a)
}

// read makes rows of what the browser brought, and finds its links, or says why
// there are none; the ending is nil when both are fine.
func read(a browserpool.Answer, err error, kind *recipe.Kind, vars map[string]string, limit time.Duration) (*pageRows, *ending) {
	rows := &pageRows{kind: kind}
	if e := arrived(a, err, kind, limit); e != nil {
		return rows, e
	}
	reading, err := decode(a, kind)
	if err != nil {
		return rows, unreadable(err)
	}
	rows.lang, rows.shown = reading.Lang, reading.URL
	rows.tables, err = extract.Tables(reading, sources(a.Responses), kind, vars)
	if err == nil {
		rows.links, err = extract.Links(reading, kind, rows.tables, vars)
	}
	if err == nil {
		return rows, nil
	}
	var problem *extract.Problem
	if !errors.As(err, &problem) {
		return rows, &ending{outcome: ScriptError, message: err.Error(), host: answers}
	}
	return rows, explain(problem, reading, rows.tables, a, kind)
}

// decode gives what the script read of the page, and of its frames for a kind that
// looks there; a nil kind takes all.
func decode(a browserpool.Answer, kind *recipe.Kind) (*extract.Reading, error) {
	reading, err := extract.Decode(append(a.Parts, a.Payload)...)
	if err != nil {
		return nil, err
	}
	frames := make([]extract.Frame, 0, len(a.Frames))
	for _, f := range a.Frames {
		frames = append(frames, extract.Frame{URL: f.URL, Payload: f.Payload, Err: f.Err, Late: f.Late})
	}
	return reading, reading.AddFrames(kind, frames)
}

// unreadable words an error of extract.Decode.
func unreadable(err error) *ending {
	if errors.Is(err, extract.ErrTooLarge) {
		return tooLarge()
	}
	if errors.Is(err, extract.ErrTooManyLinks) {
		return &ending{outcome: TooLarge, message: "the page has more links than are followed of one page (100,000). Narrow them down with links:", host: answers}
	}
	return &ending{outcome: ScriptError, message: fmt.Sprintf("the page could not be read: %v", err), again: true, host: answers}
}

func tooLarge() *ending {
	return &ending{outcome: TooLarge, message: "the page holds more text than is read of one page (tens of MB). Narrow it down with from:", host: answers}
}

// noAnswer words the end of a page that was not read at all.
func noAnswer(a browserpool.Answer, err error, kind *recipe.Kind, limit time.Duration) *ending {
	var refused *RefusedError
	switch {
	case errors.As(err, &refused):
		return &ending{outcome: RefusedAddress, message: refused.Error()}
	case errors.Is(err, browserpool.ErrRefused):
		return &ending{outcome: RefusedAddress, message: cause(err).Error()}
	case a.Status >= http.StatusBadRequest:
		return httpError(a)
	case errors.Is(err, browserpool.ErrTimeout), errors.Is(err, context.DeadlineExceeded):
		e := &ending{outcome: Timeout, message: fmt.Sprintf("the page was not ready within %s. Give it longer with page.timeout", limit), again: true, host: answers}
		if kind.Page.Ready != "" {
			e.message = fmt.Sprintf("nothing matched ready: %q within %s. Look at the selector, or give the page longer with page.timeout", kind.Page.Ready, limit)
		}
		if a.Status == 0 {
			e.host = fails
		}
		return e
	case errors.Is(err, browserpool.ErrUnreachable):
		if permanent[a.Err] {
			return &ending{outcome: Unreachable, message: unreachable(a.Err)}
		}
		return &ending{outcome: Unreachable, message: unreachable(a.Err), again: true, host: fails}
	case errors.Is(err, browserpool.ErrDownload):
		if e := notHTML(a); e != nil {
			return e
		}
		return &ending{outcome: NotHTML, message: "the URL is a download and no page", host: answers}
	case errors.Is(err, browserpool.ErrTooLarge):
		return tooLarge()
	case errors.Is(err, browserpool.ErrCrashed):
		return &ending{outcome: BrowserCrashed, message: "the page's tab crashed or closed itself", again: true}
	}
	return &ending{outcome: BrowserCrashed, message: err.Error(), again: true}
}

// permanent are Chrome's words for failures that no second try heals.
var permanent = map[string]bool{
	"net::ERR_CERT_AUTHORITY_INVALID": true, "net::ERR_CERT_COMMON_NAME_INVALID": true, "net::ERR_CERT_DATE_INVALID": true,
	"net::ERR_SSL_PROTOCOL_ERROR": true, "net::ERR_TOO_MANY_REDIRECTS": true, "net::ERR_UNSAFE_PORT": true, "net::ERR_INVALID_URL": true,
}

func unreachable(word string) string {
	switch word {
	case "net::ERR_NAME_NOT_RESOLVED":
		return "the host's name does not resolve (net::ERR_NAME_NOT_RESOLVED). Is it spelled right?"
	case "net::ERR_CONNECTION_REFUSED":
		return "the host refuses connections (net::ERR_CONNECTION_REFUSED)"
	case "net::ERR_TOO_MANY_REDIRECTS":
		return "the page redirects for ever (net::ERR_TOO_MANY_REDIRECTS)"
	case "":
		return "the host gave no answer"
	}
	return "the host gave no answer: " + word
}

// maxPush caps what a site may ask for: a Retry-After of a year must not park a run.
const maxPush = time.Hour

func httpError(a browserpool.Answer) *ending {
	e := &ending{outcome: HTTPError, message: fmt.Sprintf("the server answers HTTP %d %s", a.Status, http.StatusText(a.Status))}
	e.status(a.Status, a.Header["retry-after"])
	switch {
	case a.Status == http.StatusTooManyRequests:
		e.message += ". Lower polite.rate"
	case a.Status == http.StatusServiceUnavailable:
	case a.Status >= 500:
		e.message += ": the site's own fault, tabfarm retry tries again"
	case a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden:
		e.message += ": the page may need page.session or page.headers"
	case a.Status == http.StatusNotFound || a.Status == http.StatusGone:
		e.message += ": is the URL right?"
	}
	return e
}

// status says what an HTTP status means for the page and its host.
func (e *ending) status(status int, after string) {
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		e.again, e.host, e.push = true, busy, retryAfter(after, time.Now())
	case status >= 500:
		e.again, e.host = true, fails
	default:
		e.host = answers
	}
}

// retryAfter reads a Retry-After header, seconds or a date (RFC 9110, 10.2.3); 0
// for none.
func retryAfter(value string, now time.Time) time.Duration {
	if s, err := strconv.Atoi(strings.TrimSpace(value)); err == nil {
		return min(max(time.Duration(s)*time.Second, time.Second), maxPush)
	}
	if at, err := http.ParseTime(value); err == nil {
		return min(max(at.Sub(now), time.Second), maxPush)
	}
	return 0
}

func notHTML(a browserpool.Answer) *ending {
	switch mime := strings.ToLower(a.MIMEType); mime {
	case "", "text/html", "application/xhtml+xml", "application/xml", "text/xml", "image/svg+xml":
		return nil
	default:
		return &ending{outcome: NotHTML, message: fmt.Sprintf("the URL is %s and no HTML page", mime), host: answers}
	}
}

// explain looks behind a problem of reading for what caused it: a failed request
// of the page, a script that broke, a page that never came to rest.
func explain(p *extract.Problem, r *extract.Reading, tables []extract.Table, a browserpool.Answer, kind *recipe.Kind) *ending {
	e := &ending{outcome: Outcome(p.Outcome), message: p.Message, host: answers}
	if r.Stopped != nil {
		return stopped(e, r, a)
	}
	if e.outcome != SelectorMissing && e.outcome != Empty && e.outcome != Incomplete {
		return e
	}
	bare := !slices.ContainsFunc(tables, func(t extract.Table) bool { return len(t.Rows) > 0 })
	switch {
	case len(a.Failed) > 0:
		f := a.Failed[0]
		e.outcome = HTTPError
		e.blame(f, a.URL)
		e.message = fmt.Sprintf("the page's own request to %s failed with %s, so: %s", shortURL(f.URL), failure(f), p.Message)
		if e.again {
			e.message += " tabfarm retry tries again."
		}
	case bare && a.Exceptions > 0:
		e.outcome, e.again = ScriptError, !r.Settled
		e.message = fmt.Sprintf("%s The page's own script failed: %s", p.Message, firstLine(a.Exception))
	case (!r.Settled || r.FrameLate) && bare:
		e.outcome, e.again = Timeout, true
		e.message = fmt.Sprintf("the page had not come to rest after %s, and: %s", kind.Page.Timeout, p.Message)
	case e.outcome == SelectorMissing && len(kind.Page.Steps) > 0 && ofResponses(kind, p.Table):
		e.message += " Of the responses those count that came after the last step; a step that brings none must be optional."
	case e.outcome == SelectorMissing && r.Title != "":
		e.message += fmt.Sprintf(" The page's title is %q.", r.Title)
	}
	return e
}

// ofResponses says that a table's rows come out of responses.
func ofResponses(kind *recipe.Kind, table string) bool {
	return slices.ContainsFunc(kind.Tables, func(t recipe.Table) bool { return t.Name == table && t.JSON != nil })
}

// blame says that a failed request of a page is why it has no rows. One that got no
// answer, or lost it on the way, says nothing of the page's host when it went to another: trackers do.
func (e *ending) blame(f browserpool.Failure, page string) {
	if f.Status >= http.StatusBadRequest {
		e.status(f.Status, f.RetryAfter)
		return
	}
	e.again = true
	asked, err := recipe.Host(f.URL)
	shown, perr := recipe.Host(page)
	if err == nil && perr == nil && asked == shown {
		e.host = fails
	}
}

// failure is how a request of a page failed.
func failure(f browserpool.Failure) string {
	if f.Status < http.StatusBadRequest {
		return f.Err
	}
	return fmt.Sprintf("HTTP %d %s", f.Status, http.StatusText(f.Status))
}

// stopped words the end of a page at one of its steps. What it waited for stays the
// outcome; a request that failed, or a script that broke, is told beside it.
func stopped(e *ending, r *extract.Reading, a browserpool.Answer) *ending {
	late := e.outcome == Timeout
	e.again = late
	if e.outcome != SelectorMissing && e.outcome != Timeout {
		return e
	}
	if r.Title != "" {
		e.message += fmt.Sprintf(" The page's title is %q.", r.Title)
	}
	if a.Awaited != "" {
		e.message += fmt.Sprintf(" The page was on its way to %s, which had not answered.", shortURL(a.Awaited))
	}
	if len(a.Failed) > 0 {
		f := a.Failed[0]
		e.blame(f, a.URL)
		e.again = e.again || late
		e.message += fmt.Sprintf(" The page's own request to %s failed with %s.", shortURL(f.URL), failure(f))
	}
	if a.Exceptions > 0 {
		e.message += " The page's own script failed: " + firstLine(a.Exception)
	}
	return e
}

// freePushes is how often a page may meet a busy host before its tries count.
const freePushes = 6

// another is a further try at a page. The host's clock may make it later.
type another struct {
	wait   time.Duration
	free   bool // the try before does not count: it was the host's fault
	pushed bool // because the host is busy
}

// again says whether a failed page is tried once more, and after how long: 2 s, 4 s,
// 8 s and so on, each less up to a half by chance. A busy host costs no try at
// first, a paused one none at all: the end of the pauses bounds it.
func (w *work) again(p store.Page, e *ending, h store.Treatment) (another, bool) {
	retries := w.recipe.Polite.Retries
	if !e.again || retries == 0 || h.GiveUp {
		return another{}, false
	}
	wait := min(2*time.Second<<min(p.Attempt-1, 6), time.Minute)
	wait = wait/2 + rand.N(wait/2)
	switch {
	case h.Paused > 0:
		return another{wait: wait, free: true}, true
	case e.host == busy && p.Pushed < freePushes:
		return another{wait: wait, free: true, pushed: true}, true
	}
	return another{wait: wait}, p.Attempt <= retries
}

func sources(responses []browserpool.Response) []extract.Source {
	out := make([]extract.Source, 0, len(responses))
	for _, r := range responses {
		out = append(out, extract.Source{
			URL: r.URL, Method: r.Method, PostData: r.PostData, MIMEType: r.MIMEType, Body: r.Body, TooLarge: r.TooLarge, Lost: r.Lost,
		})
	}
	return out
}

// cause is the innermost error: the one that says what happened.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

func shortURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.RequestURI()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
