//go:build linux

// Command growth sends many pages of all kinds of bench/site through one farm, and
// tells what changes on the way: pages a second in each tenth of them, the memory of
// Go and of Chrome, and how many processes, files and goroutines there are at the
// start, on the way, and after the end.
//
//	go run ./bench/growth [-o FOLDER] [-pages N] [-tabs N]
//
// The farm is put together as the command line does it, with a private Postgres of
// its own; the site is another process, so that it does not count. It needs Chrome,
// Postgres and Node.js: scripts/setup.sh browser postgres node.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"github.com/tabfarm/tabfarm/bench/site"
)

// limit bounds the whole measurement, on a slow machine.
const limit = 2 * time.Hour

func main() {
	out := flag.String("o", "", "write growth.json and growth.md to this folder")
	pages := flag.Int("pages", 5000, "pages in all")
	tabs := flag.Int("tabs", 0, "tabs that work at once (default: sized from the machine)")
	serve := flag.Bool("serve", false, "serve the site until the input ends; for the program itself")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	ctx, cancel := context.WithTimeout(ctx, limit)
	err := run(ctx, *out, *pages, *tabs, *serve)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "growth: %v\n", err)
		os.Exit(3)
	}
}

func run(ctx context.Context, out string, pages, tabs int, serve bool) error {
	if serve {
		return serveSite(ctx)
	}
	r, err := measure(ctx, pages, tabs)
	if err != nil {
		return err
	}
	fmt.Print(r.markdown())
	if out == "" {
		return nil
	}
	return r.write(out)
}

// serveSite serves the site until who started it is done with it.
func serveSite(ctx context.Context) error {
	s, err := site.Start(ctx)
	if err != nil {
		return err
	}
	fmt.Println(s.URL)
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, s.Close())
}
