package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
)

// States of a run. Running and stopped runs are unfinished.
const (
	RunRunning    = "running"
	RunStopped    = "stopped" // drained; goes on later
	RunDone       = "done"
	RunCancelled  = "cancelled"
	RunSuperseded = "superseded" // a later run took over
)

// Run is one execution of a recipe.
type Run struct {
	ID        int64
	Recipe    string
	File      string            // where the recipe was read
	Text      []byte            // the recipe as it was then
	Files     map[string][]byte // files that it names, as they were then
	State     string
	Limit     int    // 0: all pages
	Hash      []byte // of text, files and limit
	Planned   bool   // all its pages were added; links may lead to more
	Problem   string // why its sources could not be read to their end
	Attached  bool   // a process came with it that may ask hosts which other workers may not
	StartedAt time.Time
	// FinishedAt is when it ended or was last stopped; zero while it runs.
	FinishedAt time.Time
}

// NewRun is what a run is made of.
type NewRun struct {
	Recipe    string
	File      string
	Text      []byte
	Files     map[string][]byte
	Hash      []byte
	Limit     int
	Attached  bool                      // this process is going to work on it
	Priority  int                       // runs of higher priority are claimed first where a worker takes any
	Pages     iter.Seq2[NewPage, error] // read once; an error ends StartRun with it
	Supersede bool                      // close unfinished runs of the recipe
	Beside    bool                      // leave unfinished runs of the recipe alone: both go on
	Due       *Due                      // begin for a time of a schedule, once; a stopped run is then closed
	Tables    []TableOwner
	Hosts     func(host string) Pace // asked once for each host of Pages
}

// NewPage is one page of a NewRun. Pages of equal Address are one.
type NewPage struct {
	Kind, Host, URL, Address string
	Vars                     map[string]string
}

// TableOwner is a result table that a recipe writes to. An empty key is (_url, _row).
type TableOwner struct {
	Name string
	Key  []string
}

// Pace is how fast a host may be visited.
type Pace struct {
	Delay       time.Duration // between two page starts; 0 is no limit
	Concurrency int           // visits at once; less than 1 is 1
}

const runColumns = `r.id, c.name, r.file, r.text, r.state, r.page_limit, r.hash, r.planned, coalesce(r.problem, ''), r.attached, r.started_at, r.finished_at`

// findRun reads the first run of a query's tail: conditions, order, locks.
func findRun(ctx context.Context, q querier, tail string, args ...any) (Run, error) {
	var r Run
	var finished *time.Time
	err := q.QueryRow(ctx, "SELECT "+runColumns+" FROM tabfarm_internal.run r JOIN tabfarm_internal.recipe c ON c.id = r.recipe_id "+tail, args...).
		Scan(&r.ID, &r.Recipe, &r.File, &r.Text, &r.State, &r.Limit, &r.Hash, &r.Planned, &r.Problem, &r.Attached, &r.StartedAt, &finished)
	if err != nil {
		return Run{}, err
	}
	if finished != nil {
		r.FinishedAt = *finished
	}
	rows, err := q.Query(ctx, "SELECT name, content FROM tabfarm_internal.run_file WHERE run_id = $1", r.ID)
	if err != nil {
		return Run{}, err
	}
	r.Files = map[string][]byte{}
	var name string
	var content []byte
	_, err = pgx.ForEachRow(rows, []any{&name, &content}, func() error {
		r.Files[name] = content
		content = nil // the next row gets its own
		return nil
	})
	return r, err
}

// querier is a pool, a connection or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

const openStates = "('" + RunRunning + "', '" + RunStopped + "')"

// OpenRun is the newest unfinished run of a recipe.
func (s *Store) OpenRun(ctx context.Context, recipe string) (Run, bool, error) {
	return s.maybeRun(ctx, "WHERE c.name = $1 AND r.state IN "+openStates+" ORDER BY r.id DESC LIMIT 1", clean(recipe))
}

// NewestRun is the newest run of a recipe, or of all when recipe is "".
func (s *Store) NewestRun(ctx context.Context, recipe string) (Run, bool, error) {
	return s.maybeRun(ctx, "WHERE $1::text IN ('', c.name) ORDER BY r.id DESC LIMIT 1", clean(recipe))
}

func (s *Store) maybeRun(ctx context.Context, tail string, args ...any) (Run, bool, error) {
	r, err := findRun(ctx, s.pool, tail, args...)
	if errors.Is(err, pgx.ErrNoRows) {
		return Run{}, false, nil
	}
	return r, err == nil, s.lookError("find run", err)
}

// lookError is translate for statements that only look: where nothing of
// tabfarm is in the database, that is the error.
func (s *Store) lookError(verb string, err error) error {
	if hasCode(err, codeNoTable, "3F000") {
		return ErrNotMigrated
	}
	return translate(verb, err)
}

// RunByID is the run of a number. Error: ErrNoRun.
func (s *Store) RunByID(ctx context.Context, id int64) (Run, error) {
	r, err := findRun(ctx, s.pool, "WHERE r.id = $1", id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Run{}, fmt.Errorf("find run %d: %w", id, ErrNoRun)
	}
	return r, s.lookError("find run", err)
}

// lockRun locks a run until the transaction ends.
func lockRun(ctx context.Context, tx pgx.Tx, id int64) (Run, error) {
	r, err := findRun(ctx, tx, "WHERE r.id = $1 FOR NO KEY UPDATE OF r", id)
	if errors.Is(err, pgx.ErrNoRows) {
		return Run{}, fmt.Errorf("find run %d: %w", id, ErrNoRun)
	}
	return r, err
}

func (r Run) unfinished() bool { return r.State == RunRunning || r.State == RunStopped }

// EndRun puts down how a run stands when a worker leaves it: done, stopped,
// cancelled or superseded. A run that has ended already stays as it is, and one
// that others still work at does not become stopped. Errors: ErrNoRun, and
// ErrUnfinished for done while pages are pending or leased.
func (s *Store) EndRun(ctx context.Context, id int64, state string) error {
	switch state {
	case RunDone, RunStopped, RunSuperseded:
	case RunCancelled:
		return s.CancelRun(ctx, id)
	default:
		return fmt.Errorf("end run %d: %q is no end of a run", id, state)
	}
	return s.transact(ctx, "end run", func(tx pgx.Tx) error {
		r, err := lockRun(ctx, tx, id)
		if err != nil || !r.unfinished() {
			return err
		}
		var pending, leased bool
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tabfarm_internal.page WHERE run_id = $1 AND state = 0)
       OR NOT (SELECT planned FROM tabfarm_internal.run WHERE id = $1),
       EXISTS (SELECT FROM tabfarm_internal.page WHERE run_id = $1 AND state = 1)`, id).Scan(&pending, &leased)
		switch {
		case err != nil:
			return err
		case state == RunDone && (pending || leased):
			return fmt.Errorf("end run %d: %w", id, ErrUnfinished)
		case state == RunStopped && leased:
			return nil
		}
		return s.closeRun(ctx, tx, id, state)
	})
}

// CancelRun ends an unfinished run: pages that wait become cancelled; those in
// the hands of visits are finished, or become cancelled when given back.
func (s *Store) CancelRun(ctx context.Context, id int64) error {
	return s.transact(ctx, "cancel run", func(tx pgx.Tx) error {
		r, err := lockRun(ctx, tx, id)
		if err != nil || !r.unfinished() {
			return err
		}
		return s.closeRun(ctx, tx, id, RunCancelled)
	})
}

// closeRun changes the state of a locked run. The hosts' pace is then that of
// the runs that are left.
func (s *Store) closeRun(ctx context.Context, tx pgx.Tx, id int64, state string) error {
	if _, err := tx.Exec(ctx, "UPDATE tabfarm_internal.run SET state = $2, finished_at = clock_timestamp() WHERE id = $1", id, state); err != nil {
		return err
	}
	if state == RunStopped {
		return nil // unfinished: its pages wait and its pace holds
	}
	_, err := tx.Exec(ctx, `UPDATE tabfarm_internal.page SET state = 2, ok = false, outcome = 'cancelled', message = $2, finished_at = clock_timestamp()
WHERE run_id = $1 AND state = 0`, id, cancelWords(state))
	if err != nil {
		return err
	}
	hosts, err := hostsOf(ctx, tx, id)
	if err != nil {
		return err
	}
	if err := settlePace(ctx, tx, hosts); err != nil {
		return err
	}
	// The others may use more slots of their hosts now.
	rows, err := tx.Query(ctx, `SELECT h.host FROM unnest($1::text[]) h (host) WHERE EXISTS (
    SELECT FROM tabfarm_internal.run_host rh JOIN tabfarm_internal.run r ON r.id = rh.run_id AND r.state = 'running'
    WHERE rh.host = h.host AND EXISTS (SELECT FROM tabfarm_internal.page p WHERE p.run_id = r.id AND p.host = h.host AND p.state = 0))`, hosts)
	if err != nil {
		return err
	}
	if hosts, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	return s.wake(ctx, tx, hosts)
}

func cancelWords(state string) string {
	if state == RunSuperseded {
		return "a later run of the recipe took over"
	}
	return "the run was cancelled"
}

// ResumeRun makes a stopped run go on; a running one does already.
func (s *Store) ResumeRun(ctx context.Context, id int64) error {
	return s.transact(ctx, "resume run", func(tx pgx.Tx) error {
		r, err := lockRun(ctx, tx, id)
		if err != nil || r.State == RunRunning {
			return err
		}
		if r.State != RunStopped {
			return fmt.Errorf("resume run %d: it is %s", id, r.State)
		}
		return s.openAgain(ctx, tx, id)
	})
}

// openAgain makes a locked run unfinished again, with its pace and its slots.
func (s *Store) openAgain(ctx context.Context, tx pgx.Tx, id int64) error {
	var planned bool
	plan := planArgs{Run: id}
	err := tx.QueryRow(ctx, `UPDATE tabfarm_internal.run SET state = $2, finished_at = NULL, plan_epoch = plan_epoch + 1, planner = NULL
WHERE id = $1 RETURNING planned, plan_epoch`, id, RunRunning).Scan(&planned, &plan.Epoch)
	if err != nil {
		return err
	}
	if !planned {
		if err := s.insertPlan(ctx, tx, plan); err != nil {
			return err
		}
	}
	hosts, err := hostsOf(ctx, tx, id)
	if err != nil {
		return err
	}
	if err := settlePace(ctx, tx, hosts); err != nil {
		return err
	}
	return s.wake(ctx, tx, hosts)
}

// Reopen makes failed pages of a run pending again, those with one of the
// outcomes or all, and the run running; it says how many they are. With none,
// nothing changes. Errors: ErrNoRun, and *RunOpenError when another run of the
// recipe is unfinished, unless it may go on beside that.
func (s *Store) Reopen(ctx context.Context, id int64, outcomes []string, beside bool) (n int, err error) {
	err = s.transact(ctx, "open pages again", func(tx pgx.Tx) error {
		r, err := lockRun(ctx, tx, id)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT FROM tabfarm_internal.recipe WHERE name = $1 FOR NO KEY UPDATE", r.Recipe); err != nil {
			return err
		}
		other, err := findRun(ctx, tx, "WHERE c.name = $1 AND r.id <> $2 AND r.state IN "+openStates+" ORDER BY r.id DESC LIMIT 1", r.Recipe, id)
		switch {
		case err == nil && !beside:
			return &RunOpenError{other}
		case err != nil && !errors.Is(err, pgx.ErrNoRows):
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE tabfarm_internal.page SET state = 0, attempt = 0, pushed = 0, not_before = 'epoch',
    ok = NULL, outcome = NULL, message = NULL, proof = NULL, stated_total = NULL, rows = NULL,
    seconds = NULL, started_at = NULL, finished_at = NULL, links = NULL
WHERE run_id = $1 AND state = 2 AND NOT ok AND (cardinality($2::text[]) = 0 OR outcome = ANY ($2))`, id, append([]string{}, outcomes...))
		n = int(tag.RowsAffected())
		if err != nil || n == 0 {
			return err
		}
		return s.openAgain(ctx, tx, id)
	})
	return n, err
}
