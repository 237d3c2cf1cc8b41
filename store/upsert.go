package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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
	copies  bool // new rows go in by COPY, which another page's equal key ends
	// order is the rows by their keys: pages that write the same keys lock them in
	// one order and do not wait for each other in a circle.
	order []int
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
	p.Address = clean(p.Address)
	u := &upsert{table: quote(schema, w.Name), name: w.Name, key: fullKey(w.Key), page: p, n: len(w.Rows), last: w.Last}
	for i, c := range w.Columns {
		f := field{name: c.Name, typ: sqlTypes[c.Type], values: make([]*string, u.n)}
		for r, row := range w.Rows {
			f.values[r] = row[i]
		}
		cleanAll(f.values, c.Type == recipe.JSON)
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
	u.sort()
	return u, nil
}

// sort finds the order of the rows.
func (u *upsert) sort() {
	u.order = make([]int, u.n)
	for r := range u.order {
		u.order[r] = r
	}
	var keys []*field
	for _, k := range u.key {
		if f := u.column(k); f != nil { // _url is the same for all rows
			keys = append(keys, f)
		}
	}
	slices.SortFunc(u.order, func(a, b int) int {
		for _, f := range keys {
			if c := strings.Compare(*f.values[a], *f.values[b]); c != 0 {
				return c
			}
		}
		return 0
	})
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
func (u *upsert) others() []*field {
	var others []*field
	for i := range u.columns {
		if !slices.Contains(u.key, u.columns[i].name) {
			others = append(others, &u.columns[i])
		}
	}
	return others
}

// The parameters of a statement below: $1 _url, $2 _page, $3 _run, which the
// FROM item p names, then an array of texts for each column that it needs.
const (
	pageItem   = "(SELECT $1::text AS url, $2::bigint AS page, $3::bigint AS run) AS p"
	firstArray = 4
)

// texts are the values of a column in some rows, as pgx takes an array.
type texts struct {
	values []*string
	rows   []int
}

// Dimensions is pgtype.ArrayGetter's.
func (t texts) Dimensions() []pgtype.ArrayDimension {
	return []pgtype.ArrayDimension{{Length: int32(len(t.rows)), LowerBound: 1}}
}

// Index is pgtype.ArrayGetter's.
func (t texts) Index(i int) any {
	if v := t.values[t.rows[i]]; v != nil {
		return *v
	}
	return nil
}

// IndexType is pgtype.ArrayGetter's.
func (t texts) IndexType() any { return "" }

// args are the parameters of a statement for some rows and some columns.
func (u *upsert) args(rows []int, needs func(*field) bool) []any {
	args := []any{u.page.Address, u.page.ID, u.page.RunID}
	for i := range u.columns {
		if f := &u.columns[i]; needs(f) {
			args = append(args, texts{f.values, rows})
		}
	}
	return args
}

// rows is p and the FROM item n: of each column that is needed cN, with its number
// from 0, and ord, the row's number from 1. Where none is needed (the key is _url
// alone) there is one row: a page has no more of such a key.
func (u *upsert) rows(needs func(*field) bool) string {
	var arrays, names []string
	for i := range u.columns {
		if needs(&u.columns[i]) {
			names = append(names, fmt.Sprintf("c%d", i))
			arrays = append(arrays, fmt.Sprintf("$%d::text[]", firstArray+len(arrays)))
		}
	}
	if len(arrays) == 0 {
		return pageItem + " CROSS JOIN (SELECT 1 AS ord) AS n"
	}
	return pageItem + " CROSS JOIN unnest(" + strings.Join(arrays, ", ") + ") WITH ORDINALITY AS n(" + strings.Join(append(names, "ord"), ", ") + ")"
}

func all(*field) bool { return true }

// found joins each row of n with the row of the table that has its key, as f. Once
// Postgres knows how many rows the table has, it would rather read the whole table
// than look each key up; OFFSET 0 keeps it from that.
func (u *upsert) found(list string) string {
	same := make([]string, len(u.key))
	for i, k := range u.key {
		same[i] = "t." + quote(k) + " = " + u.value(k)
	}
	return " CROSS JOIN LATERAL (SELECT " + list + " FROM " + u.table + " AS t WHERE " + strings.Join(same, " AND ") + " OFFSET 0) AS f"
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
	for i, f := range others {
		old[i], new[i] = "t."+quote(f.name), value(f.name)
	}
	return "(" + strings.Join(old, ", ") + ") IS DISTINCT FROM (" + strings.Join(new, ", ") + ")"
}

// run stores the rows. Rows that are there and equal are found first and not
// touched again, neither locked nor written: most pages of a schedule change
// little. What is new goes in by COPY, which is twice as fast as an INSERT.
func (u *upsert) run(ctx context.Context, tx pgx.Tx) (c TableCounts, err error) {
	if u.n > 0 {
		differing, fresh, err := u.look(ctx, tx)
		if err != nil {
			return c, err
		}
		if err := u.merge(ctx, tx, differing, &c); err != nil {
			return c, err
		}
		insert := u.merge
		if u.copies {
			insert = u.copy
		}
		if err := insert(ctx, tx, fresh, &c); err != nil {
			return c, err
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

// merge inserts or updates rows. Those that another page of this run wrote with other
// values are left at first, locked, to be counted and one of them told; then
// they are updated, too.
func (u *upsert) merge(ctx context.Context, tx pgx.Tx, rows []int, c *TableCounts) error {
	if len(rows) == 0 {
		return nil
	}
	inserted, updated, err := u.put(ctx, tx, rows, !u.last)
	if err != nil {
		return err
	}
	c.Inserted, c.Updated = c.Inserted+inserted, c.Updated+updated
	if inserted+updated == int64(len(rows)) || u.last {
		return nil
	}
	left, err := u.left(ctx, tx, rows)
	if err != nil || len(left) == 0 {
		return err
	}
	c.Conflicts += int64(len(left))
	if c.Conflict == "" {
		if c.Conflict, err = u.example(ctx, tx, left[0]); err != nil {
			return err
		}
	}
	inserted, updated, err = u.put(ctx, tx, left, false)
	c.Inserted, c.Updated = c.Inserted+inserted, c.Updated+updated
	return err
}

// left tells those of the rows that differ from the table still, and are another
// page's of this run.
func (u *upsert) left(ctx context.Context, tx pgx.Tx, rows []int) (left []int, err error) {
	sql := "SELECT n.ord FROM " + u.rows(all) + u.found(u.differs(u.value)+" AND t._run = p.run AND t._page <> p.page AS left") + " WHERE f.left"
	res, err := tx.Query(ctx, sql, u.args(rows, all)...)
	if err != nil {
		return nil, err
	}
	var ord int
	_, err = pgx.ForEachRow(res, []any{&ord}, func() error {
		left = append(left, rows[ord-1])
		return nil
	})
	return left, err
}

// example words a conflict: the key, what differs, and the two pages.
func (u *upsert) example(ctx context.Context, tx pgx.Tx, row int) (string, error) {
	others := u.others()
	changed, old := make([]string, len(others)), make([]string, len(others))
	for i, f := range others {
		changed[i] = "t." + quote(f.name) + " IS DISTINCT FROM " + u.value(f.name)
		old[i] = "t." + quote(f.name) + "::text"
	}
	sql := "SELECT f.url, f.changes, f.before FROM " + u.rows(all) +
		u.found("t._url AS url, ARRAY["+strings.Join(changed, ", ")+"] AS changes, ARRAY["+strings.Join(old, ", ")+"] AS before")
	var url string
	var changes []bool
	var before []*string
	if err := tx.QueryRow(ctx, sql, u.args([]int{row}, all)...).Scan(&url, &changes, &before); err != nil {
		return "", err
	}
	var diffs []string
	for i, f := range others {
		if changes[i] {
			diffs = append(diffs, fmt.Sprintf("%s %s, then %s", f.name, shown(before[i]), shown(f.values[row])))
		}
	}
	return fmt.Sprintf("%s: %s (%s, then %s)", u.keyOf(row), strings.Join(diffs, "; "), url, u.page.Address), nil
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

// put inserts rows, or updates what differs of those that are there; only what no
// other page of this run wrote, if careful. Rows that are there are locked either way.
// xmax is 0 in a row version that an INSERT made and is set by ON CONFLICT, which
// locks the old version first.
func (u *upsert) put(ctx context.Context, tx pgx.Tx, rows []int, careful bool) (inserted, updated int64, err error) {
	names := make([]string, len(u.columns))
	values := make([]string, len(u.columns))
	for i, f := range u.columns {
		names[i], values[i] = quote(f.name), u.value(f.name)
	}
	sql := "WITH put AS (INSERT INTO " + u.table + " AS t (" + strings.Join(append(names, colURL, colPage, colRun, colFirstSeen, colChanged), ", ") + ")" +
		" SELECT " + strings.Join(values, ", ") + ", p.url, p.page, p.run, now(), now() FROM " + u.rows(all) +
		" ON CONFLICT (" + quoteList(u.key) + ") " + u.action(careful) +
		" RETURNING xmax = 0 AS fresh)" +
		" SELECT count(*) FILTER (WHERE fresh), count(*) FILTER (WHERE NOT fresh) FROM put"
	err = tx.QueryRow(ctx, sql, u.args(rows, all)...).Scan(&inserted, &updated)
	return inserted, updated, err
}

// action is what put does with a row that is there.
func (u *upsert) action(careful bool) string {
	others := u.others()
	if len(others) == 0 {
		return "DO NOTHING"
	}
	var set []string
	for _, f := range others {
		set = append(set, quote(f.name)+" = EXCLUDED."+quote(f.name))
	}
	for _, name := range []string{colURL, colPage, colRun, colChanged} {
		if !slices.Contains(u.key, name) {
			set = append(set, name+" = EXCLUDED."+name)
		}
	}
	where := u.differs(func(name string) string { return "EXCLUDED." + quote(name) })
	if careful {
		where += " AND (t._run <> EXCLUDED._run OR t._page = EXCLUDED._page)"
	}
	return "DO UPDATE SET " + strings.Join(set, ", ") + " WHERE " + where
}

// surplus deletes what a key with _row leaves over: rows beyond the number that
// the page has now. Rows that another page of this run wrote are conflicts too.
func (u *upsert) surplus(ctx context.Context, tx pgx.Tx, c *TableCounts) error {
	names := u.scopeColumns()
	args := []any{u.page.Address, u.page.ID, u.page.RunID}
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
