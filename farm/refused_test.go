package farm

import (
	"strings"
	"testing"

	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/store"
)

// Rows that the database does not take, here for want of room, end their page with
// the database's own words; the other pages are stored.
func TestTheDatabaseRefusesRows(t *testing.T) {
	t.Parallel()
	site, err := demosite.StartWith(t.Context(), demosite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dsn := pgtest.DSN(t)
	s, err := store.Open(t.Context(), store.Config{URL: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	b := &bench{t: t, site: site, store: s, dir: t.TempDir(), farm: newTestFarm(t, Config{Browser: chrometest.Pool(t), Store: s, Tabs: 2})}
	r := b.recipe("leaders", `
urls: SITE/leaders?season={season}
with: {season: [1984-85, 1986-87]}
tables: {leaders: {key: [player, season]}}
polite: {rate: none}
`)
	if sum := b.run(r, SubmitOptions{Limit: 1}); sum.Done != 1 {
		t.Fatalf("%+v", sum)
	}
	pgtest.Exec(t, dsn, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.season = '1986-87' THEN RAISE EXCEPTION 'could not extend file "base/1": No space left on device' USING ERRCODE = '53100'; END IF;
    RETURN NEW; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON leaders FOR EACH ROW EXECUTE FUNCTION full_disk()`)
	sum := b.run(r, SubmitOptions{New: true})
	if sum.State != store.RunDone || sum.Done != 1 || sum.ByOutcome[StoreFailed] != 1 {
		t.Fatalf("%+v", sum)
	}
	if words := sum.Failures[0].Message; !strings.Contains(words, `could not extend file "base/1": No space left on device`) {
		t.Errorf("the page says %q", words)
	}
}
