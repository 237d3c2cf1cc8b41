package browserpool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// actScript defines what scripts of these tests need to act on a page.
const actScript = `
let number = 0, ended, known;
globalThis.__tabfarm_did = (n, error) => { if (n === number) ended(error) };
globalThis.__tabfarm_kept = (text) => known(text);
globalThis.__tabfarm_turn = () => ended('');
const answer = (message) => new Promise((r) => { ended = r; __tabfarm(message) });
const input = (...acts) => answer('input ' + ++number + ' ' + JSON.stringify(acts));
const run = (source) => answer('run ' + ++number + ' ' + source);
const turn = () => answer('turn 1');
const recall = () => new Promise((r) => { known = r; __tabfarm('recall') });
const give = (text) => { __tabfarm('data 0 1 ' + text) };
const done = (text) => { give(text); __tabfarm('done') };
const parsed = () => new Promise((r) => document.readyState === 'loading' ? addEventListener('DOMContentLoaded', r) : r());
`

func act(body string) string {
	return actScript + "(async () => { await parsed();\n" + body + "\n})().catch((e) => done(String(e)));"
}

// TestInputs: what a script gives as input comes to the page as a person's.
func TestInputs(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/": html(`<input id="i" style="position:fixed;left:100px;top:50px;width:80px;height:20px" value="old"><script>
		window.seen = [];
		for (const type of ['mousemove', 'mousedown', 'mouseup', 'click', 'focus', 'keydown', 'keypress', 'keyup', 'beforeinput', 'input', 'change', 'blur'])
			document.getElementById('i').addEventListener(type, (e) => {
				const more = e.key !== undefined ? ' ' + e.key + ' ' + e.code + ' ' + e.keyCode : e.clientX !== undefined ? ' ' + e.clientX + ' ' + e.clientY + ' ' + e.button + ' ' + e.detail : '';
				seen.push(type + ' ' + e.isTrusted + more);
			}, true);
	</script>`)})
	script := act(`
		const at = {x: 140, y: 60};
		const errors = [
			await input({mouse: 'moved', ...at}, {mouse: 'pressed', ...at}, {mouse: 'released', ...at}),
			(document.getElementById('i').select(), await input({text: 'grüße 😀'})),
			await input({key: 'Backspace', code: 'Backspace', keyCode: 8}, {key: 'a', code: 'KeyA', keyCode: 65, char: 'a'}),
			await input({key: 'Enter', code: 'Enter', keyCode: 13, char: '\r'}),
			await input({key: 'Tab', code: 'Tab', keyCode: 9}),
			await run("document.body.dataset.seen = JSON.stringify(seen)"),
		];
		done(JSON.stringify([errors.join(''), document.getElementById('i').value, ...JSON.parse(document.body.dataset.seen)]));`)
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL, Script: script})
	var got []string
	if err != nil || json.Unmarshal(a.Payload, &got) != nil {
		t.Fatalf("%v, payload %q", err, a.Payload)
	}
	want := []string{
		"", "grüße a",
		"mousemove true 140 60 0 0", "mousedown true 140 60 0 1", "focus true", "mouseup true 140 60 0 1", "click true 140 60 0 1",
		"beforeinput true", "input true",
		"keydown true Backspace Backspace 8", "beforeinput true", "input true", "keyup true Backspace Backspace 8",
		"keydown true a KeyA 65", "keypress true a KeyA 97", "beforeinput true", "input true", "keyup true a KeyA 65",
		"keydown true Enter Enter 13", "keypress true Enter Enter 13", "beforeinput true", "change true", "keyup true Enter Enter 13",
		"keydown true Tab Tab 9", "blur true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the page saw (-want +got):\n%s", diff)
	}
}

// TestRunInPage: a source runs in the page's own world, its promise is awaited,
// and its error is told.
func TestRunInPage(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/": html(`<p></p><script>window.own = 'the page'</script>`)})
	script := act(`
		const got = [];
		for (const source of [
			"document.querySelector('p').textContent = own",
			"new Promise((r) => setTimeout(() => { document.querySelector('p').textContent += ' waited'; r() }, 200))",
			"nothing.there", "Promise.reject(new Error('no'))", "(async () => { throw 'a text' })()", "let = ;",
			"typeof __tabfarm === 'undefined' ? 0 : nothing",
		]) got.push(await run(source));
		done(JSON.stringify([...got, document.querySelector('p').textContent]));`)
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL, Script: script})
	var got []string
	if err != nil || json.Unmarshal(a.Payload, &got) != nil {
		t.Fatalf("%v, payload %q", err, a.Payload)
	}
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], "\n")
	}
	want := []string{
		"", "", "Uncaught ReferenceError: nothing is not defined", "Uncaught (in promise) Error: no", "Uncaught (in promise) a text",
		"Uncaught SyntaxError: Unexpected token ';'", "", "the page waited",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPartsAndMemory goes through more documents than a page may send itself on,
// with a turn before each. The parts of all come back, and so do responses that
// were captured, but for those that the script said to forget.
func TestPartsAndMemory(t *testing.T) {
	t.Parallel()
	const documents = 25
	s := site(t, map[string]http.HandlerFunc{
		"/{n}": func(w http.ResponseWriter, r *http.Request) {
			n := 0
			_, _ = fmt.Sscan(r.PathValue("n"), &n)
			html(fmt.Sprintf(`<a href="/%d" style="position:fixed;left:0;top:0">%d</a><script>fetch('/data/%d').then((r) => r.text()).then((x) => document.body.append(x))</script>`, n+1, n, n))(w, r)
		},
		"/data/{n}": func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "[%s]", r.PathValue("n")) },
	})
	script := act(fmt.Sprintf(`
		const known = await recall();
		const n = document.querySelector('a').textContent;
		while (!document.body.textContent.includes('[')) await new Promise((r) => setTimeout(r, 10));
		await new Promise((r) => { globalThis.__tabfarm_go = r; __tabfarm('quiet 1') });
		if (n === '2') __tabfarm('forget');
		if (n === '%d') { done(n + ' knows ' + known); return }
		give(n + ' knows ' + known);
		__tabfarm('part');
		__tabfarm('keep ' + n);
		await turn();
		const at = {x: 3, y: 10};
		await input({mouse: 'moved', ...at}, {mouse: 'pressed', ...at}, {mouse: 'released', ...at});`, documents))
	var turns atomic.Int32
	a, err := open(t, chrometest.Pool(t), browserpool.Request{
		URL: s.URL + "/1", Script: script, Capture: []string{"/data/"}, Timeout: 50 * time.Second,
		Turn: func(context.Context) error { turns.Add(1); return nil },
	})
	var got, want []string
	for _, part := range a.Parts {
		got = append(got, string(part))
	}
	got = append(got, string(a.Payload))
	for n := 1; n <= documents; n++ {
		known := fmt.Sprint(n - 1)
		if n == 1 {
			known = ""
		}
		want = append(want, fmt.Sprintf("%d knows %s", n, known))
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || turns.Load() != documents-1 {
		t.Errorf("%v, %d turns, parts (-want +got):\n%s", err, turns.Load(), diff)
	}
	got, want = nil, nil
	for _, r := range a.Responses {
		got = append(got, string(r.Body))
	}
	for n := 3; n <= documents; n++ {
		want = append(want, fmt.Sprintf("[%d]", n))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("responses (-want +got):\n%s", diff)
	}

	p := own(t, browserpool.Config{Processes: 1, Tabs: 1})
	p.SetMaxPayload(100) // bytes of all parts together
	if _, err = open(t, p, browserpool.Request{URL: s.URL + "/1", Script: script}); !errors.Is(err, browserpool.ErrTooLarge) {
		t.Errorf("parts without end ended with %v", err)
	}
	for _, bad := range []string{"part", "input 1 x", "keep " + strings.Repeat("x", 1<<20+1)} {
		if a, err = open(t, p, browserpool.Request{URL: s.URL + "/1", Script: "__tabfarm('" + bad + "')"}); err == nil || a.Payload != nil {
			t.Errorf("%.20q gave %v, payload %q", bad, err, a.Payload)
		}
	}
}

// TestLastWhileLeaving: a page that goes to one that never comes is read as it
// stands at the deadline.
func TestLastWhileLeaving(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/":      html(`<a href="/never" style="position:fixed;left:0;top:0">go</a>`),
		"/never": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	})
	script := act(`
		globalThis.__tabfarm_last = () => done('last');
		const at = {x: 3, y: 10};
		await input({mouse: 'moved', ...at}, {mouse: 'pressed', ...at}, {mouse: 'released', ...at});`)
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL, Script: script, Timeout: 10 * time.Second})
	if !errors.Is(err, browserpool.ErrTimeout) || string(a.Payload) != "last" {
		t.Errorf("%v, payload %q", err, a.Payload)
	}
}
