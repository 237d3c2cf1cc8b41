package pgtest

import (
	"context"
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

// Value reads one value of a database.
func Value[T any](t testing.TB, dsn, sql string, args ...any) (v T) {
	t.Helper()
	look(t, dsn, func(ctx context.Context, c *pgx.Conn) error { return c.QueryRow(ctx, sql, args...).Scan(&v) })
	return v
}

// Exec changes a database as somebody else would.
func Exec(t testing.TB, dsn, sql string, args ...any) {
	t.Helper()
	look(t, dsn, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql, args...)
		return err
	})
}

func look(t testing.TB, dsn string, f func(context.Context, *pgx.Conn) error) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	if err := f(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}
