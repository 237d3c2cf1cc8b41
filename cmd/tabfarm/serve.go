package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/web"
)

func newServe(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve [RECIPE|DIR...]",
		Short: "work for the farm until stopped: queued runs, schedules, metrics",
		Long: `Works on every run that is queued, starts what is due by a schedule, and tells
how it goes on an address of its own. Recipes that are named, or lie in a folder
that is named, are scheduled first. Any number of workers may serve one database.

The first Ctrl-C or SIGTERM finishes the pages in flight, for at most serve.drain
(60 s), and gives the rest back; the second stops at once. Nothing is lost.`,
		Args: takes(0, -1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.serve(cmd.Context(), args) },
	}
	cmd.Flags().Int("tabs", 0, "tabs that work at once (default: sized from the machine)")
	return cmd
}

// errDrainTime ends a worker whose pages in flight take longer than serve.drain.
var errDrainTime = errors.New("the time to finish pages is over")

// serve works until it is stopped.
func (a *app) serve(ctx context.Context, args []string) error {
	f, err := a.openEngine(ctx)
	var stopped *interrupted
	if errors.As(err, &stopped) {
		return nil // before it had begun anything
	}
	if err != nil {
		return err
	}
	if len(args) > 0 {
		if err := a.scheduleServed(ctx, f, args); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	drain, done := a.signals.draining()
	defer done()
	var registered atomic.Bool
	pulse := web.NewPulse(loopLimit)
	watch, url, err := a.openWeb(ctx, workerView{pulse: pulse, registered: registered.Load, drain: drain})
	if err != nil {
		return err
	}
	a.tellServing(url)
	bounded := make(chan struct{})
	defer func() { <-bounded }()
	defer cancel(nil)
	go func() {
		defer close(bounded)
		a.boundDrain(ctx, drain, cancel)
	}()
	err = f.Serve(ctx, drain, farm.ServeOptions{
		Watch: func(e farm.Event) {
			watch(e)
			a.tellHost(e)
			a.logEvent(e)
		},
		Beat: pulse.Beat, Registered: registered.Store,
	})
	if errors.Is(err, errDrainTime) {
		a.notice("some pages took longer than %s and were given back", a.settings.Serve.Drain)
		err = nil
	}
	return err
}

// tellServing says where the worker can be looked at.
func (a *app) tellServing(url string) {
	at := ""
	if url != "" {
		at = " on " + url
	}
	a.notice("serving%s, Ctrl-C stops. Schedules run only while a `tabfarm serve` runs.", at)
}

// boundDrain ends the work when its drain takes longer than is allowed.
func (a *app) boundDrain(ctx context.Context, drain <-chan struct{}, cancel context.CancelCauseFunc) {
	select {
	case <-ctx.Done():
		return
	case <-drain:
	}
	a.notice("finishing the pages in flight, a second signal stops now")
	limit, stop := context.WithTimeout(ctx, a.settings.Serve.Drain)
	defer stop()
	<-limit.Done()
	if ctx.Err() == nil {
		cancel(errDrainTime)
	}
}

// logEvent logs how pages end.
func (a *app) logEvent(e farm.Event) {
	switch {
	case e.Retry > 0:
		a.log.Info("page is tried again", "run", e.RunID, "url", e.Address, "outcome", e.Outcome, "in", e.Retry.Round(100*time.Millisecond), "message", e.Message)
	case e.Last && e.Failed:
		a.log.Info("page failed", "run", e.RunID, "url", e.Address, "outcome", e.Outcome, "message", e.Message)
	case e.Last:
		a.log.Debug("page ended", "run", e.RunID, "url", e.Address, "outcome", e.Outcome, "rows", e.Rows, "seconds", fmt.Sprintf("%.1f", e.Took.Seconds()))
	}
}
