package pgtest_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/store/localpg"
)

// childVariable makes TestChild another test binary.
const childVariable = "TABFARM_PGTEST_CHILD"

func TestMain(m *testing.M) { pgtest.Main(m) }

// TestChild makes a database, tells its name, and lives until its input ends.
func TestChild(t *testing.T) {
	if os.Getenv(childVariable) == "" {
		t.Skip("runs as a child of the other tests")
	}
	s := pgtest.Store(t)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fmt.Println("database", databases(t, pgtest.AdminURL(t)))
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		t.Fatal(err)
	}
}

// databases are those of tests on a server.
func databases(t *testing.T, admin string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	var names string
	err = conn.QueryRow(t.Context(), `SELECT coalesce(string_agg(datname, ' ' ORDER BY datname), '') FROM pg_database WHERE datname ~ '^tabfarm_t'`).Scan(&names)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return names
}

// living counts test binaries by the locks that they hold.
func living(t *testing.T, admin string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), admin)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1952805748 AND granted").Scan(&n)
	if err := errors.Join(err, conn.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	return n
}

type child struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func begin(t *testing.T, admin string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")}
	c.Env = append(os.Environ(), childVariable+"=1", pgtest.EnvURL+"="+admin)
	c.Stderr = os.Stderr
	var err error
	if c.in, err = c.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.out = bufio.NewScanner(out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// ready waits until the child has its database.
func (c *child) ready() bool {
	for c.out.Scan() {
		if strings.HasPrefix(c.out.Text(), "database ") {
			return true
		}
	}
	return false
}

func (c *child) end(t *testing.T) {
	t.Helper()
	err := c.in.Close()
	for c.out.Scan() {
	}
	if err := errors.Join(err, c.Wait()); err != nil {
		t.Error(err)
	}
}

// ownServer is a Postgres that no other test binary uses, whatever the environment names.
func ownServer(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tabfarm-own-") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(localpg.Stop(context.Background(), dir), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil { // as root the server's user goes through
		t.Fatal(err)
	}
	s, err := localpg.StartWith(t.Context(), localpg.Options{Dir: dir, Settings: map[string]string{"fsync": "off"}})
	if err != nil {
		t.Fatal(err)
	}
	return s.AdminURL
}

// Several test binaries share a server: they make one template, take down what is
// theirs, and drop what a killed one left.
func TestBinariesShareAServer(t *testing.T) {
	admin := ownServer(t)
	var all sync.WaitGroup
	children := make([]*child, 3)
	for i := range children {
		children[i] = begin(t, admin)
		all.Go(func() {
			if !children[i].ready() {
				t.Error("a test binary found no database")
			}
		})
	}
	all.Wait()
	names := databases(t, admin)
	if strings.Count(names, "tabfarm_template_") != 1 || strings.Count(names, "tabfarm_test_") != 3 {
		t.Errorf("databases: %s", names)
	}
	if err := children[0].Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = children[0].Wait()                  // killed
	for living(t, admin) >= len(children) { // the server notices in a moment
	}
	late := begin(t, admin)
	if !late.ready() {
		t.Error("a late test binary found no database")
	}
	names = databases(t, admin)
	if strings.Count(names, "tabfarm_test_") != 3 {
		t.Errorf("databases after one was killed: %s", names)
	}
	for _, c := range append(children[1:], late) {
		c.end(t)
	}
	names = databases(t, admin)
	if strings.Count(names, "tabfarm_test_") != 0 {
		t.Errorf("databases at the end: %s", names)
	}
}

// What a test does to its database no other test sees.
func TestDatabasesAreApart(t *testing.T) {
	for range 2 {
		conn, err := pgx.Connect(t.Context(), pgtest.DSN(t))
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.Exec(t.Context(), "CREATE TABLE mine (); INSERT INTO tabfarm_internal.recipe (name) VALUES ('a')", pgx.QueryExecModeSimpleProtocol)
		if err := errors.Join(err, conn.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
}
