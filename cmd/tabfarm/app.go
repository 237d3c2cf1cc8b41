package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/lmittmann/tint"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/store"
	"github.com/tabfarm/tabfarm/store/localpg"
)

// app is what the commands share: the streams, the settings, and what was
// opened for the command, which close ends in the opposite order.
type app struct {
	args    []string
	stdin   io.Reader
	stdout  io.Writer
	stderr  io.Writer // see logged: lines stand above a progress bar
	signals *interrupts

	quiet, verbose bool
	settings       settings
	log            *slog.Logger

	local   *localpg.Server // the private Postgres, nil where there is none
	store   *store.Store
	pool    *browserpool.Pool
	closers []func() error
}

// configure reads the settings and makes the logger.
func (a *app) configure(flags *pflag.FlagSet) error {
	s, err := loadSettings(flags)
	if err != nil {
		return err
	}
	switch {
	case a.verbose:
		s.Log.Level = slog.LevelDebug
	case a.quiet:
		s.Log.Level = slog.LevelError
	}
	a.settings = s
	a.stderr = &aboveBar{to: a.stderr}
	a.log = slog.New(tint.NewTextHandler(a.stderr, &tint.Options{Level: s.Log.Level, NoColor: !colored(a.stderr), TimeFormat: "15:04:05"}))
	return nil
}

// close ends what the command opened. It is called once, whatever happened.
func (a *app) close() error {
	var err error
	for i := len(a.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, a.closers[i]())
	}
	a.closers = nil
	return err
}

// placeOf shows where a private Postgres is: below the data directory, or
// elsewhere where its user cannot reach that.
func placeOf(server string) string {
	if dir, err := dataDir(); err == nil && strings.HasPrefix(server, dir) {
		return tilde(dir)
	}
	return tilde(server)
}

// access says how a command uses the database, and so whether it may change it.
type access int

const (
	// looks reads; only the private Postgres is brought up to this version.
	looks access = iota
	// writes brings the database up to this version first.
	writes
)

// openStore opens the database of the settings, or else the private one, which
// is started if it does not run.
func (a *app) openStore(ctx context.Context, use access) (*store.Store, error) {
	if a.store != nil {
		return a.store, nil
	}
	url := a.settings.Database.URL
	if url == "" {
		dir, err := dataDir()
		if err != nil {
			return nil, err
		}
		if a.local, err = localpg.Start(ctx, dir, a.log); err != nil {
			return nil, fmt.Errorf("start the private Postgres in %s: %w", tilde(dir), err)
		}
		url = a.local.URL
	}
	s, err := store.Open(ctx, store.Config{
		URL: url, Schema: a.settings.Database.Schema, Readers: a.settings.Database.Readers, Log: a.log,
	})
	if err != nil {
		return nil, err
	}
	a.store = s
	a.closers = append(a.closers, func() error { s.Close(); return nil })
	if use == writes || a.local != nil {
		if err := s.Migrate(ctx); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// openPool starts the browser.
func (a *app) openPool(ctx context.Context) (*browserpool.Pool, error) {
	if a.pool != nil {
		return a.pool, nil
	}
	b := a.settings.Browser
	pool, err := browserpool.New(ctx, browserpool.Config{
		Path: b.Path, Processes: b.Processes, Tabs: b.Tabs, Sandbox: b.Sandbox,
		Product: product(), Proxy: a.settings.Network.Proxy, Log: a.log,
	})
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx) // it was ended with us, and is not to blame
	}
	if errors.Is(err, browserpool.ErrNoBrowser) {
		return nil, noBrowser(err, b.Path)
	}
	if err != nil {
		return nil, err
	}
	a.pool = pool
	a.closers = append(a.closers, pool.Close)
	return pool, nil
}

// newFarm makes the engine of what was opened; allow names private addresses
// beside those of the settings.
func (a *app) newFarm(allow ...string) (*farm.Farm, error) {
	c := farm.Config{
		Allow:     append(append([]string(nil), a.settings.Network.AllowPrivate...), allow...),
		PageLimit: a.settings.Browser.PageLimit, Product: product(), Proxy: a.settings.Network.Proxy,
		Secret: secret, Log: a.log,
	}
	// A nil pointer in an interface is no nil interface.
	if a.pool != nil {
		c.Browser = a.pool
		_, c.Tabs = a.pool.Size()
	}
	if a.store != nil {
		c.Store = a.store
	}
	f, err := farm.New(c)
	if err != nil {
		return nil, usage("", "%w", err)
	}
	return f, nil
}

// secretsDir is where container engines put secrets.
const secretsDir = "/run/secrets"

// secret reads the value of {secret: NAME} where the page is opened. It is
// never stored and never logged.
func secret(name string) (string, error) {
	if v, ok := os.LookupEnv("TABFARM_SECRET_" + name); ok {
		return v, nil
	}
	if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return "", fmt.Errorf("secret %q is no name", name)
	}
	text, err := os.ReadFile(filepath.Join(secretsDir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("secret %q is not set; set TABFARM_SECRET_%s or write %s", name, name, filepath.Join(secretsDir, name))
	}
	if err != nil {
		return "", fmt.Errorf("read secret %q: %w", name, err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// screenWidth is the width of a terminal, 0 for anything else.
func screenWidth(w io.Writer) int {
	if a, ok := w.(*aboveBar); ok {
		w = a.to
	}
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// colored is true for a terminal, unless NO_COLOR (no-color.org) or a terminal
// without colors says otherwise.
func colored(w io.Writer) bool {
	return screenWidth(w) > 0 && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
