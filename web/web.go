// Package web owns what one sees of a worker from outside: whether it lives,
// whether it is ready, and its metrics, over HTTP on an address of its own.
//
// It only shows. It changes nothing, knows no page, row, URL or secret, and what
// it counts is told to it by others: farm's events, the pool's and the store's own
// numbers.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The paths that are served.
const (
	PathHealth  = "/healthz"
	PathReady   = "/readyz"
	PathMetrics = "/metrics"
)

// Port is where a worker is seen unless its settings say otherwise.
const Port = 8077

// Config is what a Server shows.
type Config struct {
	Listen  string       // host:port; port 0 takes a free one
	Alive   *Pulse       // of the process's main loop; nil is always alive
	Ready   []Part       // all of them are to be ready
	Metrics *Metrics     // may be nil
	Log     *slog.Logger // Defaults to none
}

// AddressError says that the address to listen on cannot be had.
type AddressError struct {
	Address string
	Err     error
}

func (e *AddressError) Error() string { return fmt.Sprintf("listen on %q: %v", e.Address, e.Err) }

// Unwrap gives the system's own error.
func (e *AddressError) Unwrap() error { return e.Err }

// Server answers until Close.
type Server struct {
	listener net.Listener
	http     *http.Server
	ended    chan error
}

// How long a client may take. What is served is small and made in a moment.
const (
	headLimit   = 5 * time.Second
	answerLimit = 30 * time.Second
	idleLimit   = time.Minute
	// farewell is how long answers may take that are on their way at Close.
	farewell = 3 * time.Second
)

// Open takes the address and begins to answer. Error: *AddressError.
func Open(ctx context.Context, c Config) (*Server, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, &AddressError{Address: c.Listen, Err: err}
	}
	s := &Server{listener: listener, ended: make(chan error, 1)}
	s.http = &http.Server{
		Handler:           handler(c),
		ReadHeaderTimeout: headLimit, ReadTimeout: headLimit, WriteTimeout: answerLimit, IdleTimeout: idleLimit,
		MaxHeaderBytes: 16 << 10,
		ErrorLog:       slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug),
	}
	go func() { s.ended <- s.http.Serve(listener) }()
	return s, nil
}

// URL is where the server is reached.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Close lets the answers end that are on their way, for a moment, and ends the
// rest. When it returns nothing of the server is left. It is called once.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	if ended := <-s.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	if err != nil {
		return fmt.Errorf("end web server: %w", err)
	}
	return nil
}

// handler serves the paths of the configuration, and nothing else.
func handler(c Config) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", list)
	mux.HandleFunc("GET "+PathHealth, c.healthy)
	mux.Handle("GET "+PathReady, &readiness{parts: c.Ready, log: c.Log, lock: make(chan struct{}, 1)})
	if c.Metrics != nil {
		mux.Handle("GET "+PathMetrics, c.Metrics.handler())
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

// list tells what there is.
func list(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintf(w, "tabfarm worker\n%-9s is it alive\n%-9s does it take pages, and why not\n%-9s for Prometheus\n", PathHealth, PathReady, PathMetrics)
}
