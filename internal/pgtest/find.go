package pgtest

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// Find gives the rows of all tables of a database, written as text, that hold a text.
func Find(t testing.TB, dsn, text string) []string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	list := func(sql string, args ...any) []string {
		rows, err := conn.Query(t.Context(), sql, args...)
		if err != nil {
			t.Fatal(err)
		}
		texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return texts
	}
	var found []string
	for _, table := range list(`SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`) {
		found = append(found, list("SELECT x::text FROM "+table+" x WHERE position($1 in x::text) > 0", text)...)
	}
	return found
}
