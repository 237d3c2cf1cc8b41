package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tabfarm/tabfarm/recipe"
)

// fit brings a result table to the columns of a write: it makes the table, adds
// columns, widens integer to numeric and what the recipe declares as text to
// text. What else differs is ErrContract. The
// TableWrite comes back without columns that have no type yet; there says that
// the table is there.
func (s *Store) fit(ctx context.Context, tx pgx.Tx, owner string, w TableWrite) (_ TableWrite, there bool, _ error) {
	w, err := typedOnly(w)
	if err != nil {
		return w, false, err
	}
	t, err := s.table(ctx, tx, w.Name)
	if err != nil {
		return w, false, err
	}
	if t == nil && len(w.Rows) == 0 {
		return w, false, nil // no table without a row
	}
	if t != nil {
		add, widen, err := differences(t, owner, w)
		if err != nil || len(add)+len(widen) == 0 {
			return w, true, err
		}
	}
	return w, true, s.change(ctx, tx, owner, w)
}

// change makes a table or gives it what it lacks, under its lock.
func (s *Store) change(ctx context.Context, tx pgx.Tx, owner string, w TableWrite) error {
	// A table that must change is locked, and looked at again: another page may
	// have made the same change in between.
	if _, err := tx.Exec(ctx, "SET LOCAL lock_timeout TO '2s'"); err != nil {
		return err
	}
	if err := lockTable(ctx, tx, s.cfg.Schema, w.Name); err != nil {
		return err
	}
	t, err := s.loadTable(ctx, tx, w.Name)
	if err != nil {
		return err
	}
	if t == nil {
		return s.makeTable(ctx, tx, owner, w)
	}
	add, widen, err := differences(t, owner, w)
	if err != nil {
		return err
	}
	return s.changeTable(ctx, tx, t, add, widen)
}

// typedOnly leaves out columns without a type: they have no value yet.
func typedOnly(w TableWrite) (TableWrite, error) {
	var keep []int
	seen := map[string]bool{}
	for i, c := range w.Columns {
		if err := checkName("column of "+w.Name, c.Name); err != nil {
			return w, err
		}
		if seen[c.Name] {
			return w, refuse(w.Name, "42701", "column %q comes twice", c.Name)
		}
		seen[c.Name] = true
		if slices.Contains(ownColumns, c.Name) {
			return w, refuse(w.Name, "42701", "column %q is one of tabfarm's own", c.Name)
		}
		if c.Type != "" {
			if sqlTypes[c.Type] == "" {
				return w, refuse(w.Name, "42704", "column %q has the type %q, which is not known", c.Name, c.Type)
			}
			keep = append(keep, i)
			continue
		}
		for _, row := range w.Rows {
			if i < len(row) && row[i] != nil {
				return w, refuse(w.Name, "42P18", "column %q has values and no type", c.Name)
			}
		}
	}
	for i, row := range w.Rows {
		if len(row) != len(w.Columns) {
			return w, refuse(w.Name, "42601", "row %d has %d values for %d columns", i+1, len(row), len(w.Columns))
		}
	}
	if len(keep) == len(w.Columns) {
		return w, nil
	}
	columns, rows := make([]Column, 0, len(keep)), make([][]*string, len(w.Rows))
	for _, i := range keep {
		columns = append(columns, w.Columns[i])
		for r := range w.Rows {
			rows[r] = append(rows[r], w.Rows[r][i])
		}
	}
	w.Columns, w.Rows = columns, rows
	return w, nil
}

// refuse is a StatementError for what the store itself does not take.
func refuse(table, code, format string, args ...any) error {
	return &StatementError{Verb: "store rows of " + table, Code: code, Message: fmt.Sprintf(format, args...)}
}

// differences are the columns that a table lacks and those to widen. A page whose
// types are older than a widening still fits: every integer is numeric.
func differences(t *tableInfo, owner string, w TableWrite) (add, widen []Column, err error) {
	switch {
	case t.contract.Recipe != owner:
		return nil, nil, &OwnershipError{t.full, fmt.Sprintf("belongs to the recipe %s; choose another name", t.contract.Recipe)}
	case !slices.Equal(fullKey(t.contract.Key), fullKey(w.Key)):
		return nil, nil, &OwnershipError{t.full, fmt.Sprintf("was made with the key %s and the rows have %s", words(fullKey(t.contract.Key)), words(fullKey(w.Key)))}
	}
	for _, c := range w.Columns {
		have, ok := t.columns[c.Name]
		switch {
		case !ok:
			add = append(add, c)
		case c.Declared && c.Type == recipe.Text && have.Type != recipe.Text:
			widen = append(widen, c)
		case have.Unit != c.Unit:
			return nil, nil, fmt.Errorf("column %q of %s has the unit %q and not %q: %w", c.Name, w.Name, have.Unit, c.Unit, ErrContract)
		case have.Type == c.Type, have.Type == recipe.Numeric && c.Type == recipe.Integer:
		case have.Type == recipe.Integer && c.Type == recipe.Numeric:
			widen = append(widen, c)
		default:
			return nil, nil, fmt.Errorf("column %q of %s is %s and not %s: %w", c.Name, w.Name, have.Type, c.Type, ErrContract)
		}
	}
	if w.Version > t.contract.Version {
		return nil, nil, fmt.Errorf("%s was made anew: %w", w.Name, ErrContract)
	}
	return add, widen, nil
}

// makeTable makes a result table: its key first, then the page's columns in
// their order, then where each row comes from.
func (s *Store) makeTable(ctx context.Context, tx pgx.Tx, owner string, w TableWrite) error {
	defs, err := definitions(w)
	if err != nil {
		return err
	}
	table := quote(s.cfg.Schema, w.Name)
	var id int64
	var holder string
	err = tx.QueryRow(ctx, `INSERT INTO tabfarm_internal.result_table AS t (schema, name, recipe, key, made, version)
VALUES ($1, $2, $3, $4, true, 1)
ON CONFLICT (schema, name) DO UPDATE SET made = true, version = t.version + 1, key = EXCLUDED.key RETURNING id, recipe`,
		s.cfg.Schema, w.Name, owner, fullKey(w.Key)).Scan(&id, &holder)
	if err != nil {
		return err
	}
	if holder != owner {
		return &OwnershipError{s.cfg.Schema + "." + w.Name, fmt.Sprintf("belongs to the recipe %s; choose another name", holder)}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM tabfarm_internal.result_column WHERE table_id = $1", id); err != nil {
		return err
	}
	if err := script(ctx, tx, "CREATE TABLE "+table+" ("+strings.Join(defs, ", ")+");"+s.tableComments(owner, w, fullKey(w.Key))); err != nil {
		if hasCode(err, codeTableExists) {
			return &OwnershipError{s.cfg.Schema + "." + w.Name, "exists and was not made by tabfarm; choose another name"}
		}
		return err
	}
	if err := noteColumns(ctx, tx, id, w.Columns); err != nil {
		return err
	}
	readers, err := s.readers(ctx, tx)
	if err != nil || len(readers) == 0 {
		return err
	}
	return script(ctx, tx, "GRANT SELECT ON TABLE "+table+" TO "+strings.Join(readers, ", "))
}

// definitions are the columns and the key of a new table, as SQL.
func definitions(w TableWrite) ([]string, error) {
	key := fullKey(w.Key)
	types := map[string]string{colURL: "text", colRow: "bigint"}
	for _, c := range w.Columns {
		types[c.Name] = sqlTypes[c.Type]
	}
	var defs []string
	for _, k := range key {
		if types[k] == "" {
			return nil, refuse(w.Name, "42703", "the rows have no column %q, which is in the key", k)
		}
		defs = append(defs, quote(k)+" "+types[k]+" NOT NULL")
	}
	for _, c := range w.Columns {
		if !slices.Contains(key, c.Name) {
			defs = append(defs, quote(c.Name)+" "+types[c.Name])
		}
	}
	if !slices.Contains(key, colURL) {
		defs = append(defs, colURL+" text NOT NULL")
	}
	return append(defs, colPage+" bigint NOT NULL", colRun+" bigint NOT NULL",
		colFirstSeen+" timestamp with time zone NOT NULL", colChanged+" timestamp with time zone NOT NULL",
		"PRIMARY KEY ("+quoteList(key)+")"), nil
}

// tableComments are the comments of a new table: whose it is, what each column
// was called on the page, and what tabfarm's own columns are.
func (s *Store) tableComments(owner string, w TableWrite, key []string) string {
	var b strings.Builder
	table := quote(s.cfg.Schema, w.Name)
	fmt.Fprintf(&b, " COMMENT ON TABLE %s IS %s;", table, literal("rows of the recipe "+owner+", made by tabfarm; one row for each "+words(key)))
	for _, c := range w.Columns {
		b.WriteString(columnComment(table, c))
	}
	own := map[string]string{
		colURL:       "address of the page that last wrote the row",
		colPage:      "page that last wrote the row",
		colRun:       "run that last wrote the row, in tabfarm.runs",
		colFirstSeen: "when the row was first stored",
		colChanged:   "when the row last changed",
	}
	if slices.Contains(key, colURL) {
		own[colURL] = "address of the page that the row is on"
	}
	if slices.Contains(key, colRow) {
		own[colRow] = "place of the row among those of the same " + words(slices.DeleteFunc(slices.Clone(key), func(k string) bool { return k == colRow })) + ", from 1"
	}
	for _, name := range ownColumns {
		if own[name] != "" {
			fmt.Fprintf(&b, " COMMENT ON COLUMN %s.%s IS %s;", table, quote(name), literal(own[name]))
		}
	}
	return b.String()
}

// columnComment is the header as shown, and the unit where there is one.
func columnComment(table string, c Column) string {
	text := c.Header
	if c.Unit != "" {
		text = strings.TrimSpace(text + " (" + c.Unit + ")")
	}
	if text == "" {
		return ""
	}
	return fmt.Sprintf(" COMMENT ON COLUMN %s.%s IS %s;", table, quote(c.Name), literal(text))
}

// changeTable adds columns and widens others. A widening rewrites the table and
// so may take longer than a statement otherwise may.
func (s *Store) changeTable(ctx context.Context, tx pgx.Tx, t *tableInfo, add, widen []Column) error {
	if len(add)+len(widen) == 0 {
		return nil
	}
	table := quote(s.cfg.Schema, t.contract.Table)
	var actions []string
	var comments strings.Builder
	for _, c := range add {
		actions = append(actions, "ADD COLUMN "+quote(c.Name)+" "+sqlTypes[c.Type])
		comments.WriteString(columnComment(table, c))
	}
	for _, c := range widen {
		actions = append(actions, "ALTER COLUMN "+quote(c.Name)+" TYPE "+sqlTypes[c.Type])
	}
	sql := "ALTER TABLE " + table + " " + strings.Join(actions, ", ") + ";" + comments.String()
	if len(widen) > 0 {
		sql = "SET LOCAL statement_timeout TO '10min'; " + sql + " SET LOCAL statement_timeout TO '30s'"
	}
	if err := script(ctx, tx, sql); err != nil {
		return err
	}
	if err := noteColumns(ctx, tx, t.id, append(slices.Clone(add), widen...)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "UPDATE tabfarm_internal.result_table SET version = version + 1 WHERE id = $1", t.id)
	return err
}

// noteColumns writes down what the catalog has no place for.
func noteColumns(ctx context.Context, tx pgx.Tx, table int64, columns []Column) error {
	for _, c := range columns {
		_, err := tx.Exec(ctx, `INSERT INTO tabfarm_internal.result_column (table_id, name, type, header, unit, rule, declared)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (table_id, name) DO UPDATE SET type = EXCLUDED.type, unit = EXCLUDED.unit, rule = EXCLUDED.rule, declared = EXCLUDED.declared`,
			table, c.Name, string(c.Type), clean(c.Header), clean(c.Unit), clean(c.Rule), c.Declared)
		if err != nil {
			return err
		}
	}
	return nil
}

func quoteList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quote(n)
	}
	return strings.Join(quoted, ", ")
}

// words are names for people: a, b and c.
func words(names []string) string {
	if len(names) == 0 {
		return "page"
	}
	return strings.Join(names, ", ")
}
