package farm

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/store"
)

// A register: a search form, results over three documents, a page for each
// result whose number is known from the row that links to it.
func TestRegister(t *testing.T) {
	t.Parallel()
	const firms = 24
	results := func(w http.ResponseWriter, r *http.Request) {
		word, at := r.URL.Query().Get("q"), 1
		_, _ = fmt.Sscan(r.URL.Query().Get("page"), &at)
		if word == "" {
			document(`<form action="/search"><input id="q" name="q"><button>Search</button></form>`)(w, r)
			return
		}
		body := `<a href="/about">About</a><table class="results"><thead><tr><th>Number<th>Name</thead>`
		for n := 10 * (at - 1); n < min(10*at, firms); n++ {
			body += fmt.Sprintf(`<tr><td>%s-%02d<td class="name"><a href="/company/%[1]s-%02[2]d">Firm %d</a>`, word, n, n)
		}
		body += `</table><a href="/company/featured">Firm of the day</a>`
		if 10*at < firms {
			body += fmt.Sprintf(`<a rel="next" href="?q=%s&page=%d">Next</a>`, word, at+1)
		}
		document(body)(w, r)
	}
	s := serve(t, map[string]http.HandlerFunc{"/search": results, "/company/{number}": func(w http.ResponseWriter, r *http.Request) {
		document(fmt.Sprintf(`<h1>Firm</h1><p id="purpose">trade of %s</p>`, r.PathValue("number")))(w, r)
	}})
	b := newBench(t, demosite.Options{})
	r := b.recipe("register", strings.ReplaceAll(`
pages:
  search:
    urls: SITE/search
    with:
      word: [a, b]
    page:
      steps:
        - fill: "#q"
          value: "{word}"
        - press: Enter
      next: {click: "a[rel=next]", max: 500}
    tables:
      companies:
        from: "table.results"
        key: [number]
  company:
    urls:
      links: "table.results td.name a"
      in: search
    page:
      ready: "#purpose"
    tables:
      company_details:
        each: page
        key: [number]
        columns:
          purpose: {css: "#purpose"}
polite: {rate: none, concurrency: 4}
`, "SITE", s.URL))
	sum := b.run(r, SubmitOptions{})
	if sum.State != store.RunDone || sum.Failed > 0 || sum.Total != 2+2*firms || len(sum.Warnings) > 0 {
		t.Fatalf("run: %s %v %v", counts(sum), sum.Failures, sum.Warnings)
	}
	var companies, details []string
	for _, word := range []string{"a", "b"} {
		for n := range firms {
			companies = append(companies, fmt.Sprintf("%s-%02d|Firm %d", word, n, n))
			details = append(details, fmt.Sprintf("%s-%02d|trade of %[1]s-%02[2]d", word, n))
		}
	}
	if diff := cmp.Diff(companies, b.query("select number, name from companies order by number")); diff != "" {
		t.Errorf("companies (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(details, b.query("select number, purpose from company_details order by number")); diff != "" {
		t.Errorf("details (-want +got):\n%s", diff)
	}
}
