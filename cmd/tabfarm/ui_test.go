package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		want int
	}{
		{"nothing", nil, exitOK},
		{"usage", usage("", "wrong"), exitUsage},
		{"mistakes of a recipe", fmt.Errorf("load: %w", recipe.Mistakes{{File: "a.yaml", Text: "wrong"}}), exitUsage},
		{"mistakes of settings", settingMistakes{"wrong"}, exitUsage},
		{"a table of somebody else", fmt.Errorf("submit: %w", &store.OwnershipError{}), exitUsage},
		{"a source that cannot be read", &farm.PlanError{Err: errors.New("no file")}, exitUsage},
		{"a session that cannot be read", &farm.SessionError{Path: "a.json", Err: errors.New("no JSON")}, exitUsage},
		{"no browser", fmt.Errorf("start: %w", browserpool.ErrNoBrowser), exitMissing},
		{"a browser that does not start", &browserpool.StartError{Err: errors.New("x")}, exitMissing},
		{"no database", fmt.Errorf("open: %w", store.ErrUnreachable), exitMissing},
		{"a lost worker", fmt.Errorf("work: %w", store.ErrWorkerLost), exitMissing},
		{"a folder of somebody else", &fs.PathError{Op: "mkdir", Path: "/data", Err: syscall.EACCES}, exitMissing},
		{"a full disk of the server", &store.StatementError{Code: "53100"}, exitMissing},
		{"a statement of ours that is wrong", &store.StatementError{Code: "42601"}, exitBug},
		{"Ctrl-C", &interrupted{signal: syscall.SIGINT}, exitInterrupt},
		{"SIGTERM", errors.Join(&interrupted{signal: syscall.SIGTERM}, errors.New("beside")), exitTerminated},
		{"cancelled", context.Canceled, exitInterrupt},
		{"anything else", errors.New("surprise"), exitBug},
		{"printed already", exit(exitPages), exitPages},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			if got := complain(&b, tt.err); got != tt.want {
				t.Errorf("got %d, want %d; said %q", got, tt.want, b.String())
			}
		})
	}
}

func TestComplain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		want string
	}{
		{
			"error and hint", usage("tabfarm try https://a.example", "a URL is no command"),
			"tabfarm: error: a URL is no command\ntabfarm: hint: tabfarm try https://a.example\n",
		},
		{"mistakes are bare", settingMistakes{"tabfarm.yaml:1:1: a", "tabfarm.yaml:2:1: b"}, "tabfarm.yaml:1:1: a\ntabfarm.yaml:2:1: b\n"},
		{"said already", exit(exitPages), ""},
		{"interrupted", &interrupted{signal: syscall.SIGINT}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			complain(&b, tt.err)
			if b.String() != tt.want {
				t.Errorf("got %q, want %q", b.String(), tt.want)
			}
		})
	}
}

func TestPanicIsABug(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if code := guard(&b, func() int { panic("index out of range") }); code != exitBug {
		t.Errorf("exit code %d, want %d", code, exitBug)
	}
	for _, want := range []string{"tabfarm: error: a bug in tabfarm: index out of range\n", "tabfarm: hint: ", issuesURL, "ui_test.go"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

// The second signal stops what the first one drains; where nothing can drain,
// the first one stops.
func TestInterrupts(t *testing.T) {
	t.Parallel()
	t.Run("drains first", func(t *testing.T) {
		t.Parallel()
		ctx, in, stop := watchInterrupts(t.Context())
		defer stop()
		drain, done := in.draining()
		defer done()
		if in.stopped(syscall.SIGINT) || ctx.Err() != nil {
			t.Fatal("the first signal stopped")
		}
		<-drain
		if !in.stopped(syscall.SIGTERM) || ctx.Err() == nil {
			t.Fatal("the second signal did not stop")
		}
		if code := explain(context.Cause(ctx)).code; code != exitInterrupt {
			t.Errorf("exit code %d, want that of the first signal, %d", code, exitInterrupt)
		}
	})
	t.Run("stops where nothing drains", func(t *testing.T) {
		t.Parallel()
		ctx, in, stop := watchInterrupts(t.Context())
		defer stop()
		_, done := in.draining()
		done()
		if !in.stopped(syscall.SIGTERM) || ctx.Err() == nil {
			t.Fatal("the signal did not stop")
		}
		if code := explain(context.Cause(ctx)).code; code != exitTerminated {
			t.Errorf("exit code %d, want %d", code, exitTerminated)
		}
	})
}
