package browserpool_test

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// after is a page whose one item is read, and which does something right after
// that: its script hears when it is.
func after(item, does string) http.HandlerFunc {
	return html(`<ul><li>` + item + `</ul><script>document.addEventListener('read', () => { ` + does + ` })</script>`)
}

// tellsScript reads the items at once and tells the page.
const tellsScript = `
addEventListener('DOMContentLoaded', () => {
	__tabfarm('data 0 1 ' + JSON.stringify(Array.from(document.querySelectorAll('li'), e => e.textContent)));
	__tabfarm('done');
	document.dispatchEvent(new Event('read'));
});`

// TestPageStays: a page that was read stays in its tab until the next one comes,
// and whatever it does then is not the next one's.
func TestPageStays(t *testing.T) {
	t.Parallel()
	const some = -1 // it depends on who comes first
	for _, test := range []struct {
		name, does string
		replaced   int64
	}{
		{"nothing", ``, 0},
		{"goes to another page", `location = '/other'`, some},
		{"goes there again and again", `setInterval(() => location = '/other', 1)`, some},
		{"goes there after a moment", `setTimeout(() => location = '/other', 3)`, some},
		{"reloads", `location.reload()`, some},
		{"throws", `setInterval(() => { throw new Error('of the page before') }, 1)`, 0},
		{"asks in vain", `setInterval(() => fetch('/none'), 1)`, 0},
		{"opens windows and dialogs", `setInterval(() => { open('/other'); alert(1) }, 1)`, some},
		{"asks whether it may be left", `addEventListener('beforeunload', (e) => e.preventDefault())`, 0},
		{"hangs", `for (;;);`, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := site(t, map[string]http.HandlerFunc{
				"/first": after("first", test.does), "/next": html(`<ul><li>next</ul>`), "/other": html(`<ul><li>other</ul>`),
			})
			p := own(t, browserpool.Config{Tabs: 1})
			for _, page := range []string{"first", "next", "first", "next"} {
				a, err := open(t, p, browserpool.Request{URL: s.URL + "/" + page, Script: tellsScript})
				if err != nil || string(a.Payload) != `["`+page+`"]` || a.URL != s.URL+"/"+page {
					t.Fatalf("%s: %q from %q, %v", page, a.Payload, a.URL, err)
				}
				if page == "next" && (a.Exceptions != 0 || len(a.Failed) != 0) {
					t.Errorf("the page has %d exceptions and failures %v of the one before", a.Exceptions, a.Failed)
				}
			}
			if got := p.Stats().TabsReplaced; test.replaced != some && got != test.replaced {
				t.Errorf("%d tabs were replaced, want %d", got, test.replaced)
			}
		})
	}
}

// TestSameDocumentIsLoadedAnew: a URL that leads elsewhere in the document which
// stays is a page of its own.
func TestSameDocumentIsLoadedAnew(t *testing.T) {
	t.Parallel()
	var loads atomic.Int64
	s := site(t, map[string]http.HandlerFunc{"/{$}": func(w http.ResponseWriter, r *http.Request) {
		loads.Add(1)
		html(`<ul><li>item</ul>`)(w, r)
	}})
	p := own(t, browserpool.Config{Tabs: 1})
	for i, at := range []string{"/", "/#a", "/#b", "/", "/"} {
		if _, err := open(t, p, browserpool.Request{URL: s.URL + at, Script: tellsScript}); err != nil {
			t.Fatal(err)
		}
		if got := loads.Load(); got != int64(i+1) {
			t.Errorf("after %q the page was loaded %d times, want %d", at, got, i+1)
		}
	}
}

// TestPageLeavesWithoutNext: a page that no other follows is left after a while.
func TestPageLeavesWithoutNext(t *testing.T) {
	t.Parallel()
	left := make(chan struct{}, 1)
	s := site(t, map[string]http.HandlerFunc{
		"/{$}":  after("item", `addEventListener('pagehide', () => navigator.sendBeacon('/left'))`),
		"/left": func(http.ResponseWriter, *http.Request) { left <- struct{}{} },
	})
	if _, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/", Script: tellsScript, Group: t.Name()}); err != nil {
		t.Fatal(err)
	}
	<-left
}

// TestHeavyTargetsAreRenewed: a page that leaves much behind is the last of its target.
func TestHeavyTargetsAreRenewed(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/light": html(`<ul><li>item</ul>`),
		"/heavy": html(`<ul><li>item</ul><script>window.much = new Uint8Array(200 << 20)</script>`),
	})
	p := own(t, browserpool.Config{Tabs: 1})
	for i, page := range []string{"light", "light", "heavy", "light", "light"} {
		if _, err := open(t, p, browserpool.Request{URL: s.URL + "/" + page, Script: tellsScript}); err != nil {
			t.Fatal(err)
		}
		want := int64(0)
		if i > 2 {
			want = 1
		}
		if got := p.Stats().TabsRecycled; got != want {
			t.Errorf("after page %d %d tabs were renewed, want %d", i+1, got, want)
		}
	}
}
