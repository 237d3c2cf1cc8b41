// Package demosite owns the bundled JavaScript site: pages that are empty until
// their scripts have run, the JSON behind them, broken variants of every page,
// and the recipes that read them. Its figures are the same on every start:
// public facts, computed facts, or rows that are marked as samples.
//
// It refuses to know the rest of tabfarm and to reach the network; it listens
// on loopback alone.
package demosite

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Options change what the site does; the zero value is the site as it should be.
type Options struct {
	// Robots is the text of robots.txt; "" allows everything and names the sitemap.
	Robots string
	// RobotsStatus answers robots.txt with this status instead of 200.
	RobotsStatus int
	// OnRequest is called for every request before it is answered, from many
	// goroutines at once.
	OnRequest func(*http.Request)
}

// Site is a running demo site.
type Site struct {
	URL string // http://127.0.0.1:PORT, without a slash at its end

	pages  *pages
	server *http.Server
	done   chan struct{} // closed when the server has ended
}

// Start serves the site on a free port of 127.0.0.1 until ctx ends or Close is called.
func Start(ctx context.Context) (*Site, error) {
	return StartWith(ctx, Options{})
}

// StartWith is Start with options.
func StartWith(ctx context.Context, o Options) (*Site, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the demo site: %w", err)
	}
	p := newPages(o)
	s := &Site{
		URL:    "http://" + listener.Addr().String(),
		pages:  p,
		server: &http.Server{Handler: p.handler(), ReadHeaderTimeout: 30 * time.Second},
		done:   make(chan struct{}),
	}
	// Requests that wait (slow pages, hanging APIs) end with the site.
	requests, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.server.BaseContext = func(net.Listener) context.Context { return requests }
	stop := context.AfterFunc(ctx, func() { _ = s.server.Close() })
	go func() {
		defer close(s.done)
		_ = s.server.Serve(listener) // always ErrServerClosed: the listener is ours alone
		stop()
		cancel()
	}()
	return s, nil
}

// Close ends the site with all its connections and waits until it has ended.
func (s *Site) Close() error {
	err := s.server.Close()
	<-s.done
	if errors.Is(err, net.ErrClosed) { // the context ended it first
		return nil
	}
	return err
}

// Repair makes every broken variant answer as the page that it was meant to be,
// as if the site's owner had mended it.
func (s *Site) Repair() { s.pages.repaired.Store(true) }

// Handler is the site for a server of one's own.
func Handler(o Options) http.Handler { return newPages(o).handler() }

// pages is what the handlers share.
type pages struct {
	options  Options
	repaired atomic.Bool // set by Repair, read by each request
}

func newPages(o Options) *pages { return &pages{options: o} }

// handler routes every page, API and file of the site.
func (p *pages) handler() http.Handler {
	mux := http.NewServeMux()
	for _, page := range pageList {
		mux.HandleFunc("GET "+page.pattern(), p.servePage(page))
	}
	for path, source := range sources {
		mux.HandleFunc("GET /api/"+path, p.serveTable(source))
	}
	mux.HandleFunc("GET /api/pages", servePageList)
	mux.HandleFunc("GET /api/headers", serveHeaders)
	mux.HandleFunc("GET /status", serveStatus)
	mux.HandleFunc("GET /denied", serveDenied)
	mux.HandleFunc("GET /login", serveLogin)
	mux.HandleFunc("POST /login", serveSignIn)
	mux.HandleFunc("GET /members", serveMembers(p))
	mux.HandleFunc("GET /api/members", p.serveMembersTable)
	mux.Handle("GET /static/", serveStatic())
	mux.HandleFunc("GET /robots.txt", p.serveRobots)
	mux.HandleFunc("GET /sitemap.xml", serveSitemapIndex)
	mux.HandleFunc("GET /sitemap-leaders.xml", serveLeadersSitemap)
	mux.HandleFunc("GET /sitemap-calendar.xml.gz", serveCalendarSitemap)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.options.OnRequest != nil {
			p.options.OnRequest(r)
		}
		mux.ServeHTTP(w, r)
	})
}
