package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// Robots is the robots.txt of a host.
type Robots struct {
	Status  int
	Body    []byte
	Failure string        // why there was no answer; Status is 0 then
	Fresh   time.Duration // for how long it may be used yet
}

// AskRobots gives the robots.txt that is kept of a host. With Fresh 0 or less there
// is none that may be used: then either mine says that the caller is to fetch it
// and has so long for it, or another does and is to be waited for.
func (s *Store) AskRobots(ctx context.Context, host string, long time.Duration) (r Robots, mine bool, err error) {
	host = clean(host)
	err = s.pool.QueryRow(ctx, `SELECT status, body, failure, fresh_until - clock_timestamp() FROM tabfarm_internal.robots
WHERE host = $1 AND fresh_until > clock_timestamp()`, host).Scan(&r.Status, &r.Body, &r.Failure, &r.Fresh)
	if !errors.Is(err, pgx.ErrNoRows) {
		return r, false, translate("read robots.txt that is kept", err)
	}
	tag, err := s.pool.Exec(ctx, `INSERT INTO tabfarm_internal.robots AS r (host, asked_until) VALUES ($1, clock_timestamp() + $2::interval)
ON CONFLICT (host) DO UPDATE SET asked_until = EXCLUDED.asked_until
WHERE r.fresh_until <= clock_timestamp() AND r.asked_until <= clock_timestamp()`, host, long)
	return Robots{}, tag.RowsAffected() == 1, translate("ask for robots.txt", err)
}

// KeepRobots keeps what was fetched, for r.Fresh. With none, another may fetch it.
func (s *Store) KeepRobots(ctx context.Context, host string, r Robots) error {
	_, err := s.pool.Exec(ctx, `UPDATE tabfarm_internal.robots SET status = $2, body = $3, failure = $4,
    fresh_until = clock_timestamp() + $5::interval, asked_until = 'epoch' WHERE host = $1`,
		clean(host), r.Status, notNil(r.Body), clean(r.Failure), r.Fresh)
	return translate("keep robots.txt", err)
}
