package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// helperVariable makes the test binary a process that starts a server and prints
// what it got, for tests of several processes and of other users.
const helperVariable = "TABFARM_LOCALPG_START"

func TestMain(m *testing.M) {
	if dir := os.Getenv(helperVariable); dir != "" {
		s, err := StartWith(context.Background(), Options{Dir: dir, Settings: quick})
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		c := &cluster{places: s.places}
		pid, _ := c.postmaster()
		fmt.Println(pid, s.URL)
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// quick lets servers of tests not wait for the disk.
var quick = map[string]string{"fsync": "off"}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// home is an empty data directory that every user may enter; its server is
// stopped at the end.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tabfarm-localpg-") // short enough for a socket
	ok(t, err)
	ok(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() {
		if err := errors.Join(Stop(context.Background(), dir), os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func start(t *testing.T, dir string) *Server {
	t.Helper()
	s, err := StartWith(t.Context(), Options{Dir: dir, Settings: quick})
	ok(t, err)
	return s
}

func pid(t *testing.T, dir string) int {
	t.Helper()
	st, err := Status(t.Context(), dir)
	ok(t, err)
	if !st.Running || st.PID == 0 {
		t.Fatalf("the server does not run: %+v", st)
	}
	return st.PID
}

func ask(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	ok(t, err)
	var answer string
	err = conn.QueryRow(t.Context(), sql).Scan(&answer)
	ok(t, errors.Join(err, conn.Close(t.Context())))
	return answer
}

func TestLifeOfAServer(t *testing.T) {
	t.Parallel()
	dir := home(t)
	ctx := t.Context()
	if st, err := Status(ctx, dir); err != nil || st.Made || st.Running {
		t.Errorf("before: %+v %v", st, err)
	}
	ok(t, Stop(ctx, dir)) // nothing to stop
	s := start(t, dir)
	if !s.Started || s.Dir != filepath.Join(dir, "postgres") {
		t.Errorf("new server %+v", s)
	}
	first := pid(t, dir)
	again := start(t, dir)
	if again.Started || again.URL != s.URL || pid(t, dir) != first {
		t.Errorf("a second start began another server: %+v", again)
	}
	if got := ask(t, s.URL, `SELECT current_user || ' ' || current_database() || ' ' || rolsuper || ' ' || pg_has_role('tabfarm_reader', 'MEMBER')
		|| ' ' || current_setting('listen_addresses') || ' ' || current_setting('server_encoding') || ' ' || has_schema_privilege('public', 'CREATE')
		FROM pg_roles WHERE rolname = current_user`); got != "tabfarm tabfarm false true  UTF8 true" {
		t.Errorf("connected as %s", got)
	}
	if got := ask(t, s.AdminURL, "SELECT current_setting('is_superuser')"); got != "on" {
		t.Error("the admin is no superuser")
	}
	if _, err := pgx.Connect(ctx, strings.Replace(s.URL, "tabfarm:", "tabfarm:x", 1)); err == nil {
		t.Error("a wrong password is let in")
	}
	checkModes(t, s)
	conn, err := pgx.Connect(ctx, s.URL)
	ok(t, err)
	_, err = conn.Exec(ctx, "CREATE TABLE kept AS SELECT 'it is here' AS v")
	ok(t, errors.Join(err, conn.Close(ctx)))

	ok(t, s.Stop(ctx))
	st, err := Status(ctx, dir)
	ok(t, err)
	if !st.Made || st.Running || st.PID != 0 || st.URL != s.URL || st.Major != strings.SplitN(s.Version, ".", 2)[0] {
		t.Errorf("after stop: %+v", st)
	}
	ok(t, s.Stop(ctx))
	start(t, dir)

	// Killed, with its processes still dying: it recovers.
	ok(t, syscall.Kill(pid(t, dir), syscall.SIGKILL))
	s = start(t, dir)
	if !s.Started {
		t.Error("a killed server was taken for a running one")
	}

	// Killed, and its number went to another process of its user, which
	// Postgres by itself takes for a server.
	killed := pid(t, dir)
	ok(t, syscall.Kill(killed, syscall.SIGKILL))
	waitGone(t, killed)
	other := exec.Command("sleep", "60")
	if s.places.as != nil {
		other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: s.places.as.uid, Gid: s.places.as.gid}}
	}
	ok(t, other.Start())
	defer func() { _, _ = other.Process.Kill(), other.Wait() }()
	pidFile := filepath.Join(s.places.data, "postmaster.pid")
	text, err := os.ReadFile(pidFile)
	ok(t, err)
	ok(t, os.WriteFile(pidFile, bytes.Replace(text, []byte(strconv.Itoa(killed)), []byte(strconv.Itoa(other.Process.Pid)), 1), 0o600))
	s = start(t, dir)
	if got := ask(t, s.URL, "SELECT v FROM kept"); got != "it is here" {
		t.Errorf("kept %q", got)
	}
	checkVersion(t, s)
}

// waitGone waits until a process and so its lock on the data is gone.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); syscall.Kill(pid, 0) == nil; {
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not end", pid)
		}
		ok(t, sleep(t.Context(), 10*time.Millisecond))
	}
}

// checkModes looks that nobody else reads a password or enters the data.
func checkModes(t *testing.T, s *Server) {
	t.Helper()
	for name, mode := range map[string]fs.FileMode{ownerName: 0o600, adminName: 0o600, dataName: 0o700, logName: 0o700, socketName: 0o700} {
		info, err := os.Stat(filepath.Join(s.Dir, name))
		ok(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %s, want %s", name, info.Mode().Perm(), mode)
		}
	}
	ok(t, filepath.WalkDir(s.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Mode()&os.ModeSymlink == 0 && info.Mode().Perm()&0o002 != 0 {
			t.Errorf("%s is writable by all", path)
		}
		return err
	}))
}

// checkVersion makes the data look like those of another release.
func checkVersion(t *testing.T, s *Server) {
	t.Helper()
	ok(t, s.Stop(t.Context()))
	file := filepath.Join(s.places.data, "PG_VERSION")
	real, err := os.ReadFile(file)
	ok(t, err)
	ok(t, os.WriteFile(file, []byte("9\n"), 0o600))
	_, err = Start(t.Context(), filepath.Dir(s.Dir), nil)
	var version *ErrVersion
	if !errors.As(err, &version) || version.Data != "9" || !strings.Contains(err.Error(), "made by PostgreSQL 9, and only ") {
		t.Errorf("other release: %v", err)
	}
	ok(t, os.WriteFile(file, real, 0o600))
}

// Several processes start the same new server at once; all get the same one.
func TestStartInSeveralProcesses(t *testing.T) {
	t.Parallel()
	startTogether(t, home(t), nil)
}

// The same as a person who is not root, when the test is.
func TestStartAsAnotherUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("the other tests are those of an ordinary user already")
	}
	dir := home(t)
	own := filepath.Join(dir, "own") // of nobody
	ok(t, os.Mkdir(own, 0o700))
	const nobody = 65534
	ok(t, os.Chown(own, nobody, nobody))
	startTogether(t, own, &syscall.Credential{Uid: nobody, Gid: nobody})
	info, err := os.Stat(filepath.Join(own, "postgres", dataName))
	ok(t, err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid != nobody {
		t.Errorf("the data belong to user %d", st.Uid)
	}
	killed := pid(t, own)
	ok(t, syscall.Kill(killed, syscall.SIGQUIT)) // root would stop it as another user
	waitGone(t, killed)
}

func startTogether(t *testing.T, dir string, as *syscall.Credential) {
	t.Helper()
	binary := copyOfTest(t)
	const n = 3
	helpers, out := make([]*exec.Cmd, n), make([]bytes.Buffer, n)
	for i := range helpers {
		helpers[i] = exec.Command(binary)
		helpers[i].Env = append(os.Environ(), helperVariable+"="+dir, "HOME="+dir)
		helpers[i].Dir = "/"
		helpers[i].SysProcAttr = &syscall.SysProcAttr{Credential: as}
		helpers[i].Stdout, helpers[i].Stderr = &out[i], &out[i]
		ok(t, helpers[i].Start())
	}
	for i, h := range helpers {
		if err := h.Wait(); err != nil {
			t.Fatalf("%v: %s", err, out[i].String())
		}
		if out[i].String() != out[0].String() || out[i].Len() == 0 {
			t.Errorf("started %q and %q", out[0].String(), out[i].String())
		}
	}
	_, url, _ := strings.Cut(strings.TrimSpace(out[0].String()), " ")
	if got := ask(t, url, "SELECT current_user::text"); got != "tabfarm" {
		t.Errorf("connected as %q", got)
	}
}

// copyOfTest is this test binary where every user may run it.
func copyOfTest(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	ok(t, err)
	name := filepath.Join(home(t), "test")
	// By another process: a file that this one has open for writing may be
	// inherited by the servers that parallel tests start, and cannot be run then.
	ok(t, exec.Command("cp", self, name).Run())
	ok(t, os.Chmod(name, 0o755))
	return name
}

// A data directory that is deep or closed to the server's user.
func TestPlaces(t *testing.T) {
	t.Parallel()
	dir := home(t)
	deep := filepath.Join(dir, strings.Repeat("d", 100))
	p, err := findPlaces(deep)
	ok(t, err)
	if len(p.socket) > 100 || p.dir != filepath.Join(deep, "postgres") {
		t.Errorf("places of a deep folder: %+v", p)
	}
	s := start(t, deep)
	ask(t, s.URL, "SELECT 'answers'")
	ok(t, s.Stop(t.Context()))
	ok(t, os.RemoveAll(s.places.socket))

	if os.Geteuid() != 0 {
		return
	}
	closed := filepath.Join(dir, "closed")
	ok(t, os.Mkdir(closed, 0o700))
	if p, err = findPlaces(filepath.Join(closed, "share", "tabfarm")); err != nil || filepath.Dir(p.dir) != rootDir {
		t.Errorf("places of a closed folder: %+v %v", p, err)
	}
	if other, err := findPlaces(closed); err != nil || other.dir == p.dir {
		t.Errorf("two folders share %s", p.dir)
	}
	// A socket folder that somebody else made first is refused.
	squat := filepath.Join(dir, "squat")
	ok(t, os.Mkdir(squat, 0o777))
	ok(t, os.Chmod(squat, 0o777))
	if err := p.private(squat); err == nil {
		t.Error("a folder open to all was taken")
	}
}

func TestNoPrograms(t *testing.T) {
	t.Parallel()
	_, err := pickPrograms(t.Context(), []string{"/nowhere", t.TempDir()}, "/nowhere")
	var none *ErrNoPrograms
	if !errors.As(err, &none) || !strings.Contains(err.Error(), "nstall") {
		t.Errorf("%v", err)
	}
}
