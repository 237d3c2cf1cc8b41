package farm

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// bench is a farm with a database of its own and the demo site.
type bench struct {
	t     *testing.T
	farm  *Farm
	store *store.Store
	site  *demosite.Site
	dir   string
}

func newBench(t *testing.T, o demosite.Options) *bench {
	t.Helper()
	site, err := demosite.StartWith(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	s := pgtest.Store(t)
	return &bench{t: t, site: site, store: s, dir: t.TempDir(), farm: newTestFarm(t, Config{Browser: chrometest.Pool(t), Store: s, Tabs: 4})}
}

// recipe loads a recipe of the demo site, or one given as text with SITE in it.
func (b *bench) recipe(name, text string) *recipe.Recipe {
	b.t.Helper()
	file := filepath.Join(b.dir, name+".yaml")
	if text == "" {
		if _, err := demosite.WriteRecipes(b.dir, b.site.URL, name); err != nil {
			b.t.Fatal(err)
		}
	} else if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "SITE", b.site.URL)), 0o600); err != nil {
		b.t.Fatal(err)
	}
	r, err := recipe.Load(file)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// run runs a recipe to its end.
func (b *bench) run(r *recipe.Recipe, o SubmitOptions) Summary {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 2*time.Minute)
	defer cancel()
	s, err := b.farm.Submit(ctx, r, o)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.work(ctx, s.RunID, nil, nil)
}

func (b *bench) work(ctx context.Context, run int64, drain <-chan struct{}, watch func(Event)) Summary {
	b.t.Helper()
	if err := b.farm.Work(ctx, drain, run, watch); err != nil {
		b.t.Fatal(err)
	}
	sum, err := b.farm.Summary(ctx, run)
	if err != nil {
		b.t.Fatal(err)
	}
	return sum
}

// query gives the rows of a statement, values joined by |.
func (b *bench) query(sql string) []string {
	b.t.Helper()
	rows, err := b.store.Query(b.t.Context(), sql)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var line []string
		for _, v := range rows.Values() {
			if v == nil {
				line = append(line, "NULL")
			} else {
				line = append(line, *v)
			}
		}
		out = append(out, strings.Join(line, "|"))
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return out
}

func counts(s Summary) string {
	line := fmt.Sprintf("%s: %d of %d ok", s.State, s.Done, s.Total)
	for _, t := range s.Tables {
		line += fmt.Sprintf("; %s +%d ~%d =%d", t.Name, t.Inserted, t.Updated, t.Unchanged)
	}
	return line
}

// Every recipe of the demo site runs, and running it again changes nothing.
func TestRunTwice(t *testing.T) {
	t.Parallel()
	rows := map[string]int{
		"batches": 118, "elements": 118, "grid": 2000, "leaders": 2000, "members": 8, "notes": 128,
		"planets": 8, "slow": 31, "standings": 60, "terms": 60,
	}
	for name, want := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, demosite.Options{})
			r := b.recipe(name, "")
			first := b.run(r, SubmitOptions{})
			table := first.Tables[0]
			if first.State != store.RunDone || first.Failed > 0 || int(table.Inserted) != want {
				t.Fatalf("first run: %s, want %d rows; %v", counts(first), want, first.Failures)
			}
			second := b.run(r, SubmitOptions{})
			table = second.Tables[0]
			if second.RunID == first.RunID || table.Inserted+table.Updated != 0 || int(table.Unchanged) != want {
				t.Errorf("second run: %s, want %d unchanged", counts(second), want)
			}
			if got := b.query("select count(*) from " + table.Name); got[0] != fmt.Sprint(want) {
				t.Errorf("%s rows are stored, want %d", got[0], want)
			}
		})
	}
}

// A run that was stopped goes on, and no finished page is asked for again.
func TestDrainAndGoOn(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	asked := map[string]int{}
	b := newBench(t, demosite.Options{})
	r := b.recipe("calendar", `
urls: SITE/calendar?month={month}
with:
  month: {from: 1900-01, to: 1903-12}
tables:
  days: {from: table.figures, key: [date]}
polite: {rate: none}
`)
	s, err := b.farm.Submit(t.Context(), r, SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	// The first pages end together, when 20 have shown their types; the drain must
	// come long before the last is claimed.
	drain, ended := make(chan struct{}), 0
	watch := func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		asked[e.Address]++
		if ended++; ended == 5 {
			close(drain)
		}
	}
	half := b.work(t.Context(), s.RunID, drain, watch)
	if half.State != store.RunStopped || half.Pending == 0 || half.Done < 5 {
		t.Fatalf("drained run: %s", counts(half))
	}
	again, err := b.farm.Submit(t.Context(), r, SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !again.Resumed || again.RunID != s.RunID || again.Finished != half.Done {
		t.Fatalf("submitted again: %+v", again)
	}
	whole := b.work(t.Context(), s.RunID, nil, watch)
	if whole.State != store.RunDone || whole.Done != 48 || whole.Tables[0].Inserted != 1460 {
		t.Errorf("whole run: %s", counts(whole))
	}
	for page, n := range asked {
		if n != 1 {
			t.Errorf("page %s ended %d times", page, n)
		}
	}
}

// What fails is told by page, the rest is stored, and only the failed pages are
// tried again.
func TestBrokenPages(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	r := b.recipe("broken", `
urls:
  - SITE/calendar?month={month}
  - SITE/calendar?month=2001-01&broken={way}
  - http://10.1.2.3/
  - SITE/static/style.css
with:
  month: [2000-01, 2000-02]
  way: [404, 500, 429, denied, login, refused, reset, api500, empty, short, duplicate, nokey, renamed, never, notable, throw, loop]
page: {timeout: 12s}
tables:
  days: {from: table.figures, key: [date], columns: {date: Date, weekday: Weekday}}
polite: {rate: 50/s, retries: 0, concurrency: 4, robots: ignore}
`)
	sum := b.run(r, SubmitOptions{})
	got := map[string]string{}
	for _, line := range b.query("select url, outcome from tabfarm.pages where outcome <> 'ok'") {
		url, outcome, _ := strings.Cut(line, "|")
		_, way, found := strings.Cut(url, "broken=")
		if !found {
			way = strings.TrimPrefix(url, b.site.URL)
		}
		got[way] = outcome
	}
	want := map[string]string{
		"404": "http_error", "500": "http_error", "429": "http_error", "denied": "blocked", "login": "signed_out",
		"refused": "refused_address", "reset": "unreachable", "api500": "http_error", "empty": "empty", "short": "incomplete",
		"duplicate": "duplicate_key", "nokey": "bad_value", "renamed": "selector_missing", "never": "timeout",
		"notable": "selector_missing", "throw": "script_error", "loop": "timeout",
		"http://10.1.2.3/": "refused_address", "/static/style.css": "not_html",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outcomes (-want +got):\n%s", diff)
	}
	if sum.Done != 2 || sum.Failed != len(want) || sum.Tables[0].Inserted != 60 {
		t.Errorf("run: %s", counts(sum))
	}
	for _, f := range sum.Failures {
		t.Logf("%s %s: %s", f.Outcome, strings.TrimPrefix(f.Address, b.site.URL), f.Message)
	}

	b.site.Repair()
	again, n, err := b.farm.Retry(t.Context(), sum.RunID, []Outcome{HTTPError})
	if err != nil || n != 4 {
		t.Fatalf("retry: %d pages, %v; want 4", n, err)
	}
	var ended []string
	sum = b.work(t.Context(), again.RunID, nil, func(e Event) { ended = append(ended, e.Address) })
	if len(ended) != 4 || sum.ByOutcome[HTTPError] != 0 || sum.Done != 6 {
		t.Errorf("after the retry: %s; ended: %v; %v", counts(sum), ended, b.query("select url, outcome, message from tabfarm.pages where run = 1 and url like '%broken=_00' or url like '%broken=4%'"))
	}
}
