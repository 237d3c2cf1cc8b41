//go:build linux

// Command speed measures tabfarm and other drivers of browsers on the same pages
// with the same browser, one after the other, in rounds:
//
//	go run ./bench/speed [-kinds react,plain] [-drivers tabfarm,rod-pool] [-rounds 3] [-pages 60] [-workers 4]
//
// tabfarm is the program itself with a private Postgres of its own, as a person
// runs it; its time ends when the run has ended in the database. It is started at
// the module's root and needs Node.js, Chrome and PostgreSQL's programs: `make
// bench` sees to that. A driver that fails or hangs is told in the result and does
// not keep the others from theirs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tabfarm/tabfarm/bench/peers"
	"github.com/tabfarm/tabfarm/bench/site"
	"github.com/tabfarm/tabfarm/browserpool"
)

// options are the flags.
type options struct {
	rounds, pages, workers int
	limit                  time.Duration // of one measurement
	browser                string
	out, readme            string
}

func main() {
	var o options
	var kinds, drivers string
	flag.StringVar(&kinds, "kinds", "", "kinds of pages, divided by commas (default all)")
	flag.StringVar(&drivers, "drivers", "", "drivers, divided by commas (default all)")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds, after one for the memory; each driver comes once in each")
	flag.IntVar(&o.pages, "pages", 60, "pages of each kind for a driver in a round")
	flag.IntVar(&o.workers, "workers", 2*runtime.NumCPU(), "pages that a driver has open at once; tabfarm itself chooses two a processor")
	flag.DurationVar(&o.limit, "limit", 5*time.Minute, "longest time of a driver for its pages")
	flag.StringVar(&o.browser, "browser", os.Getenv("TABFARM_BROWSER_PATH"), "Chrome's program (default: as tabfarm finds it)")
	flag.StringVar(&o.out, "o", "bench/results/speed", "files for the result, without .json and .md")
	flag.StringVar(&o.readme, "readme", "", "file whose table between the marks is written anew")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o, list(kinds), list(drivers))
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "speed: %v\n", err)
		os.Exit(1)
	}
}

func list(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// Tabfarm is the driver that the others are compared with.
const tabfarm = "tabfarm"

func run(ctx context.Context, o options, kindNames, drivers []string) (err error) {
	kinds, err := kindsOf(kindNames)
	if err != nil {
		return err
	}
	if drivers == nil {
		drivers = append([]string{tabfarm}, peers.Names(".")...)
	}
	if o.rounds < 1 || o.pages < 1 || o.workers < 1 {
		return errors.New("rounds, pages and workers must be 1 or more")
	}
	browser, err := browserpool.Find(o.browser)
	if err != nil {
		return fmt.Errorf("find a browser: %w", err)
	}
	r, err := newResult(ctx, ".", browser, o, kinds)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, o, browser.Path, drivers)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if b.farm != nil {
		if r.Versions["postgres"], err = b.farm.database(ctx); err != nil {
			return err
		}
	}
	b.measureAll(ctx, kinds, drivers, func(m Measurement) {
		fmt.Println(m.line())
		r.Measurements = append(r.Measurements, m)
	})
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("measure: %w", err)
	}
	return r.write(o.out, o.readme)
}

// kindsOf finds kinds of pages by their names, all where none is named.
func kindsOf(names []string) ([]site.Kind, error) {
	if names == nil {
		return site.Kinds(), nil
	}
	var kinds []site.Kind
	for _, name := range names {
		i := slices.IndexFunc(site.Kinds(), func(k site.Kind) bool { return k.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("no kind %q of pages", name)
		}
		kinds = append(kinds, site.Kinds()[i])
	}
	return kinds, nil
}

// bench is what the measurements share.
type bench struct {
	options
	site     *site.Site
	dir      string              // of its own, for programs, profiles and the database
	browser  string              // program
	commands map[string][]string // of the peers
	farm     *program            // tabfarm, nil where it is not measured
	next     map[string]int      // number of a kind's first page that nobody has read
}

// buildLimit bounds the installing and building, on a slow line.
const buildLimit = 15 * time.Minute

func newBench(ctx context.Context, o options, browser string, drivers []string) (b *bench, err error) {
	ctx, cancel := context.WithTimeout(ctx, buildLimit)
	defer cancel()
	b = &bench{options: o, browser: browser, next: map[string]int{}}
	// Not $TMPDIR: the path of a socket has room for about 100 bytes.
	if b.dir, err = os.MkdirTemp("/tmp", "tabfarm-speed-"); err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if err := os.Chmod(b.dir, 0o711); err != nil { //nolint:gosec // as root, the users of Postgres and Chrome go through
		return nil, fmt.Errorf("open the folder: %w", err)
	}
	others := slices.DeleteFunc(slices.Clone(drivers), func(n string) bool { return n == tabfarm })
	if b.commands, err = peers.Build(ctx, ".", b.dir, others); err != nil {
		return nil, err
	}
	if b.site, err = site.Start(ctx); err != nil {
		return nil, err
	}
	if slices.Contains(drivers, tabfarm) {
		if b.farm, err = startProgram(ctx, b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bench) close() error {
	var err error
	if b.farm != nil {
		err = b.farm.stop()
	}
	if b.site != nil {
		err = errors.Join(err, b.site.Close())
	}
	return errors.Join(err, os.RemoveAll(b.dir))
}

// memoryRound comes before the others. Memory is looked at in it alone, which slows
// all down, so that it has no part in the figures of speed. It also is the first
// time that a driver's files are read, and that tabfarm makes its table.
const memoryRound = 0

// measureAll has each driver in turn in each round; the one that begins changes
// with the round. What ctx ends is not told.
func (b *bench) measureAll(ctx context.Context, kinds []site.Kind, drivers []string, tell func(Measurement)) {
	for _, k := range kinds {
		for round := range b.rounds + 1 {
			for i := range drivers {
				driver := drivers[(i+round)%len(drivers)]
				m := b.measure(ctx, k, driver, round)
				if ctx.Err() != nil {
					return
				}
				tell(m)
			}
		}
	}
}

// measure has a driver read pages that nobody has read before.
func (b *bench) measure(ctx context.Context, k site.Kind, driver string, round int) Measurement {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	from := b.next[k.Name]
	b.next[k.Name] += b.pages
	m := Measurement{Kind: k.Name, Driver: driver, Round: round, Asked: b.pages, Expected: b.pages * k.Rows}
	b.site.Forget()
	var err error
	if driver == tabfarm {
		err = b.measureProgram(ctx, k, from, &m)
	} else {
		err = b.measurePeer(ctx, k, from, &m)
	}
	if d := b.site.Documents(); err == nil && d.Distinct < b.pages {
		err = fmt.Errorf("the site was asked for %d of %d pages", d.Distinct, b.pages)
	}
	m.Documents = b.site.Documents().Requests
	if err != nil {
		m.Problem = err.Error()
		if ctx.Err() != nil {
			m.Problem = fmt.Sprintf("not done after %v: %s", b.limit, m.Problem)
		}
	}
	return m
}

// place is a folder of the bench's own.
func (b *bench) place(name string) (string, error) {
	dir := filepath.Join(b.dir, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("make a folder: %w", err)
	}
	return dir, nil
}
