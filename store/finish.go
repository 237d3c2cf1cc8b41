package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// PageResult is how a page ended, with its rows.
type PageResult struct {
	Page        Page
	Outcome     string // of the closed set of outcomes
	Message     string
	Proof       string
	StatedTotal *int
	OK          bool // the page does not count as failed
	Rows        int  // read of the page
	Seconds     float64
	Links       *int         // pages that its links lead to; nil where none are looked for
	Tables      []TableWrite // each table once
}

// TableWrite is the rows of one page for one table.
type TableWrite struct {
	Name string
	Key  []string // empty: (_url, _row). A key may contain _row; then all rows of the same other key columns are replaced
	// Columns without a Type have no value yet; they are left out.
	Columns    []Column
	Rows       [][]*string // canonical texts, nil is NULL; as long as Columns each
	Rejected   []Rejection
	Duplicates int   // rows of the page that were equal and collapsed
	Version    int64 // of the Contract that the rows were typed with
	Last       bool  // of two pages' rows with one key the later holds by intention: no conflicts are counted
}

// Rejection is a value that did not fit its column's type; the row has NULL there.
type Rejection struct {
	Row    int // in Rows
	Column string
	Text   string
	Reason string
}

// TableCounts is what was done to one table.
type TableCounts struct {
	Inserted, Updated, Unchanged, Rejected, Duplicates, Conflicts, Gone int64
	// Conflict is one of the conflicts in words, Rejections up to three of the
	// rejected values (Progress only).
	Conflict   string
	Rejections []string
}

// PageCounts is what a page did, by table.
type PageCounts map[string]TableCounts

const (
	// keptRejections is how many rejected values of one page and table are kept
	// for looking at; all are counted.
	keptRejections = 1000
	// keptText is how many bytes of a rejected value are kept.
	keptText = 10000
)

// Finish stores a page's rows, its end and the counts in one transaction. Errors:
// ErrFenced, ErrContract, *OwnershipError, *StatementError when Postgres refuses
// the rows; nothing was changed then. After ErrUnreachable the page is either
// finished or still pending, never half of it.
func (v *Visit) Finish(ctx context.Context, r PageResult) (PageCounts, error) {
	counts, _, err := v.FinishFinding(ctx, r, Found{})
	return counts, err
}

// FinishFinding is Finish for a page whose links lead to others: these come to
// the run in the same transaction. added is how many pages are pending by it.
func (v *Visit) FinishFinding(ctx context.Context, r PageResult, found Found) (counts PageCounts, added int, err error) {
	s := v.w.s
	tables := slices.SortedFunc(slices.Values(r.Tables), func(a, b TableWrite) int { return strings.Compare(a.Name, b.Name) })
	for i, t := range tables {
		if err := checkName("name of a table", t.Name); err != nil {
			return nil, 0, err
		}
		if i > 0 && t.Name == tables[i-1].Name {
			return nil, 0, refuse(t.Name, "42712", "a page gives the table once")
		}
	}
	copies := true
	store := func(tx pgx.Tx) error {
		counts, added = PageCounts{}, 0
		var run growing
		if len(found.Pages) > 0 {
			if run, err = lockGrowing(ctx, tx, r.Page.RunID); err != nil {
				return err
			}
		}
		owner, depth, err := v.end(ctx, tx, r)
		if err != nil {
			return err
		}
		// In the order of names, each table's form before its rows: two pages
		// that write the same tables then never wait for each other in a circle.
		for _, t := range tables {
			c, err := s.write(ctx, tx, owner, t, r.Page, copies)
			if err != nil {
				return err
			}
			counts[t.Name] = c
		}
		added, err = run.add(ctx, tx, s, depth, found)
		return err
	}
	err = s.transact(ctx, "store page", store)
	// What was known of a table may be wrong: it was dropped, or lost a column; or
	// COPY met a row of another page, or a table that takes none (by row security).
	if hasCodeOf(err, codeNoTable) || hasCodeOf(err, codeNoColumn) || hasCodeOf(err, codeFeature) || hasCodeOf(err, codeUniqueViolation) {
		s.forget()
		copies = false
		err = s.transact(ctx, "store page", store)
	}
	var rights *ErrRights
	if errors.As(err, &rights) {
		if all := s.needRights(ctx); all != nil {
			return nil, 0, all // with the grants
		}
	}
	if err != nil {
		return nil, 0, err
	}
	return counts, added, nil
}

// end marks the page as ended, if it is still this visit's, and gives the name of
// its recipe and its depth. The page's row stays locked until the rows are in.
func (v *Visit) end(ctx context.Context, tx pgx.Tx, r PageResult) (owner string, depth int, err error) {
	err = tx.QueryRow(ctx, `UPDATE tabfarm_internal.page p SET state = 2, slot = NULL, turn = NULL, finished_at = clock_timestamp(),
    outcome = $5, message = nullif($6, ''), proof = nullif($7, ''), stated_total = $8, ok = $9, rows = $10, seconds = $11, links = $12
FROM tabfarm_internal.run r JOIN tabfarm_internal.recipe c ON c.id = r.recipe_id
WHERE p.id = $1 AND p.state = 1 AND p.host = $2 AND p.slot = $3 AND p.turn = $4 AND r.id = p.run_id
RETURNING c.name, p.depth`, r.Page.ID, v.Host, v.Slot, v.turn, clean(r.Outcome), clean(r.Message), clean(r.Proof),
		r.StatedTotal, r.OK, r.Rows, r.Seconds, r.Links).Scan(&owner, &depth)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", 0, ErrFenced
	}
	return owner, depth, err
}

// write stores the rows of one table and what is to be said of them.
func (s *Store) write(ctx context.Context, tx pgx.Tx, owner string, w TableWrite, p Page, copies bool) (TableCounts, error) {
	fitted, there, err := s.fit(ctx, tx, owner, w)
	if err != nil {
		return TableCounts{}, err
	}
	u, err := newUpsert(s.cfg.Schema, fitted, p)
	if err != nil {
		return TableCounts{}, err
	}
	u.copies = copies
	var c TableCounts
	if there {
		if c, err = u.run(ctx, tx); err != nil {
			return c, err
		}
	}
	c.Duplicates, c.Rejected = int64(w.Duplicates), int64(len(w.Rejected))
	// What was rejected of the page at its last reading goes. A page that is read twice
	// in a run, because it turned out to be nearer, did both.
	hash := addressHash(u.page.Address)
	_, err = tx.Exec(ctx, `WITH last AS (DELETE FROM tabfarm_internal.rejected WHERE table_name = $3 AND address_hash = $12)
INSERT INTO tabfarm_internal.page_table AS t
    (page_id, run_id, table_name, inserted, updated, unchanged, rejected, duplicates, conflicts, gone, conflict)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, nullif($11, ''))
ON CONFLICT (page_id, table_name) DO UPDATE SET inserted = t.inserted + EXCLUDED.inserted, updated = t.updated + EXCLUDED.updated,
    unchanged = greatest(EXCLUDED.unchanged - t.inserted - t.updated, 0), rejected = EXCLUDED.rejected, duplicates = EXCLUDED.duplicates,
    conflicts = EXCLUDED.conflicts, gone = t.gone + EXCLUDED.gone, conflict = EXCLUDED.conflict`,
		p.ID, p.RunID, w.Name, c.Inserted, c.Updated, c.Unchanged, c.Rejected, c.Duplicates, c.Conflicts, c.Gone, clean(c.Conflict), hash)
	if err != nil || len(w.Rejected) == 0 {
		return c, err
	}
	return c, keepRejected(ctx, tx, u, w.Rejected, hash)
}

// keepRejected keeps what was rejected of the page.
func keepRejected(ctx context.Context, tx pgx.Tx, u *upsert, rejected []Rejection, hash []byte) error {
	rejected = rejected[:min(len(rejected), keptRejections)]
	keys, columns, texts, reasons := make([]string, len(rejected)), make([]string, len(rejected)), make([]string, len(rejected)), make([]string, len(rejected))
	for i, r := range rejected {
		if r.Row < 0 || r.Row >= u.n {
			return fmt.Errorf("store rejected values of %s: row %d of %d", u.name, r.Row, u.n)
		}
		keys[i], columns[i], reasons[i] = u.keyOf(r.Row), clean(r.Column), clean(r.Reason)
		texts[i] = clean(r.Text[:min(len(r.Text), keptText)])
	}
	_, err := tx.Exec(ctx, `INSERT INTO tabfarm_internal.rejected (table_name, page_id, run_id, address_hash, key, "column", text, reason)
SELECT $1, $2, $3, $4, * FROM unnest($5::text[], $6::text[], $7::text[], $8::text[])`, u.name, u.page.ID, u.page.RunID, hash, keys, columns, texts, reasons)
	return err
}
