package browserpool_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// TestFramesComeWhenAsked: in a headless shell a page has the frames that its
// script asks for and no others; what waits for a frame is done in one.
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
		const seen = [];
		let n = 0;
		globalThis.__tabfarm_drawn = (number) => {
			seen.push(number + ': ' + items());
			if (number < 2) __tabfarm('draw ' + ++n);
			else { __tabfarm('data 0 1 ' + seen.join(', ')); __tabfarm('done') }
		};
		addEventListener('load', () => setTimeout(() => { seen.push('0: ' + items()); __tabfarm('draw ' + ++n) }, 200));`
	a, err := open(t, pool, browserpool.Request{URL: s.URL + "/", Script: script})
	if err != nil {
		t.Fatal(err)
	}
	if want := "0: , 1: first size, 2: first size second"; !strings.HasPrefix(string(a.Payload), want) {
		t.Errorf("frames brought %q, want %q", a.Payload, want)
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
