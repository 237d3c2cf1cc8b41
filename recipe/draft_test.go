package recipe_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/recipe"
)

// What is drafted is a recipe, whatever stands in its texts.
func TestDraft(t *testing.T) {
	t.Parallel()
	d := recipe.Draft{URL: `https://stats.example/a/{x}?q=a%20b&c=1#/season`, Tables: []recipe.DraftTable{
		{
			Name: "totals", From: `#a\:b`, Skip: `tr:not(:has(a[href*='/p/']))`, Key: []string{"player_id", "no"},
			Columns:  []recipe.Column{{Name: "player_id", CSS: `a[href*='/p/']`, Attr: "href", Match: `/([^/]+)\.html$`}},
			Comments: []string{"Totals: \"it's\"\n# all {of} them"},
		},
		{Name: "more", JSON: `/api/"x"`, Optional: true},
		{Name: "cards", Each: ".card", Columns: []recipe.Column{{Name: "name", CSS: "h3", Optional: true}, {Name: "price", Attr: "data-price"}}},
	}}
	text := d.Text()
	r, err := recipe.Parse("draft.yaml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if !strings.HasPrefix(string(text), "# yaml-language-server: $schema="+recipe.SchemaURL+"\n") {
		t.Errorf("%s", text)
	}
	k := r.Kinds[0]
	if got := recipe.Substitute(k.Sources[0].Value, nil); got != d.URL {
		t.Errorf("URL is %q", got)
	}
	first, second := k.Tables[0], k.Tables[1]
	got := []string{first.Name, first.From, first.Skip, strings.Join(first.Key, ","), first.Columns[0].CSS, first.Columns[0].Match, second.JSON.URL}
	want := []string{"totals", `#a\:b`, d.Tables[0].Skip, "player_id,no", d.Tables[0].Columns[0].CSS, d.Tables[0].Columns[0].Match, `/api/"x"`}
	cards := k.Tables[2]
	if c := cards.Columns; cards.Each != ".card" || len(c) != 2 || c[0].CSS != "h3" || !c[0].Optional || c[1].Attr != "data-price" || c[1].Optional {
		t.Errorf("%+v", cards)
	}
	if diff := cmp.Diff(want, got); diff != "" || first.Optional || !second.Optional {
		t.Errorf("%s\n%s", diff, text)
	}
}

func TestPageName(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"https://stats.example/leagues/NBA_2024_totals.html": "nba_2024_totals",
		"https://stats.example/leaders/?season=1":            "leaders",
		"https://stats.example/leaders/index.php":            "leaders",
		"https://stats.example/players/23/":                  "x23",
		"https://stats.example/#/x":                          "stats_example",
		"https://127.0.0.1:8080":                             "x127_0_0_1",
		"https://x.example/%E2%82%AC":                        "x_example",
	} {
		if got := recipe.PageName(url); got != want {
			t.Errorf("%s gives %q, want %q", url, got, want)
		}
	}
}
