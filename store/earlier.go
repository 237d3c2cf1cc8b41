package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Earlier is what a page gave when it was last read well.
type Earlier struct {
	Run  int64
	Rows int
	At   time.Time
}

// earlierRuns is how many runs of a recipe are looked through.
const earlierRuns = 100

// Earlier finds the newest earlier run of the recipe in which the page gave rows.
// ok is false where there is none.
func (s *Store) Earlier(ctx context.Context, p Page) (e Earlier, ok bool, err error) {
	err = s.pool.QueryRow(ctx, `SELECT p.run_id, p.rows, p.finished_at
FROM (SELECT r.id FROM tabfarm_internal.run r
      WHERE r.recipe_id = (SELECT recipe_id FROM tabfarm_internal.run WHERE id = $1) AND r.id < $1
      ORDER BY r.id DESC LIMIT $3) r
JOIN tabfarm_internal.page p ON p.run_id = r.id AND p.address_hash = $2 AND p.state = 2 AND p.ok AND p.rows > 0
ORDER BY r.id DESC LIMIT 1`, p.RunID, addressHash(clean(p.Address)), earlierRuns).Scan(&e.Run, &e.Rows, &e.At)
	if errors.Is(err, pgx.ErrNoRows) {
		return e, false, nil
	}
	return e, err == nil, s.lookError("look for an earlier reading", err)
}
