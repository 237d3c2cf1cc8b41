package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/tabfarm/tabfarm/recipe"
)

// Column is one column that comes from pages.
type Column struct {
	Name     string
	Header   string // as shown on the page
	Unit     string // of its values, such as %
	Rule     string // by which texts became values; kept, not read
	Type     recipe.Type
	Declared bool // the recipe says the type
}

// Contract is a result table's columns as they are stored, those of tabfarm
// itself (_url, _page and so on) left out.
type Contract struct {
	Table   string
	Recipe  string
	Key     []string // as the recipe has it; empty for (_url, _row)
	Columns []Column // in the order of the table
	Version int64    // raised whenever a column is added or changes its type
}

// The columns that tabfarm itself gives a result table.
const (
	colURL       = "_url"
	colRow       = "_row"
	colPage      = "_page"
	colRun       = "_run"
	colFirstSeen = "_first_seen"
	colChanged   = "_changed"
)

var ownColumns = []string{colURL, colRow, colPage, colRun, colFirstSeen, colChanged}

// sqlTypes are the types of columns in Postgres.
var sqlTypes = map[recipe.Type]string{
	recipe.Text: "text", recipe.Integer: "bigint", recipe.Numeric: "numeric", recipe.Boolean: "boolean", recipe.Date: "date",
	recipe.Time: "time without time zone", recipe.Timestamp: "timestamp with time zone", recipe.Duration: "interval", recipe.JSON: "jsonb",
}

// recipeTypes is sqlTypes the other way, with the types that a person may have
// narrowed a column to by hand.
var recipeTypes = func() map[string]recipe.Type {
	m := map[string]recipe.Type{"smallint": recipe.Integer, "integer": recipe.Integer, "character varying": recipe.Text}
	for t, name := range sqlTypes {
		m[name] = t
	}
	return m
}()

// tableInfo is what is known of a result table; it is not changed once made.
type tableInfo struct {
	id       int64
	full     string // schema.name, for messages
	contract Contract
	columns  map[string]Column
}

// fullKey is the columns of a table's primary key.
func fullKey(key []string) []string {
	if len(key) == 0 {
		return []string{colURL, colRow}
	}
	return key
}

// recipeKey is fullKey the other way.
func recipeKey(key []string) []string {
	if slices.Equal(key, []string{colURL, colRow}) {
		return nil
	}
	return key
}

// Contract is a result table's columns and types as stored. ok is false while the
// table is not made.
func (s *Store) Contract(ctx context.Context, table string) (c Contract, ok bool, err error) {
	t, err := s.loadTable(ctx, s.pool, table)
	if err != nil || t == nil {
		return Contract{}, false, s.lookError("look at table "+table, err)
	}
	return t.contract, true, nil
}

// tableThere says of the table of a row r of result_table whether it exists. The
// catalogue itself is asked: to_regclass may answer by what its session knew before
// it waited for a lock, and then not see what another has made meanwhile.
const tableThere = `EXISTS (SELECT FROM pg_catalog.pg_class k JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace
    WHERE n.nspname = r.schema AND k.relname = r.name)`

// loadTable reads a result table, nil where it is not made or was dropped. The
// types are those of the table itself: a person may have changed one.
func (s *Store) loadTable(ctx context.Context, q querier, name string) (*tableInfo, error) {
	t := &tableInfo{full: s.cfg.Schema + "." + name, columns: map[string]Column{}}
	t.contract.Table = name
	var there bool
	err := q.QueryRow(ctx, "SELECT id, recipe, key, version, made AND "+tableThere+`
FROM tabfarm_internal.result_table r WHERE schema = $1 AND name = $2`, s.cfg.Schema, name).
		Scan(&t.id, &t.contract.Recipe, &t.contract.Key, &t.contract.Version, &there)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && !there {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t.contract.Key = recipeKey(t.contract.Key)
	rows, err := q.Query(ctx, `SELECT c.name, c.header, c.unit, c.rule, c.declared, format_type(a.atttypid, NULL)
FROM tabfarm_internal.result_column c
JOIN pg_catalog.pg_namespace n ON n.nspname = $2
JOIN pg_catalog.pg_class k ON k.relnamespace = n.oid AND k.relname = $3
JOIN pg_catalog.pg_attribute a ON a.attrelid = k.oid AND a.attname = c.name AND NOT a.attisdropped
WHERE c.table_id = $1 ORDER BY a.attnum`, t.id, s.cfg.Schema, name)
	if err != nil {
		return nil, err
	}
	var c Column
	var sqlType string
	_, err = pgx.ForEachRow(rows, []any{&c.Name, &c.Header, &c.Unit, &c.Rule, &c.Declared, &sqlType}, func() error {
		if c.Type = recipeTypes[sqlType]; c.Type == "" {
			c.Type = recipe.Type(sqlType)
		}
		t.columns[c.Name] = c
		t.contract.Columns = append(t.contract.Columns, c)
		return nil
	})
	return t, err
}

// table is loadTable with what was read before, if it still holds.
func (s *Store) table(ctx context.Context, tx pgx.Tx, name string) (*tableInfo, error) {
	s.mu.Lock()
	known := s.contracts[name]
	s.mu.Unlock()
	if known != nil {
		var version int64
		err := tx.QueryRow(ctx, "SELECT version FROM tabfarm_internal.result_table WHERE id = $1 AND made", known.id).Scan(&version)
		if err == nil && version == known.contract.Version {
			return known, nil
		}
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return nil, err
		}
	}
	t, err := s.loadTable(ctx, tx, name)
	if err == nil && t != nil {
		s.remember(t)
	}
	return t, err
}

func (s *Store) remember(t *tableInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.contracts[t.contract.Table] = t
}

// forget makes the next look at tables read them anew.
func (s *Store) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.contracts)
}

// checkOwners says whether a recipe may write to its tables.
func (s *Store) checkOwners(ctx context.Context, tx pgx.Tx, n NewRun) error {
	for _, t := range n.Tables {
		if err := s.checkOwner(ctx, tx, clean(n.Recipe), t); err != nil {
			return err
		}
	}
	return nil
}

// checkOwner refuses tables that tabfarm did not make, those of another recipe,
// and those that were made with another key.
func (s *Store) checkOwner(ctx context.Context, tx pgx.Tx, recipeName string, t TableOwner) error {
	if err := checkName("name of a table", t.Name); err != nil {
		return &OwnershipError{s.cfg.Schema + "." + t.Name, "cannot be a table: " + err.Error()}
	}
	full := s.cfg.Schema + "." + t.Name
	var exists, looksOurs bool
	var owner *string
	var key []string
	var made, busy bool
	err := tx.QueryRow(ctx, `
SELECT c.oid IS NOT NULL,
       c.relkind IN ('r', 'p') AND (SELECT count(*) = 5 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped AND a.attname = ANY ($3)),
       t.recipe, t.key, coalesce(t.made, false),
       EXISTS (SELECT FROM tabfarm_internal.run r JOIN tabfarm_internal.recipe o ON o.id = r.recipe_id WHERE o.name = t.recipe AND r.state IN `+openStates+`)
FROM (SELECT) one
LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1) ON c.relname = $2
LEFT JOIN tabfarm_internal.result_table t ON t.schema = $1 AND t.name = $2`,
		s.cfg.Schema, t.Name, []string{colURL, colPage, colRun, colFirstSeen, colChanged}).
		Scan(&exists, &looksOurs, &owner, &key, &made, &busy)
	switch {
	case err != nil:
		return err
	case exists && (!made || !looksOurs):
		return &OwnershipError{full, "exists and was not made by tabfarm; choose another name"}
	case owner == nil || *owner != recipeName && !exists && !busy:
		return nil // new, or kept by a recipe that never filled it
	case *owner != recipeName:
		return &OwnershipError{full, fmt.Sprintf("belongs to the recipe %s; choose another name", *owner)}
	case exists && !slices.Equal(key, fullKey(t.Key)):
		return &OwnershipError{full, fmt.Sprintf("was made with the key %s and the recipe now has %s; choose another name, or drop the table", words(key), words(fullKey(t.Key)))}
	}
	return nil
}

// claimTables checks the tables once more and notes whose they are.
func (s *Store) claimTables(ctx context.Context, tx pgx.Tx, n NewRun) error {
	tables := slices.SortedFunc(slices.Values(n.Tables), func(a, b TableOwner) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	for _, t := range tables {
		if err := lockTable(ctx, tx, s.cfg.Schema, t.Name); err != nil {
			return err
		}
		if err := s.checkOwner(ctx, tx, clean(n.Recipe), t); err != nil {
			return err
		}
		// A table that was dropped by hand is made anew, with the columns that come then.
		_, err := tx.Exec(ctx, `DELETE FROM tabfarm_internal.result_table r
WHERE schema = $1 AND name = $2 AND NOT `+tableThere, s.cfg.Schema, t.Name)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO tabfarm_internal.result_table (schema, name, recipe, key) VALUES ($1, $2, $3, $4)
ON CONFLICT (schema, name) DO NOTHING`, s.cfg.Schema, t.Name, clean(n.Recipe), fullKey(t.Key))
		if err != nil {
			return err
		}
	}
	return nil
}

// lockTable is the lock under which a result table changes its form. It ends
// with the transaction.
func lockTable(ctx context.Context, tx pgx.Tx, schema, name string) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(hashtextextended('tabfarm.table.' || $1::text || '.' || $2::text, 0))", schema, name)
	return err
}
