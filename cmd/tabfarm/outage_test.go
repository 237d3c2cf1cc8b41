package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/pgtest"
	"github.com/tabfarm/tabfarm/store/localpg"
)

// ownServer starts a Postgres of the test's own with these settings, and ends it with
// the test; stop and start may be called in between. $DIR in a setting is a folder.
func ownServer(t *testing.T, settings map[string]string) (server *localpg.Server, stop, start func()) {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "tabfarm-own-") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	all := map[string]string{"fsync": "off", "synchronous_commit": "off"}
	for name, value := range settings {
		all[name] = strings.ReplaceAll(value, "$DIR", dir)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(filepath.Join(dir, "access"), []byte(mayLogIn), 0o644)); err != nil {
		t.Fatal(err)
	}
	start = func() {
		t.Helper()
		if server, err = localpg.StartWith(t.Context(), localpg.Options{Dir: filepath.Join(dir, "server"), Settings: all}); err != nil {
			t.Fatal(err)
		}
	}
	stop = func() {
		t.Helper()
		bye, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := server.Stop(bye); err != nil {
			t.Error(err)
		}
	}
	start()
	t.Cleanup(stop)
	return server, stop, start
}

// mayLogIn says who may log in at a server of the test's own.
const mayLogIn = "local all all scram-sha-256\nhost all all " + network + ".0/24 scram-sha-256\n"

// The database goes away in the middle of a run and comes back: the run waits and
// comes to its end, nothing is lost, and no page that had ended is fetched again.
func (at *place) testOutage(t *testing.T) {
	t.Parallel()
	p := at.newProgram(t)
	server, stop, start := ownServer(t, nil)
	p.env = append(p.env, "TABFARM_DATABASE_URL="+server.URL)
	cmd, stdout, _ := p.command("run", "days.yaml", "--tabs", "2")
	said := &heard{}
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.site.await(t, 10, "/api/calendar")
	stop()
	away := time.Now()
	await(t, "it says that the database is away", time.Minute, func() bool { return strings.Contains(said.String(), "the database is away") })
	before := p.site.matching("/api/calendar")
	start()
	if code := exitCode(t, cmd); code != exitOK {
		t.Fatalf("exit code %d; said\n%s%s", code, stdout, said)
	}
	if unlimited(stdout.String()) != allDays || !strings.Contains(said.String(), "the database is back") {
		t.Errorf("said\n%s%s", stdout, said)
	}
	ended := pgtest.Value[int](t, server.URL, "SELECT count(*) FROM tabfarm.pages WHERE finished_at < $1", away)
	if n := p.site.matching("/api/calendar") - before; n != 40-ended {
		t.Errorf("%d pages were fetched after %d of 40 had ended", n, ended)
	}
}
