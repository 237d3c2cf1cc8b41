package browserpool_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// slack is what Open may take beyond its deadline, by contract.
const slack = 4 * time.Second

const goodRows = `["good"]`

// ending is how a page is to end.
type ending struct {
	err     error  // matched with errors.Is; nil for none
	payload string // "" for none, "*" for any
	status  int
	word    string // Answer.Err
}

// hang waits until the browser has gone, or for ever.
func hang(r *http.Request) { <-r.Context().Done() }

// failing are pages that misbehave. Each is opened with a short deadline in a tab
// that is then asked for a good page.
func failing() map[string]struct {
	page http.HandlerFunc
	want ending
} {
	type mode = struct {
		page http.HandlerFunc
		want ending
	}
	return map[string]mode{
		"loop inline":   {html(`<li>a</li><script>while(true);</script>`), ending{err: browserpool.ErrTimeout, status: 200}},
		"loop in timer": {html(`<li>a</li><script>setTimeout(() => { while(true); }, 20)</script>`), ending{err: browserpool.ErrTimeout, status: 200}},
		"alert loop":    {html(`<li>a</li><script>while(true) alert(1);</script>`), ending{err: browserpool.ErrTimeout, status: 200}},
		"dialogs": {html(`<script>alert(1); const a = confirm('x'), b = prompt('y');
			document.write('<li>' + a + b + '</li>')</script>`), ending{payload: `["falsenull"]`, status: 200}},
		"popups": {html(`<script>let n = 0; for (let i = 0; i < 20; i++) if (window.open('/good')) n++;
			document.write('<li>' + n + '</li>')</script>`), ending{payload: `["0"]`, status: 200}},
		"attachment": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Disposition", "attachment; filename=x.csv")
			w.Header().Set("Content-Type", "text/csv")
			fmt.Fprint(w, "a,b\n")
		}, ending{err: browserpool.ErrDownload, status: 200}},
		"pdf": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/pdf")
			fmt.Fprint(w, "%PDF-1.4\n")
		}, ending{err: browserpool.ErrDownload, status: 200}},
		"download by script": {html(`<li>a</li><a id=a href="data:text/csv,1" download>x</a><script>a.click()</script>`), ending{payload: `["a"]`, status: 200}},
		"refresh 0":          {html(`<meta http-equiv=refresh content="0;url=/good"><li>old</li>`), ending{payload: goodRows, status: 200}},
		"refresh loop":       {html(`<meta http-equiv=refresh content="0"><li>x</li>`), ending{err: browserpool.ErrUnreachable, status: 200, word: "net::ERR_TOO_MANY_REDIRECTS"}},
		"location loop":      {html(`<li>x</li><script>location.href = location.pathname + '?' + Math.random()</script>`), ending{err: browserpool.ErrUnreachable, status: 200, word: "net::ERR_TOO_MANY_REDIRECTS"}},
		"tries to close":     {html(`<li>a</li><script>open('', '_self'); close()</script>`), ending{payload: `["a"]`, status: 200}},
		"console flood":      {html(`<li>a</li><script>for (let i = 0; i < 20000; i++) console.log('x'.repeat(1000), {i})</script>`), ending{payload: `["a"]`, status: 200}},
		"slow headers": {func(w http.ResponseWriter, r *http.Request) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer func() { _ = c.Close() }()
			for _, b := range "HTTP/1.1 200 OK\r\nX-Slow: " + strings.Repeat("x", 1000) {
				if _, err := fmt.Fprintf(c, "%c", b); err != nil {
					return
				}
				time.Sleep(50 * time.Millisecond) // what is tested is slowness
			}
		}, ending{err: browserpool.ErrTimeout}},
		"endless body": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, "<!doctype html><li>a</li>", strings.Repeat(" ", 2000))
			w.(http.Flusher).Flush()
			hang(r)
		}, ending{err: browserpool.ErrTimeout, payload: `["a"]`, status: 200}},
		"no answer":     {func(_ http.ResponseWriter, r *http.Request) { hang(r) }, ending{err: browserpool.ErrTimeout}},
		"redirect loop": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, ending{err: browserpool.ErrUnreachable, word: "net::ERR_TOO_MANY_REDIRECTS"}},
		"body breaks off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("Content-Length", "100000")
			fmt.Fprint(w, "<!doctype html><li>a</li>")
		}, ending{err: browserpool.ErrUnreachable, status: 200, word: "net::ERR_CONTENT_LENGTH_MISMATCH"}},
		"goes away while read": {html(`<li>old</li><script>setTimeout(() => location.href = '/later', 5)</script>`), ending{payload: goodRows, status: 200}},
		"goes to a download":   {html(`<li>a</li><script>setTimeout(() => location.href = '/file', 5)</script>`), ending{payload: `["a"]`, status: 200}},
		"goes nowhere":         {html(`<li>a</li><script>setTimeout(() => location.href = '/nothing', 5)</script>`), ending{payload: `["a"]`, status: 200}},
		"before unload":        {html(`<li>a</li><script>onbeforeunload = e => { e.preventDefault(); e.returnValue = 'stay'; return 'stay' }</script>`), ending{payload: `["a"]`, status: 200}},
		"asks for a password": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprint(w, "<!doctype html><li>denied</li>")
		}, ending{payload: `["denied"]`, status: 401}},
		"error without body":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, ending{payload: "*", status: 500}},
		"no content":          {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, ending{status: 204}},
		"endless polling":     {html(`<li>a</li><script>const poll = () => fetch('/slow').then(poll); poll()</script>`), ending{payload: `["a"]`, status: 200}},
		"event stream":        {html(`<li>a</li><script>new EventSource('/events'); fetch('/events')</script>`), ending{payload: `["a"]`, status: 200}},
		"goes to about:blank": {html(`<li>a</li><script>location.href = 'about:blank'</script>`), ending{err: browserpool.ErrRefused, status: 200}},
		// The page is not quiet before it has its answer, however long that takes.
		"asks for the place": {html(`<body></body><script>
			const busy = setInterval(() => document.body.textContent += '.', 10);
			const end = text => { clearInterval(busy); document.body.innerHTML = '<li>' + text + '</li>' };
			navigator.geolocation.getCurrentPosition(() => end('yes'), e => end(e.code))</script>`), ending{payload: `["1"]`, status: 200}},
	}
}

func TestFailingPagesLeaveTheTabWhole(t *testing.T) {
	t.Parallel()
	for name, mode := range failing() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := site(t, map[string]http.HandlerFunc{
				"/page": mode.page, "/good": html("<li>good</li>"),
				"/later": func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-r.Context().Done():
					case <-time.After(400 * time.Millisecond): // longer than the script's quiet time
						html("<li>good</li>")(w, r)
					}
				},
				"/file": func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Disposition", "attachment")
					fmt.Fprint(w, "x")
				},
				"/nothing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
				"/slow": func(w http.ResponseWriter, r *http.Request) {
					select {
					case <-r.Context().Done():
					case <-time.After(30 * time.Millisecond): // the pace of the poll
					}
				},
				"/events": func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					w.WriteHeader(http.StatusOK)
					w.(http.Flusher).Flush()
					hang(r)
				},
			})
			err := chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
				timeout := 10 * time.Second
				if errors.Is(mode.want.err, browserpool.ErrTimeout) {
					timeout = 1500 * time.Millisecond
					if mode.want.status != 0 {
						timeout = 4 * time.Second // the page must have come by then, on a loaded machine
					}
				}
				visit(t, tab, browserpool.Request{URL: s.URL + "/page", Script: rowsScript, Timeout: timeout}, mode.want)
				start := time.Now()
				visit(t, tab, browserpool.Request{URL: s.URL + "/good", Script: rowsScript, Timeout: 20 * time.Second}, ending{payload: goodRows, status: 200})
				t.Logf("%s: the tab served again after %v", name, time.Since(start).Round(time.Millisecond))
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// visit opens a page and checks its end, and that it came in time.
func visit(t *testing.T, tab *browserpool.Tab, r browserpool.Request, want ending) browserpool.Answer {
	t.Helper()
	start := time.Now()
	a, err := tab.Open(t.Context(), r)
	took := time.Since(start)
	if took > r.Timeout+slack {
		t.Errorf("took %v with a deadline of %v", took, r.Timeout)
	}
	if !errors.Is(err, want.err) || (err != nil) != (want.err != nil) {
		t.Errorf("error is %v, want %v (after %v)", err, want.err, took)
	}
	if (want.payload != "*" && string(a.Payload) != want.payload) || a.Status != want.status || a.Err != want.word {
		t.Errorf("got payload %q, status %d, word %q; want %+v", a.Payload, a.Status, a.Err, want)
	}
	return a
}

func TestUnreachableHosts(t *testing.T) {
	t.Parallel()
	err := chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		for url, word := range map[string]string{
			"http://127.0.0.1:1/":       "net::ERR_UNSAFE_PORT",
			"http://127.0.0.1:9/":       "net::ERR_UNSAFE_PORT",
			"http://127.0.0.1:45999/":   "net::ERR_CONNECTION_REFUSED",
			"http://no-such-host.test/": "net::ERR_NAME_NOT_RESOLVED",
		} {
			visit(t, tab, browserpool.Request{URL: url, Script: rowsScript, Timeout: 20 * time.Second}, ending{err: browserpool.ErrUnreachable, word: word})
		}
		for _, url := range []string{"about:blank", "file:///etc/passwd", "data:text/html,x", "chrome://crash", "javascript:1", "//x"} {
			visit(t, tab, browserpool.Request{URL: url, Timeout: time.Second}, ending{err: browserpool.ErrRefused})
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// payloadScript delivers n bytes in pieces of 1 MB.
func payloadScript(n int) string {
	return fmt.Sprintf(`const n = %d, piece = 1 << 20, of = Math.ceil(n / piece);
for (let i = 0; i < of; i++) __tabfarm('data ' + i + ' ' + of + ' ' + 'ä"x\n'.repeat(piece / 4).slice(0, Math.min(piece, n - i * piece)));
__tabfarm('done');`, n)
}

func TestPayloadsOfAnySize(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/": html("x")})
	const length = 8<<20 + 16
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL, Script: payloadScript(length)})
	if err != nil || bytes.Count(a.Payload, []byte("x")) != length/4 {
		t.Errorf("%v, %d bytes", err, len(a.Payload))
	}
}

func TestCallerCancels(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	s := site(t, map[string]http.HandlerFunc{
		"/hang": func(_ http.ResponseWriter, r *http.Request) { asked <- struct{}{}; hang(r) },
		"/good": html("<li>good</li>"),
	})
	err := chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		start := time.Now()
		_, err := tab.Open(ctx, browserpool.Request{URL: s.URL + "/hang", Script: rowsScript, Timeout: time.Minute})
		if !errors.Is(err, context.Canceled) || time.Since(start) > 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		visit(t, tab, browserpool.Request{URL: s.URL + "/good", Script: rowsScript, Timeout: 20 * time.Second}, ending{payload: goodRows, status: 200})
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestNoDeadlineIsAnError(t *testing.T) {
	t.Parallel()
	err := chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		_, err := tab.Open(context.Background(), browserpool.Request{URL: "http://127.0.0.1/"})
		return err
	})
	if err == nil {
		t.Error("a page was opened without a deadline")
	}
}
