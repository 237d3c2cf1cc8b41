package browserpool_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// rowsScript is a small reading script after the script contract: the texts of
// all list items, when they have not changed for 50 ms, nothing is in flight, and
// they have not changed for 50 ms again. A page that always has something in
// flight is read after the third round.
const rowsScript = `
let asked = 0, round = 0, timer = 0;
const deliver = () => {
	__tabfarm('data 0 1 ' + JSON.stringify(Array.from(document.querySelectorAll('li'), e => e.textContent)));
	__tabfarm('done');
};
const later = () => { clearTimeout(timer); timer = setTimeout(ask, 50); };
const ask = () => { if (document.readyState === 'loading') later(); else __tabfarm('quiet ' + (++asked)); };
globalThis.__tabfarm_go = (n, pending, waited) => {
	if (n !== asked) return;
	if (pending + waited > 0 && ++round < 3) later(); else deliver();
};
globalThis.__tabfarm_last = deliver;
new MutationObserver(() => { asked++; round = 0; later(); }).observe(document, {childList: true, subtree: true, characterData: true});
later();
`

// open opens a page of the shared pool.
func open(t *testing.T, p *browserpool.Pool, r browserpool.Request) (a browserpool.Answer, err error) {
	t.Helper()
	if r.Timeout == 0 {
		r.Timeout = 20 * time.Second
	}
	if r.Script == "" {
		r.Script = rowsScript
	}
	err = p.Do(t.Context(), func(tab *browserpool.Tab) error {
		a, err = tab.Open(t.Context(), r)
		return err
	})
	return a, err
}

// site serves handlers by path on loopback.
func site(t *testing.T, pages map[string]http.HandlerFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	for path, h := range pages {
		mux.HandleFunc(path, h)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func html(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html>", body)
	}
}

func TestOpenReadsWhatScriptsDraw(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/{$}": html(`<ul></ul><script>fetch('/data').then(r => r.json()).then(d => {
			for (const x of d) document.querySelector('ul').insertAdjacentHTML('beforeend', '<li>' + x); })</script>`),
		"/data": func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(300 * time.Millisecond):
			case <-r.Context().Done():
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `["a","b"]`)
		},
	})
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/", Capture: []string{"*"}})
	if err != nil {
		t.Fatal(err)
	}
	if string(a.Payload) != `["a","b"]` || a.Status != 200 || a.URL != s.URL+"/" || a.MIMEType != "text/html" {
		t.Errorf("answer is %+v, payload %q", a, a.Payload)
	}
	if len(a.Responses) != 1 || string(a.Responses[0].Body) != `["a","b"]` {
		t.Errorf("captured %+v", a.Responses)
	}
}
