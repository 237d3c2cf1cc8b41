package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/store"
)

// testRole is a role of the cluster that lives as long as the test.
type testRole struct{ name, password string }

func newRole(t testing.TB, options string) testRole {
	t.Helper()
	r := testRole{"tabfarm_test_" + strings.ToLower(rand.Text()), rand.Text()}
	admin := &db{t: t, url: pgtest.AdminURL(t)}
	admin.exec(fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s' %s", r.name, r.password, options))
	t.Cleanup(func() { admin.exec("DROP ROLE " + r.name) }) // its databases are dropped before
	return r
}

func (r testRole) url(t testing.TB, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	ok(t, err)
	u.User = url.UserPassword(r.name, r.password)
	return u.String()
}

func checks(t testing.TB, s *store.Store) map[string]store.Check {
	t.Helper()
	list, err := s.Doctor(t.Context())
	ok(t, err)
	found := map[string]store.Check{}
	for _, c := range list {
		found[c.Name] = c
		if (c.State == store.CheckOK) != (c.Fix == "") || c.Text == "" {
			t.Errorf("check %+v", c)
		}
	}
	return found
}

// A plain role on PostgreSQL 15 may make nothing. What doctor prints is what it
// needs, no less.
func TestPlainRole(t *testing.T) {
	t.Parallel()
	role := newRole(t, "")
	admin := &db{t: t, url: pgtest.Empty(t)}
	s, err := store.Open(t.Context(), store.Config{URL: role.url(t, admin.url)})
	ok(t, err)
	t.Cleanup(s.Close)
	found := checks(t, s)
	if found["rights"].State != store.CheckFail || found["schema"].State != store.CheckWarn || found["role"].State != store.CheckOK {
		t.Errorf("checks before: %+v", found)
	}
	database := get[string](admin, "SELECT current_database()")
	grants := fmt.Sprintf("GRANT CREATE ON DATABASE %q TO %q;\nGRANT USAGE, CREATE ON SCHEMA \"public\" TO %q;", database, role.name, role.name)
	want(t, found["rights"].Fix, grants)
	err = s.Migrate(t.Context())
	want(t, strings.Join(as[*store.ErrRights](t, err).Grants, "\n"), grants)
	_, err = s.Runs(t.Context())
	is(t, err, store.ErrNotMigrated)
	_, err = s.Register(t.Context(), "x")
	is(t, err, store.ErrNotMigrated)

	admin.exec(grants)
	ok(t, s.Migrate(t.Context()))
	found = checks(t, s)
	if found["rights"].State != store.CheckOK || found["schema"].State != store.CheckOK || found["reader"].State != store.CheckWarn {
		t.Errorf("checks after the grants: %+v", found)
	}
	d := &db{s, t, admin.url}
	r := newReader(t, d, leaders)
	wantCounts(t, r.read(players(line{"Jordan", "1"})), 1, 0, 0)
	want(t, d.text("select current_user = 'tabfarm_reader', player from leaders"), "f|Jordan\n")
	_ = as[*store.SQLError](t, d.fails("select * from pg_authid"))

	admin.exec(found["reader"].Fix)
	ok(t, s.Migrate(t.Context())) // grants the reader what was made before
	if c := checks(t, s)["reader"]; c.State != store.CheckOK {
		t.Errorf("reader: %+v", c)
	}
	want(t, d.text("select current_user, player from leaders"), "tabfarm_reader|Jordan\n")
	want(t, d.text("select name, rows from tables"), "leaders|1\n")

	// Rights that are taken away while a run is under way are told with the grants.
	admin.exec(fmt.Sprintf("REVOKE CREATE ON SCHEMA public FROM %q", role.name))
	v, pages := r.run(1)
	w := players(line{"a", "1"})
	w.Name = "second"
	_, err = v.Finish(t.Context(), result(pages[0], w))
	if e := as[*store.ErrRights](t, err); len(e.Grants) != 1 || !strings.Contains(e.Error(), "GRANT USAGE, CREATE ON SCHEMA") {
		t.Errorf("%v", e)
	}
}

func TestMigrateInSeveralProcesses(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := store.Open(t.Context(), store.Config{URL: url, Schema: "results"})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if err := s.Migrate(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// What db migrate --print prints makes the same objects.
func TestMigrationByHand(t *testing.T) {
	t.Parallel()
	by := &db{t: t, url: pgtest.Empty(t)}
	var script bytes.Buffer
	ok(t, store.MigrationSQL(&script))
	by.exec(script.String())
	s, err := store.Open(t.Context(), store.Config{URL: by.url})
	ok(t, err)
	t.Cleanup(s.Close)
	ok(t, s.Migrate(t.Context()))
	const objects = `SELECT string_agg(n.nspname || '.' || c.relname || ' ' || c.relkind::text || ' ' || coalesce(a.attname, '') || ' ' || coalesce(format_type(a.atttypid, a.atttypmod), ''), E'\n'
    ORDER BY n.nspname, c.relname, a.attnum)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE n.nspname LIKE 'tabfarm%'`
	want(t, get[string](by, objects), get[string](open(t), objects))
}

func TestNewerDatabase(t *testing.T) {
	t.Parallel()
	d := open(t)
	d.exec("INSERT INTO tabfarm_internal.goose_db_version (version_id, is_applied) VALUES (999, true)")
	_ = as[*store.ErrVersion](t, d.Migrate(t.Context()))
	if c := checks(t, d.Store)["schema"]; c.State != store.CheckFail {
		t.Errorf("schema: %+v", c)
	}
}

// Schema tabfarm is what people see: views only, each column with its words.
func TestViewsAreDocumented(t *testing.T) {
	t.Parallel()
	d := open(t)
	want(t, d.text("select string_agg(relname, ' ' order by relname) from pg_class where relnamespace = 'tabfarm'::regnamespace and relkind = 'v'"),
		"hosts pages problems rejected runs schedules tables\n")
	want(t, d.text(`select c.relname, a.attname from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
where c.relnamespace = 'tabfarm'::regnamespace and (c.relkind <> 'v' or coalesce(col_description(c.oid, a.attnum), '') = '' or coalesce(obj_description(c.oid), '') = '')`), "")
	for view, columns := range map[string]string{
		"pages":    "run recipe url variables outcome message rows proof stated_total attempts seconds started_at finished_at",
		"tables":   "name recipe key rows last_ok_run last_ok_at",
		"rejected": "table key column text reason page",
	} {
		want(t, get[string](d, "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = ('tabfarm.' || $1)::regclass AND attnum > 0", view), columns)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	d := open(t)
	const secret = "correct-horse"
	for _, bad := range []string{
		"postgres://u:" + secret + "@127.0.0.1:1/db", "postgres://u:" + secret + "@[bad", "postgres://u:" + secret + "@/db?host=/nowhere",
		testRole{"nobody_of_this_name", secret}.url(t, d.url), mustWith(t, d.url, "no_such_database"),
	} {
		_, err := store.Open(t.Context(), store.Config{URL: bad})
		is(t, err, store.ErrUnreachable)
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in %q", err)
		}
	}
	_, err := store.Open(t.Context(), store.Config{URL: d.url, Schema: strings.Repeat("x", 64)})
	_ = as[*store.StatementError](t, err)
}

func mustWith(t testing.TB, dsn, database string) string {
	t.Helper()
	dsn, err := pgtest.WithDatabase(dsn, database)
	ok(t, err)
	return dsn
}

// A server that shuts connections is told as unreachable, and comes back by itself.
func TestConnectionLoss(t *testing.T) {
	t.Parallel()
	d := open(t)
	run := d.start("a", 1)
	d.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	if _, err := d.Progress(t.Context(), run.ID); err != nil {
		is(t, err, store.ErrUnreachable)
	}
	for range 10 { // one for each connection of the pool at most
		if _, err := d.Progress(t.Context(), run.ID); err == nil {
			return
		}
	}
	t.Error("the store did not come back")
}

// What Postgres cannot do is told in its words; what it asks to try again is.
func TestFailedStatements(t *testing.T) {
	t.Parallel()
	d := open(t)
	r := newReader(t, d, leaders)
	r.read(players(line{"Jordan", "1"}))
	d.exec(`CREATE SEQUENCE n; CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.player = 'disk' THEN RAISE EXCEPTION 'could not extend file "base/1": No space left on device' USING ERRCODE = '53100', HINT = 'Check free disk space.'; END IF;
    IF nextval('public.n') < 4 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF;
    RETURN NEW; END $$;
CREATE TRIGGER fail BEFORE INSERT ON leaders FOR EACH ROW EXECUTE FUNCTION fail()`)
	v, pages := r.run(1)
	_, err := v.Finish(t.Context(), result(pages[0], players(line{"disk", "1"})))
	e := as[*store.StatementError](t, err)
	want(t, e.Error()+" "+e.Code+" "+e.Hint, `store page: could not extend file "base/1": No space left on device 53100 Check free disk space.`)
	counts, err := v.Finish(t.Context(), result(pages[0], players(line{"again", "1"})))
	ok(t, err)
	wantCounts(t, counts["leaders"], 1, 0, 0)
	if n := get[int](d, "SELECT last_value FROM n"); n != 4 {
		t.Errorf("%d tries", n)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = v.Finish(cancelled, result(pages[0]))
	is(t, err, context.Canceled)
}
