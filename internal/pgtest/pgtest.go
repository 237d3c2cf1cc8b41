// Package pgtest owns the databases of tests: a real Postgres, and in it a
// database for each test, cloned from one that was migrated once.
//
// The server is the one that TABFARM_TEST_DATABASE_URL names, whose role must be
// a superuser, or else a private one for the test binary. It refuses to be used
// outside of tests.
package pgtest

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"

	"github.com/tabfarm/tabfarm/store"
	"github.com/tabfarm/tabfarm/store/localpg"
)

// EnvURL names a server to test with instead of a private one.
const EnvURL = "TABFARM_TEST_DATABASE_URL"

// limit bounds each step of setting up and taking down.
const limit = 2 * time.Minute

// server is the Postgres of this test binary, made by the first test that needs it.
type server struct {
	admin    string    // URL of the maintenance database
	run      int32     // names this binary's databases; a session lock shows that it lives
	lock     *pgx.Conn // holds that lock
	template string
	dir      string   // of the private server, "" for a given one
	owner    *os.File // locked while this binary lives
	count    atomic.Int64
}

var (
	once    sync.Once
	shared  *server
	failure error
)

// Main runs the tests of a package, takes the server down after them, and fails
// when goroutines are left:
//
//	func TestMain(m *testing.M) { pgtest.Main(m) }
func Main(m *testing.M, options ...goleak.Option) {
	code := Run(m)
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// Run is Main for a TestMain that has more to clean up: it runs the tests, takes
// the server down, and gives the exit code.
func Run(m interface{ Run() int }) int {
	code := m.Run()
	if shared != nil {
		if err := shared.stop(); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, "pgtest:", err)
			code = max(code, 1)
		}
	}
	return code
}

func get(t testing.TB) *server {
	t.Helper()
	once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		shared, failure = start(ctx)
	})
	if failure != nil {
		t.Fatalf("no Postgres to test with: %v", failure)
	}
	return shared
}

// AdminURL connects as a superuser to the server's maintenance database.
func AdminURL(t testing.TB) string { return get(t).admin }

// DSN is a migrated database of the test's own. It is dropped after the test.
func DSN(t testing.TB) string {
	t.Helper()
	s := get(t)
	return s.create(t, s.template)
}

// Empty is a database of the test's own with nothing in it.
func Empty(t testing.TB) string {
	t.Helper()
	return get(t).create(t, "template0")
}

// Open is the configuration of a Store for a migrated database of the test's own.
func Open(t testing.TB) *store.Config {
	t.Helper()
	return &store.Config{URL: DSN(t)}
}

// Store is an open Store on a migrated database of the test's own.
func Store(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), *Open(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// WithDatabase is a connection string with another database.
func WithDatabase(dsn, name string) (string, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return "", fmt.Errorf("read %s: it must be a URL such as postgres://me@host/db", EnvURL)
	}
	u.Path = "/" + name
	return u.String(), nil
}

func (s *server) create(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("tabfarm_test_%d_%d", s.run, s.count.Add(1))
	dsn, err := WithDatabase(s.admin, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.exec(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template+" ENCODING 'UTF8'"); err != nil {
		t.Fatalf("make database: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := s.exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop database: %v", err)
		}
	})
	return dsn
}

// exec runs a statement on a connection of its own.
func (s *server) exec(ctx context.Context, sql string) error {
	conn, err := pgx.Connect(ctx, s.admin)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, sql)
	return errors.Join(err, conn.Close(ctx))
}

// start finds or starts the server, drops what dead test binaries left, and makes
// the template.
func start(ctx context.Context) (*server, error) {
	s := &server{admin: os.Getenv(EnvURL)}
	if s.admin == "" {
		if err := s.private(ctx); err != nil {
			return nil, err
		}
	}
	err := s.setUp(ctx)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

func (s *server) setUp(ctx context.Context) (err error) {
	if s.lock, err = pgx.Connect(ctx, s.admin); err != nil {
		return err
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	s.run = int32(binary.BigEndian.Uint32(random[:]) >> 1)
	if _, err := s.lock.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", lockClass, s.run); err != nil {
		return err
	}
	if err := s.dropLeftovers(ctx); err != nil {
		return err
	}
	return s.makeTemplate(ctx)
}

const (
	// lockClass is the first half of the locks of living test binaries.
	lockClass = 0x74657374
	// templateLock is the lock under which the template is made.
	templateLock = 7449354180099
)

// dropLeftovers drops the databases of test binaries that live no more.
func (s *server) dropLeftovers(ctx context.Context) error {
	rows, err := s.lock.Query(ctx, `SELECT datname FROM pg_database WHERE datname ~ '^tabfarm_test_\d+_\d+$'`)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, name := range names {
		var run int32
		if _, err := fmt.Sscanf(strings.TrimPrefix(name, "tabfarm_test_"), "%d_", &run); err != nil || run == s.run {
			continue
		}
		var free bool
		if err := s.lock.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, $2)", lockClass, run).Scan(&free); err != nil {
			return err
		}
		if !free {
			continue
		}
		_, err := s.lock.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		_, uerr := s.lock.Exec(ctx, "SELECT pg_advisory_unlock($1, $2)", lockClass, run)
		if err := errors.Join(err, uerr); err != nil {
			return err
		}
	}
	return nil
}

// makeTemplate migrates the database that tests are cloned from, unless another
// binary did. Its name holds a hash of the migrations. Nobody connects to it once
// it is made: a database that is in use cannot be cloned.
func (s *server) makeTemplate(ctx context.Context) (err error) {
	sum, err := fingerprint()
	if err != nil {
		return err
	}
	s.template = "tabfarm_template_" + sum
	if _, err := s.lock.Exec(ctx, "SELECT pg_advisory_lock($1)", templateLock); err != nil {
		return err
	}
	defer func() {
		_, uerr := s.lock.Exec(ctx, "SELECT pg_advisory_unlock($1)", templateLock)
		err = errors.Join(err, uerr)
	}()
	var made bool
	if err := s.lock.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", s.template).Scan(&made); err != nil || made {
		return err
	}
	draft := s.template + "_draft"
	if _, err := s.lock.Exec(ctx, "DROP DATABASE IF EXISTS "+draft+" WITH (FORCE)"); err != nil {
		return err
	}
	if _, err := s.lock.Exec(ctx, "CREATE DATABASE "+draft+" TEMPLATE template0 ENCODING 'UTF8'"); err != nil {
		return err
	}
	if err := migrate(ctx, s.admin, draft); err != nil {
		return err
	}
	if _, err := s.lock.Exec(ctx, "ALTER DATABASE "+draft+" ALLOW_CONNECTIONS false"); err != nil {
		return err
	}
	_, err = s.lock.Exec(ctx, "ALTER DATABASE "+draft+" RENAME TO "+s.template)
	return err
}

func migrate(ctx context.Context, admin, name string) error {
	dsn, err := WithDatabase(admin, name)
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, store.Config{URL: dsn})
	if err != nil {
		return err
	}
	defer st.Close()
	return st.Migrate(ctx)
}

// private starts a server for this test binary, in a folder whose lock shows
// that the binary lives. Nothing of it outlives a crash of the machine, so it
// need not wait for the disk.
func (s *server) private(ctx context.Context) error {
	if err := clearFolders(ctx); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return err
	}
	s.dir = dir
	if err := os.Chmod(dir, 0o755); err != nil { // as root the server's user goes through
		return err
	}
	if s.owner, err = os.OpenFile(filepath.Join(dir, "alive"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return err
	}
	if err := syscall.Flock(int(s.owner.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	pg, err := localpg.StartWith(ctx, localpg.Options{Dir: dir, Settings: map[string]string{
		"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300", "autovacuum_naptime": "1h",
	}})
	if err != nil {
		return err
	}
	s.admin = pg.AdminURL
	return nil
}

const folderPrefix = "tabfarm-pgtest-"

// clearFolders stops and removes the servers of test binaries that were killed.
func clearFolders(ctx context.Context) error {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		f, err := os.OpenFile(filepath.Join(dir, "alive"), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			continue // just being made, or another person's
		}
		if err != nil {
			return err
		}
		if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			err = errors.Join(localpg.Stop(ctx, dir), os.RemoveAll(dir))
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return fmt.Errorf("clear %s: %w", dir, err)
		}
	}
	return nil
}

func (s *server) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	var err error
	if s.lock != nil {
		err = s.lock.Close(ctx)
	}
	if s.dir != "" {
		err = errors.Join(err, localpg.Stop(ctx, s.dir), os.RemoveAll(s.dir))
	}
	if s.owner != nil {
		err = errors.Join(err, s.owner.Close())
	}
	return err
}
