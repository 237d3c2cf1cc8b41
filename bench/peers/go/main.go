// Command go drives Chrome with other Go libraries, to be measured against:
//
//	go DRIVER --browser PATH --workers N --row CSS <URLS
//
// It opens the URLs of standard input, a line each, and prints a line of JSON for
// each page ({url, rows, id} or {url, error}) and {"done": true} when all have
// ended, before the browser is closed. Nothing is tried twice. It is a module of
// its own, so that tabfarm needs none of these libraries.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// pageLimit is Playwright's and Puppeteer's own limit for a page.
const pageLimit = 30 * time.Second

// job is what a driver is given.
type job struct {
	browser string
	workers int
	row     string // CSS
	root    bool   // Chrome has no sandbox for root
	urls    chan string

	mu  sync.Mutex
	out *json.Encoder
}

// line is what is told of a page: the number of rows, and the first cell of the
// first of them.
type line struct {
	URL   string `json:"url,omitempty"`
	Rows  int    `json:"rows,omitempty"`
	ID    string `json:"id,omitempty"`
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done,omitempty"`
}

// texts is the script that reads all cells of all rows, those of tables and of grids.
func (j *job) texts() string {
	row, _ := json.Marshal(j.row) // a text always has JSON
	return fmt.Sprintf(`[...document.querySelectorAll(%s)].map((r) =>
		[...(r.cells ?? r.querySelectorAll("[role=gridcell]"))].map((c) => c.textContent))`, row)
}

func (j *job) tell(l line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	_ = j.out.Encode(l) // who does not listen any more needs no line
}

// ended tells of a page.
func (j *job) ended(url string, rows [][]string, err error) {
	l := line{URL: url, Rows: len(rows)}
	switch {
	case err != nil:
		l = line{URL: url, Error: err.Error()}
	case len(rows) > 0 && len(rows[0]) > 0:
		l.ID = rows[0][0]
	}
	j.tell(l)
}

// all works with as many goroutines as there are workers, until no URL is left.
func (j *job) all(work func(url string)) {
	var workers sync.WaitGroup
	for range j.workers {
		workers.Go(func() {
			for url := range j.urls {
				work(url)
			}
		})
	}
	workers.Wait()
	j.tell(line{Done: true})
}

func main() {
	if err := run(context.Background(), os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return errors.New("usage: go DRIVER --browser PATH --workers N --row CSS <URLS")
	}
	j := job{root: os.Getuid() == 0, out: json.NewEncoder(out)}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	flags.StringVar(&j.browser, "browser", "", "Chrome's program")
	flags.IntVar(&j.workers, "workers", 1, "pages at once")
	flags.StringVar(&j.row, "row", "", "CSS of a row")
	_ = flags.Parse(args[1:]) // exits itself
	var urls []string
	for lines := bufio.NewScanner(in); lines.Scan(); {
		urls = append(urls, lines.Text())
	}
	j.urls = make(chan string, len(urls))
	for _, url := range urls {
		j.urls <- url
	}
	close(j.urls)
	switch args[0] {
	case "chromedp-tab":
		return tabs(ctx, &j)
	case "rod-pool":
		return pool(ctx, &j)
	}
	return fmt.Errorf("no driver %q", args[0])
}
