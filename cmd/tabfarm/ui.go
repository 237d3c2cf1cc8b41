package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
	"github.com/tabfarm/tabfarm/store/localpg"
	"github.com/tabfarm/tabfarm/web"
)

// Rules for what tabfarm says:
//
//   - Standard output carries results. Standard error carries progress, notices,
//     logs and errors.
//   - An error is one line "tabfarm: error: ..." and says what is wrong with the
//     value that is wrong. No capital at its beginning, no period at its end.
//   - A hint is one line "tabfarm: hint: ..." below it and says what to type.
//   - Mistakes of a recipe or of tabfarm.yaml are printed bare, one a line, as
//     FILE:LINE:COL: KEY: what is wrong. What to write. Editors jump to them.
//   - What went well is said once, without a word like "success".
//   - Errors are told apart by type and identity, never by their text.

// The exit codes. Scripts rely on them.
const (
	exitOK         = 0
	exitPages      = 1   // a page failed, a try was not ok, a query had an SQL error; the rest is stored
	exitUsage      = 2   // usage, recipe or configuration
	exitMissing    = 3   // Chrome, Postgres or rights are missing
	exitBug        = 70  // a bug in tabfarm
	exitInterrupt  = 130 // Ctrl-C; the run can go on
	exitTerminated = 143 // SIGTERM; the run can go on
)

const issuesURL = "https://github.com/tabfarm/tabfarm/issues"

// failure is an error that knows its exit code and what to do about it.
type failure struct {
	code int
	err  error  // nil: the words were said already
	hint string // "" for none
}

func (f *failure) Error() string {
	if f.err == nil {
		return fmt.Sprintf("exit %d", f.code)
	}
	return f.err.Error()
}

func (f *failure) Unwrap() error { return f.err }

// exit ends a command with a code after its results were printed.
func exit(code int) error {
	if code == exitOK {
		return nil
	}
	return &failure{code: code}
}

// usage is a failure of the command line itself.
func usage(hint, format string, args ...any) error {
	return &failure{code: exitUsage, err: fmt.Errorf(format, args...), hint: hint}
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal os.Signal }

func (i *interrupted) Error() string { return "interrupted" }

func (i *interrupted) code() int {
	if i.signal == syscall.SIGTERM {
		return exitTerminated
	}
	return exitInterrupt
}

// explain finds the exit code and the hint of an error.
func explain(err error) *failure {
	var (
		known     *failure
		stopped   *interrupted
		mistakes  recipe.Mistakes
		settings  settingMistakes
		ownership *store.OwnershipError
		plan      *farm.PlanError
		session   *farm.SessionError
		rights    *store.ErrRights
		version   *store.ErrVersion
		open      *store.RunOpenError
		programs  *localpg.ErrNoPrograms
		release   *localpg.ErrVersion
		path      *fs.PathError
		address   *web.AddressError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	case errors.As(err, &stopped):
		return &failure{code: stopped.code()}
	case errors.As(err, &mistakes), errors.As(err, &settings), errors.As(err, &ownership), errors.As(err, &plan), errors.As(err, &session):
		return &failure{code: exitUsage, err: err}
	case errors.Is(err, browserpool.ErrNoBrowser):
		return noBrowser(err, "")
	case errors.As(err, &programs):
		return &failure{
			code: exitMissing, err: errors.New("the PostgreSQL server programs are not installed"),
			hint: installHint("postgresql", "postgresql@17") + "    (or use a database of yours: --database URL)",
		}
	case errors.As(err, &release):
		return &failure{code: exitMissing, err: err}
	case errors.As(err, &open):
		return &failure{code: exitUsage, err: err, hint: "it was begun a moment ago, elsewhere; the same command goes on with it"}
	case errors.As(err, &rights), errors.As(err, &version), errors.Is(err, store.ErrPooler), errors.Is(err, store.ErrNotMigrated):
		return &failure{code: exitMissing, err: err}
	case errors.Is(err, store.ErrWorkerLost):
		return &failure{code: exitMissing, err: err, hint: "the run can go on: the same command again"}
	case errors.As(err, &address):
		return &failure{code: exitUsage, err: err, hint: "serve.listen names another address (TABFARM_SERVE_LISTEN=HOST:PORT), or off"}
	case errors.As(err, &path):
		return &failure{code: exitMissing, err: err} // a folder that is not there or not ours, a full disk
	case outOfResources(err):
		return &failure{code: exitMissing, err: err, hint: "the database server needs room, or its rights back"}
	case errors.Is(err, store.ErrUnreachable):
		return &failure{code: exitMissing, err: err, hint: "is the server up, and database.url right? tabfarm doctor looks"}
	case errors.Is(err, context.Canceled):
		return &failure{code: exitInterrupt}
	}
	return &failure{code: exitBug, err: err, hint: "this should not happen; please report it: " + issuesURL}
}

// outOfResources tells what Postgres cannot do for now, as on a full disk, from
// statements that are wrong: classes 53 and 58 of its SQLSTATEs, and a database
// that is read-only.
func outOfResources(err error) bool {
	var refused *store.StatementError
	return errors.As(err, &refused) &&
		(strings.HasPrefix(refused.Code, "53") || strings.HasPrefix(refused.Code, "58") || refused.Code == "25006")
}

// complain prints an error as the rules above say and returns the exit code.
func complain(w io.Writer, err error) int {
	f := explain(err)
	if f == nil {
		return exitOK
	}
	if f.err == nil {
		return f.code
	}
	var (
		mistakes recipe.Mistakes
		settings settingMistakes
	)
	if errors.As(f.err, &mistakes) || errors.As(f.err, &settings) {
		_, _ = fmt.Fprintln(w, strings.TrimRight(f.err.Error(), "\n"))
		return f.code
	}
	_, _ = fmt.Fprintln(w, "tabfarm: error:", strings.TrimRight(f.err.Error(), "\n"))
	if f.hint != "" {
		_, _ = fmt.Fprintln(w, "tabfarm: hint:", f.hint)
	}
	return f.code
}

// guard runs f and turns a panic into a report and exit code 70. Only panics of
// the calling goroutine can be caught.
func guard(w io.Writer, f func() int) (code int) {
	defer func() {
		if p := recover(); p != nil {
			_, _ = fmt.Fprintf(w, "%s\ntabfarm: error: a bug in tabfarm: %v\n", debug.Stack(), p)
			_, _ = fmt.Fprintln(w, "tabfarm: hint: please report it with the lines above:", issuesURL)
			code = exitBug
		}
	}()
	return f()
}
