package browserpool_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// TestFramesComeWhenAsked: in a headless shell a page has frames while its script
// waits for them and no others.
func TestFramesComeWhenAsked(t *testing.T) {
	t.Parallel()
	pool := chrometest.Pool(t)
	if !pool.Browser().HeadlessShell() {
		t.Skip("this browser draws frames by itself")
	}
	s := site(t, map[string]http.HandlerFunc{"/{$}": html(`<ul></ul><script>
		const add = (word) => document.querySelector('ul').insertAdjacentHTML('beforeend', '<li>' + word);
		new ResizeObserver(() => add('size')).observe(document.querySelector('ul'));
		requestAnimationFrame(() => { add('first'); requestAnimationFrame(() => { add('second'); requestAnimationFrame(() => add('third')) }) });
	</script>`)})
	script := `
		const items = () => Array.from(document.querySelectorAll('li'), (e) => e.textContent).join(' ');
		const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
		const seen = [];
		const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
		addEventListener('load', async () => {
			await pause(200);
			seen.push(items());
			__tabfarm('draw');
			await frame();
			__tabfarm('drawn');
			await pause(200);
			seen.push(items());
			__tabfarm('draw');
			for (let i = 0; i < 5; i++) await frame();
			seen.push(items());
			__tabfarm('data 0 1 ' + seen.join(', '));
			__tabfarm('done');
		});`
	a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", Script: script})
	if err != nil {
		t.Fatal(err)
	}
	// A frame that was begun when the script has had its own may be the page's next.
	parts := strings.Split(string(a.Payload), ", ")
	if len(parts) != 3 || parts[0] != "" || !strings.HasPrefix(parts[1], "first size") || strings.Contains(parts[1], "third") || !strings.Contains(parts[2], "third") {
		t.Errorf("before the first frame, after it and after more the page had %q", parts)
	}
}

// TestInputsHaveFrames: an input that Chrome gives to the page with a frame does
// not wait for one that nobody asks for.
func TestInputsHaveFrames(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/{$}": html(`<style>* { margin: 0 }</style><button style="width:300px;height:300px"></button><script>
		document.querySelector('button').addEventListener('mousemove', () => requestAnimationFrame(() => document.title = 'moved'));
	</script>`)})
	a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + "/", Script: act(`
		for (let i = 0; i < 20 && document.title !== 'moved'; i++) await input({mouse: 'moved', x: 50 + i, y: 50});
		done(document.title);`)})
	if err != nil || string(a.Payload) != "moved" {
		t.Errorf("the page has seen %q, %v", a.Payload, err)
	}
}

// TestFramesComeByThemselves: where tabs share a browser nobody has to ask.
func TestFramesComeByThemselves(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{"/{$}": html(`<p>0</p><script>
		const count = () => { document.querySelector('p').textContent++; requestAnimationFrame(count) };
		count();
	</script>`)})
	a, err := open(t, own(t, browserpool.Config{Processes: 1, Tabs: 2}), browserpool.Request{URL: s.URL + "/", Script: `
		const look = () => {
			if (document.querySelector('p')?.textContent > 3) { __tabfarm('data 0 1 drawn'); __tabfarm('done') } else setTimeout(look, 10);
		};
		look();`})
	if err != nil || string(a.Payload) != "drawn" {
		t.Errorf("the script said %q, %v", a.Payload, err)
	}
}

// TestFrameThatNeverEnds: a page that hangs while a frame of it is drawn ends at its
// deadline, and the tab opens the next page.
func TestFrameThatNeverEnds(t *testing.T) {
	t.Parallel()
	s := site(t, map[string]http.HandlerFunc{
		"/hangs": html(`<script>requestAnimationFrame(() => { for (;;); })</script>`),
		"/next":  html(`<p>next</p>`),
	})
	pool := own(t, browserpool.Config{Tabs: 1})
	_, err := open(t, pool, browserpool.Request{URL: s.URL + "/hangs", Script: `__tabfarm('draw')`, Timeout: time.Second})
	if !errors.Is(err, browserpool.ErrTimeout) {
		t.Fatalf("the page that hangs ended with %v", err)
	}
	a, err := open(t, pool, browserpool.Request{URL: s.URL + "/next", Script: said(`document.querySelector('p').textContent`)})
	if err != nil || string(a.Payload) != "next" {
		t.Fatalf("the page after it said %q, %v", a.Payload, err)
	}
}
