package store

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// chunkTime bounds how long pages are read for one transaction, chunk how many
// they are: workers start on the first ones while the rest is still being read,
// and no old snapshot lives long.
const chunkTime = 5 * time.Second

// defaultChunk is the number of pages of a chunk. Tests take less.
const defaultChunk = 10_000

// StartRun makes a run with its first pages, their hosts and slots, in one
// transaction; pages of equal address are one. A source with more pages than one
// chunk is read on by the job plan. Errors: *OwnershipError for a table that the
// recipe may not write to, *RunOpenError when the recipe has an unfinished run that
// is neither to be closed nor left alone, ErrNotDue when the time of Due has been
// taken by another, and the error of Pages.
func (s *Store) StartRun(ctx context.Context, n NewRun) (Run, error) {
	if err := s.direct(); err != nil {
		return Run{}, err
	}
	// Before the pages are read, which may take long.
	if err := s.transact(ctx, "look at the tables", func(tx pgx.Tx) error { return s.checkOwners(ctx, tx, n) }); err != nil {
		return Run{}, err
	}
	stage, err := s.newStage(ctx, n.Pages)
	if err != nil {
		return Run{}, translate("read pages of the run", err)
	}
	defer stage.drop(ctx)
	// The pages go to a temporary table first: then the transaction below is
	// short, and can begin again without reading them again.
	hosts, err := stage.fill(ctx)
	if err != nil {
		return Run{}, translate("read pages of the run", err)
	}
	var run Run
	err = s.transactOn(ctx, stage.conn.Conn(), "start run", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout TO 0"); err != nil {
			return err
		}
		id, err := s.insertRun(ctx, tx, n, stage.ended)
		if err != nil {
			return err
		}
		if err := insertPages(ctx, tx, id); err != nil {
			return err
		}
		if err := insertHosts(ctx, tx, id, hosts, n.Hosts); err != nil {
			return err
		}
		if run, err = findRun(ctx, tx, "WHERE r.id = $1", id); err != nil {
			return err
		}
		if !stage.ended {
			if err := s.insertPlan(ctx, tx, planArgs{Run: id}); err != nil {
				return err
			}
		}
		return s.wake(ctx, tx, hosts)
	})
	return run, err
}

// stage is the temporary table new_page on a connection of its own, and where
// its pages come from.
type stage struct {
	conn  *pgxpool.Conn
	most  int // pages in one chunk
	next  func() (NewPage, error, bool)
	stop  func()
	ord   int64
	ended bool // there are no more pages
}

func (s *Store) newStage(ctx context.Context, pages iter.Seq2[NewPage, error]) (*stage, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	g := &stage{conn: conn, most: s.chunk}
	g.next, g.stop = iter.Pull2(pages)
	// No limit: the pages may come from sitemaps, at the pace of their host.
	for _, sql := range []string{"SET statement_timeout TO 0", `CREATE TEMPORARY TABLE new_page (
    ord bigint, kind text, host text, url text, address text, address_hash bytea, vars jsonb)`} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			g.drop(ctx)
			return nil, err
		}
	}
	return g, nil
}

// fill copies the next chunk of pages to the table, in place of those before, and
// lists their hosts.
func (g *stage) fill(ctx context.Context) ([]string, error) {
	if _, err := g.conn.Exec(ctx, "TRUNCATE pg_temp.new_page"); err != nil {
		return nil, err
	}
	var failed error
	n, until := 0, time.Now().Add(chunkTime)
	_, err := g.conn.CopyFrom(ctx, pgx.Identifier{"pg_temp", "new_page"},
		[]string{"ord", "kind", "host", "url", "address", "address_hash", "vars"},
		pgx.CopyFromFunc(func() ([]any, error) {
			if n == g.most || n > 0 && time.Now().After(until) {
				return nil, nil
			}
			p, err, more := g.next()
			if err != nil {
				failed = err
				return nil, err
			}
			if !more {
				g.ended = true
				return nil, nil
			}
			n++
			return g.row(p)
		}))
	if failed != nil {
		return nil, failed // the words of the source, not those of COPY
	}
	if err != nil {
		return nil, err
	}
	rows, err := g.conn.Query(ctx, "SELECT DISTINCT host FROM pg_temp.new_page ORDER BY host")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func (g *stage) row(p NewPage) ([]any, error) {
	g.ord++
	vars, err := json.Marshal(p.Vars)
	if err != nil {
		return nil, fmt.Errorf("write variables of page %q: %w", p.Address, err)
	}
	if p.Vars == nil {
		vars = []byte("{}")
	}
	address := clean(p.Address)
	return []any{g.ord, clean(p.Kind), clean(p.Host), clean(p.URL), address, addressHash(address), cleanJSON(string(vars))}, nil
}

// drop ends the reading and makes the connection fit for others; one that cannot
// be is closed.
func (g *stage) drop(ctx context.Context) {
	g.stop()
	bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := g.conn.Conn().PgConn().Exec(bye, "DROP TABLE IF EXISTS pg_temp.new_page; "+settings).ReadAll()
	if err != nil {
		_ = g.conn.Conn().Close(bye) // the pool throws closed connections away
	}
	g.conn.Release()
}

// addressHash names an address in indexes; 16 bytes are beyond any accident.
func addressHash(address string) []byte {
	sum := sha256.Sum256([]byte(address))
	return sum[:16]
}

// insertRun makes the rows of the recipe, the run and its files, after it closed
// unfinished runs. The recipe's row stays locked, so that two cannot begin at once;
// a schedule is locked before it and moved on at the end.
func (s *Store) insertRun(ctx context.Context, tx pgx.Tx, n NewRun, planned bool) (id int64, err error) {
	var now time.Time
	if n.Due != nil {
		if now, err = n.Due.lock(ctx, tx); err != nil {
			return 0, err
		}
	}
	name := clean(n.Recipe)
	if _, err := tx.Exec(ctx, "INSERT INTO tabfarm_internal.recipe (name) VALUES ($1) ON CONFLICT (name) DO NOTHING", name); err != nil {
		return 0, err
	}
	var recipeID int64
	if err := tx.QueryRow(ctx, "SELECT id FROM tabfarm_internal.recipe WHERE name = $1 FOR NO KEY UPDATE", name).Scan(&recipeID); err != nil {
		return 0, err
	}
	for !n.Beside {
		open, err := findRun(ctx, tx, "WHERE r.recipe_id = $1 AND r.state IN "+openStates+" ORDER BY r.id DESC LIMIT 1 FOR NO KEY UPDATE OF r", recipeID)
		if errors.Is(err, pgx.ErrNoRows) {
			break
		}
		if err != nil {
			return 0, err
		}
		if !n.Supersede && (n.Due == nil || open.State != RunStopped) {
			return 0, &RunOpenError{open}
		}
		if err := s.closeRun(ctx, tx, open.ID, RunSuperseded); err != nil {
			return 0, err
		}
	}
	if err := s.claimTables(ctx, tx, n); err != nil {
		return 0, err
	}
	err = tx.QueryRow(ctx, `INSERT INTO tabfarm_internal.run (recipe_id, state, file, text, hash, page_limit, priority, planned, attached)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id`, recipeID, RunRunning, clean(n.File), notNil(n.Text), notNil(n.Hash), n.Limit, n.Priority, planned, n.Attached).Scan(&id)
	if err != nil {
		return 0, err
	}
	for file, content := range n.Files {
		if _, err := tx.Exec(ctx, "INSERT INTO tabfarm_internal.run_file VALUES ($1, $2, $3)", id, clean(file), notNil(content)); err != nil {
			return 0, err
		}
	}
	if n.Due != nil {
		return id, n.Due.started(ctx, tx, id, now)
	}
	return id, nil
}

// notNil keeps an empty value from becoming NULL.
func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// insertPages moves the pages over. By host: pages that are claimed together lie
// together, and the indexes grow at one end a host (a third faster for a million).
func insertPages(ctx context.Context, tx pgx.Tx, run int64) error {
	_, err := tx.Exec(ctx, `INSERT INTO tabfarm_internal.page (run_id, kind, host, url, address, address_hash, vars)
SELECT $1, kind, host, url, address, address_hash, vars FROM pg_temp.new_page ORDER BY host, ord
ON CONFLICT (run_id, address_hash) DO NOTHING`, run)
	return err
}

// insertHosts notes the pace that a run asks of its hosts and settles theirs.
func insertHosts(ctx context.Context, tx pgx.Tx, run int64, hosts []string, pace func(string) Pace) error {
	delays, places := make([]time.Duration, len(hosts)), make([]int, len(hosts))
	for i, h := range hosts {
		p := Pace{Delay: time.Second, Concurrency: 1}
		if pace != nil {
			p = pace(h)
		}
		delays[i], places[i] = max(p.Delay, 0), max(p.Concurrency, 1)
	}
	if _, err := tx.Exec(ctx, "INSERT INTO tabfarm_internal.host (host) SELECT unnest($1::text[]) ORDER BY 1 ON CONFLICT (host) DO NOTHING", hosts); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `INSERT INTO tabfarm_internal.run_host (run_id, host, delay, concurrency)
SELECT $1, * FROM unnest($2::text[], $3::interval[], $4::smallint[])`, run, hosts, delays, places); err != nil {
		return err
	}
	return settlePace(ctx, tx, hosts)
}

func hostsOf(ctx context.Context, tx pgx.Tx, run int64) ([]string, error) {
	rows, err := tx.Query(ctx, "SELECT host FROM tabfarm_internal.run_host WHERE run_id = $1 ORDER BY host", run)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// settlePace gives hosts the slowest pace of the unfinished runs, and the slots
// for it. The hosts are locked first and the runs looked at in a later
// statement, or two at once would each miss the other's. NO KEY UPDATE: two runs
// that begin both hold the hosts by foreign keys already. A delay that grows
// moves the next start too: it was reserved with the shorter one.
func settlePace(ctx context.Context, tx pgx.Tx, hosts []string) error {
	if _, err := tx.Exec(ctx, "SELECT FROM tabfarm_internal.host WHERE host = ANY ($1) ORDER BY host FOR NO KEY UPDATE", hosts); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `UPDATE tabfarm_internal.host h SET min_delay = p.delay, concurrency = p.concurrency,
    next_start = CASE WHEN p.delay > h.min_delay AND h.next_start > 'epoch' THEN h.next_start + (p.delay - h.min_delay) ELSE h.next_start END
FROM (SELECT rh.host, max(rh.delay) AS delay, min(rh.concurrency) AS concurrency
      FROM tabfarm_internal.run_host rh JOIN tabfarm_internal.run r ON r.id = rh.run_id
      WHERE rh.host = ANY ($1) AND r.state IN `+openStates+` GROUP BY rh.host) p
WHERE h.host = p.host AND (h.min_delay, h.concurrency) IS DISTINCT FROM (p.delay, p.concurrency)`, hosts); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO tabfarm_internal.slot (host, slot)
SELECT h.host, n FROM tabfarm_internal.host h, generate_series(0, h.concurrency - 1) n
WHERE h.host = ANY ($1) ORDER BY h.host, n ON CONFLICT (host, slot) DO NOTHING`, hosts)
	return err
}

// wake queues the slots of hosts that may have got pending pages. It is the last
// thing in a transaction that made pages pending. The slots are locked whatever
// they look like: one that is just being emptied must either see the pages or be
// queued again. The flag and not the job says whether a slot is queued: to insert
// a job beside one that is just being completed would wait for it, and it for us.
func (s *Store) wake(ctx context.Context, tx pgx.Tx, hosts []string) error {
	return s.wakeAt(ctx, tx, hosts, ordinal)
}

func (s *Store) wakeAt(ctx context.Context, tx pgx.Tx, hosts []string, priority int) error {
	if _, err := tx.Exec(ctx, "SELECT FROM tabfarm_internal.slot WHERE host = ANY ($1) ORDER BY host, slot FOR NO KEY UPDATE", hosts); err != nil {
		return err
	}
	rows, err := tx.Query(ctx, `UPDATE tabfarm_internal.slot s SET queued = true FROM tabfarm_internal.host h
WHERE s.host = ANY ($1) AND NOT s.queued AND h.host = s.host AND s.slot < h.concurrency RETURNING s.host, s.slot, s.epoch`, hosts)
	if err != nil {
		return err
	}
	places, err := pgx.CollectRows(rows, pgx.RowToStructByPos[place])
	if err != nil {
		return err
	}
	return s.insertVisits(ctx, tx, places, priority)
}

// SetPace changes the pace that a run asks of a host, as when robots.txt asks for
// a longer delay. The slowest pace of all unfinished runs holds. Error: ErrNoRun
// when the run has no page on the host.
func (s *Store) SetPace(ctx context.Context, run int64, host string, p Pace) error {
	delay, places := max(p.Delay, 0), max(p.Concurrency, 1)
	var same bool
	err := s.pool.QueryRow(ctx, "SELECT delay = $3 AND concurrency = $4 FROM tabfarm_internal.run_host WHERE run_id = $1 AND host = $2",
		run, host, delay, places).Scan(&same)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return fmt.Errorf("set pace of %s for run %d: %w", host, run, ErrNoRun)
	case err != nil || same:
		return translate("set pace", err)
	}
	return s.transact(ctx, "set pace", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE tabfarm_internal.run_host SET delay = $3, concurrency = $4 WHERE run_id = $1 AND host = $2", run, host, delay, places); err != nil {
			return err
		}
		if err := settlePace(ctx, tx, []string{host}); err != nil {
			return err
		}
		return s.wake(ctx, tx, []string{host})
	})
}

// Paces gives the pace of some hosts of a run: what the run asks of them, or the
// slower one of other unfinished runs.
func (s *Store) Paces(ctx context.Context, run int64, hosts []string) (map[string]Pace, error) {
	rows, err := s.pool.Query(ctx, `SELECT h.host, greatest(rh.delay, h.min_delay), least(rh.concurrency, h.concurrency)
FROM tabfarm_internal.run_host rh JOIN tabfarm_internal.host h USING (host) WHERE rh.run_id = $1 AND h.host = ANY ($2)`, run, hosts)
	if err != nil {
		return nil, translate("find paces", err)
	}
	paces := map[string]Pace{}
	var (
		host string
		p    Pace
	)
	_, err = pgx.ForEachRow(rows, []any{&host, &p.Delay, &p.Concurrency}, func() error {
		paces[host] = p
		return nil
	})
	return paces, translate("find paces", err)
}
