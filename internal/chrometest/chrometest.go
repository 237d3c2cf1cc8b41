// Package chrometest owns the one Chrome that the tests of a package share. It
// refuses to leave anything of it behind: Main fails a test binary that leaks a
// goroutine, a process or a folder.
package chrometest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/tabfarm/tabfarm/browserpool"
)

var shared struct {
	once sync.Once
	pool *browserpool.Pool
	dir  string
	err  error
}

// Pool is the shared pool: one browser, eight tabs. It is started by the first
// test that asks, and closed by Main, which the package's TestMain must call. As in
// the program TABFARM_BROWSER_PATH names another Chrome than the one that is found.
func Pool(t testing.TB) *browserpool.Pool {
	t.Helper()
	shared.once.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "tabfarm-test-"); shared.err != nil {
			return
		}
		// Chrome runs as another user when the tests run as root.
		if shared.err = os.Chmod(shared.dir, 0o711); shared.err != nil { //nolint:gosec // to be passed through
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		shared.pool, shared.err = browserpool.New(ctx, browserpool.Config{
			Path: os.Getenv("TABFARM_BROWSER_PATH"), Processes: 8, Tabs: 8, Dir: shared.dir, Product: "tabfarm/test (+https://example.org)",
			Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		})
	})
	if shared.err != nil {
		t.Fatalf("start the shared browser: %v", shared.err)
	}
	return shared.pool
}

// Main runs the tests, closes the shared pool, and exits. goleak's options are
// for goroutines of libraries that are known not to end.
func Main(m interface{ Run() int }, options ...goleak.Option) {
	code := m.Run()
	if err := cleanUp(); err != nil {
		fmt.Fprintf(os.Stderr, "clean up after the browser: %v\n", err)
		code = max(code, 1)
	}
	if code == 0 {
		if err := goleak.Find(options...); err != nil {
			fmt.Fprintf(os.Stderr, "goroutines left after the tests: %v\n", err)
			code = 1
		}
	}
	os.Exit(code)
}

func cleanUp() error {
	if shared.pool != nil {
		if err := shared.pool.Close(); err != nil {
			return err
		}
	}
	if shared.dir == "" {
		return nil
	}
	entries, err := os.ReadDir(shared.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			return fmt.Errorf("folder %q is left in %q", e.Name(), shared.dir)
		}
	}
	return os.RemoveAll(shared.dir)
}

// Dir is a folder for the profiles of a test's own pool. t.TempDir will not do
// as root: the user that Chrome runs as cannot pass through it.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tabfarm-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Errorf("remove profile folder: %v", err)
		}
	})
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // to be passed through
		t.Fatal(err)
	}
	return dir
}
