// Package store owns everything that tabfarm keeps in Postgres: runs and their
// pages, the hosts' clocks, the leases of workers, the result tables, and
// read-only looks at them.
//
// It refuses to know browsers and pages of the web: rows come in as typed texts.
// It writes to no table that tabfarm did not make. It is, with store/localpg,
// the only importer of pgx.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
)

// Config says which database a Store works with.
type Config struct {
	URL         string        // postgres://... or key=value words; "" takes the PG* environment
	Schema      string        // where result tables go. Defaults to "public"
	Readers     []string      // roles that may read every result table
	ReadTimeout time.Duration // longest time of a Query. Defaults to 1 minute
	Log         *slog.Logger  // Defaults to none
}

// readerRole is the role that Query takes on where it can be made.
const readerRole = "tabfarm_reader"

// maxConns bounds the connections of one process. Statements are short and many
// tabs share them.
// The queue listens on one of them.
const maxConns = 9

// Store is a database of tabfarm. Its methods may be called from several
// goroutines.
type Store struct {
	cfg    Config
	pool   *pgxpool.Pool
	river  *river.Client[pgx.Tx] // inserts jobs only
	times  workerTimes
	chunk  int  // pages that are added in one transaction
	pooler bool // a pooler in transaction mode stands between

	mu        sync.Mutex // guards what follows
	contracts map[string]*tableInfo
}

// Open connects to a database. Errors are ErrUnreachable for a URL that cannot be
// read, a server that does not answer and a login that is refused, and *ErrVersion
// for a server that is too old.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Schema == "" {
		cfg.Schema = "public"
	}
	if cfg.ReadTimeout <= 0 {
		cfg.ReadTimeout = time.Minute
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := checkName("database.schema", cfg.Schema); err != nil {
		return nil, err
	}
	conf, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, &unreachableError{Err: fmt.Errorf("read database.url: %w", err)}
	}
	conf.MaxConns = maxConns
	conf.ConnConfig.AfterConnect = settle
	if conf.ConnConfig.ConnectTimeout == 0 {
		conf.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	pool, err := pgxpool.NewWithConfig(ctx, conf)
	if err != nil {
		return nil, translate("open database", err)
	}
	inserter, err := newInserter(pool, cfg.Log)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("open queue: %w", err)
	}
	s := &Store{cfg: cfg, pool: pool, river: inserter, times: defaultTimes, chunk: defaultChunk, contracts: map[string]*tableInfo{}}
	if err := s.greet(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

// Close ends the connections. Workers are to be closed before.
func (s *Store) Close() { s.pool.Close() }

// settings of every connection. plan_cache_mode: a plan kept from when a table
// was empty would scan it whole once it is full. search_path: every name that
// tabfarm writes has its schema. Texts and times are read alike everywhere.
const settings = `
SET search_path TO '';
SET plan_cache_mode TO force_custom_plan;
SET statement_timeout TO '30s';
SET lock_timeout TO '5s';
SET idle_in_transaction_session_timeout TO '20s';
SET timezone TO 'UTC';
SET datestyle TO 'ISO, MDY';
SET intervalstyle TO 'postgres';
SET standard_conforming_strings TO on;
SET client_encoding TO 'UTF8';
SET application_name TO 'tabfarm'`

// settle brings a new connection to the settings. They are no start-up
// parameters, because poolers refuse those.
func settle(ctx context.Context, c *pgconn.PgConn) error {
	_, err := c.Exec(ctx, settings).ReadAll()
	return err
}

// minServer is the oldest server release that the SQL here was written for.
const minServer = 140000

// greet looks at who answered: the server's version, and a pooler in between.
func (s *Store) greet(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return translate("open database", err)
	}
	defer conn.Release()
	pg := conn.Conn().PgConn()
	version, pid, err := greeting(ctx, pg)
	if err != nil {
		return translate("open database", err)
	}
	if version < minServer {
		return &ErrVersion{Text: fmt.Sprintf("the server is PostgreSQL %d; tabfarm needs %d or newer", version/10000, minServer/10000)}
	}
	if pid == pg.PID() {
		return nil
	}
	s.pooler, err = s.sharesBackends(ctx, pid)
	return err
}

// greeting asks in the simple protocol, which every pooler passes on.
func greeting(ctx context.Context, c *pgconn.PgConn) (version int, pid uint32, err error) {
	res, err := c.Exec(ctx, "SELECT current_setting('server_version_num'), pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, 0, err
	}
	if len(res) != 1 || len(res[0].Rows) != 1 {
		return 0, 0, errors.New("the server answered a question with no row")
	}
	_, err = fmt.Sscan(string(res[0].Rows[0][0])+" "+string(res[0].Rows[0][1]), &version, &pid)
	return version, pid, err
}

// sharesBackends says whether a second connection meets the server process of
// the first, which is still open: then a pooler lends processes by transaction,
// and session locks and prepared statements do not live.
func (s *Store) sharesBackends(ctx context.Context, pid uint32) (bool, error) {
	second, err := pgconn.ConnectConfig(ctx, &s.pool.Config().ConnConfig.Config)
	if err != nil {
		return false, translate("open database", err)
	}
	_, other, err := greeting(ctx, second)
	err = errors.Join(err, second.Close(ctx))
	if err != nil {
		return false, translate("open database", err)
	}
	return other == pid, nil
}

// direct refuses what does not live behind a pooler in transaction mode.
func (s *Store) direct() error {
	if s.pooler {
		return ErrPooler
	}
	return nil
}

// tries is how often a transaction is begun again that Postgres ended for the
// sake of others: a deadlock, a serialization failure, a lock not had in time.
const tries = 8

// transact runs f in a transaction, again when Postgres says that it may. f must
// not change anything outside of the transaction before it returns nil.
func (s *Store) transact(ctx context.Context, verb string, f func(pgx.Tx) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return translate(verb, err)
	}
	defer conn.Release()
	return s.transactOn(ctx, conn.Conn(), verb, f)
}

func (s *Store) transactOn(ctx context.Context, conn *pgx.Conn, verb string, f func(pgx.Tx) error) error {
	for n := 1; ; n++ {
		err := pgx.BeginFunc(ctx, conn, f)
		if err == nil {
			return nil
		}
		if n == tries || !mayTryAgain(err) {
			return translate(verb, err)
		}
		s.cfg.Log.Debug("transaction begins again", "for", verb, "try", n, "cause", err)
		if err := pause(ctx, n); err != nil {
			return err
		}
	}
}
