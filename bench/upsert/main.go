// Command upsert measures how many rows a second come into a table that exists: by
// the way of a page, Visit.FinishFinding, by COPY of the same rows in one go, and by
// pgx.Batch with an INSERT for each row; rows that are new, that are there as they
// are, and that are there with other values.
//
//	go run ./bench/upsert [-o FOLDER] [-rows N] [-rounds N]
//
// It starts two servers of its own: one with the settings of the private Postgres
// that a person gets, and one that forgets what it stored when it is killed. It
// needs the programs of PostgreSQL: scripts/setup.sh postgres.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/tabfarm/tabfarm/store/localpg"
)

// limit bounds the whole measurement, on a slow machine.
const limit = time.Hour

// stopLimit bounds the end of a server.
const stopLimit = time.Minute

// A kind of server and what its settings add to those of a private Postgres.
var servers = []struct {
	name     string
	settings map[string]string
}{
	{"private", nil},
	{"forgetful", map[string]string{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}},
}

func main() {
	out := flag.String("o", "", "write upsert.json and upsert.md to this folder")
	rows := flag.Int("rows", 40_000, "rows of 12 columns; of 60 columns there are a fifth")
	rounds := flag.Int("rounds", 5, "times that each measure is taken, in turn with the others")
	only := flag.String("server", "", "private or forgetful alone")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := run(ctx, *out, *only, *rows, *rounds)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "upsert: %v\n", err)
		os.Exit(3)
	}
}

func run(ctx context.Context, out, only string, rows, rounds int) error {
	r := newReport(rows, rounds)
	for _, s := range servers {
		if only != "" && s.name != only {
			continue
		}
		if err := measureServer(ctx, r, s.name, s.settings); err != nil {
			return fmt.Errorf("measure with the %s server: %w", s.name, err)
		}
	}
	fmt.Print(r.markdown())
	if out == "" {
		return nil
	}
	return r.write(out)
}

// measureServer takes all measures on a server that lives as long.
func measureServer(ctx context.Context, r *report, name string, settings map[string]string) (err error) {
	// Not $TMPDIR: the path of a socket has room for about 100 bytes.
	dir, err := os.MkdirTemp("/tmp", "tabfarm-upsert-")
	if err != nil {
		return fmt.Errorf("make a folder for the server: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // as root, the server's user goes through
		return fmt.Errorf("open the folder of the server: %w", err)
	}
	server, err := localpg.StartWith(ctx, localpg.Options{Dir: dir, Settings: settings})
	if err != nil {
		return fmt.Errorf("start a server: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, server.Stop(ctx))
	}()
	if err := r.describe(ctx, name, server.AdminURL); err != nil {
		return err
	}
	for round := range r.Rounds {
		for _, columns := range []int{12, 60} {
			for _, writers := range []int{1, 4} {
				c := condition{Server: name, Columns: columns, Writers: writers}
				if err := measure(ctx, r, c, server.AdminURL, round); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// rowsOf is how many rows of so many columns are stored.
func (r *report) rowsOf(columns int) int {
	if columns > 12 {
		return r.Rows / 5
	}
	return r.Rows
}

func writeFile(dir, name string, text []byte) error {
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return nil
}
