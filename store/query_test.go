package store_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

func TestQuery(t *testing.T) {
	t.Parallel()
	d := open(t)
	rows, err := d.Query(t.Context(), `select 7::int as i, 8::bigint, 1.50 as n, 'a"b' as t, null as z, true as b, date '2024-02-29' as d,
    '{"x": [1]}'::jsonb as j, 1.5::float8 as f, 'NaN'::float8 as nan, timestamptz '2024-01-01 12:00+02' as ts, $1::int + 1 as arg, $2::text as none;`, 41, nil)
	ok(t, err)
	defer rows.Close()
	var names, types []string
	for _, c := range rows.Columns {
		names, types = append(names, c.Name), append(types, c.Type)
	}
	want(t, strings.Join(names, " "), "i int8 n t z b d j f nan ts arg none")
	want(t, strings.Join(types, " "), "int4 int8 numeric text text bool date jsonb float8 float8 timestamptz int4 text")
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	line, err := json.Marshal(rows.JSON())
	ok(t, err)
	want(t, string(line), `[7,8,"1.50","a\"b",null,true,"2024-02-29",{"x":[1]},1.5,"NaN","2024-01-01 10:00:00+00",42,null]`)
	if rows.Next() {
		t.Error("a second row")
	}
	ok(t, rows.Err())
	rows.Close()
	want(t, d.text("select generate_series(1, 3)"), "1\n2\n3\n")
	want(t, d.text("explain select 1")[:6], "Result")
	want(t, d.text("show timezone"), "UTC\n")
}

func TestQueryMistakes(t *testing.T) {
	t.Parallel()
	d := open(t)
	for _, c := range []struct {
		sql, message string
		position     int
	}{
		{"select * from nothing", `relation "nothing" does not exist`, 15},
		{"selct 1", `syntax error at or near "selct"`, 1},
		{"select 1; select 2", "these are several statements; one at a time may be run", 0},
		{"", "only one statement that returns rows may be run", 0},
		{"set role none", "only one statement that returns rows may be run", 0},
		{"select 1/0", "division by zero", 0},
		{"select $1", "bind message supplies 0 parameters, but prepared statement \"\" requires 1", 0},
	} {
		e := as[*store.SQLError](t, d.fails(c.sql))
		if e.Message != c.message || e.Position != c.position {
			t.Errorf("%s: %q at %d, want %q at %d", c.sql, e.Message, e.Position, c.message, c.position)
		}
	}
}

// A query changes nothing and reaches nothing outside, also when the role that
// connects is a superuser, as here.
func TestQueryIsReadOnly(t *testing.T) {
	t.Parallel()
	d := open(t)
	newReader(t, d, leaders).read(players(line{"Jordan", "1"}))
	if !get[bool](d, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") {
		t.Skip("not a superuser")
	}
	file := filepath.Join(sharedDir(t, 0o777), "written") // the server's user may write there
	for _, sql := range []string{
		"copy (select 1) to program 'cat > " + file + "'",
		"copy (select 1) to '" + file + "'",
		"do $$ begin reset role; copy (select 1) to program 'cat > " + file + "'; end $$",
		"delete from leaders returning *", "insert into leaders (player) values ('x') returning 1", "create table x ()",
		"with d as (delete from leaders returning 1) select * from d",
		"select * into x from leaders", "explain analyze delete from leaders", "select nextval('tabfarm_internal.worker_id')",
		"select pg_read_file('/etc/passwd')", "select * from tabfarm_internal.run", "select lo_export(1, '" + file + "')",
		"lock table leaders", "commit", "select * from leaders for update",
	} {
		if err := d.fails(sql); err == nil {
			t.Errorf("%s was run", sql)
		} else {
			_ = as[*store.SQLError](t, err)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a query wrote a file")
	}
	want(t, d.text("select player from leaders"), "Jordan\n")
	want(t, get[string](d, "SELECT current_user::text"), d.text("select session_user")[:len(d.text("select session_user"))-1])
}

func TestQueryEnds(t *testing.T) {
	t.Parallel()
	hasty := openWith(t, store.Config{ReadTimeout: 100 * time.Millisecond})
	if e := as[*store.SQLError](t, hasty.fails("select pg_sleep(60)")); e.Code != "57014" {
		t.Errorf("%+v", e)
	}
	d := open(t)
	// Given up in the middle, cancelled in the middle: the connection is fit, or gone.
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		rows, err := d.Query(ctx, "select generate_series(1, 100000)")
		ok(t, err)
		rows.Next()
		if cancel(); rows.Next() {
			rows.Close()
		}
		rows.Close()
	}
	want(t, d.text("select 1"), "1\n")
}
