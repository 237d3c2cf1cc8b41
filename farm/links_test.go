package farm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// linkedSite serves pages that a script draws, and notes what was asked for.
type linkedSite struct {
	*httptest.Server
	mu    sync.Mutex
	pages map[string]string // body by path and query; one that is missing is 404
	asked map[string]int    // pages, robots.txt and icons left out
}

func newLinkedSite(t *testing.T, pages map[string]string) *linkedSite {
	t.Helper()
	s := &linkedSite{pages: pages, asked: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		body, ok := s.pages[r.URL.RequestURI()]
		if ok {
			s.asked[r.URL.RequestURI()]++
		}
		s.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprintf(w, "<!doctype html><html lang=en><title>t</title><body><template>%s</template><script>document.body.append(document.querySelector('template').content)</script>",
			strings.ReplaceAll(body, "SITE", s.URL))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *linkedSite) set(path, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[path] = body
}

// askedPages lists what was asked for, with how often where that is not once.
func (s *linkedSite) askedPages() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for path, n := range s.asked {
		if n > 1 {
			path += fmt.Sprintf(" x%d", n)
		}
		out = append(out, path)
	}
	slices.Sort(out)
	return out
}

// tableOf is a table of lines, cells separated by |, the first its header.
func tableOf(class string, lines ...string) string {
	text := "<table class=" + class + ">"
	for i, line := range lines {
		tag := "td"
		if i == 0 {
			tag = "th"
		}
		text += "<tr>"
		for _, cell := range strings.Split(line, "|") {
			text += "<" + tag + ">" + cell
		}
	}
	return text + "</table>"
}

// companies is a page of results: "NUMBER NAME" each.
func companies(list ...string) string {
	lines := []string{"Number|Name|Status"}
	for _, c := range list {
		number, name, _ := strings.Cut(c, " ")
		lines = append(lines, number+`|<a href="/company/`+number+`">`+name+"</a>|active")
	}
	return `<a href="/about">About us</a>` + tableOf("results", lines...)
}

func company(purpose string, officers ...string) string {
	text := "<p id=purpose>" + purpose + "</p>"
	if len(officers) > 0 {
		text += tableOf("officers", append([]string{"Name|Role"}, officers...)...)
	}
	return text
}

const registerRecipe = `
name: register
pages:
  search:
    urls: SITE/search?q={word}
    with:
      word: {file: words.txt}
    tables:
      companies:
        from: "table.results"
        min_rows: 0
        key: [number]
  company:
    urls:
      links: "table.results td a"
      in: search
    page:
      ready: "#purpose"
    tables:
      company_details:
        each: page
        key: [number]
        columns:
          purpose: {css: "#purpose"}
      officers:
        from: "table.officers"
        optional: true
        key: [number, name, role]
polite: {rate: none, retries: 0}
`

func newRegister(t *testing.T) (*bench, *linkedSite, *recipe.Recipe) {
	t.Helper()
	b := newBench(t, demosite.Options{})
	site := newLinkedSite(t, map[string]string{
		"/search?q=a":   companies("0001 Alpha", "0002 Beta"),
		"/search?q=b":   companies("0002 Beta", "0003 Gamma"),
		"/search?q=x":   companies(),
		"/company/0001": company("trade", "Ann|chair", "Bob|member"),
		"/company/0002": company("bakery"),
		"/company/0003": company("ships", "Ann|chair"),
	})
	b.file("words.txt", "a\nb\nx\n")
	return b, site, b.recipe("register", strings.ReplaceAll(registerRecipe, "SITE", site.URL))
}

// The pages of results lead to the companies, whose number is the row's.
func TestLinksFromRowsToDetails(t *testing.T) {
	t.Parallel()
	b, site, r := newRegister(t)
	plan, err := b.farm.Plan(t.Context(), r, false)
	if err != nil || plan.Pages != 3 || !plan.Links {
		t.Errorf("plan: %+v, %v", plan, err)
	}
	sum := b.run(r, SubmitOptions{})
	if sum.State != store.RunDone || sum.Failed > 0 || sum.Total != 6 || len(sum.Warnings) > 0 {
		t.Fatalf("run: %s %v %v", counts(sum), sum.Failures, sum.Warnings)
	}
	for sql, want := range map[string][]string{
		"select number, name from companies order by 1":                     {"0001|Alpha", "0002|Beta", "0003|Gamma"},
		"select number, purpose from company_details order by 1":            {"0001|trade", "0002|bakery", "0003|ships"},
		"select number, name, role from officers order by 1, 2":             {"0001|Ann|chair", "0001|Bob|member", "0003|Ann|chair"},
		"select right(_url, 31) from company_details where number = '0001'": {"ny/0001#~name=Alpha&number=0001"},
	} {
		if diff := cmp.Diff(want, b.query(sql)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sql, diff)
		}
	}
	want := []string{"/company/0001", "/company/0002", "/company/0003", "/search?q=a", "/search?q=b", "/search?q=x"}
	if diff := cmp.Diff(want, site.askedPages()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	again := b.run(r, SubmitOptions{})
	if line := counts(again); !strings.Contains(line, "6 of 6 ok; companies +0 ~0 =4; company_details +0 ~0 =3; officers +0 ~0 =3") {
		t.Errorf("second run: %s", line)
	}
}

// A page of results that failed gives its links when it is tried again.
func TestLinksOfARetriedPage(t *testing.T) {
	t.Parallel()
	b, site, r := newRegister(t)
	site.set("/search?q=b", "<p>no table today</p>")
	sum := b.run(r, SubmitOptions{})
	if sum.Failed != 1 || sum.Total != 5 {
		t.Fatalf("run: %s", counts(sum))
	}
	site.set("/search?q=b", companies("0002 Beta", "0003 Gamma"))
	s, n, err := b.farm.Retry(t.Context(), sum.RunID, nil)
	if err != nil || n != 1 {
		t.Fatalf("retry: %d pages, %v", n, err)
	}
	added := 0
	sum = b.work(t.Context(), s.RunID, nil, func(e Event) { added += e.Found })
	if sum.Failed > 0 || sum.Total != 6 || added != 1 || sum.State != store.RunDone {
		t.Errorf("after the retry: %s, %d added", counts(sum), added)
	}
	if got := site.askedPages(); !slices.Contains(got, "/company/0003") || !slices.Contains(got, "/company/0002") {
		t.Errorf("asked for %v", got)
	}
}

// A run with links that was drained goes on, and asks for no finished page again.
func TestLinksDrainAndGoOn(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	pages := map[string]string{}
	for i := range 6 {
		var list []string
		for j := range 5 {
			number := fmt.Sprintf("n%d%d", i, j)
			list = append(list, number+" N"+number)
			pages["/company/"+number] = company("p"+number, "Ann|chair")
		}
		pages[fmt.Sprintf("/search?q=%d", i)] = companies(list...)
	}
	site := newLinkedSite(t, pages)
	b.file("words.txt", "0\n1\n2\n3\n4\n5\n")
	r := b.recipe("register", strings.ReplaceAll(registerRecipe, "SITE", site.URL))
	s, err := b.farm.Submit(t.Context(), r, SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var sum Summary
	stops := 0
	for ; sum.State != store.RunDone && stops < 50; stops++ {
		drain, ended := make(chan struct{}), 0
		sum = b.work(t.Context(), s.RunID, drain, func(Event) {
			if ended++; ended == 4 {
				close(drain)
			}
		})
	}
	if stops < 3 || sum.Total != 36 || sum.Done != 36 {
		t.Fatalf("after %d stops: %s %v", stops, counts(sum), sum.Failures)
	}
	for _, path := range site.askedPages() {
		if strings.Contains(path, " x") {
			t.Errorf("asked for %s", path)
		}
	}
	if got := b.query("select count(*) from company_details"); got[0] != "30" {
		t.Errorf("%s companies", got[0])
	}
}

// A worker that dies in the middle of a page loses and doubles no found page.
func TestLinksAfterAnAbruptEnd(t *testing.T) {
	t.Parallel()
	b, _, r := newRegister(t)
	s, err := b.farm.Submit(t.Context(), r, SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := b.farm.Work(ctx, nil, s.RunID, func(Event) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled work: %v", err)
	}
	sum := b.work(t.Context(), s.RunID, nil, nil)
	if sum.Total != 6 || sum.Done != 6 {
		t.Errorf("run: %s %v", counts(sum), sum.Failures)
	}
	if got := b.query("select count(*) from officers"); got[0] != "3" {
		t.Errorf("%s officers", got[0])
	}
}

func TestLinksAndTheLimit(t *testing.T) {
	t.Parallel()
	b, site, r := newRegister(t)
	sum := b.run(r, SubmitOptions{Limit: 4})
	if sum.Total != 4 || sum.Done != 4 || len(site.askedPages()) != 4 || len(sum.Warnings) > 0 {
		t.Errorf("run: %s %v; asked for %v", counts(sum), sum.Warnings, site.askedPages())
	}
}

// leads is a page with a table of its own and links.
func leads(name string, to ...string) string {
	text := tableOf("facts", "Page", name)
	for _, href := range to {
		text += ` <a href="` + href + `">` + href + "</a>"
	}
	return text
}

// Links of links are followed as deep as depth says, by the shortest way, on the
// page's host and on those that hosts names.
func TestLinksToADepth(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	other := newLinkedSite(t, map[string]string{"/in": leads("in", "/deep"), "/deep": leads("deep")})
	site := newLinkedSite(t, map[string]string{
		"/":       leads("start", "a", "b", "#top", "/", "/static/x.pdf", "mailto:a@b.example", "javascript:void(0)", other.URL+"/in", "http://10.1.2.3/"),
		"/start":  leads("start2", "c1"),
		"/a":      leads("a", "a1", "a2", "/"),
		"/a1":     leads("a1", "far", "/a"),
		"/a2":     leads("a2", "#/route", "c1#part"),
		"/b":      leads("b", "a1", "b1?q=1"),
		"/b1?q=1": leads("b1", "far"),
		"/c1":     leads("c1", "a1", "c2"),
		"/c2":     leads("c2", "far"),
		"/far":    leads("far"),
	})
	text := `
urls:
  - URL/
  - URL/start
  - {links: "a", match: '/[a-z0-9?=#]*$', depth: 2HOSTS}
tables:
  facts: {from: table.facts, key: [page, _url]}
polite: {rate: none, retries: 0}
`
	text = strings.ReplaceAll(text, "URL", site.URL)
	sum := b.run(b.recipe("crawl", strings.ReplaceAll(text, "HOSTS", "")), SubmitOptions{})
	if sum.Failed > 0 {
		t.Errorf("run: %s %v", counts(sum), sum.Failures)
	}
	want := []string{"/", "/a", "/a1", "/a2", "/b", "/b1?q=1", "/c1", "/c2", "/start"}
	if diff := cmp.Diff(want, site.askedPages()); diff != "" {
		t.Errorf("asked for (-want +got):\n%s", diff)
	}
	if got := other.askedPages(); len(got) > 0 {
		t.Errorf("the other host was asked for %v", got)
	}

	hosts := fmt.Sprintf(", hosts: ['%s']", strings.TrimPrefix(other.URL, "http://"))
	sum = b.run(b.recipe("crawl", strings.ReplaceAll(text, "HOSTS", hosts)), SubmitOptions{})
	if diff := cmp.Diff([]string{"/deep", "/in"}, other.askedPages()); diff != "" || sum.Failed > 0 {
		t.Errorf("asked the other host for (-want +got):\n%s%v", diff, sum.Failures)
	}
}

// Rows that lead to pages of their own kind do not lend what names a row there:
// a page is read once, whatever the rows that lead to it are called.
func TestLinksOfRowsWithinAKind(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	row := func(to, name string) string { return `<a href="` + to + `">` + name + "</a>|1" }
	site := newLinkedSite(t, map[string]string{
		"/":  tableOf("parts", "Part|N", row("/a", "A"), row("/b", "B")),
		"/a": tableOf("parts", "Part|N", row("/b", "also b"), row("/", "start")),
		"/b": tableOf("parts", "Part|N", row("/a", "also a"), row("/c", "C")),
		"/c": tableOf("parts", "Part|N", row("/d", "D")),
	})
	sum := b.run(b.recipe("parts", fmt.Sprintf(`
urls: [%s/, {links: "table.parts a", depth: 2}]
tables: {parts: {from: table.parts, key: [part]}}
polite: {rate: none}
`, site.URL)), SubmitOptions{})
	if diff := cmp.Diff([]string{"/", "/a", "/b", "/c"}, site.askedPages()); diff != "" || sum.Failed > 0 {
		t.Errorf("asked for (-want +got):\n%s%v", diff, sum.Failures)
	}
}

// A host that a link leads to may be one that must not be asked without a pace:
// its pages say so.
func TestLinksToAHostThatNeedsAPace(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	site := newLinkedSite(t, map[string]string{"/": leads("start", "https://elsewhere.invalid/x")})
	sum := b.run(b.recipe("pace", fmt.Sprintf(`
urls: [%s/, {links: a, hosts: [elsewhere.invalid]}]
tables: {facts: {from: table.facts, key: [page]}}
polite: {rate: none}
`, site.URL)), SubmitOptions{})
	if sum.Done != 1 || sum.ByOutcome[RefusedAddress] != 1 || !strings.Contains(fmt.Sprint(sum.Failures), "polite.rate: none is only for hosts") {
		t.Errorf("run: %s %v", counts(sum), sum.Failures)
	}
}

// Selectors that match nothing any more are told, although every page is fine.
func TestLinksThatDriftAreTold(t *testing.T) {
	t.Parallel()
	b, _, r := newRegister(t)
	text := strings.ReplaceAll(string(r.Text), "table.results td a", "table.results td.name a")
	sum := b.run(b.recipe("register", text), SubmitOptions{})
	if sum.Failed > 0 || len(sum.Warnings) != 1 || !strings.Contains(sum.Warnings[0], `links: "table.results td.name a" led nowhere on any of the 3 pages of search that were read`) {
		t.Errorf("run: %s %q", counts(sum), sum.Warnings)
	}
}

// A kind without tables gives links alone; try tells how many of which kind.
func TestKindOfLinksAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	site := newLinkedSite(t, map[string]string{
		"/":      `<a class=p href="/list2">next</a><a href="/d1">1</a><a href="/d2">2</a>`,
		"/list2": `<a href="/d2">2</a><a href="/d3">3</a>`,
		"/none":  `<p>nothing</p>`,
		"/d1":    leads("d1"), "/d2": leads("d2"), "/d3": leads("d3"),
	})
	text := strings.ReplaceAll(`
pages:
  list:
    urls: [SITE/, SITE/none, {links: "a.p", depth: 5}]
  detail:
    urls: {links: "a:not(.p)", in: list}
    tables: {facts: {from: table.facts, key: [page]}}
polite: {rate: none}
`, "SITE", site.URL)
	r := b.recipe("lists", text)
	tried, err := b.farm.Try(t.Context(), TryRequest{Recipe: r})
	if err != nil || tried.Outcome != OK {
		t.Fatalf("try: %+v, %v", tried, err)
	}
	if diff := cmp.Diff([]TriedLinks{{"list", 1}, {"detail", 2}}, tried.Links); diff != "" {
		t.Errorf("links of the first page (-want +got):\n%s", diff)
	}
	sum := b.run(r, SubmitOptions{})
	if sum.Done != 5 || sum.ByOutcome[Empty] != 1 || sum.Failed != 1 {
		t.Errorf("run: %s %v", counts(sum), sum.Failures)
	}
	if got := b.query("select page from facts order by 1"); !slices.Equal(got, []string{"d1", "d2", "d3"}) {
		t.Errorf("rows: %v", got)
	}
	if got := b.query("select outcome, rows from tabfarm.pages where url like '%/list2'"); !slices.Equal(got, []string{"ok|0"}) {
		t.Errorf("page of links: %v", got)
	}
}
