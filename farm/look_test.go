package farm

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// The recipe that Look writes gives the rows of the one written by hand: each
// page of the demo site is run with both, into tables of their own.
func TestLookGivesTheRowsOfTheHand(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path    string
		columns string // in which the two must agree
		hand    string // what is written by hand
	}{
		{"/leaders?season=1986-87", "rk, player, team, g, pts, ppg", "from: table.figures\n    key: [player]"},
		{"/calendar?month=1984-07", "date, weekday", "from: table.figures\n    key: [date]"},
		{"/elements", "symbol", "from: table.figures\n    key: [symbol]"},
		{"/years", "year", "from: '[role=grid]'\n    key: [year]"},
		{"/planets", "planet", "from: table.figures\n    key: [planet]"},
		{"/standings?season=2022-23", "team, w, l, pct, gb", "from: table.standings\n    skip: tr.division\n    key: [team]"},
		{"/years?load=window", "year, easter", "from: '[role=grid]'\n    key: [year]"},
		{"/terms", "_row, term, parity", "from: table.figures"},
		{"/slow?delay=1s", "date, weekday", "from: table.figures\n    key: [date]"},
		{"/headers", "header", "from: table.figures\n    key: [header]"},
		{"/batches", "symbol", "from: table.figures\n    key: [symbol]"},
		{"/notes", "note, octave, frequency", "each: .card\n    key: [note]\n    columns:\n      note: {attr: data-note}\n      octave: {attr: data-octave}\n      frequency: {attr: data-frequency}"},
	} {
		t.Run(strings.Trim(test.path, "/"), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demosite.Options{})
			look, err := b.farm.Look(t.Context(), b.site.URL+test.path)
			if err != nil || look.Failed || look.Outcome != OK {
				t.Fatalf("%v, %s: %s", err, look.Outcome, look.Message)
			}
			const pace = "polite: {rate: none}\n" // the site is the test's own
			found, err := recipe.Parse("found.yaml", append(look.Recipe, pace...))
			if err != nil {
				t.Fatalf("%v\n%s", err, look.Recipe)
			}
			hand := b.recipe("hand", fmt.Sprintf("urls: SITE%s\ntables:\n  hand:\n    %s\n%s", test.path, test.hand, pace))
			for _, r := range []*recipe.Recipe{found, hand} {
				if sum := b.run(r, SubmitOptions{}); sum.State != store.RunDone || sum.Failed > 0 {
					t.Fatalf("run: %s %v\n%s", counts(sum), sum.Failures, r.Text)
				}
			}
			rows := func(table string) []string {
				got := b.query(fmt.Sprintf("select %s from %s", test.columns, table))
				slices.Sort(got)
				return got
			}
			want, got := rows("hand"), rows(look.Tables[0].Name)
			if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 {
				t.Errorf("%d rows (-by hand +by look):\n%s\n%s", len(want), diff, look.Recipe)
			}
			if keyed := strings.Contains(test.hand, "key:"); look.Tables[0].Problem != nil || (len(look.Tables[0].Key) > 0) != keyed {
				t.Errorf("key %q, %v", look.Tables[0].Key, look.Tables[0].Problem)
			}
		})
	}
}

// Look obeys robots.txt, and says why there is nothing to write a recipe for.
func TestLookSaysWhyNot(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	for path, want := range map[string]Outcome{
		"/error":                                HTTPError,
		"/nowhere":                              HTTPError,
		"/calendar?month=1984-07&broken=denied": Blocked,
		"/calendar?month=1984-07&broken=login":  SignedOut,
	} {
		look, err := b.farm.Look(t.Context(), b.site.URL+path)
		if err != nil || !look.Failed || look.Outcome != want || look.Message == "" || look.Recipe != nil {
			t.Errorf("%s: %v, %q %q, want %q", path, err, look.Outcome, look.Message, want)
		}
	}
	var asked atomic.Int32
	closed := newBench(t, demosite.Options{Robots: "User-agent: tabfarm\nDisallow: /\n", OnRequest: func(r *http.Request) {
		if r.URL.Path != "/robots.txt" {
			asked.Add(1)
		}
	}})
	look, err := closed.farm.Look(t.Context(), closed.site.URL+"/leaders")
	if err != nil || look.Outcome != RobotsDenied || asked.Load() > 0 {
		t.Errorf("%v, %q %q, %d requests", err, look.Outcome, look.Message, asked.Load())
	}
}
