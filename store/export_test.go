package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// SetTimes shortens or stretches the periods by which workers live.
func (s *Store) SetTimes(beat, stale, sweep time.Duration) {
	s.times = workerTimes{beat: beat, stale: stale, sweep: sweep}
}

// ID is the worker's id.
func (w *Worker) ID() int32 { return w.id }

// CleanJSON is cleanJSON.
func CleanJSON(doc string) string { return cleanJSON(doc) }

// SharesBackends says what Open found out about a pooler.
func (s *Store) SharesBackends() bool { return s.pooler }

// SeesTable says whether a look at a result table within a transaction finds it.
func (s *Store) SeesTable(ctx context.Context, tx pgx.Tx, name string) (bool, error) {
	t, err := s.loadTable(ctx, tx, name)
	return t != nil, err
}

// DepthOf is Depth with other caps.
func (s *Store) DepthOf(ctx context.Context, pages, hosts int) (Depth, error) {
	return s.depth(ctx, pages, hosts)
}
