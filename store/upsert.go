package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tabfarm/tabfarm/recipe"
)

// upsert is one write to one table: its rows by columns, and the SQL of them.
type upsert struct {
	table   string // quoted, with its schema
	name    string
	key     []string // of the table, _url and _row among them
	columns []field  // in the rows; each has an array parameter
	page    Page
	n       int
	last    bool
	// scopes are, for a key with _row, the rows that the page replaces as a whole.
	scopes []scope
}

// field is a column and its values as texts; the SQL casts them.
type field struct {
	name, typ string
	values    []*string
}

// scope is one value of the key's columns but _row, with the number of its rows.
type scope struct {
	values []*string // in the order of scopeColumns
	n      int
}

func newUpsert(schema string, w TableWrite, p Page) (*upsert, error) {
	u := &upsert{table: quote(schema, w.Name), name: w.Name, key: fullKey(w.Key), page: p, n: len(w.Rows), last: w.Last}
	for i, c := range w.Columns {
		f := field{name: c.Name, typ: sqlTypes[c.Type], values: make([]*string, u.n)}
		for r, row := range w.Rows {
			f.values[r] = row[i]
		}
		f.values = cleanAll(f.values, c.Type == recipe.JSON)
		u.columns = append(u.columns, f)
	}
	for _, k := range u.key {
		if k == colURL || k == colRow {
			continue
		}
		f := u.column(k)
		if f == nil {
			if u.n == 0 {
				continue
			}
			return nil, refuse(w.Name, "42703", "the rows have no column %q, which is in the key", k)
		}
		if r := slices.Index(f.values, nil); r >= 0 {
			return nil, refuse(w.Name, "23502", "row %d has no %s, which is in the key", r+1, k)
		}
	}
	if slices.Contains(u.key, colRow) {
		u.number()
	}
	return u, nil
}

func (u *upsert) column(name string) *field {
	for i := range u.columns {
		if u.columns[i].name == name {
			return &u.columns[i]
		}
	}
	return nil
}

// number gives the rows of each scope their _row, from 1.
func (u *upsert) number() {
	places := field{name: colRow, typ: "bigint", values: make([]*string, u.n)}
	at := map[string]int{}
	names := u.scopeColumns()
	for r := range u.n {
		var id strings.Builder
		values := make([]*string, len(names))
		for i, name := range names {
			values[i] = u.column(name).values[r]
			fmt.Fprintf(&id, "%d:%s", len(*values[i]), *values[i])
		}
		i, seen := at[id.String()]
		if !seen {
			i = len(u.scopes)
			at[id.String()] = i
			u.scopes = append(u.scopes, scope{values: values})
		}
		u.scopes[i].n++
		place := strconv.Itoa(u.scopes[i].n)
		places.values[r] = &place
	}
	if len(names) == 0 && u.n == 0 { // a page that has become empty
		u.scopes = []scope{{}}
	}
	u.columns = append([]field{places}, u.columns...)
}

// scopeColumns are the key's columns but _row and _url, which is the page's.
func (u *upsert) scopeColumns() []string {
	return slices.DeleteFunc(slices.Clone(u.key), func(k string) bool { return k == colRow || k == colURL })
}

// others are the columns that are not in the key.
func (u *upsert) others() []string {
	var names []string
	for _, f := range u.columns {
		if !slices.Contains(u.key, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// The parameters of every statement below: $1 _url, $2 _page, $3 _run, which the
// FROM item p names, then one array of texts for each column.
const (
	pageItem   = "(SELECT $1::text AS url, $2::bigint AS page, $3::bigint AS run) AS p"
	firstArray = 4
)

func (u *upsert) args(rows []int) []any {
	args := []any{clean(u.page.Address), u.page.ID, u.page.RunID}
	for _, f := range u.columns {
		values := f.values
		if rows != nil {
			values = make([]*string, len(rows))
			for i, r := range rows {
				values[i] = f.values[r]
			}
		}
		args = append(args, values)
	}
	return args
}

// rows is p and the FROM item n with columns c0, c1 ... and ord, the number from 1.
func (u *upsert) rows() string {
	arrays, names := make([]string, len(u.columns)), make([]string, len(u.columns))
	for i := range u.columns {
		arrays[i] = fmt.Sprintf("$%d::text[]", firstArray+i)
		names[i] = fmt.Sprintf("c%d", i)
	}
	return pageItem + " CROSS JOIN unnest(" + strings.Join(arrays, ", ") + ") WITH ORDINALITY AS n(" + strings.Join(append(names, "ord"), ", ") + ")"
}

// value is the SQL of a column's new value.
func (u *upsert) value(name string) string {
	if name == colURL {
		return "p.url"
	}
	for i, f := range u.columns {
		if f.name == name {
			return fmt.Sprintf("n.c%d::%s", i, f.typ)
		}
	}
	return "NULL"
}

// differs is the SQL that compares the other columns of t with new values.
func (u *upsert) differs(value func(string) string) string {
	others := u.others()
	if len(others) == 0 {
		return "false"
	}
	old, new := make([]string, len(others)), make([]string, len(others))
	for i, name := range others {
		old[i], new[i] = "t."+quote(name), value(name)
	}
	return "(" + strings.Join(old, ", ") + ") IS DISTINCT FROM (" + strings.Join(new, ", ") + ")"
}

func (u *upsert) sameKey() string {
	parts := make([]string, len(u.key))
	for i, k := range u.key {
		parts[i] = "t." + quote(k) + " = " + u.value(k)
	}
	return strings.Join(parts, " AND ")
}

func (u *upsert) keyOrder() string {
	parts := make([]string, len(u.key))
	for i, k := range u.key {
		parts[i] = u.value(k)
	}
	return strings.Join(parts, ", ")
}

// run stores the rows. Rows that are there and equal are found first and not
// touched again, neither locked nor written: most pages of a schedule change
// little. What is new or differs goes through one INSERT ... ON CONFLICT.
func (u *upsert) run(ctx context.Context, tx pgx.Tx) (c TableCounts, err error) {
	if u.n > 0 {
		differing, fresh, err := u.look(ctx, tx)
		if err != nil {
			return c, err
		}
		var known int64
		if len(differing) > 0 {
			if known, err = u.conflicts(ctx, tx, differing, &c); err != nil {
				return c, err
			}
		}
		if rows := slices.Concat(differing, fresh); len(rows) > 0 {
			slices.Sort(rows)
			if err := u.put(ctx, tx, rows, known, &c); err != nil {
				return c, err
			}
		}
		c.Unchanged = int64(u.n) - c.Inserted - c.Updated
	}
	if len(u.scopes) > 0 {
		if err := u.surplus(ctx, tx, &c); err != nil {
			return c, err
		}
	}
	if u.last {
		c.Conflicts, c.Conflict = 0, ""
	}
	return c, nil
}

// look tells rows (by number from 0) that are there with other values, and rows
// that are not there.
func (u *upsert) look(ctx context.Context, tx pgx.Tx) (differing, fresh []int, err error) {
	sql := "SELECT n.ord, " + u.differs(u.value) + " FROM " + u.rows() + " JOIN " + u.table + " AS t ON " + u.sameKey()
	rows, err := tx.Query(ctx, sql, u.args(nil)...)
	if err != nil {
		return nil, nil, err
	}
	there := make([]bool, u.n)
	var ord int
	var differs bool
	_, err = pgx.ForEachRow(rows, []any{&ord, &differs}, func() error {
		there[ord-1] = true
		if differs {
			differing = append(differing, ord-1)
		}
		return nil
	})
	for r, t := range there {
		if !t {
			fresh = append(fresh, r)
		}
	}
	return differing, fresh, err
}

// conflicts locks the rows that differ and counts those that another page of
// this run wrote; it keeps one of them. known is how many still differ now that
// nobody else can change them.
func (u *upsert) conflicts(ctx context.Context, tx pgx.Tx, rows []int, c *TableCounts) (known int64, err error) {
	others := u.others()
	changed, old := make([]string, len(others)), make([]string, len(others))
	for i, name := range others {
		changed[i] = "t." + quote(name) + " IS DISTINCT FROM " + u.value(name)
		old[i] = "t." + quote(name) + "::text"
	}
	sql := "SELECT n.ord, " + u.differs(u.value) + ", t._run = p.run AND t._page <> p.page, t._url, ARRAY[" + strings.Join(changed, ", ") + "], ARRAY[" + strings.Join(old, ", ") + "]" +
		" FROM " + u.rows() + " JOIN " + u.table + " AS t ON " + u.sameKey() + " ORDER BY " + u.keyOrder() + " FOR UPDATE OF t"
	res, err := tx.Query(ctx, sql, u.args(rows)...)
	if err != nil {
		return 0, err
	}
	var ord int
	var differs, clash bool
	var url string
	var changes []bool
	var before []*string
	_, err = pgx.ForEachRow(res, []any{&ord, &differs, &clash, &url, &changes, &before}, func() error {
		if !differs {
			return nil
		}
		known++
		if clash {
			c.Conflicts++
			if c.Conflict == "" {
				c.Conflict = u.example(rows[ord-1], others, changes, before, url)
			}
		}
		return nil
	})
	return known, err
}

// example words a conflict: the key, what differs, and the two pages.
func (u *upsert) example(row int, others []string, changes []bool, before []*string, url string) string {
	var diffs []string
	for i, name := range others {
		if changes[i] {
			diffs = append(diffs, fmt.Sprintf("%s %s, then %s", name, shown(before[i]), shown(u.column(name).values[row])))
		}
	}
	return fmt.Sprintf("%s: %s (%s, then %s)", u.keyOf(row), strings.Join(diffs, "; "), url, u.page.Address)
}

// longestShown is how many bytes of a value messages show.
const longestShown = 80

func shown(v *string) string {
	switch {
	case v == nil:
		return "NULL"
	case len(*v) > longestShown:
		return strings.ToValidUTF8((*v)[:longestShown], "") + "..."
	}
	return *v
}

// keyOf is the key of a row as name=value.
func (u *upsert) keyOf(row int) string {
	var parts []string
	for _, k := range u.key {
		if f := u.column(k); f != nil {
			parts = append(parts, k+"="+shown(f.values[row]))
		}
	}
	return strings.Join(parts, ", ")
}

// put writes rows. known is how many of them are known to be updated; what is
// updated beside was inserted by another page since look, and is a conflict.
// xmax is 0 in a row version that an INSERT made and is set by ON CONFLICT, which
// locks the old version first.
func (u *upsert) put(ctx context.Context, tx pgx.Tx, rows []int, known int64, c *TableCounts) error {
	names := make([]string, len(u.columns))
	values := make([]string, len(u.columns))
	for i, f := range u.columns {
		names[i], values[i] = quote(f.name), u.value(f.name)
	}
	others := u.others()
	action := "DO NOTHING"
	if len(others) > 0 {
		var set []string
		for _, name := range others {
			set = append(set, quote(name)+" = EXCLUDED."+quote(name))
		}
		for _, name := range []string{colURL, colPage, colRun, colChanged} {
			if !slices.Contains(u.key, name) {
				set = append(set, name+" = EXCLUDED."+name)
			}
		}
		action = "DO UPDATE SET " + strings.Join(set, ", ") + " WHERE " + u.differs(func(name string) string { return "EXCLUDED." + quote(name) })
	}
	sql := "WITH put AS (INSERT INTO " + u.table + " AS t (" + strings.Join(append(names, colURL, colPage, colRun, colFirstSeen, colChanged), ", ") + ")" +
		" SELECT " + strings.Join(values, ", ") + ", p.url, p.page, p.run, now(), now() FROM " + u.rows() +
		" ORDER BY " + u.keyOrder() +
		" ON CONFLICT (" + quoteList(u.key) + ") " + action +
		" RETURNING xmax = 0 AS fresh)" +
		" SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM put"
	if err := tx.QueryRow(ctx, sql, u.args(rows)...).Scan(&c.Inserted, &c.Updated); err != nil {
		return err
	}
	if late := c.Updated - known; late > 0 {
		c.Conflicts += late
		if c.Conflict == "" {
			c.Conflict = fmt.Sprintf("%d rows of %s were written by another page at the same moment, with other values", late, u.page.Address)
		}
	}
	return nil
}

// surplus deletes what a key with _row leaves over: rows beyond the number that
// the page has now. Rows that another page of this run wrote are conflicts too.
func (u *upsert) surplus(ctx context.Context, tx pgx.Tx, c *TableCounts) error {
	names := u.scopeColumns()
	args := []any{clean(u.page.Address), u.page.ID, u.page.RunID}
	conditions := []string{}
	if slices.Contains(u.key, colURL) {
		conditions = append(conditions, "t._url = p.url")
	}
	arrays, columns := []string{}, []string{}
	for i, name := range names {
		values := make([]*string, len(u.scopes))
		for j, sc := range u.scopes {
			values[j] = sc.values[i]
		}
		args = append(args, values)
		arrays = append(arrays, fmt.Sprintf("$%d::text[]", len(args)))
		columns = append(columns, fmt.Sprintf("c%d", i))
		conditions = append(conditions, fmt.Sprintf("t.%s = s.c%d::%s", quote(name), i, u.column(name).typ))
	}
	counts := make([]int64, len(u.scopes))
	for j, sc := range u.scopes {
		counts[j] = int64(sc.n)
	}
	args = append(args, counts)
	arrays = append(arrays, fmt.Sprintf("$%d::bigint[]", len(args)))
	columns = append(columns, "n")
	conditions = append(conditions, "t._row > s.n")
	sql := "WITH gone AS (DELETE FROM " + u.table + " AS t USING " + pageItem + ", unnest(" + strings.Join(arrays, ", ") + ") AS s(" + strings.Join(columns, ", ") + ")" +
		" WHERE " + strings.Join(conditions, " AND ") +
		" RETURNING t._run = p.run AND t._page <> p.page AS clash)" +
		" SELECT count(*), count(*) FILTER (WHERE clash) FROM gone"
	var clashes int64
	if err := tx.QueryRow(ctx, sql, args...).Scan(&c.Gone, &clashes); err != nil {
		return err
	}
	if clashes > 0 {
		c.Conflicts += clashes
		if c.Conflict == "" {
			c.Conflict = fmt.Sprintf("%d rows that another page of the run wrote for the same %s were replaced by those of %s", clashes, words(names), u.page.Address)
		}
	}
	return nil
}
