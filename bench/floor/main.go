// Command floor opens pages by the barest loop there is and reads nothing of them:
// what is left of a page's time when a tool does nothing. It has the contract of
// the peers (bench/peers), and is as fast as Chrome can be driven here: tabs that
// are used again, one navigation a page, nothing painted, images, fonts and media
// left out. A page ends when its document is parsed and a row stands in it.
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
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
)

// pageLimit is that of the peers.
const pageLimit = 30 * time.Second

// wait is the script that ends a page. It draws frames for the page's own script
// below, as a page that waits for one would wait for ever.
const wait = `
const row = %s;
addEventListener('floor-frame', () => {
  __tabfarm('draw');
  requestAnimationFrame(() => __tabfarm('drawn'));
}, true);
const look = () => {
  if (document.readyState === 'loading' || document.querySelector(row) === null) return;
  watch.disconnect();
  __tabfarm('data 0 1 {}');
  __tabfarm('done');
};
const watch = new MutationObserver(look);
watch.observe(document, {subtree: true, childList: true});
addEventListener('DOMContentLoaded', look);
`

// tellFrames tells of all that waits for a frame.
const tellFrames = `
const before = (owner, name) => {
  const native = owner[name];
  owner[name] = function (...args) {
    const result = native.apply(this, args);
    document.dispatchEvent(new Event('floor-frame'));
    return result;
  };
};
before(window, 'requestAnimationFrame');
before(window, 'requestIdleCallback');
before(ResizeObserver.prototype, 'observe');
before(IntersectionObserver.prototype, 'observe');
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "floor: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, in io.Reader, out io.Writer) (err error) {
	flags := flag.NewFlagSet("floor", flag.ExitOnError)
	browser := flags.String("browser", "", "Chrome's program")
	workers := flags.Int("workers", 1, "pages at once")
	row := flags.String("row", "", "CSS of a row")
	_ = flags.Parse(args) // exits itself
	css, err := json.Marshal(*row)
	if err != nil {
		return fmt.Errorf("quote %q: %w", *row, err)
	}
	pool, err := browserpool.New(ctx, browserpool.Config{Path: *browser, Tabs: *workers})
	if err != nil {
		return fmt.Errorf("start browser: %w", err)
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	urls := make(chan string)
	told := make(chan line)
	var tabs sync.WaitGroup
	for range *workers {
		tabs.Go(func() {
			for url := range urls {
				told <- open(ctx, pool, url, fmt.Sprintf(wait, css))
			}
		})
	}
	go func() {
		for lines := bufio.NewScanner(in); lines.Scan(); {
			urls <- lines.Text()
		}
		close(urls)
		tabs.Wait()
		close(told)
	}()
	lines := json.NewEncoder(out)
	for l := range told {
		err = errors.Join(err, lines.Encode(l))
	}
	return errors.Join(err, lines.Encode(line{Done: true}))
}

// line is what is told of a page.
type line struct {
	URL   string `json:"url,omitempty"`
	Error string `json:"error,omitempty"`
	Done  bool   `json:"done,omitempty"`
}

func open(ctx context.Context, pool *browserpool.Pool, url, script string) line {
	err := pool.Do(ctx, func(t *browserpool.Tab) error {
		_, err := t.Open(ctx, browserpool.Request{
			URL: url, Timeout: pageLimit, Script: script, PageScript: tellFrames, Group: "floor",
			Block: []string{"image", "font", "media"},
		})
		return err
	})
	if err != nil {
		return line{URL: url, Error: err.Error()}
	}
	return line{URL: url}
}
