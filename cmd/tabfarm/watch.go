package main

import (
	"context"
	"errors"
	"time"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/web"
)

// loopLimit is how long a worker's main loop may stand still before the process
// counts as dead. The loop looks for work several times a second and waits for
// nothing without a deadline; a database that is away must not have it killed.
const loopLimit = 2 * time.Minute

// workerView is what a worker shows of itself, beside what its browsers and its
// database tell.
type workerView struct {
	pulse      *web.Pulse      // of its main loop
	registered func() bool     // the database counts it among the workers
	drain      <-chan struct{} // closed when it takes no more pages
}

// openWeb shows the worker at serve.listen until the command ends. Browsers and
// database are to be open. watch counts events, also where serve.listen is off;
// url is "" then.
func (a *app) openWeb(ctx context.Context, w workerView) (watch func(farm.Event), url string, err error) {
	metrics := web.NewMetrics(web.Sources{Version: version, Browser: a.pool, Queue: a.store, Log: a.log})
	if a.settings.Serve.Listen == "" {
		return metrics.Event, "", nil
	}
	server, err := web.Open(ctx, web.Config{
		Listen: a.settings.Serve.Listen, Alive: w.pulse, Ready: a.parts(w), Metrics: metrics, Log: a.log,
	})
	if err != nil {
		return nil, "", err
	}
	a.closers = append(a.closers, server.Close)
	return metrics.Event, server.URL(), nil
}

// parts are what a worker needs to take pages.
func (a *app) parts(w workerView) []web.Part {
	return []web.Part{
		{Name: "browser", Problem: "no browser lives", Check: func(context.Context) error {
			if a.pool.Stats().Browsers == 0 {
				return errors.New("no browser lives")
			}
			return nil
		}},
		{Name: "database", Problem: "does not answer", Check: a.store.Ping},
		{Name: "worker", Problem: "is not registered", Check: func(context.Context) error {
			if !w.registered() {
				return errors.New("the worker is not registered")
			}
			return nil
		}},
		{Name: "drain", Problem: "takes no more pages", Check: func(context.Context) error {
			select {
			case <-w.drain:
				return errors.New("the worker is draining")
			default:
				return nil
			}
		}},
	}
}
