package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/demosite"
)

// demoPages are pages of the demo site whose tables stand whole in the document
// once they are drawn.
var demoPages = []string{"/leaders?season=1986-87", "/calendar?month=1984-07", "/planets", "/standings?season=2022-23", "/terms"}

// snapshot delivers the document as it stands when tables were drawn and nothing
// has changed for half a second.
const snapshot = `
let last = performance.now();
new MutationObserver(() => (last = performance.now())).observe(document, { subtree: true, childList: true, characterData: true });
const look = () => {
  if (document.querySelector('td') === null || performance.now() - last < 500) return setTimeout(look, 50);
  __tabfarm('data 0 1 <!doctype html>' + document.documentElement.outerHTML);
  __tabfarm('done');
};
look();`

// drawDemo starts the demo site and writes its pages, as drawn, to files. stop
// ends the site and removes the files.
func drawDemo(ctx context.Context, pool *browserpool.Pool) (documents []document, stop func(), err error) {
	site, err := demosite.Start(ctx)
	if err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "tabfarm-pandas-")
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make folder for the drawn pages: %w", err), site.Close())
	}
	stop = func() {
		_ = site.Close() // it served to the end
		_ = os.RemoveAll(dir)
	}
	for _, path := range demoPages {
		name, _, _ := strings.Cut("demo-"+path[1:], "?")
		d := document{name, site.URL + path, filepath.Join(dir, name+".html")}
		if err := draw(ctx, pool, d); err != nil {
			stop()
			return nil, nil, err
		}
		documents = append(documents, d)
	}
	return documents, stop, nil
}

// draw writes the page at a document's URL to its file.
func draw(ctx context.Context, pool *browserpool.Pool, d document) error {
	return pool.Do(ctx, func(tab *browserpool.Tab) error {
		answer, err := tab.Open(ctx, browserpool.Request{URL: d.url, Script: snapshot, Timeout: time.Minute})
		if err != nil {
			return fmt.Errorf("draw %s: %w", d.url, err)
		}
		if err := os.WriteFile(d.file, answer.Payload, 0o600); err != nil {
			return fmt.Errorf("write drawn page: %w", err)
		}
		return nil
	})
}
