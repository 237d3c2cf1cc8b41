package browserpool_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// A request that has just ended counts for what a script waits for: what came of it
// may not be drawn yet. Later it counts no more.
func TestRequestsThatJustEnded(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/{$}":   html("<p>x"),
		"/data/": func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte(r.URL.Path)) },
	})
	// On a busy machine it may be too late to see it at once; it is tried again.
	const script = `(async () => {
		let asked = 0, heard;
		globalThis.__tabfarm_go = (n, pending, waited) => heard(pending + waited);
		const ask = () => new Promise((r) => { heard = r; __tabfarm('quiet ' + ++asked) });
		let ended = 0;
		for (let i = 0; i < 50 && ended === 0; i++) {
			await (await fetch('/data/' + i)).text();
			ended = await ask();
		}
		let later = 1;
		for (let i = 0; i < 50 && later > 0; i++) {
			await new Promise((r) => setTimeout(r, 50));
			later = await ask();
		}
		__tabfarm('data 0 1 ' + ended + ' ' + later);
		__tabfarm('done');
	})()`
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL, Script: script})
	if err != nil || strings.TrimSpace(string(a.Payload)) != "1 0" {
		t.Errorf("counted %q (after the end, later), %v, want 1 0", a.Payload, err)
	}
}
