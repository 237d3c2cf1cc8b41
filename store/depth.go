package store

import (
	"context"
	"time"
)

// DepthCap is where Depth stops to count pages and hosts: more than that is as
// much a reason to begin, and counting a million would cost a second.
const DepthCap = 10_000

// Depth is how much work there is, over all runs whose pages workers may take.
type Depth struct {
	Pages   int           // that wait, at most DepthCap
	Due     int           // of these, those that may be taken now
	Hosts   int           // on which pages wait, without the paused ones; of at most DepthCap hosts of runs
	Oldest  time.Duration // for how long the first of the due pages could have been taken; 0 where none is due
	Running int           // runs
	Stopped int           // runs that go on when somebody resumes them
	Paused  int           // hosts
	Workers int           // that live
}

// Depth looks at the work that waits. It may be asked every few seconds: it never
// looks at more than DepthCap pages.
func (s *Store) Depth(ctx context.Context) (Depth, error) { return s.depth(ctx, DepthCap) }

// depth takes the older runs first, so that the oldest page is not cut off. Where it
// takes a few of many pages it names the order of the index: else the planner may
// walk through the whole table, past all pages that have ended.
func (s *Store) depth(ctx context.Context, most int) (d Depth, err error) {
	err = s.pool.QueryRow(ctx, `WITH running AS MATERIALIZED (
    SELECT id, started_at FROM tabfarm_internal.run WHERE state = 'running' ORDER BY id),
waiting AS MATERIALIZED (
    SELECT greatest(r.started_at, p.not_before) AS since FROM running r
    CROSS JOIN LATERAL (SELECT not_before FROM tabfarm_internal.page WHERE run_id = r.id AND state = 0
                        ORDER BY host, priority, id LIMIT $1) p
    LIMIT $1),
known AS MATERIALIZED (
    SELECT rh.run_id, rh.host FROM running r JOIN tabfarm_internal.run_host rh ON rh.run_id = r.id
    JOIN tabfarm_internal.host h ON h.host = rh.host AND NOT h.paused LIMIT $1)
SELECT (SELECT count(*) FROM waiting),
    (SELECT count(*) FROM waiting WHERE since <= clock_timestamp()),
    (SELECT count(DISTINCT k.host) FROM known k CROSS JOIN LATERAL (
        SELECT FROM tabfarm_internal.page WHERE run_id = k.run_id AND host = k.host AND state = 0 ORDER BY priority, id LIMIT 1) p),
    (SELECT greatest(coalesce(clock_timestamp() - min(since), '0'), '0') FROM waiting),
    (SELECT count(*) FROM running),
    (SELECT count(*) FROM tabfarm_internal.run WHERE state = 'stopped'),
    (SELECT count(*) FROM tabfarm_internal.host WHERE paused),
    (SELECT count(*) FROM tabfarm_internal.worker WHERE heartbeat > clock_timestamp() - $2::interval)`, most, s.times.stale).
		Scan(&d.Pages, &d.Due, &d.Hosts, &d.Oldest, &d.Running, &d.Stopped, &d.Paused, &d.Workers)
	return d, s.lookError("look at the queue", err)
}

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "SELECT 1")
	return translate("ask the database", err)
}
