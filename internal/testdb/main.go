// Command testdb runs a command beside a private Postgres that lives as long as
// the command: `testdb go test ./...` gives all test binaries one server, by
// TABFARM_TEST_DATABASE_URL, where each would otherwise start its own. It is for
// tests alone: the server is set to forget what it stored when it is killed.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/tabfarm/tabfarm/store/localpg"
)

// variable names the server to the tests; one that is set already is taken.
const variable = "TABFARM_TEST_DATABASE_URL"

// settings make a server fast whose data need not outlive it.
var settings = map[string]string{
	"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off",
	"max_connections": "400",
}

// stopLimit bounds the end of the server when the command has ended.
const stopLimit = time.Minute

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: testdb COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	code, err := run(context.Background(), os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
	}
	os.Exit(code)
}

// run gives the command's exit code, or 3 where there is no server for it.
func run(ctx context.Context, command []string) (code int, err error) {
	// The command gets the terminal's Ctrl-C itself; here it only must not end
	// the server under it.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(interrupts)

	if os.Getenv(variable) != "" {
		return execute(ctx, command, interrupts)
	}
	// Not $TMPDIR: the path of a socket has room for about 100 bytes.
	dir, err := os.MkdirTemp("/tmp", "tabfarm-testdb-")
	if err != nil {
		return 3, fmt.Errorf("make a folder for the server: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // as root, the server's user goes through
		return 3, fmt.Errorf("open the folder of the server: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	server, err := localpg.StartWith(ctx, localpg.Options{Dir: dir, Log: log, Settings: settings})
	if err != nil {
		return 3, fmt.Errorf("start a Postgres for the tests: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, server.Stop(ctx))
	}()
	if err := os.Setenv(variable, server.AdminURL); err != nil {
		return 3, fmt.Errorf("set %s: %w", variable, err)
	}
	return execute(ctx, command, interrupts)
}

// execute runs the command with this program's input, output and environment.
// A signal that came to this program alone is handed on.
func execute(ctx context.Context, command []string, signals <-chan os.Signal) (int, error) {
	run := exec.CommandContext(ctx, command[0], command[1:]...)
	run.Stdin, run.Stdout, run.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := run.Start(); err != nil {
		return 3, fmt.Errorf("start %q: %w", command, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- run.Wait() }()
	for {
		select {
		case s := <-signals:
			_ = run.Process.Signal(s) // it may have ended this moment
		case err := <-ended:
			var exit *exec.ExitError
			if err == nil || errors.As(err, &exit) {
				if code := run.ProcessState.ExitCode(); code >= 0 {
					return code, nil
				}
				return 1, fmt.Errorf("run %q: %w", command, err) // ended by a signal
			}
			return 3, fmt.Errorf("run %q: %w", command, err)
		}
	}
}
