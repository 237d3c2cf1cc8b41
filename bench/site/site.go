// Package site owns the pages that drivers of browsers are measured with: five
// kinds, drawn by JavaScript or streamed, each with what real pages have beside
// their rows (20 pictures, a style sheet, two web fonts, an advertisement's script
// with a request of its own), all from one server and cacheable. Every page has a
// URL and rows of its own. The site counts the documents that it was asked for.
//
// It is for measurements alone: its bundles are built from npm packages, and it
// refuses to be part of the program.
package site

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/internal/bundle"
)

// Kind is one kind of page.
type Kind struct {
	Name string
	Rows int // that each page has
	// Drawn is how many of them stand in the document when the first ones do, so
	// that who reads the document gets no more; Rows, where it holds them all.
	Drawn int
	// Row is the CSS of a row in the document; its cells are those of a table, or
	// have the role gridcell.
	Row string
}

// columns is how many columns each page has.
const columns = 10

// kinds has AG Grid's Drawn as its window of 600 pixels gives it: 13 rows in view
// and a buffer of 10 below.
var kinds = []Kind{
	{Name: "react", Rows: 200, Drawn: 200, Row: "#rows tbody tr"},
	{Name: "datatables", Rows: 200, Drawn: 25, Row: "#rows tbody tr"},
	{Name: "aggrid", Rows: 200, Drawn: 23, Row: "#rows .ag-row"},
	{Name: "plain", Rows: 300, Drawn: 300, Row: "#rows tbody tr"},
	{Name: "latency", Rows: 200, Drawn: 200, Row: "#rows tbody tr"},
}

// Kinds are the kinds of pages, in the order in which they are shown.
func Kinds() []Kind { return slices.Clone(kinds) }

// files holds what the bundles are built from.
//
//go:embed web/package.json web/package-lock.json web/build.mjs web/src web/lib
var files embed.FS

// Site is a running site.
type Site struct {
	URL string // http://127.0.0.1:PORT, without a slash at its end

	server *http.Server
	ended  chan error

	mu        sync.Mutex
	documents map[string]int // requests by path
	first     time.Time
}

// Start builds the bundles where that has not been done, and serves the site on a
// free port of 127.0.0.1 until Close. The first build asks the npm registry.
func Start(ctx context.Context) (*Site, error) {
	web, err := fs.Sub(files, "web")
	if err != nil {
		return nil, fmt.Errorf("read web: %w", err)
	}
	dist, err := bundle.Build(ctx, "benchsite", web)
	if err != nil {
		return nil, fmt.Errorf("build the site: %w", err)
	}
	return serve(ctx, dist)
}

func serve(ctx context.Context, dist string) (*Site, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the site: %w", err)
	}
	s := &Site{URL: "http://" + listener.Addr().String(), ended: make(chan error, 1), documents: map[string]int{}}
	s.server = &http.Server{Handler: s.handler(dist), ReadHeaderTimeout: 30 * time.Second}
	go func() { s.ended <- s.server.Serve(listener) }()
	return s, nil
}

// Close ends the site and the requests that it still answers.
func (s *Site) Close() error {
	err := s.server.Close()
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	if err != nil {
		return fmt.Errorf("close the site: %w", err)
	}
	return nil
}

// Page is the URL of the page of a kind with a number from 0.
func (s *Site) Page(kind string, number int) string {
	return s.URL + "/" + kind + "/" + strconv.Itoa(number)
}

// Pages are the URLs of count pages from a number on.
func (s *Site) Pages(kind string, from, count int) []string {
	pages := make([]string, count)
	for i := range pages {
		pages[i] = s.Page(kind, from+i)
	}
	return pages
}

// Recipe is the plainest recipe for the same pages, named as its kind, that opens
// some at once and blocks what docs/recipe.md does. Style sheets are loaded: without
// one AG Grid has no height.
func (s *Site) Recipe(kind string, from, count, atOnce int) string {
	return fmt.Sprintf(`urls: %s/%s/{number}
with:
  number: {from: %d, to: %d}
page:
  block: [image, font, media]
tables:
  %s:
    from: "#rows"
    key: [id]
polite: {rate: none, concurrency: %d}
`, s.URL, kind, from, from+count-1, kind, atOnce)
}

// Documents is what was asked of the site since Forget.
type Documents struct {
	Requests int       // for documents
	Distinct int       // documents among them
	First    time.Time // of the requests; zero where there was none
}

// Documents counts the requests for pages; what they load is not counted.
func (s *Site) Documents() Documents {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := Documents{Distinct: len(s.documents), First: s.first}
	for _, n := range s.documents {
		d.Requests += n
	}
	return d
}

// Forget begins the count anew.
func (s *Site) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.documents)
	s.first = time.Time{}
}

// count notes the request for a document.
func (s *Site) count(r *http.Request) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.documents[r.URL.Path]++
	if s.first.IsZero() {
		s.first = now
	}
}
