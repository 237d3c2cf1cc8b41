package extract_test

import (
	"fmt"
	"net/http"
	"testing"
)

// TestHearsScrolling: a list that grows as it is scrolled is read to its end,
// however the page hears of the scrolling; a page that does not hear of it is not
// scrolled.
func TestHearsScrolling(t *testing.T) {
	t.Parallel()
	const (
		own   = `<style>tbody { display: block; height: 100px; overflow: auto }</style>`
		whole = `<style>tr { height: 100px }</style>`
		// rows come when the end of what scrolls is near.
		grow = `const near = () => innerHeight + scrollY >= document.documentElement.scrollHeight - 20;
			const more = () => { const n = body().rows.length; if (n < 60) add(make(n, 20)); };`
	)
	for _, test := range []struct{ name, style, attribute, script string }{
		{"a listener of the rows' own box", own, ``, `body().addEventListener('scroll', () => body().scrollTop + 120 > body().scrollHeight && more())`},
		{
			"of a box that a variable makes scroll", `<style>:root { --o: auto } tbody { display: block; height: 100px; overflow: var(--o) }</style>`, ``,
			`body().addEventListener('scroll', () => body().scrollTop + 120 > body().scrollHeight && more())`,
		},
		{
			"of one that a rule in a rule makes scroll", `<style>@media screen { table { & tbody { display: block; height: 100px; overflow-y: scroll } } }</style>`, ``,
			`body().addEventListener('scroll', () => body().scrollTop + 120 > body().scrollHeight && more())`,
		},
		{"of one that a sheet of a script makes scroll", ``, ``, `const sheet = new CSSStyleSheet(); sheet.replaceSync('tbody { display: block; height: 100px; overflow-block: auto }');
			document.adoptedStyleSheets = [sheet]; body().addEventListener('scroll', () => body().scrollTop + 120 > body().scrollHeight && more())`},
		{"of one that its own style makes scroll", ``, ``, `body().style = 'display: block; height: 100px; overflow: auto';
			body().addEventListener('scroll', () => body().scrollTop + 120 > body().scrollHeight && more())`},
		{"a property of it", own, ``, `body().onscroll = () => body().scrollTop + 120 > body().scrollHeight && more()`},
		{"an attribute of it", own, `onscroll="this.scrollTop + 120 > this.scrollHeight && more()"`, `window.more = more`},
		{"a listener of the window", whole, ``, `addEventListener('scroll', () => near() && more())`},
		{"a listener of the document", whole, ``, `document.addEventListener('scroll', () => near() && more())`},
		{"a property of the body", whole, ``, `document.body.onscroll = () => near() && more()`},
		{"what is in sight", whole, ``, `const end = document.createElement('p'); end.textContent = 'end'; document.body.append(end);
			new IntersectionObserver((seen) => seen.some((s) => s.isIntersecting) && more()).observe(end)`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			page := test.style + `<table id="t"><tbody ` + test.attribute + `></tbody></table><script>
				const body = () => document.querySelector('tbody');
				const add = (rows) => { for (const r of rows) { const tr = body().insertRow(); for (const v of r) tr.insertCell().textContent = v; } };
				const make = (from, n) => Array.from({length: n}, (_, i) => ['row ' + (from + i), String((from + i) * 7)]);
				` + grow + fmt.Sprintf("add(make(0, 20));\n%s</script>", test.script)
			url := pages(t, map[string]http.HandlerFunc{"/{$}": document(page)})
			wantRowsOf(t, url+"/", 60)
		})
	}
}
