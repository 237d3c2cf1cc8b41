package farm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/demosite"
)

// plannedURLs are the pages that a recipe names, without the site.
func (b *bench) plannedURLs(text string) []string {
	b.t.Helper()
	r := b.recipe("plan", text)
	var urls []string
	for p, err := range b.farm.newPages(b.t.Context(), r, b.farm.inputs(r), 0, time.Now()) {
		if err != nil {
			b.t.Fatal(err)
		}
		urls = append(urls, strings.TrimPrefix(p.Address, b.site.URL))
	}
	return urls
}

func (b *bench) file(name, text string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), []byte(text), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func TestSources(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	b.run(b.recipe("planets", ""), SubmitOptions{})
	b.file("pages.txt", "# comment\n"+b.site.URL+"/elements\n\n"+b.site.URL+"/planets\n")
	b.file("pages.csv", "url,kind\n"+b.site.URL+"/notes,cards\n")
	b.file("words.txt", "0123\nx y\n")
	const tables = "\ntables: {t: {from: table}}\npolite: {rate: none}\n"
	tests := map[string]struct {
		urls string
		want []string
	}{
		"file":          {"urls: {file: pages.txt}", []string{"/elements", "/planets"}},
		"CSV":           {"urls: {file: pages.csv}", []string{"/notes"}},
		"values a file": {"urls: SITE/terms?q={word}\nwith: {word: {file: words.txt}}", []string{"/terms?q=0123", "/terms?q=x%20y"}},
		"SQL":           {"urls: {sql: \"select 'SITE/p/' || planet as url from planets where planet < 'J' order by 1\"}", []string{"/p/Earth"}},
		"values of SQL": {"urls: SITE/p/{planet}\nwith: {planet: {sql: \"select planet from planets where planet > 'U' order by 1\"}}", []string{"/p/Uranus", "/p/Venus"}},
		"sitemap":       {"urls: {sitemap: SITE/sitemap.xml, match: 'season=199[01]'}", []string{"/leaders?season=1990-91", "/leaders?season=1991-92"}},
		"gzipped":       {"urls: {sitemap: SITE/sitemap.xml, match: 'month=1900-0[12]'}", []string{"/calendar?month=1900-01", "/calendar?month=1900-02"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, b.plannedURLs(tt.urls+tables)); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
		})
	}
}

func TestPlanTellsWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	const tables = "\ntables: {t: {from: table}}\n"
	for text, want := range map[string]string{
		"urls: {file: missing.txt}":                      "missing.txt",
		"urls: {sitemap: SITE/nothing.xml}":              "HTTP 404",
		"urls: {sql: select url from nowhere}":           `relation "nowhere" does not exist`,
		"urls: https://a.example/\npolite: {rate: none}": "network.allow_private",
	} {
		_, err := b.farm.Submit(t.Context(), b.recipe("wrong", text+tables), SubmitOptions{})
		var plan *PlanError
		if !errors.As(err, &plan) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// A session or a secret that is missing is told before a run begins.
func TestAccessIsCheckedFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	b.file("broken.json", "no JSON")
	const rest = "\nurls: SITE/planets\ntables: {t: {from: table}}\n"
	for page, want := range map[string]string{
		"page: {headers: {X-Token: {secret: NOT_SET}}}": `secret "NOT_SET" is not set`,
		"page: {session: ./missing.json}":               "missing.json",
		"page: {session: ./broken.json}":                "no storage state",
	} {
		_, err := b.farm.Submit(t.Context(), b.recipe("access", page+rest), SubmitOptions{})
		var plan *PlanError
		var session *SessionError
		if !errors.As(err, &plan) && !errors.As(err, &session) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", page, err, want)
		}
	}
	if _, unfinished, err := b.store.OpenRun(t.Context(), "access"); unfinished || err != nil {
		t.Errorf("a run was begun (%v)", err)
	}
}

// Rows out of the page's own JSON, one row a page, headers with a secret.
func TestKindsOfTables(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	b.farm.Secret = func(name string) (string, error) { return "secret of " + name, nil }
	sum := b.run(b.recipe("kinds", `
pages:
  json:
    urls: SITE/leaders?season=1986-87
    tables:
      scorers: {json: "/api/leaders?season={year}", key: [player]}
      picked: {json: "/api/leaders", jq: '.rows[] | select(.points > 2500) | {player, points}', key: [player, year]}
    with: {year: [1986-87]}
  page:
    urls: SITE/planets
    tables:
      facts:
        each: page
        key: [_url]
        columns: {title: {css: h1}, mars: {css: "tbody tr:nth-child(4)", match: '(Mars|Earth)'}}
  headers:
    urls: SITE/headers
    page:
      headers: {X-Plain: "yes", X-Token: {secret: TOKEN}}
    tables:
      sent: {from: table.figures, key: [header]}
polite: {rate: none}
`), SubmitOptions{})
	if sum.Failed > 0 {
		t.Fatal(sum.Failures)
	}
	if got := b.query("select count(*), max(points) from scorers"); got[0] != "50|3041" {
		t.Errorf("json: %v", got)
	}
	if got := b.query("select player, points, year from picked order by 2 desc limit 1"); got[0] != "Michael Jordan|3041|1986-87" {
		t.Errorf("jq: %v", got)
	}
	if got := b.query("select title, mars from facts"); len(got) != 1 || !strings.HasPrefix(got[0], "Planets") {
		t.Errorf("each: page: %v", got)
	}
	sent := fmt.Sprint(b.query("select lower(header), value from sent where lower(header) like 'x-%' order by 1"))
	if sent != "[x-plain|yes x-token|secret of TOKEN]" {
		t.Errorf("headers: %s", sent)
	}
	run, err := b.store.RunByID(t.Context(), sum.RunID)
	if err != nil || strings.Contains(string(run.Text), "secret of") {
		t.Errorf("the run's copy of the recipe: %v, %s", err, run.Text)
	}
}
