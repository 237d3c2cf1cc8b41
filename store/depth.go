package store

import (
	"context"
	"time"
)

// PagesCap and HostsCap are where Depth stops to count: more is as much a reason to
// begin, and counting a million would cost a second.
const (
	PagesCap = 10_000
	HostsCap = 2_000
)

// Depth is how much work there is, over all runs whose pages workers may take.
type Depth struct {
	Pages   int           // that wait, at most PagesCap
	Due     int           // of these, those that may be taken now
	Hosts   int           // on which pages wait, at most HostsCap; without the paused ones
	Oldest  time.Duration // for how long the first of the due pages could have been taken; 0 where none is due
	Running int           // runs
	Stopped int           // runs that go on when somebody resumes them
	Paused  int           // hosts
	Workers int           // that live
}

// Depth looks at the work that waits. It may be asked every few seconds: what it
// costs does not grow with the pages.
func (s *Store) Depth(ctx context.Context) (Depth, error) { return s.depth(ctx, PagesCap, HostsCap) }

// depth takes the older runs first, so that the oldest page is not cut off. Where it
// takes a few of many pages it names the order of the index: else the planner may
// walk through the whole table, past all pages that have ended. From host to host it
// jumps in the index, however many pages each has.
func (s *Store) depth(ctx context.Context, pages, hosts int) (d Depth, err error) {
	err = s.pool.QueryRow(ctx, `WITH RECURSIVE running AS MATERIALIZED (
    SELECT id, started_at FROM tabfarm_internal.run WHERE state = 'running' ORDER BY id),
waiting AS MATERIALIZED (
    SELECT greatest(r.started_at, p.not_before) AS since FROM running r
    CROSS JOIN LATERAL (SELECT not_before FROM tabfarm_internal.page WHERE run_id = r.id AND state = 0
                        ORDER BY host, priority, id LIMIT $1) p
    LIMIT $1),
jump AS (
    SELECT r.id AS run, p.host, 1 AS n FROM running r
    CROSS JOIN LATERAL (SELECT host FROM tabfarm_internal.page WHERE run_id = r.id AND state = 0 ORDER BY host LIMIT 1) p
    UNION ALL
    SELECT j.run, p.host, j.n + 1 FROM jump j
    CROSS JOIN LATERAL (SELECT host FROM tabfarm_internal.page WHERE run_id = j.run AND state = 0 AND host > j.host ORDER BY host LIMIT 1) p
    WHERE j.n < $2),
hosts AS MATERIALIZED (SELECT host FROM jump LIMIT $2)
SELECT (SELECT count(*) FROM waiting),
    (SELECT count(*) FROM waiting WHERE since <= clock_timestamp()),
    (SELECT count(DISTINCT host) FROM hosts JOIN tabfarm_internal.host h USING (host) WHERE NOT (h.paused OR coalesce(h.paused_until > clock_timestamp(), false))),
    (SELECT greatest(coalesce(clock_timestamp() - min(since), '0'), '0') FROM waiting),
    (SELECT count(*) FROM running),
    (SELECT count(*) FROM tabfarm_internal.run WHERE state = 'stopped'),
    (SELECT count(*) FROM tabfarm_internal.host WHERE paused OR paused_until > clock_timestamp()),
    (SELECT count(*) FROM tabfarm_internal.worker WHERE heartbeat > clock_timestamp() - $3::interval)`, pages, hosts, s.times.stale).
		Scan(&d.Pages, &d.Due, &d.Hosts, &d.Oldest, &d.Running, &d.Stopped, &d.Paused, &d.Workers)
	return d, s.lookError("look at the queue", err)
}

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "SELECT 1")
	return translate("ask the database", err)
}
