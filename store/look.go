package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"
)

// RunInfo is a run as tabfarm.runs shows it.
type RunInfo struct {
	ID                         int64
	Recipe                     string
	State                      string
	Pages, OK, Failed, Pending int
	StartedAt                  time.Time
	FinishedAt                 time.Time // zero while it runs
}

// PageFilter picks pages. The zero value is every page of every run.
type PageFilter struct {
	RunID    int64    // 0: any
	Outcomes []string // empty: any, also pages that have not ended
	Failed   bool     // only failed ones, the most frequent outcome first
	Limit    int      // 0: no limit
}

// PageInfo is a page as tabfarm.pages shows it.
type PageInfo struct {
	ID, RunID             int64
	Recipe                string
	URL                   string // its address
	Vars                  map[string]string
	Outcome               string // "" while it has not ended
	Message               string
	OK                    bool
	Rows                  *int // read, nil while it has not ended
	Proof                 string
	StatedTotal           *int
	Attempts              int
	Seconds               float64
	StartedAt, FinishedAt time.Time // zero before
}

// TableInfo is a result table as tabfarm.tables shows it.
type TableInfo struct {
	Name      string // schema.name where two schemas have a table of the name
	Recipe    string
	Key       []string
	Rows      *int64 // nil where the table is gone
	LastOKRun int64  // 0: none yet
	LastOKAt  time.Time
}

// Runs lists all runs, the newest first.
func (s *Store) Runs(ctx context.Context) ([]RunInfo, error) {
	return list(ctx, s, "list runs", func(row pgx.CollectableRow) (r RunInfo, err error) {
		err = row.Scan(&r.ID, &r.Recipe, &r.State, &r.Pages, &r.OK, &r.Failed, &r.Pending, &r.StartedAt, zeroTime(&r.FinishedAt))
		return r, err
	}, "SELECT run, recipe, state, pages, ok, failed, pending, started_at, finished_at FROM tabfarm.runs ORDER BY run DESC")
}

const pageColumns = `p.id, p.run_id, c.name, p.address, p.vars, CASE WHEN p.state = 2 THEN coalesce(p.outcome, '') ELSE '' END, coalesce(p.message, ''),
       coalesce(p.ok, false), p.rows, coalesce(p.proof, ''), p.stated_total, p.attempt, coalesce(p.seconds, 0), p.started_at, p.finished_at
FROM tabfarm_internal.page p JOIN tabfarm_internal.run r ON r.id = p.run_id JOIN tabfarm_internal.recipe c ON c.id = r.recipe_id`

func scanPage(row pgx.CollectableRow) (p PageInfo, err error) {
	var vars []byte
	if err := row.Scan(&p.ID, &p.RunID, &p.Recipe, &p.URL, &vars, &p.Outcome, &p.Message, &p.OK, &p.Rows, &p.Proof,
		&p.StatedTotal, &p.Attempts, &p.Seconds, zeroTime(&p.StartedAt), zeroTime(&p.FinishedAt)); err != nil {
		return p, err
	}
	return p, json.Unmarshal(vars, &p.Vars)
}

// Pages lists pages in the order of their runs.
func (s *Store) Pages(ctx context.Context, f PageFilter) ([]PageInfo, error) {
	order := "p.run_id, p.id"
	if f.Failed {
		order = "count(*) OVER (PARTITION BY p.outcome) DESC, p.outcome, " + order
	}
	return list(ctx, s, "list pages", scanPage, "SELECT "+pageColumns+`
WHERE $1::bigint IN (0, p.run_id) AND (cardinality($2::text[]) = 0 OR p.state = 2 AND p.outcome = ANY ($2))
  AND (NOT $3::boolean OR p.state = 2 AND NOT p.ok) ORDER BY `+order+" LIMIT nullif($4::bigint, 0)", f.RunID, append([]string{}, f.Outcomes...), f.Failed, f.Limit)
}

// Tables lists the tables that recipes made, by name.
func (s *Store) Tables(ctx context.Context) ([]TableInfo, error) {
	return list(ctx, s, "list tables", func(row pgx.CollectableRow) (t TableInfo, err error) {
		var run *int64
		err = row.Scan(&t.Name, &t.Recipe, &t.Key, &t.Rows, &run, zeroTime(&t.LastOKAt))
		if run != nil {
			t.LastOKRun = *run
		}
		return t, err
	}, "SELECT name, recipe, key, rows, last_ok_run, last_ok_at FROM tabfarm.tables ORDER BY name")
}

// list collects the rows of a statement.
func list[T any](ctx context.Context, s *Store, verb string, scan pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, s.lookError(verb, err)
	}
	all, err := pgx.CollectRows(rows, scan)
	return all, s.lookError(verb, err)
}

// nullTime scans NULL as the zero time.
type nullTime struct{ to *time.Time }

func zeroTime(to *time.Time) nullTime { return nullTime{to} }

// Scan takes what database/sql calls a driver value.
func (n nullTime) Scan(v any) error {
	*n.to, _ = v.(time.Time)
	return nil
}
