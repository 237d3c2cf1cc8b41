package browserpool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// said delivers what a JavaScript expression of the reading script gives, a
// promise of text or text.
func said(expression string) string {
	return `addEventListener('load', async () => { __tabfarm('data 0 1 ' + await (` + expression + `)); __tabfarm('done'); });`
}

func refusing(hosts ...string) func(context.Context, string, netip.Addr) error {
	return func(_ context.Context, rawURL string, _ netip.Addr) error {
		for _, h := range hosts {
			if strings.HasPrefix(rawURL, h) {
				return &refusal{rawURL}
			}
		}
		return nil
	}
}

type refusal struct{ url string }

func (r *refusal) Error() string { return "not there: " + r.url }

// TestAllow has a redirect, a refresh, a script, and the URL itself lead to a
// host that is refused. Not one request may reach it.
func TestAllow(t *testing.T) {
	t.Parallel()
	var hits atomic.Int32
	private := site(t, map[string]http.HandlerFunc{"/": func(http.ResponseWriter, *http.Request) { hits.Add(1) }})
	s := site(t, map[string]http.HandlerFunc{
		"/redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/second", http.StatusFound) },
		"/second":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, private.URL+"/x", http.StatusFound) },
		"/refresh":  html(`<meta http-equiv=refresh content="0;url=` + private.URL + `/x">`),
		"/script":   html(`<script>location.href = '` + private.URL + `/x'</script>`),
		"/form":     html(`<form method=post action="` + private.URL + `/x"></form><script>document.forms[0].submit()</script>`),
		"/good":     html("<li>good</li>"),
	})
	for _, url := range []string{s.URL + "/redirect", s.URL + "/refresh", s.URL + "/script", s.URL + "/form", private.URL + "/x"} {
		err := chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
			_, err := tab.Open(t.Context(), browserpool.Request{URL: url, Script: rowsScript, Timeout: 10 * time.Second, Allow: refusing(private.URL)})
			var r *refusal
			if !errors.Is(err, browserpool.ErrRefused) || !errors.As(err, &r) || r.url != private.URL+"/x" {
				t.Errorf("%s ended with %v", url, err)
			}
			visit(t, tab, browserpool.Request{URL: s.URL + "/good", Script: rowsScript, Timeout: 10 * time.Second, Allow: refusing(private.URL)}, ending{payload: goodRows, status: 200})
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests reached the refused host", n)
	}
}

// TestAllowSeesTheAddress refuses by the address that was connected to, which a
// name that resolved to another one before would have.
func TestAllowSeesTheAddress(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/page": html("<li>secret</li>"),
		"/hop":  func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/page", http.StatusFound) },
	})
	for _, path := range []string{"/page", "/hop"} {
		var mu sync.Mutex
		var asked []string
		a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + path, Allow: func(_ context.Context, url string, connected netip.Addr) error {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, fmt.Sprint(strings.TrimPrefix(url, s.URL), " ", connected))
			if connected.IsLoopback() && strings.HasSuffix(url, "/page") {
				return errors.New("loopback")
			}
			return nil
		}})
		if !errors.Is(err, browserpool.ErrRefused) || a.Payload != nil {
			t.Errorf("%s: %v, payload %q", path, err, a.Payload)
		}
		if !slices.Contains(asked, "/page 127.0.0.1") || !slices.Contains(asked, path+" invalid IP") {
			t.Errorf("%s: Allow was asked for %q", path, asked)
		}
	}
}

// TestHeadersStayWithTheirHosts sends a page of one host through requests to two.
func TestHeadersStayWithTheirHosts(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]string{}
	note := func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		got[r.URL.Path] = r.Header.Get("X-Key") + "/" + r.Header.Get("Accept-Language")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<li>x</li>")
	}
	other := site(t, map[string]http.HandlerFunc{"/": note})
	s := site(t, map[string]http.HandlerFunc{
		"/": note,
		"/page": func(w http.ResponseWriter, r *http.Request) {
			note(w, r)
			fmt.Fprintf(w, `<img src="%s/image.png"><script>fetch('/own'); fetch('%s/other'); fetch('/away')</script>`, other.URL, other.URL)
		},
		"/away": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			http.Redirect(w, r, other.URL+"/redirected", http.StatusFound)
		},
	})
	r := browserpool.Request{URL: s.URL + "/page", Headers: map[string]string{"X-Key": "k", "Accept-Language": "nl"}, HeaderHosts: []string{s.URL}}
	if _, err := open(t, chrometest.Pool(t), r); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	delete(got, "/favicon.ico")
	const english = "en-US,en"
	want := map[string]string{"/page": "k/nl", "/own": "k/nl", "/other": "/" + english, "/redirected": "/" + english, "/image.png": "/" + english}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	mu.Unlock()
	// The next page of the tab has no headers.
	err := chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		visit(t, tab, browserpool.Request{URL: s.URL + "/page", Timeout: 10 * time.Second, Script: rowsScript, Headers: r.Headers, HeaderHosts: r.HeaderHosts}, ending{payload: "*", status: 200})
		visit(t, tab, browserpool.Request{URL: s.URL + "/after", Timeout: 10 * time.Second, Script: rowsScript}, ending{payload: "*", status: 200})
		return nil
	})
	mu.Lock()
	defer mu.Unlock()
	if err != nil || got["/page"] != "k/nl" || strings.Contains(got["/after"], "k/") {
		t.Errorf("%v, headers are %q", err, got["/after"])
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/": func(w http.ResponseWriter, r *http.Request) {
			c, _ := r.Cookie("id")
			fmt.Fprintf(w, "<!doctype html><p>%v</p><script>document.title = localStorage.getItem('token'); localStorage.setItem('token', 'by the page')</script>", c)
		},
	})
	host := strings.TrimPrefix(s.URL, "http://")
	host, _, _ = strings.Cut(host, ":")
	read := said(`document.querySelector('p').textContent + ' ' + document.title`)
	r := browserpool.Request{
		URL: s.URL + "/", Script: read, Group: "sessions",
		Cookies: []browserpool.Cookie{{Name: "id", Value: "7", Domain: host, Path: "/", Expires: time.Now().Add(time.Hour), HTTPOnly: true, SameSite: "Lax"}},
		Storage: map[string][]browserpool.StorageItem{s.URL: {{Name: "token", Value: "to\"ken"}}},
	}
	pool := own(t, browserpool.Config{Processes: 1, Tabs: 2})
	a, err := open(t, pool, r)
	if err != nil || string(a.Payload) != `id=7 to"ken` {
		t.Errorf("%v, payload %q", err, a.Payload)
	}
	// The same group still has them, as the page left them; another has not.
	a, err = open(t, pool, browserpool.Request{URL: s.URL + "/", Script: read, Group: "sessions"})
	if err != nil || string(a.Payload) != "id=7 by the page" {
		t.Errorf("%v, payload %q", err, a.Payload)
	}
	a, err = open(t, pool, browserpool.Request{URL: s.URL + "/", Script: read, Group: "another"})
	if err != nil || string(a.Payload) != "<nil> null" && !strings.HasSuffix(string(a.Payload), "null") {
		t.Errorf("%v, payload %q", err, a.Payload)
	}
}

func TestStorageIsPutInPlaceOnce(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/first":  html(`<script>localStorage.setItem('token', 'fresh'); location.href = '/second'</script>`),
		"/second": html(`<script>document.title = localStorage.getItem('token')</script>`),
	})
	a, err := open(t, chrometest.Pool(t), browserpool.Request{
		URL: s.URL + "/first", Script: `if (location.pathname === '/second') ` + said("document.title"), Group: "once",
		Storage: map[string][]browserpool.StorageItem{s.URL: {{Name: "token", Value: "stored"}}},
	})
	if err != nil || string(a.Payload) != "fresh" {
		t.Errorf("%v, payload %q", err, a.Payload)
	}
}

// TestBlock leaves kinds of resources out, with and without a query.
func TestBlock(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var got []string
	s := site(t, map[string]http.HandlerFunc{
		"/page": html(`<link rel=stylesheet href="/a.css?v=1"><img src="/a.png"><img src="/b.jpg?x=1"><video src="/a.mp4" autoplay></video>
			<style>@font-face { font-family: f; src: url(/a.woff2) } li { font-family: f }</style><li>x</li><script src="/a.js"></script><script>fetch('/data.json')</script>`),
		"/": func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, r.URL.RequestURI())
		},
	})
	asked := func(block []string) []string {
		mu.Lock()
		got = nil
		mu.Unlock()
		if _, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/page", Script: said("''"), Block: block, Group: fmt.Sprint(block)}); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(got)
		return slices.DeleteFunc(got, func(path string) bool { return path == "/favicon.ico" || path == "/data.json" })
	}
	if got, want := asked([]string{"image", "font", "media", "stylesheet"}), []string{"/a.js"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	if got := asked(nil); len(got) != 6 {
		t.Errorf("nothing blocked, asked for %q", got)
	}
}

// Kinds are left out whatever their URLs look like, and that is no failure of the page.
func TestBlockByKind(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]bool{}
	s := site(t, map[string]http.HandlerFunc{
		"/page": html(`<link rel=stylesheet href="/style?v=1"><img src="/picture?id=1"><li>x</li><script src="/code?v=1"></script>
			<script>fetch('/fetched').catch(() => {})</script>`),
		"/": func(_ http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			got[r.URL.Path] = true
		},
	})
	asked := func(block ...string) []string {
		mu.Lock()
		clear(got)
		mu.Unlock()
		a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/page", Block: block, Group: fmt.Sprint("kinds", block)})
		if err != nil || len(a.Failed) > 0 {
			t.Errorf("block %q: %v, failed requests %v", block, err, a.Failed)
		}
		mu.Lock()
		defer mu.Unlock()
		delete(got, "/favicon.ico")
		return slices.Sorted(maps.Keys(got))
	}
	if got, want := asked("image", "stylesheet", "script"), []string{"/fetched"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	if got, want := asked("image"), []string{"/code", "/fetched", "/style"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}

func TestUserAgentAndViewport(t *testing.T) {
	t.Parallel()
	var agent string
	s := site(t, map[string]http.HandlerFunc{"/": func(w http.ResponseWriter, r *http.Request) {
		agent = r.UserAgent()
		html("x")(w, r)
	}})
	err := chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		script := said(`innerWidth + 'x' + innerHeight + ' ' + devicePixelRatio + ' ' + navigator.userAgent`)
		for _, size := range [][2]int{{800, 600}, {0, 0}, {400, 900}} {
			a, err := tab.Open(t.Context(), browserpool.Request{URL: s.URL, Timeout: 10 * time.Second, Script: script, Width: size[0], Height: size[1]})
			if size[0] == 0 {
				size = [2]int{1280, 800}
			}
			if want := fmt.Sprintf("%dx%d 1 %s", size[0], size[1], agent); err != nil || string(a.Payload) != want {
				t.Errorf("%v, payload %q, want %q", err, a.Payload, want)
			}
		}
		return nil
	})
	major, _, _ := strings.Cut(chrometest.Pool(t).Browser().Version, ".")
	if err != nil || !strings.HasSuffix(agent, " tabfarm/test (+https://example.org)") || !strings.Contains(agent, "Chrome/"+major+".0.0.0 ") {
		t.Errorf("%v, user agent is %q", err, agent)
	}
}

// TestCapture has bodies of several sizes, kinds and ends.
func TestCapture(t *testing.T) {
	t.Parallel()
	const big = 12 << 20
	body := func(mime, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mime)
			fmt.Fprint(w, text)
		}
	}
	s := site(t, map[string]http.HandlerFunc{
		"/page": html(`<body></body><script>const get = (...a) => fetch(...a).then(r => r.arrayBuffer()).catch(() => 0);
			Promise.all([get('/json'), get('/text'), get('/prose'), get('/bytes'), get('/big'), get('/missing'), get('/broken'),
				get('/post', {method: 'POST', body: 'q=1'}), get('/long', {method: 'POST', body: 'x'.repeat(200000)}), get('/hop')]).then(() => document.body.innerHTML = '<li>x</li>')</script>`),
		"/json":  body("application/vnd.x+json", `{"a":1}`),
		"/text":  body("text/plain", ` [1]`),
		"/prose": body("text/plain", `[not even json`+"\n"),
		"/bytes": body("image/x-thing", "\x00\xff\x01"),
		"/big":   body("application/json", `["`+strings.Repeat("ä\n", big/3)+`"]`),
		"/post":  body("application/json", `{}`),
		"/long":  body("application/json", `{}`),
		"/hop":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/json?2", http.StatusFound) },
		"/missing": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, "{}")
		},
		"/broken": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "{}")
		},
	})
	capture := func(parts ...string) (map[string]int, browserpool.Answer) {
		a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/page", Capture: parts, Timeout: 40 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]int{}
		for _, r := range a.Responses {
			got[strings.TrimPrefix(r.URL, s.URL)] = len(r.Body)
			if r.Lost || r.TooLarge {
				t.Errorf("%s has no body: %+v", r.URL, r)
			}
			if strings.HasSuffix(r.URL, "/post") && (r.Method != "POST" || r.PostData != "q=1") {
				t.Errorf("%s was asked for by %s with %q", r.URL, r.Method, r.PostData)
			}
			if strings.HasSuffix(r.URL, "/long") && len(r.PostData) != 200000 {
				t.Errorf("%s was asked for with %d bytes", r.URL, len(r.PostData))
			}
		}
		return got, a
	}
	got, a := capture("*")
	want := map[string]int{"/json": 7, "/text": 4, "/prose": 15, "/big": big + 4, "/post": 2, "/long": 2, "/json?2": 7}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("all that may be JSON: %s", diff)
	}
	failed := map[string]string{}
	for _, f := range a.Failed {
		failed[strings.TrimPrefix(f.URL, s.URL)] = fmt.Sprint(f.Status, f.Err)
	}
	if diff := cmp.Diff(map[string]string{"/missing": "404", "/broken": "200net::ERR_CONTENT_LENGTH_MISMATCH"}, failed); diff != "" {
		t.Errorf("failed requests: %s", diff)
	}
	got, a = capture("/by*s", "/missing")
	if diff := cmp.Diff(map[string]int{"/bytes": 3}, got); diff != "" || !bytes.Equal(a.Responses[0].Body, []byte("\x00\xff\x01")) {
		t.Errorf("by parts of URLs: %s", diff)
	}
}

// TestCaptureTooLarge: a body past the limit is named and left out.
func TestCaptureTooLarge(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/page": html(`<body></body><script>fetch('/big').then(async r => { for await (const _ of r.body); document.body.innerHTML = '<li>x</li>' })</script>`),
		"/big": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			piece := bytes.Repeat([]byte("1"), 1<<20)
			for range browserpool.MaxBody>>20 + 1 {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
		},
	})
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/page", Capture: []string{"/big"}})
	if err != nil || len(a.Responses) != 1 || !a.Responses[0].TooLarge || a.Responses[0].Body != nil {
		t.Errorf("%v, captured %d responses", err, len(a.Responses))
	}
}

// TestTurnAndMore has a script that asks for two turns and announces a load.
// Timeout is 8 s: it is read only if its waiting for turns (10 s) is not counted,
// and if its second load (9 s) has a deadline of its own.
func TestTurnAndMore(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/": html("x")})
	script := `
const sleep = ms => new Promise(r => setTimeout(r, ms));
let granted; globalThis.__tabfarm_turn = n => granted(n);
const turn = n => new Promise(r => { granted = r; __tabfarm('turn ' + n); });
(async () => {
	let got = '';
	for (const n of [1, 2]) got += await turn(n);
	__tabfarm('more 30000');
	await sleep(9000);
	__tabfarm('data 0 1 ' + got); __tabfarm('done');
})();`
	var turns atomic.Int32
	r := browserpool.Request{URL: s.URL, Script: script, Timeout: 8 * time.Second, PageLimit: time.Minute, Turn: func(ctx context.Context) error {
		turns.Add(1)
		select {
		case <-time.After(5 * time.Second): // the host's clock
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}
	a, err := open(t, chrometest.Pool(t), r)
	if err != nil || string(a.Payload) != "12" || turns.Load() != 2 {
		t.Errorf("%v, payload %q, %d turns", err, a.Payload, turns.Load())
	}
	r.PageLimit = 1500 * time.Millisecond
	start := time.Now()
	if _, err = open(t, chrometest.Pool(t), r); !errors.Is(err, browserpool.ErrTimeout) {
		t.Errorf("past its limit the page ended with %v after %v", err, time.Since(start))
	}
	r.PageLimit, r.Turn = time.Minute, func(context.Context) error { return errors.New("no more") }
	if _, err = open(t, chrometest.Pool(t), r); err == nil || !strings.Contains(err.Error(), "no more") {
		t.Errorf("a refused turn ended with %v", err)
	}
}

func TestExceptionsAreCounted(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/": html(`<li>x</li><script>throw new Error('first')</script><script>null.x</script>`)})
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL})
	if err != nil || a.Exceptions != 2 || !strings.HasPrefix(a.Exception, "Error: first") {
		t.Errorf("%v, %d exceptions, %q", err, a.Exceptions, a.Exception)
	}
	_, err = open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL, Script: "throw new Error('reader')", Timeout: 10 * time.Second})
	if !errors.Is(err, browserpool.ErrTimeout) || !strings.Contains(err.Error(), "Error: reader") {
		t.Errorf("a broken reading script ended with %v", err)
	}
}

// TestWorlds: the page neither sees the binding nor changes what the script
// uses, frames do not run the script, and the page's own script runs before it.
func TestWorlds(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/": html(`<iframe src="/frame"></iframe><script>
			JSON.stringify = Array.prototype.map = document.querySelectorAll = () => 'forged';
			try { __tabfarm('data 0 1 forged'); __tabfarm('done'); } catch {}
			document.title = typeof __tabfarm + ' ' + window.early</script>`),
		"/frame": html("x"),
	})
	a, err := open(t, chrometest.Pool(t), browserpool.Request{
		URL: s.URL + "/", PageScript: "window.early = 'yes'",
		Script: said(`JSON.stringify([document.title, document.querySelectorAll('iframe').length, [1].map(x => x + 1)[0]])`),
	})
	var got []any
	if err != nil || json.Unmarshal(a.Payload, &got) != nil {
		t.Fatalf("%v, payload %q", err, a.Payload)
	}
	if diff := cmp.Diff([]any{"undefined yes", 1.0, 2.0}, got); diff != "" {
		t.Error(diff)
	}
}

// TestServiceWorker: what a page's service worker would answer is not seen.
func TestServiceWorker(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	s := site(t, map[string]http.HandlerFunc{
		"/page": func(w http.ResponseWriter, r *http.Request) {
			html(fmt.Sprintf("<p>%d</p><script>navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(() => document.title = 'ready')</script>", asked.Add(1)))(w, r)
		},
		"/sw.js": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, `addEventListener('install', () => skipWaiting()); addEventListener('activate', e => e.waitUntil(clients.claim()));
				addEventListener('fetch', e => e.respondWith(new Response('<p>forged</p>', {headers: {'Content-Type': 'text/html'}})))`)
		},
	})
	script := `const t = setInterval(() => { if (document.title === 'ready') { clearInterval(t); __tabfarm('data 0 1 ' + document.querySelector('p').textContent); __tabfarm('done'); } }, 10)`
	for n := range 3 {
		a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/page", Script: script, Group: "worker"})
		if want := fmt.Sprint(n + 1); err != nil || string(a.Payload) != want {
			t.Errorf("%v, payload %q, want %q", err, a.Payload, want)
		}
	}
}

// TestChattyPageHoldsNobodyUp reads pages while another floods the console.
func TestChattyPageHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/flood": html(`<script>setInterval(() => { for (let i = 0; i < 500; i++) console.log('x'.repeat(500)) }, 1)</script>`),
		"/good":  html("<li>good</li>"),
	})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		if _, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/flood", Script: ";", Timeout: 3 * time.Second}); !errors.Is(err, browserpool.ErrTimeout) {
			t.Error(err)
		}
	})
	for n := range 5 {
		a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: fmt.Sprint(s.URL, "/good?", n)})
		if err != nil || string(a.Payload) != goodRows {
			t.Errorf("%v, payload %q", err, a.Payload)
		}
	}
}

// TestTargetsAreRecycled opens more pages than one target serves.
func TestTargetsAreRecycled(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(html("<li>good</li>"))
	t.Cleanup(s.Close)
	p := own(t, browserpool.Config{Processes: 1, Tabs: 1})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := p.Do(ctx, func(tab *browserpool.Tab) error {
		for n := range 25 {
			visit(t, tab, browserpool.Request{URL: fmt.Sprint(s.URL, "/", n), Script: said("'x'"), Timeout: 20 * time.Second, Group: fmt.Sprint("group ", n/12)}, ending{payload: "x", status: 200})
		}
		// One for each, one that Chrome starts with, one that may just be closing: those
		// before it have the time that a busy machine takes to close them.
		for {
			n, err := tab.Targets(ctx)
			if err != nil {
				return fmt.Errorf("%d targets are open: %w", n, err)
			}
			if n <= 3 {
				return nil
			}
		}
	})
	if err != nil {
		t.Error(err)
	}
	if s := p.Stats(); s.Pages != 25 || s.TabsReplaced != 0 {
		t.Errorf("stats are %+v", s)
	}
}

func TestPayloadTooLarge(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/": html("x")})
	p := own(t, browserpool.Config{Processes: 1, Tabs: 1})
	p.SetMaxPayload(3 << 20) // bytes; a quarter of the script's characters have two
	a, err := open(t, p, browserpool.Request{URL: s.URL, Script: payloadScript(4 << 20)})
	if !errors.Is(err, browserpool.ErrTooLarge) || a.Payload != nil {
		t.Errorf("%v, %d bytes", err, len(a.Payload))
	}
	if a, err = open(t, p, browserpool.Request{URL: s.URL, Script: payloadScript(2 << 20)}); err != nil || len(a.Payload) == 0 {
		t.Errorf("%v, %d bytes", err, len(a.Payload))
	}
	for _, bad := range []string{"data 1 2 x", "data 0 0 x", "data -1 2 x", "data x", "done"} {
		if a, err = open(t, p, browserpool.Request{URL: s.URL, Script: "__tabfarm('" + bad + "')"}); err == nil || a.Payload != nil {
			t.Errorf("%q gave %v, payload %q", bad, err, a.Payload)
		}
	}
}

// TestWorkersAreWaitedFor has what is drawn come from requests of a worker, and
// of a worker of that worker.
func TestWorkersAreWaitedFor(t *testing.T) {
	t.Parallel()
	script := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/javascript")
			fmt.Fprint(w, text)
		}
	}
	s := site(t, map[string]http.HandlerFunc{
		// The page is not quiet before both workers have sent their requests,
		// however long they take to start.
		"/page": html(`<body><p></p></body><script>
			let starting = 2;
			const busy = setInterval(() => document.querySelector('p').textContent += '.', 10);
			new Worker('/worker.js').onmessage = e => {
				if (e.data !== 'started') document.body.insertAdjacentHTML('beforeend', '<li>' + e.data + '</li>');
				else if (--starting === 0) clearInterval(busy);
			}</script>`),
		"/worker.js": script(`new Worker('/inner.js').onmessage = e => postMessage(e.data);
			fetch('/data?outer').then(r => r.json()).then(postMessage); postMessage('started')`),
		"/inner.js": script(`fetch('/data?inner').then(r => r.json()).then(postMessage); postMessage('started')`),
		"/data": func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(400 * time.Millisecond): // longer than the script's quiet time
			case <-r.Context().Done():
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, "%q", r.URL.RawQuery)
		},
	})
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/page", Capture: []string{"/data"}})
	if err != nil || !strings.Contains(string(a.Payload), `"outer"`) || !strings.Contains(string(a.Payload), `"inner"`) {
		t.Errorf("%v, payload %q", err, a.Payload)
	}
	for _, r := range a.Responses {
		if !strings.HasSuffix(r.URL, strings.Trim(string(r.Body), `"`)) {
			t.Errorf("%s has body %q", r.URL, r.Body)
		}
	}
	if len(a.Responses) != 2 {
		t.Errorf("captured %d responses", len(a.Responses))
	}
}
