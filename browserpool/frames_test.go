package browserpool_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// frameScript reads list items as rowsScript does, when it is told to begin. A
// frame without items lacks them.
const frameScript = `
__tabfarm('frame');
globalThis.__tabfarm_begin = () => {
	const items = () => Array.from(document.querySelectorAll('li'), (e) => e.textContent);
	globalThis.__tabfarm_last = () => {
		__tabfarm('data 0 1 ' + JSON.stringify(items()));
		__tabfarm('done' + (items().length > 0 ? '' : ' li'));
	};
	let asked = 0, timer = 0;
	const later = () => { asked++; clearTimeout(timer); timer = setTimeout(() => __tabfarm('quiet ' + asked), 50); };
	globalThis.__tabfarm_go = (n, pending, waited) => {
		if (n !== asked) return;
		if (document.readyState === 'loading' || waited > 0 || document.querySelector('.spin')) later(); else __tabfarm_last();
	};
	new MutationObserver(later).observe(document, {childList: true, subtree: true, characterData: true});
	setTimeout(() => { if (items().length === 0) __tabfarm('bare li') }, 1000);
	later();
};`

// frameSite serves pages in which SELF and OTHER are the same server by two names,
// which are two sites.
func frameSite(t *testing.T, files map[string]string) *httptest.Server {
	t.Helper()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := files[r.URL.Path]
		switch {
		case r.URL.Path == "/hang":
			<-r.Context().Done()
			return
		case r.URL.Path == "/empty":
			w.WriteHeader(http.StatusNoContent)
			return
		case !ok:
			w.WriteHeader(http.StatusNotFound)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		text = strings.ReplaceAll(text, "SELF", s.URL)
		fmt.Fprint(w, "<!doctype html>", strings.ReplaceAll(text, "OTHER", strings.Replace(s.URL, "127.0.0.1", "localhost", 1)))
	}))
	t.Cleanup(s.Close)
	return s
}

// told shows the frames of an answer without the server's names.
func told(a browserpool.Answer, s *httptest.Server) string {
	var lines []string
	for _, f := range a.Frames {
		line := string(f.Payload) + f.Err
		if f.Payload == nil && f.Err == "" {
			line += "idle"
		}
		lines = append(lines, f.URL+" "+line)
	}
	text := strings.ReplaceAll(strings.Join(lines, "\n"), s.URL, "SELF")
	return strings.ReplaceAll(text, strings.Replace(s.URL, "127.0.0.1", "localhost", 1), "OTHER")
}

// later runs a script when the page has been there for a while.
func later(script string) string {
	return "<script>setTimeout(() => { " + script + " }, 300)</script>"
}

// frameTests are frames of the same and of another site, however they come to be
// and whatever becomes of them.
var frameTests = []struct {
	name  string
	files map[string]string
	want  string
}{
	{"none", map[string]string{"/": `<li>top`}, ``},
	{"of the same site", map[string]string{"/": `<iframe src="/a"></iframe>`, "/a": `<li>a`}, `SELF/a ["a"]`},
	{"of another site", map[string]string{"/": `<iframe src="OTHER/a"></iframe>`, "/a": `<li>a`}, `OTHER/a ["a"]`},
	{
		"in each other",
		map[string]string{"/": `<iframe src="OTHER/a"></iframe>`, "/a": `<li>a</li><iframe src="SELF/b"></iframe>`, "/b": `<li>b</li><iframe src="SELF/c"></iframe>`, "/c": `<li>c`},
		"OTHER/a [\"a\"]\nSELF/b [\"b\"]\nSELF/c [\"c\"]",
	},
	{
		"written",
		map[string]string{"/": `<iframe srcdoc="<li>a"></iframe><iframe id="w"></iframe><script>w.contentDocument.write('<li>b'); w.contentDocument.close()</script>`},
		"about:srcdoc [\"a\"]\nabout:blank [\"b\"]",
	},
	{"touched before it came", map[string]string{"/": `<iframe src="/a"></iframe><script>frames[0].x</script>`, "/a": `<li>a`}, `SELF/a ["a"]`},
	{"of a javascript: URL", map[string]string{"/": `<iframe src="javascript:false"></iframe><iframe src="javascript:'<li>a'"></iframe>`}, "about:blank []\nabout:blank [\"a\"]"},
	{"alerts", map[string]string{"/": `<iframe src="OTHER/a"></iframe>`, "/a": `<script>alert(1)</script><li>a`}, `OTHER/a ["a"]`},
	{"drawn late", map[string]string{"/": `<iframe src="OTHER/a"></iframe>`, "/a": `<i class="spin"></i>` + later(`document.body.innerHTML = '<li>a'`)}, `OTHER/a ["a"]`},
	{"made late", map[string]string{"/": `<li>top</li><script>fetch('/hold').then(() => document.body.insertAdjacentHTML('beforeend', '<iframe src="OTHER/a"></iframe>'))</script>`, "/a": `<li>a`}, `OTHER/a ["a"]`},
	{"replaced", map[string]string{"/": `<iframe id="f" src="OTHER/a"></iframe>` + later(`f.outerHTML = '<iframe src="OTHER/b"></iframe>'`), "/a": `<i class="spin"></i>`, "/b": `<li>b`}, `OTHER/b ["b"]`},
	{"sent to another site", map[string]string{"/": `<iframe src="OTHER/a"></iframe>`, "/a": `<i class="spin"></i>` + later(`location.href = 'SELF/b'`), "/b": `<li>b`}, `SELF/b ["b"]`},
	{"sent there and back", map[string]string{"/": `<iframe src="/a"></iframe>`, "/a": `<i class="spin"></i><script>location.href = 'OTHER/b'</script>`, "/b": `<i class="spin"></i><script>location.href = 'SELF/c'</script>`, "/c": `<li>c`}, `SELF/c ["c"]`},
	{"removed", map[string]string{"/": `<iframe id="f" src="OTHER/a"></iframe>` + later(`f.remove()`), "/a": `<i class="spin"></i>`}, ``},
	{"restless beside a full one", map[string]string{"/": `<iframe src="OTHER/a"></iframe><iframe src="OTHER/b"></iframe>`, "/a": `<i class="spin"></i>`, "/b": `<li>b`}, "OTHER/a idle\nOTHER/b [\"b\"]"},
	{"no answer", map[string]string{"/": `<iframe src="OTHER/none"></iframe><iframe src="/empty"></iframe><iframe src="http://localhost:1/"></iframe>`}, "OTHER/none []\nabout:blank []\nhttp://localhost:1/ net::ERR_UNSAFE_PORT"},
	{"a picture", map[string]string{"/": `<iframe src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></iframe><iframe src="/a"></iframe>`, "/a": `<li>a`}, "data:image/gif;base64,R0lGODlhAQABAAAAACw= []\nSELF/a [\"a\"]"},
}

// TestFrames reads frames in a browser that gives frames of other sites a target
// of their own, and in one that does not.
func TestFrames(t *testing.T) {
	t.Parallel()
	apart := own(t, browserpool.Config{Processes: 1, Tabs: 4}.Isolated())
	t.Run("crash", func(t *testing.T) { framesCrash(t, apart) }) // alone: frames of one site share a renderer
	t.Run("do not come", func(t *testing.T) {
		t.Parallel()
		framesThatDoNotCome(t, apart)
	})
	for how, pool := range map[string]*browserpool.Pool{"one process": chrometest.Pool(t), "own processes": apart} {
		t.Run(how, func(t *testing.T) {
			for _, test := range frameTests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					s := frameSite(t, test.files)
					a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", FrameScript: frameScript})
					if err != nil {
						t.Fatalf("%v\n%s", err, told(a, s))
					}
					if diff := cmp.Diff(test.want, told(a, s)); diff != "" {
						t.Error(diff)
					}
				})
			}
			for name, test := range map[string]func(*testing.T, *browserpool.Pool){
				"ask Allow": framesAskAllow, "cannot forge": framesCannotForge,
				"block and capture": framesBlockAndCapture, "take turns": framesTakeTurns, "a tab after them": tabAfterFrames,
			} {
				t.Run(name, func(t *testing.T) {
					t.Parallel()
					test(t, pool)
				})
			}
		})
	}
}

// framesThatDoNotCome: at the deadline the page is there, and so is what frames had.
func framesThatDoNotCome(t *testing.T, pool *browserpool.Pool) {
	s := frameSite(t, map[string]string{
		"/":  `<li>top</li><iframe src="OTHER/a"></iframe><iframe src="OTHER/hang"></iframe><iframe src="OTHER/b"></iframe>`,
		"/a": `<li>a`, "/b": `<li>b</li><i class="spin"></i>`,
	})
	a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", FrameScript: frameScript, Timeout: 4 * time.Second})
	if !errors.Is(err, browserpool.ErrTimeout) || string(a.Payload) != `["top"]` {
		t.Errorf("%v, payload %q", err, a.Payload)
	}
	if diff := cmp.Diff("OTHER/a [\"a\"]\nOTHER/hang had not loaded\nOTHER/b [\"b\"]", told(a, s)); diff != "" {
		t.Error(diff)
	}
}

// framesAskAllow: what is refused to the page is refused to its frames, and the rest is read.
func framesAskAllow(t *testing.T, pool *browserpool.Pool) {
	var hits atomic.Int32
	private := site(t, map[string]http.HandlerFunc{"/": func(http.ResponseWriter, *http.Request) { hits.Add(1) }})
	s := frameSite(t, map[string]string{
		"/":  `<iframe src="` + private.URL + `/x"></iframe><iframe src="OTHER/a"></iframe>`,
		"/a": `<li>a</li><iframe src="` + private.URL + `/y"></iframe><iframe src="OTHER/b"></iframe>`,
		"/b": `<i class="spin"></i><script>location.href = '` + private.URL + `/z'</script>`,
	})
	a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", FrameScript: frameScript, Allow: refusing(private.URL)})
	want := "PRIVATE/x address refused\nOTHER/a [\"a\"]\nPRIVATE/y address refused\nPRIVATE/z address refused"
	if diff := cmp.Diff(want, strings.ReplaceAll(told(a, s), private.URL, "PRIVATE")); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	// A name may resolve to another address when it is connected to.
	_, err = open(t, pool, browserpool.Request{URL: s.URL + "/", FrameScript: frameScript, Allow: func(_ context.Context, url string, connected netip.Addr) error {
		if connected.IsValid() && strings.HasSuffix(url, "/a") {
			return errors.New("private")
		}
		return refusing(private.URL)(t.Context(), url, connected)
	}})
	if !errors.Is(err, browserpool.ErrRefused) {
		t.Error(err)
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests reached the refused host", n)
	}
}

// framesCannotForge: neither a page nor a frame can speak for the reading script.
func framesCannotForge(t *testing.T, pool *browserpool.Pool) {
	const forge = `<script>
		for (const w of [window, parent, top, ...Array.from(frames)]) try { (w.__tabfarm ?? w.postMessage.bind(w))('data 0 1 ["forged"]'); w.__tabfarm('done') } catch {}
		document.body.dataset.seen = typeof __tabfarm + typeof __tabfarm_begin + typeof __tabfarm_last;
	</script>`
	s := frameSite(t, map[string]string{"/": `<li>top</li><iframe src="/a"></iframe><iframe src="OTHER/a"></iframe>` + forge, "/a": `<ul><li>a</ul>` + forge +
		`<script>document.querySelector('li').textContent += ' ' + document.body.dataset.seen</script>`})
	const plain = `["a undefinedundefinedundefined"]`
	a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", FrameScript: frameScript})
	if err != nil || string(a.Payload) != `["top"]` || told(a, s) != "SELF/a "+plain+"\nOTHER/a "+plain {
		t.Errorf("%v, payload %q, frames\n%s", err, a.Payload, told(a, s))
	}
}

// framesBlockAndCapture: what is left out is left out of frames, and their responses are captured.
func framesBlockAndCapture(t *testing.T, pool *browserpool.Pool) {
	var loads atomic.Int32
	s := site(t, map[string]http.HandlerFunc{
		"/{$}": func(w http.ResponseWriter, r *http.Request) {
			html(`<iframe src="http://localhost:`+r.Host[strings.LastIndex(r.Host, ":")+1:]+`/a"></iframe>`)(w, r)
		},
		"/a":         html(`<img src="/image.png"><img src="/image"><script>fetch('/rows').then(r => r.json()).then(l => document.body.insertAdjacentHTML('beforeend', '<li>' + l))</script>`),
		"/image.png": func(http.ResponseWriter, *http.Request) { loads.Add(1) },
		"/image":     func(http.ResponseWriter, *http.Request) { loads.Add(1) },
		"/rows":      func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `["a"]`) },
	})
	a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", FrameScript: frameScript, Block: []string{"image"}, Capture: []string{"/rows"}})
	if err != nil || len(a.Frames) != 1 || string(a.Frames[0].Payload) != `["a"]` || len(a.Responses) != 1 || string(a.Responses[0].Body) != `["a"]` {
		t.Errorf("%v, frames %+v, %d responses", err, a.Frames, len(a.Responses))
	}
	if loads.Load() > 0 {
		t.Errorf("%d images were loaded", loads.Load())
	}
}

// framesTakeTurns: two frames may wait for the host's turn at a time.
func framesTakeTurns(t *testing.T, pool *browserpool.Pool) {
	const script = `__tabfarm('frame');
		globalThis.__tabfarm_begin = () => __tabfarm('turn 1');
		globalThis.__tabfarm_turn = (n) => { __tabfarm('data 0 1 ' + n); __tabfarm('done') };`
	s := frameSite(t, map[string]string{"/": `<iframe src="OTHER/a"></iframe><iframe src="/b"></iframe>`, "/a": `a`, "/b": `b`})
	var asked atomic.Int32
	both := make(chan struct{})
	a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", FrameScript: script, Turn: func(ctx context.Context) error {
		if asked.Add(1) == 2 {
			close(both)
		}
		select {
		case <-both:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	if diff := cmp.Diff("OTHER/a 1\nSELF/b 1", told(a, s)); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// framesCrash: a frame whose renderer crashes takes nothing else along.
func framesCrash(t *testing.T, pool *browserpool.Pool) {
	s := frameSite(t, map[string]string{"/": `<li>top</li><iframe src="OTHER/a"></iframe>`, "/a": `<i class="spin"></i>`})
	err := pool.Do(t.Context(), func(tab *browserpool.Tab) error {
		var once sync.Once
		script := frameScript + `setTimeout(() => __tabfarm('turn 1'), 100);`
		a, err := tab.Open(t.Context(), browserpool.Request{URL: s.URL + "/", Script: rowsScript, FrameScript: script, Timeout: 4 * time.Second, Turn: func(context.Context) error {
			once.Do(tab.CrashFrames)
			return nil
		}})
		if err != nil || string(a.Payload) != `["top"]` || told(a, s) != "OTHER/a crashed" || !a.Frames[0].Late {
			t.Errorf("%v, payload %q, frames %s", err, a.Payload, told(a, s))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// tabAfterFrames: a tab that has read frames reads pages without, and no frame is touched there.
func tabAfterFrames(t *testing.T, pool *browserpool.Pool) {
	s := frameSite(t, map[string]string{"/": `<li>top</li><iframe src="OTHER/a"></iframe>`, "/a": `<li>a`})
	err := pool.Do(t.Context(), func(tab *browserpool.Tab) error {
		for i := range 4 {
			r := browserpool.Request{URL: s.URL + "/", Script: rowsScript, Timeout: 20 * time.Second}
			want := 0
			if i%2 == 0 {
				r.FrameScript, want = frameScript, 1
			}
			a, err := tab.Open(t.Context(), r)
			if err != nil || len(a.Frames) != want || string(a.Payload) != `["top"]` {
				t.Errorf("page %d: %v, %d frames, payload %q", i, err, len(a.Frames), a.Payload)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
