package browserpool_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// holds lets things last, and knows for how long they did at the least.
type holds struct {
	mu   sync.Mutex
	took map[string]time.Duration
}

func (h *holds) hold(name string) {
	began := time.Now()
	d := 100 * time.Millisecond
	if name == "again" {
		d = 600 * time.Millisecond // longer than all else that is navigation
	}
	time.Sleep(d) // that it lasts is what is tested
	h.mu.Lock()
	defer h.mu.Unlock()
	h.took[name] += time.Since(began)
}

func (h *holds) handler(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.hold(strings.Trim(r.URL.Path, "/"))
		html(body)(w, r)
	}
}

// spentScript asks the pool before and after each thing, so that the pool has heard of
// what was before, and comes to rest and reads for as long as the site wants.
const spentScript = `
let asked = 0, heard;
globalThis.__tabfarm_go = () => heard();
globalThis.__tabfarm_turn = () => heard();
const ask = (message) => new Promise((r) => { heard = r; __tabfarm(message ?? 'quiet ' + ++asked) });
const during = async (path) => { await ask(); await fetch(path); };
const deliver = (word) => { __tabfarm('data 0 1 x'); __tabfarm(word) };
`

// TestSpent: the time of a page is that of its parts, and each is where it belongs:
// two documents, a turn during which the page is read, and a frame.
func TestSpent(t *testing.T) {
	t.Parallel()
	h := &holds{took: map[string]time.Duration{}}
	s := site(t, map[string]http.HandlerFunc{
		"/navigate": h.handler("<p>one"),
		"/again":    h.handler("<p>two<iframe src='/framed'></iframe>"),
		"/framed":   html("<p>three"),
		"/settle":   h.handler(""),
		"/read":     h.handler(""),
	})
	script := spentScript + `(async () => {
		await during('/settle');
		__tabfarm('read');
		await during('/read');
		if (location.pathname === '/navigate') { deliver('part'); await during('/settle'); await ask(); location = '/again'; return; }
		await ask('turn 1');
		await during('/read');
		deliver('done');
	})()`
	frame := spentScript + `globalThis.__tabfarm_begin = async () => {
		await during('/settle');
		__tabfarm('read');
		await during('/read');
		deliver('done');
	}; __tabfarm('frame')`
	began := time.Now()
	a, err := open(t, chrometest.Pool(t), browserpool.Request{
		URL: s.URL + "/navigate", Script: script, FrameScript: frame,
		Turn: func(context.Context) error { h.hold("turn"); return nil },
	})
	took := time.Since(began)
	if err != nil || len(a.Parts) != 1 || len(a.Frames) != 1 || string(a.Frames[0].Payload) != "x" {
		t.Fatalf("%v, %+v", err, a)
	}
	p := a.Spent
	h.took["navigate"] += h.took["again"] / 2 // its begin is told by the browser, which may be a little late
	for name, got := range map[string]time.Duration{"turn": p.Turn, "settle": p.Settle, "read": p.Read, "navigate": p.Navigate} {
		if want := h.took[name]; want == 0 || got < want {
			t.Errorf("%s took %v, and lasted %v at the least", name, got, want)
		}
	}
	if sum := p.Turn + p.Navigate + p.Settle + p.Read; sum > took {
		t.Errorf("%v together, and the page took %v: %+v", sum, took, p)
	}
}

// TestSpentOnNothing: what never comes to a document only navigates.
func TestSpentOnNothing(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }})
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL})
	if !errors.Is(err, browserpool.ErrUnreachable) {
		t.Fatalf("%v, want %v", err, browserpool.ErrUnreachable)
	}
	if a.Spent.Navigate <= 0 || a.Spent != (browserpool.Spent{Navigate: a.Spent.Navigate}) {
		t.Errorf("spent %+v", a.Spent)
	}
}
