package store_test

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/store"
)

// Behind a real PgBouncer: in session mode all is well, in transaction mode
// everything that needs a session refuses, and doctor says why.
func TestPgBouncer(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Skip("pgbouncer is not installed")
	}
	role := newRole(t, "CREATEROLE") // before the database, whose rights it has
	d := open(t)
	d.exec(fmt.Sprintf("GRANT CREATE, CONNECT ON DATABASE %q TO %q", get[string](d, "SELECT current_database()"), role.name))
	for _, c := range []struct {
		mode  string
		state string
	}{{"session", store.CheckOK}, {"transaction", store.CheckFail}} {
		s, err := store.Open(t.Context(), store.Config{URL: startPgBouncer(t, program, c.mode, d.url, role)})
		ok(t, err)
		if found := checks(t, s)["pooler"]; found.State != c.state {
			t.Errorf("%s mode: %+v", c.mode, found)
		}
		if c.state == store.CheckFail {
			_, err = s.Register(t.Context(), "x")
			is(t, err, store.ErrPooler)
			is(t, s.Migrate(t.Context()), store.ErrPooler)
			_, err = s.StartRun(t.Context(), store.NewRun{Recipe: "a", Pages: pagesOf(host, 1)})
			is(t, err, store.ErrPooler)
		}
		s.Close()
	}
}

// startPgBouncer gives the URL of a pooler before a database.
func startPgBouncer(t *testing.T, program, mode, dsn string, role testRole) string {
	t.Helper()
	u, err := url.Parse(dsn)
	ok(t, err)
	server, port := u.Query().Get("host"), u.Query().Get("port")
	if server == "" {
		server, port = u.Hostname(), u.Port()
	}
	free, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	ok(t, err)
	address := free.Addr().String()
	ok(t, free.Close())
	_, listen, err := net.SplitHostPort(address)
	ok(t, err)

	dir := sharedDir(t, 0o755)
	users, conf := filepath.Join(dir, "users.txt"), filepath.Join(dir, "pgbouncer.ini")
	ok(t, os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", role.name, role.password), 0o644))
	ok(t, os.WriteFile(conf, fmt.Appendf(nil, `[databases]
* = host=%s port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = plain
auth_file = %s
pool_mode = %s
`, server, port, listen, users, mode), 0o644))
	cmd := exec.Command(program, conf)
	cmd.Stderr = os.Stderr
	if os.Geteuid() == 0 { // which it refuses
		p, err := user.Lookup("postgres") // who may enter the folder of the socket
		ok(t, err)
		uid, err := strconv.ParseUint(p.Uid, 10, 32)
		ok(t, err)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	ok(t, cmd.Start())
	t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
		if err == nil {
			ok(t, conn.Close())
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("postgres://%s:%s@%s%s?sslmode=disable", role.name, role.password, address, u.Path)
}
