package localpg

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// cluster is the data of a server and the programs that run it. Its methods are
// called with the lock held.
type cluster struct {
	places   places
	programs programs
	log      *slog.Logger
}

// command runs a server program as the server's user; the error has its last words.
func (c *cluster) command(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(c.programs.bin, name), args...)
	cmd.Dir = c.places.dir // the person's own may be out of the user's reach
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "PG") || strings.HasPrefix(v, "LC_") || strings.HasPrefix(v, "LANG")
	}), "LC_ALL=C") // messages of the programs in English, for the log
	if as := c.places.as; as != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: as.uid, Gid: as.gid}}
	}
	cmd.WaitDelay = 5 * time.Second // a server that inherited the pipe would keep it open
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, lastLines(out, 5))
	}
	return nil
}

func lastLines(text []byte, n int) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// make makes the cluster where there is none: in a folder beside it first, so
// that an interrupted initdb leaves nothing that looks like one.
func (c *cluster) make(ctx context.Context, settings map[string]string) error {
	if exists(c.places.data) {
		return nil
	}
	c.log.Info("making a private Postgres", "dir", c.places.dir, "release", c.programs.version)
	for _, name := range []string{ownerName, adminName} {
		if err := writeSecret(filepath.Join(c.places.dir, name), rand.Text()); err != nil {
			return err
		}
	}
	draft := c.places.data + ".new"
	if err := os.RemoveAll(draft); err != nil { // never held data
		return fmt.Errorf("clear %s: %w", draft, err)
	}
	if err := c.places.private(draft); err != nil {
		return err
	}
	password, err := os.ReadFile(filepath.Join(c.places.dir, adminName))
	if err != nil {
		return fmt.Errorf("read password of the private Postgres: %w", err)
	}
	// initdb reads the password as the server's user.
	pwfile := filepath.Join(c.places.dir, "initdb-password")
	if err := writeSecret(pwfile, string(password)); err != nil {
		return err
	}
	defer func() { _ = os.Remove(pwfile) }()
	if err := c.places.give(pwfile); err != nil {
		return err
	}
	// C.UTF-8 sorts by code point and knows letters of all scripts; not every
	// system has it.
	args := []string{"--pgdata=" + draft, "--username=" + adminRole, "--pwfile=" + pwfile, "--auth=scram-sha-256", "--encoding=UTF8", "--no-instructions"}
	if settings["fsync"] == "off" {
		args = append(args, "--no-sync")
	}
	var failed error
	for _, locale := range []string{"C.UTF-8", "C"} {
		if failed = c.command(ctx, "initdb", append(args, "--locale="+locale)...); failed == nil {
			break
		}
		if err := os.RemoveAll(draft); err != nil {
			return fmt.Errorf("clear %s: %w", draft, err)
		}
		if err := c.places.private(draft); err != nil {
			return err
		}
	}
	if failed != nil {
		return fmt.Errorf("make the private Postgres in %s: %w", c.places.dir, failed)
	}
	if err := appendTo(filepath.Join(draft, "postgresql.conf"), "include_if_exists = '../"+confName+"'\n"); err != nil {
		return err
	}
	if err := os.Rename(draft, c.places.data); err != nil {
		return fmt.Errorf("make the private Postgres: %w", err)
	}
	return nil
}

// writeSecret writes a file that only this user may read; a file that is there
// stays, since a server may know its password already.
func writeSecret(name, text string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		if info, err := os.Stat(name); err == nil && info.Size() > 0 {
			return nil
		}
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write password of the private Postgres: %w", err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write password of the private Postgres: %w", err)
	}
	return nil
}

func appendTo(name, text string) error {
	// The folder is the server user's: root follows no link there.
	f, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return fmt.Errorf("configure the private Postgres: %w", err)
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// configure writes what this package sets, at each start: the folder may have
// been moved.
func (c *cluster) configure(settings map[string]string) error {
	all := map[string]string{
		"listen_addresses": "", "port": port, "unix_socket_directories": c.places.socket, "unix_socket_permissions": "0700",
		"max_connections": "100", "password_encryption": "scram-sha-256", "log_line_prefix": "%m [%p] ",
	}
	maps.Copy(all, settings)
	var b strings.Builder
	b.WriteString("# Written by tabfarm at each start of the server; changes here are lost.\n")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "%s = '%s'\n", name, strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(all[name]))
	}
	// Beside the data and not in it: root writes nothing in folders of the server's user.
	if err := os.WriteFile(filepath.Join(c.places.dir, confName), []byte(b.String()), 0o644); err != nil {
		return fmt.Errorf("configure the private Postgres: %w", err)
	}
	return nil
}

// dyingLimit is how long the processes of a killed server may still hold its
// shared memory; a new one does not start before they are gone.
const dyingLimit = 20 * time.Second

// start starts the server and waits until it answers. A server that just stops
// or starts by itself is waited for.
func (c *cluster) start(ctx context.Context, settings map[string]string) error {
	if err := c.configure(settings); err != nil {
		return err
	}
	if err := c.clearStale(); err != nil {
		return err
	}
	c.log.Info("starting the private Postgres", "dir", c.places.dir, "release", c.programs.version)
	for deadline := time.Now().Add(dyingLimit); ; {
		err := c.command(ctx, "pg_ctl", "start", "--pgdata="+c.places.data, "--log="+c.places.log, "--wait", "--timeout=60", "--silent")
		if err == nil || c.answers(ctx) == nil {
			return nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			text, rerr := os.ReadFile(c.places.log)
			return errors.Join(fmt.Errorf("start the private Postgres in %s: %w; its log %s ends:\n%s", c.places.dir, err, c.places.log, lastLines(text, 5)), rerr)
		}
		if err := sleep(ctx, 250*time.Millisecond); err != nil {
			return fmt.Errorf("start the private Postgres in %s: %w", c.places.dir, err)
		}
	}
}

// postmaster is the process id in the cluster's pid file if there is such a
// process, else 0, and whether it is a Postgres.
func (c *cluster) postmaster() (pid int, postgres bool) {
	text, err := os.ReadFile(filepath.Join(c.places.data, "postmaster.pid"))
	if err != nil {
		return 0, false
	}
	first, _, _ := bytes.Cut(text, []byte("\n"))
	pid, err = strconv.Atoi(string(bytes.TrimSpace(first)))
	if err != nil || pid <= 1 {
		return 0, false
	}
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return 0, false
	}
	return pid, isPostgres(pid)
}

// isPostgres says whether a process runs a program of PostgreSQL. Where that
// cannot be told, it does.
func isPostgres(pid int) bool {
	out, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if errors.Is(err, fs.ErrNotExist) {
		out, err = exec.Command("ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
	}
	return err != nil || strings.HasPrefix(filepath.Base(strings.TrimSpace(string(out))), "postgres")
}

// clearStale removes a pid file that a crash left and whose number has gone to a
// process that is no Postgres: the server takes any process of its user for
// another server. Every other leftover it clears by itself.
func (c *cluster) clearStale() error {
	pid, postgres := c.postmaster()
	if pid == 0 || postgres {
		return nil
	}
	c.log.Warn("removing the pid file of a crashed private Postgres", "dir", c.places.dir, "pid", pid)
	err := os.Remove(filepath.Join(c.places.data, "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// answers is nil when the server takes a connection of the superuser.
func (c *cluster) answers(ctx context.Context) error {
	return c.admin(ctx, func(*pgconn.PgConn) error { return nil })
}

// admin runs f with a connection of the superuser.
func (c *cluster) admin(ctx context.Context, f func(*pgconn.PgConn) error) error {
	if !exists(filepath.Join(c.places.socket, ".s.PGSQL."+port)) {
		return errors.New("there is no socket")
	}
	_, url, err := c.places.urls()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return err
	}
	return errors.Join(f(conn), conn.Close(ctx))
}

// furnish gives a new cluster its roles and its database. Each step looks first,
// since the one before may have been interrupted.
func (c *cluster) furnish(ctx context.Context) error {
	ready := filepath.Join(c.places.dir, readyName)
	if exists(ready) {
		return nil
	}
	password, err := os.ReadFile(filepath.Join(c.places.dir, ownerName))
	if err != nil {
		return fmt.Errorf("read password of the private Postgres: %w", err)
	}
	err = c.admin(ctx, func(conn *pgconn.PgConn) error {
		for _, step := range []struct{ unless, do string }{
			{"FROM pg_roles WHERE rolname = '" + ownerRole + "'", "CREATE ROLE " + ownerRole + " LOGIN"},
			{"FROM pg_roles WHERE false", "ALTER ROLE " + ownerRole + " PASSWORD '" + string(password) + "'"},
			{"FROM pg_roles WHERE rolname = 'tabfarm_reader'", "CREATE ROLE tabfarm_reader NOLOGIN"},
			{"FROM pg_roles WHERE false", "GRANT tabfarm_reader TO " + ownerRole},
			{"FROM pg_database WHERE datname = '" + database + "'", "CREATE DATABASE " + database + " OWNER " + ownerRole},
		} {
			res, err := conn.Exec(ctx, "SELECT "+step.unless).ReadAll()
			if err != nil {
				return err
			}
			if len(res) == 1 && len(res[0].Rows) > 0 {
				continue
			}
			if _, err := conn.Exec(ctx, step.do).ReadAll(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make roles and database of the private Postgres: %w", err)
	}
	return writeSecret(ready, "yes\n")
}
