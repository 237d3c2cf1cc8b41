// Package localpg owns the private Postgres of a person who has none: it makes a
// database cluster from the installed PostgreSQL programs, starts it on a unix
// socket when it is needed, and stops it when asked.
//
// It deletes no data, listens on no port, and touches no other cluster. A server
// that it started is left running between commands.
package localpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Options say how a server is started.
type Options struct {
	Dir string // the person's data directory; the cluster is in its folder postgres
	Log *slog.Logger
	// Settings are further lines of postgresql.conf. They hold for a server that
	// this call starts, not for one that runs already.
	Settings map[string]string
}

// Server is a running private Postgres.
type Server struct {
	Dir string // what belongs to it; see the files below
	// URL connects as role tabfarm, which owns the database tabfarm and is no
	// superuser. It holds the password.
	URL string
	// AdminURL connects as the cluster's superuser.
	AdminURL string
	Version  string // such as 15.18
	Started  bool   // by this call; false when it ran already
	places   places
}

// The files of a server, below Server.Dir.
const (
	dataName   = "data"           // the cluster; of the server's user, 0700
	logName    = "log"            // folder of the server's log; of the server's user
	lockName   = "lock"           // flock: one start or stop at a time
	ownerName  = "password"       // of role tabfarm, 0600
	adminName  = "admin-password" // of the superuser, 0600
	readyName  = "ready"          // the cluster has its roles and database
	confName   = "tabfarm.conf"   // settings, written at each start
	socketName = "run"            // folder of the socket, unless its path would be too long
)

const (
	adminRole = "postgres"
	ownerRole = "tabfarm"
	database  = "tabfarm"
	// port names the socket file and nothing else.
	port = "5432"
)

// startLimit bounds a start, making the cluster included, which takes about 3 s.
const startLimit = 2 * time.Minute

// Start is StartWith for a directory and a logger.
func Start(ctx context.Context, dir string, log *slog.Logger) (*Server, error) {
	return StartWith(ctx, Options{Dir: dir, Log: log})
}

// StartWith makes the cluster if it is new and starts the server if it does not
// run. It may be called by several processes at once. Errors: *ErrNoPrograms,
// *ErrVersion when the data are those of another release than the programs.
func StartWith(ctx context.Context, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	p, err := makePlaces(o.Dir)
	if err != nil {
		return nil, err
	}
	unlock, err := lockFile(ctx, filepath.Join(p.dir, lockName))
	if err != nil {
		return nil, err
	}
	defer unlock()
	programs, err := findPrograms(ctx, p.data)
	if err != nil {
		return nil, err
	}
	c := &cluster{places: p, programs: programs, log: o.Log}
	if err := c.make(ctx, o.Settings); err != nil {
		return nil, err
	}
	s := &Server{Dir: p.dir, places: p, Version: programs.version}
	if c.answers(ctx) != nil {
		if err := c.start(ctx, o.Settings); err != nil {
			return nil, err
		}
		s.Started = true
	}
	if err := c.furnish(ctx); err != nil {
		return nil, err
	}
	s.URL, s.AdminURL, err = p.urls()
	return s, err
}

// Stop ends the server. It is not an error when it does not run.
func (s *Server) Stop(ctx context.Context) error { return stop(ctx, s.places) }

// Stop ends the server of a data directory, whoever started it. It is not an
// error when there is none.
func Stop(ctx context.Context, dir string) error {
	p, err := findPlaces(dir)
	if err != nil || !exists(p.data) {
		return err
	}
	return stop(ctx, p)
}

func stop(ctx context.Context, p places) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	unlock, err := lockFile(ctx, filepath.Join(p.dir, lockName))
	if err != nil {
		return err
	}
	defer unlock()
	programs, err := findPrograms(ctx, p.data)
	if err != nil {
		return err
	}
	c := &cluster{places: p, programs: programs, log: slog.New(slog.DiscardHandler)}
	if _, running := c.postmaster(); !running {
		return nil
	}
	// fast: open transactions are rolled back, and nobody is waited for.
	if err := c.command(ctx, "pg_ctl", "stop", "--pgdata="+p.data, "--mode=fast", "--wait", "--timeout=60"); err != nil {
		return fmt.Errorf("stop the private Postgres in %s: %w", p.dir, err)
	}
	return nil
}

// State is what Status finds.
type State struct {
	Dir     string // of the server; "" when there is none
	Made    bool   // there is a cluster
	Running bool
	PID     int    // of the server, 0 when it does not run
	Major   string // release of the data, such as 15
	URL     string // as Server.URL, "" when there is no cluster
	LogFile string
}

// Status looks at the server of a data directory and changes nothing.
func Status(ctx context.Context, dir string) (State, error) {
	p, err := findPlaces(dir)
	if err != nil || !exists(p.data) {
		return State{}, err
	}
	st := State{Dir: p.dir, Made: true, LogFile: p.log}
	if st.Major, err = dataMajor(p.data); err != nil {
		return st, err
	}
	if st.URL, _, err = p.urls(); err != nil {
		return st, err
	}
	c := &cluster{places: p}
	st.Running = c.answers(ctx) == nil
	if st.Running {
		st.PID, _ = c.postmaster()
	}
	return st, nil
}

// urls are the connection strings of role tabfarm and of the superuser.
func (p places) urls() (owner, admin string, err error) {
	ownerPassword, err1 := os.ReadFile(filepath.Join(p.dir, ownerName))
	adminPassword, err2 := os.ReadFile(filepath.Join(p.dir, adminName))
	if err := errors.Join(err1, err2); err != nil {
		return "", "", fmt.Errorf("read password of the private Postgres: %w", err)
	}
	make := func(role, password, database string) string {
		u := url.URL{
			Scheme: "postgres", User: url.UserPassword(role, password), Path: "/" + database,
			RawQuery: url.Values{"host": {p.socket}, "port": {port}}.Encode(),
		}
		return u.String()
	}
	return make(ownerRole, string(ownerPassword), database), make(adminRole, string(adminPassword), "postgres"), nil
}
