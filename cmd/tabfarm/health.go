package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/web"
)

// healthLimit is how long a worker may take to answer.
const healthLimit = 5 * time.Second

func newHealth(a *app) *cobra.Command {
	ready := false
	cmd := &cobra.Command{
		Use:   "health",
		Short: "ask the worker of this machine whether it lives",
		Long: `Asks the worker that listens at serve.listen on this machine whether it lives,
for container engines whose images have no other program to ask with.

The exit code is 0 when it does, 1 when it says that it does not, and 3 when
nothing answers.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := web.PathHealth
			if ready {
				path = web.PathReady
			}
			return a.health(cmd.Context(), path)
		},
	}
	cmd.Flags().BoolVar(&ready, "ready", false, "ask whether it takes pages")
	return cmd
}

// health asks a path of the worker and prints what it says.
func (a *app) health(ctx context.Context, path string) error {
	address := a.settings.Serve.Listen
	if address == "" {
		return usage("serve.listen names the address of the worker", "serve.listen is off: there is nobody to ask")
	}
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+reachable(address)+path, http.NoBody)
	if err != nil {
		return fmt.Errorf("ask worker: %w", err)
	}
	// Without a proxy: it is this machine.
	answer, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		return &failure{code: exitMissing, err: fmt.Errorf("no worker answers at %s: %w", address, err), hint: "does it run, and with this serve.listen?"}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return &failure{code: exitMissing, err: fmt.Errorf("read answer of the worker at %s: %w", address, err)}
	}
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Fprintln(a.stdout, clean(strings.TrimSpace(line))); err != nil {
			return err
		}
	}
	if answer.StatusCode != http.StatusOK {
		return exit(exitPages)
	}
	return nil
}

// reachable is where a listener is reached from its own machine: one that listens
// on all addresses, at loopback.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}
