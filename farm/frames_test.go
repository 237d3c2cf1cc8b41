package farm

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// TestPlacesOfTables: a run stores what stands in a frame of another site, which a
// step brings the page to show, and in a comment. A frame at a private address is
// not loaded.
func TestPlacesOfTables(t *testing.T) {
	t.Parallel()
	b := newStepsBench(t)
	b.farm = newTestFarm(t, Config{Browser: chrometest.Pool(t), Store: b.store, Tabs: 4, Allow: []string{"localhost"}})
	page := func(w http.ResponseWriter, r *http.Request) {
		year := r.URL.Path[1:]
		other := "http://localhost:" + r.Host[strings.LastIndex(r.Host, ":")+1:]
		document(`<h1>Year `+year+`</h1><button onclick="document.querySelector('main').innerHTML = '<iframe src=\'`+other+`/frame`+year+`\'></iframe>'">Stats</button>
			<main></main><iframe src="http://127.0.0.2:1/private"></iframe><!-- <table id="t"><tr><th>Team<th>W<tr><td>x`+year+`<td>50</table> -->`)(w, r)
	}
	frame := func(w http.ResponseWriter, r *http.Request) {
		year := strings.TrimPrefix(r.URL.Path, "/frame")
		document(`<p class="count">2 players</p><table class="stats"><tr><th>Player<th>PTS<tr><td>a`+year+`<td>10<tr><td>b`+year+`<td>20</table>`)(w, r)
	}
	s := serve(t, map[string]http.HandlerFunc{"/2023": page, "/2024": page, "/frame2023": frame, "/frame2024": frame})
	r := parse(t, "places", s.URL, `
urls: SITE/{season}
with: {season: [2023, 2024]}
page:
  steps:
    - click: button
tables:
  players:
    from: "iframe >> table.stats"
    total: "iframe >> .count"
    key: [season, player]
    columns:
      title: {css: "page >> h1"}
  teams:
    from: "comments >> #t"
    key: [season, team]
    columns:
      players: {css: "iframe >> .count", match: '\d+'}
`)
	sum := b.run(r, SubmitOptions{})
	if sum.Done != 2 {
		t.Fatalf("run: %s %v", counts(sum), sum.Failures)
	}
	if diff := cmp.Diff([]string{"2023|a2023|10|Year 2023", "2023|b2023|20|Year 2023", "2024|a2024|10|Year 2024", "2024|b2024|20|Year 2024"},
		b.query("select season, player, pts, title from players order by 1, 2")); diff != "" {
		t.Errorf("players (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"2023|x2023|50|2", "2024|x2024|50|2"}, b.query("select season, team, w, players from teams order by 1")); diff != "" {
		t.Errorf("teams (-want +got):\n%s", diff)
	}
	tried, err := b.farm.Try(t.Context(), TryRequest{Recipe: r, Grid: true})
	if err != nil || len(tried.Grids) != 1 || tried.Grids[0].Selector != "iframe >> table.stats" || len(tried.Grids[0].Rows) != 2 {
		t.Errorf("%v, grids %+v", err, tried.Grids)
	}
}

// TestFramesThatAreRefused: a private address in a frame is told, and the rest of the page is not held up.
func TestFramesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := serve(t, map[string]http.HandlerFunc{"/{$}": document(`<iframe src="http://127.0.0.2:1/private"></iframe>`)})
	got := try(t, parse(t, "refused", s.URL, "urls: SITE/\ntables:\n  t: {from: \"iframe >> table\"}\n"))
	if got.Outcome != SelectorMissing || !strings.Contains(got.Message, "1 frame was looked through: http://127.0.0.2:1/private (address refused).") {
		t.Errorf("%s: %s", got.Outcome, got.Message)
	}
}
