package store

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
)

// ErrNotDue says that a schedule has been moved on, or is gone: somebody else started
// the recipe for that time, or it was scheduled anew. Nothing was changed.
var ErrNotDue = errors.New("the schedule is not due")

// Schedule is a recipe that runs by itself and is due.
type Schedule struct {
	ID     int64
	Recipe string
	File   string            // where the recipe was read
	Text   []byte            // the recipe as it was then
	Files  map[string][]byte // files that it names, as they were then
	NextAt time.Time
}

// NewSchedule is what a schedule is made of.
type NewSchedule struct {
	Recipe   string
	File     string
	Text     []byte
	Files    map[string][]byte
	Hash     []byte                        // of text and files
	Rule     string                        // for people
	Timezone string                        // for people
	Next     func(now time.Time) time.Time // the first time after one; zero when none is left
}

// Due is a time at which a schedule is due. Whoever starts the recipe for it moves
// the schedule on in the same transaction, by the database's clock, so that one
// start comes of one time.
type Due struct {
	Schedule int64
	At       time.Time
	Next     func(now time.Time) time.Time // as in NewSchedule; what was missed in between is left out
}

// ScheduleInfo is a schedule as tabfarm.schedules shows it.
type ScheduleInfo struct {
	Recipe, Rule, Timezone string
	NextAt                 time.Time // zero when no time is left
	LastAt                 time.Time // zero before the first start
	LastRun                int64     // 0 before
	LastState              string
	Note                   string
	File                   string
	EnabledAt              time.Time
}

// PutSchedule lets a recipe run by itself, and says when next: zero when no time is
// left. One that is scheduled already, with the same text and files, keeps its next
// time, which may be a missed one; a changed one counts from now.
func (s *Store) PutSchedule(ctx context.Context, n NewSchedule) (next time.Time, err error) {
	err = s.transact(ctx, "schedule recipe", func(tx pgx.Tx) error {
		name := clean(n.Recipe)
		if _, err := tx.Exec(ctx, `INSERT INTO tabfarm_internal.schedule (recipe, file, text, hash, rule, timezone)
VALUES ($1, '', '', '', '', '') ON CONFLICT (recipe) DO NOTHING`, name); err != nil {
			return err
		}
		var id int64
		var same bool
		var now time.Time
		next = time.Time{}
		// The file may have moved, and sessions are looked for beside it.
		if err := tx.QueryRow(ctx, `UPDATE tabfarm_internal.schedule SET file = $2 WHERE recipe = $1
RETURNING id, hash = $3, next_at, clock_timestamp()`, name, clean(n.File), notNil(n.Hash)).Scan(&id, &same, zeroTime(&next), &now); err != nil {
			return err
		}
		if same {
			return nil
		}
		next = n.Next(now)
		if _, err := tx.Exec(ctx, `UPDATE tabfarm_internal.schedule SET text = $2, hash = $3, rule = $4, timezone = $5, next_at = $6, note = NULL, enabled_at = $7
WHERE id = $1`, id, notNil(n.Text), notNil(n.Hash), clean(n.Rule), clean(n.Timezone), orNull(next), now); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "DELETE FROM tabfarm_internal.schedule_file WHERE schedule_id = $1", id); err != nil {
			return err
		}
		for file, content := range n.Files {
			if _, err := tx.Exec(ctx, "INSERT INTO tabfarm_internal.schedule_file VALUES ($1, $2, $3)", id, clean(file), notNil(content)); err != nil {
				return err
			}
		}
		return nil
	})
	return next, s.lookError("schedule recipe", err)
}

// DropSchedule ends the schedule of a recipe; ok is false where it has none. A run
// that it started goes on.
func (s *Store) DropSchedule(ctx context.Context, recipe string) (ok bool, err error) {
	tag, err := s.pool.Exec(ctx, "DELETE FROM tabfarm_internal.schedule WHERE recipe = $1", clean(recipe))
	return tag.RowsAffected() > 0, s.lookError("end schedule", err)
}

// Schedules lists all schedules, those that are due next first.
func (s *Store) Schedules(ctx context.Context) ([]ScheduleInfo, error) {
	return list(ctx, s, "list schedules", func(row pgx.CollectableRow) (i ScheduleInfo, err error) {
		err = row.Scan(&i.Recipe, &i.Rule, &i.Timezone, zeroTime(&i.NextAt), zeroTime(&i.LastAt), &i.LastRun, &i.LastState, &i.Note, &i.File, &i.EnabledAt)
		return i, err
	}, `SELECT recipe, rule, timezone, next_at, last_at, coalesce(last_run, 0), coalesce(last_state, ''), coalesce(note, ''), file, enabled_at
FROM tabfarm.schedules ORDER BY next_at NULLS LAST, recipe`)
}

// DueSchedules lists the schedules that are due, by the database's clock.
func (s *Store) DueSchedules(ctx context.Context) ([]Schedule, error) {
	due, err := list(ctx, s, "look for due schedules", func(row pgx.CollectableRow) (d Schedule, err error) {
		err = row.Scan(&d.ID, &d.Recipe, &d.File, &d.Text, &d.NextAt)
		return d, err
	}, "SELECT id, recipe, file, text, next_at FROM tabfarm_internal.schedule WHERE next_at <= clock_timestamp() ORDER BY next_at, id")
	if err != nil || len(due) == 0 {
		return nil, err
	}
	at := map[int64]int{}
	ids := make([]int64, len(due))
	for i := range due {
		ids[i], due[i].Files = due[i].ID, map[string][]byte{}
		at[due[i].ID] = i
	}
	type file struct {
		id      int64
		name    string
		content []byte
	}
	files, err := list(ctx, s, "look for due schedules", func(row pgx.CollectableRow) (f file, err error) {
		err = row.Scan(&f.id, &f.name, &f.content)
		return f, err
	}, "SELECT schedule_id, name, content FROM tabfarm_internal.schedule_file WHERE schedule_id = ANY ($1)", ids)
	for _, f := range files {
		due[at[f.id]].Files[f.name] = f.content
	}
	return due, err
}

// NextDue is when a schedule is due next, zero when none is. It is a second from
// now at least: what is due already is in the hands of another worker.
func (s *Store) NextDue(ctx context.Context) (next time.Time, err error) {
	err = s.pool.QueryRow(ctx, `SELECT greatest(next_at, clock_timestamp() + interval '1 s') FROM tabfarm_internal.schedule
WHERE next_at IS NOT NULL ORDER BY next_at LIMIT 1`).Scan(&next)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return next, s.lookError("look for the next schedule", err)
}

// PassDue moves a due schedule on without a run; note says why none began. Error:
// ErrNotDue.
func (s *Store) PassDue(ctx context.Context, d Due, note string) error {
	return s.transact(ctx, "move schedule on", func(tx pgx.Tx) error {
		now, err := d.lock(ctx, tx)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, "UPDATE tabfarm_internal.schedule SET next_at = $2, note = $3 WHERE id = $1", d.Schedule, orNull(d.Next(now)), clean(note))
		return err
	})
}

// lock holds the schedule until the transaction ends, if it is still due for this
// time. Another that holds it is not waited for: it starts the recipe.
func (d Due) lock(ctx context.Context, tx pgx.Tx) (now time.Time, err error) {
	err = tx.QueryRow(ctx, `SELECT clock_timestamp() FROM tabfarm_internal.schedule
WHERE id = $1 AND next_at = $2 AND next_at <= clock_timestamp() FOR NO KEY UPDATE SKIP LOCKED`, d.Schedule, d.At).Scan(&now)
	if errors.Is(err, pgx.ErrNoRows) {
		return now, ErrNotDue
	}
	return now, err
}

// started moves a schedule on that is locked and whose run was made.
func (d Due) started(ctx context.Context, tx pgx.Tx, run int64, now time.Time) error {
	_, err := tx.Exec(ctx, "UPDATE tabfarm_internal.schedule SET next_at = $2, last_at = $3, last_run = $4, note = NULL WHERE id = $1",
		d.Schedule, orNull(d.Next(now)), now, run)
	return err
}

// AnyWorker says whether a worker lives.
func (s *Store) AnyWorker(ctx context.Context) (there bool, err error) {
	err = s.pool.QueryRow(ctx, "SELECT EXISTS (SELECT FROM tabfarm_internal.worker WHERE heartbeat > clock_timestamp() - $1::interval)", s.times.stale).Scan(&there)
	return there, s.lookError("look for workers", err)
}

// orNull is NULL for the zero time.
func orNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
