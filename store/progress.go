package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Progress is how a run stands.
type Progress struct {
	Planned                bool // no source has more pages; links may lead to some
	Total, Pending, Leased int
	Done                   int // ended well: ok, and empty where it is accepted
	Failed                 int
	ByOutcome              map[string]int
	Tables                 map[string]TableCounts
}

// shownRejections is how many rejected values of a table Progress shows.
const shownRejections = 3

// Progress counts the pages of a run and what they did to tables.
func (s *Store) Progress(ctx context.Context, run int64) (Progress, error) {
	p := Progress{ByOutcome: map[string]int{}, Tables: map[string]TableCounts{}}
	err := s.pool.QueryRow(ctx, "SELECT planned FROM tabfarm_internal.run WHERE id = $1", run).Scan(&p.Planned)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return p, s.lookError("count pages", err)
	}
	rows, err := s.pool.Query(ctx, `SELECT state, coalesce(ok, false), CASE WHEN state = 2 THEN coalesce(outcome, '') ELSE '' END, count(*)
FROM tabfarm_internal.page WHERE run_id = $1 GROUP BY 1, 2, 3`, run)
	if err != nil {
		return p, s.lookError("count pages", err)
	}
	var state, n int
	var ok bool
	var outcome string
	_, err = pgx.ForEachRow(rows, []any{&state, &ok, &outcome, &n}, func() error {
		p.Total += n
		switch {
		case state == 0:
			p.Pending += n
		case state == 1:
			p.Leased += n
		case ok:
			p.Done += n
		default:
			p.Failed += n
		}
		if state == 2 {
			p.ByOutcome[outcome] += n
		}
		return nil
	})
	if err != nil {
		return p, s.lookError("count pages", err)
	}
	return p, s.tableCounts(ctx, run, p.Tables)
}

func (s *Store) tableCounts(ctx context.Context, run int64, tables map[string]TableCounts) error {
	rows, err := s.pool.Query(ctx, `SELECT table_name, sum(inserted)::bigint, sum(updated)::bigint, sum(unchanged)::bigint, sum(rejected)::bigint,
       sum(duplicates)::bigint, sum(conflicts)::bigint, sum(gone)::bigint, coalesce(min(conflict), ''),
       ARRAY(SELECT r."column" || ': ' || r.text || ' (' || r.reason || ')' FROM tabfarm_internal.rejected r
             WHERE r.run_id = $1 AND r.table_name = t.table_name ORDER BY r.id LIMIT $2)
FROM tabfarm_internal.page_table t WHERE run_id = $1 GROUP BY table_name`, run, shownRejections)
	if err != nil {
		return translate("count rows", err)
	}
	var name string
	var c TableCounts
	_, err = pgx.ForEachRow(rows, []any{&name, &c.Inserted, &c.Updated, &c.Unchanged, &c.Rejected, &c.Duplicates, &c.Conflicts, &c.Gone, &c.Conflict, &c.Rejections}, func() error {
		tables[name] = c
		c.Rejections = nil // the next table gets its own
		return nil
	})
	return translate("count rows", err)
}

// OpenPages counts the pages of a run that have not ended, up to a number.
func (s *Store) OpenPages(ctx context.Context, run int64, most int) (n int, err error) {
	err = s.pool.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM tabfarm_internal.page WHERE run_id = $1 AND state = 0 LIMIT $2) p`, run, most).Scan(&n)
	if err != nil || n == most {
		return n, s.lookError("count pages", err)
	}
	var leased int
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM tabfarm_internal.page WHERE run_id = $1 AND state = 1", run).Scan(&leased)
	return min(n+leased, most), s.lookError("count pages", err)
}

// RunState is the state of a run, in one cheap look. Error: ErrNoRun.
func (s *Store) RunState(ctx context.Context, id int64) (state string, err error) {
	err = s.pool.QueryRow(ctx, "SELECT state FROM tabfarm_internal.run WHERE id = $1", id).Scan(&state)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("find run %d: %w", id, ErrNoRun)
	}
	return state, s.lookError("find run", err)
}
