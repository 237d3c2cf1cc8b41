package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Ends that callers tell apart. All are matched with errors.Is.
var (
	// ErrUnreachable: no server answered, the login was refused, or the connection was lost.
	ErrUnreachable = errors.New("database unreachable")
	// ErrFenced: the slot has gone to another visit. Nothing was changed.
	ErrFenced = errors.New("the visit's turn is over")
	// ErrContract: a column is stored with another type or unit than the rows have.
	// Nothing was changed; load the Contract and type the rows again.
	ErrContract = errors.New("the table's columns have other types")
	// ErrNoRun: there is no run of that number.
	ErrNoRun = errors.New("there is no such run")
	// ErrUnfinished: a run with pages that have not ended cannot be done.
	ErrUnfinished = errors.New("the run has pages that have not ended")
	// ErrWorkerLost: the worker no longer counts as alive.
	ErrWorkerLost = errors.New("the worker's lock was lost")
	// ErrPooler: a connection pooler in transaction mode stands before the database.
	ErrPooler = errors.New("database.url leads through a connection pooler in transaction mode, where locks do not live; give the URL of the server itself, or of a pool in session mode")
	// ErrNotMigrated: the database holds nothing of tabfarm yet.
	ErrNotMigrated = errors.New("the database was not set up for tabfarm; tabfarm db migrate does it")
)

// ErrRights says which rights are missing, and the statements that give them.
type ErrRights struct {
	Missing []string // in words
	Grants  []string // SQL, for an administrator to run
}

func (e *ErrRights) Error() string {
	text := "the database role lacks rights: " + strings.Join(e.Missing, "; ")
	if len(e.Grants) > 0 {
		text += ". An administrator gives them with\n  " + strings.Join(e.Grants, "\n  ")
	}
	return text
}

// ErrVersion says that the server or its schema is of a version that this
// tabfarm does not work with.
type ErrVersion struct{ Text string }

func (e *ErrVersion) Error() string { return e.Text }

// OwnershipError says why a recipe may not write to a table.
type OwnershipError struct {
	Table string // schema.name
	Text  string
}

func (e *OwnershipError) Error() string { return e.Table + " " + e.Text }

// RunOpenError says that the recipe has an unfinished run already.
type RunOpenError struct{ Run Run }

func (e *RunOpenError) Error() string {
	return fmt.Sprintf("recipe %q has the unfinished run %d", e.Run.Recipe, e.Run.ID)
}

// StatementError is a statement that Postgres refused or could not carry out,
// such as a full disk or a value that a column does not take, in its own words.
type StatementError struct {
	Verb                  string // what was being done
	Code                  string // SQLSTATE
	Message, Detail, Hint string
	err                   error
}

func (e *StatementError) Error() string {
	text := e.Verb + ": " + e.Message
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	return text
}

// Unwrap gives pgx's error, nil for rows that the store itself refuses.
func (e *StatementError) Unwrap() error { return e.err }

// SQLError is a mistake in the SQL of a Query.
type SQLError struct {
	Message  string
	Detail   string
	Hint     string
	Position int // of the character, 1-based; 0 unknown
	Code     string
}

func (e *SQLError) Error() string { return e.Message }

type unreachableError struct{ Err error }

func (e *unreachableError) Error() string        { return e.Err.Error() }
func (e *unreachableError) Unwrap() error        { return e.Err }
func (e *unreachableError) Is(target error) bool { return target == ErrUnreachable }

// translate is the one place where errors of pgx become errors of this package.
// Those of this package and of contexts stay what they are.
func translate(verb string, err error) error {
	var (
		pg      *pgconn.PgError
		connect *pgconn.ConnectError
		parse   *pgconn.ParseConfigError
		network net.Error
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &connect), errors.As(err, &parse):
		return &unreachableError{fmt.Errorf("%s: %w", verb, err)}
	case errors.As(err, &pg):
		return translatePG(verb, pg)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, pgconn.ErrConnClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.As(err, &network):
		return &unreachableError{fmt.Errorf("%s: the connection was lost: %w", verb, err)}
	}
	return err
}

// SQLSTATEs that are told apart (PostgreSQL manual, appendix A).
const (
	codeFeature         = "0A000" // also: a cached plan whose result type changed
	codeForeignKey      = "23503"
	codeUniqueViolation = "23505"
	codeProtocol        = "08P01" // also: too few parameters
	codeSerialization   = "40001"
	codeDeadlock        = "40P01"
	codeSyntax          = "42601"
	codeNoRight         = "42501"
	codeNoColumn        = "42703"
	codeNoTable         = "42P01"
	codeTableExists     = "42P07"
	codeObjectExists    = "42710"
	codeNoLock          = "55P03"
	codeInternal        = "XX000"
)

// isOutage says that a code is about the connection and not about a statement: a
// lost one, a refused login, a server that shuts down, no such database.
func isOutage(code string) bool {
	return strings.HasPrefix(code, "08") && code != codeProtocol || strings.HasPrefix(code, "28") || strings.HasPrefix(code, "57P") || code == "3D000" || code == "53300"
}

func translatePG(verb string, pg *pgconn.PgError) error {
	switch {
	case isOutage(pg.Code):
		return &unreachableError{fmt.Errorf("%s: %w", verb, pg)}
	case pg.Code == codeNoRight:
		return &ErrRights{Missing: []string{verb + ": " + pg.Message}}
	}
	return &StatementError{Verb: verb, Code: pg.Code, Message: pg.Message, Detail: pg.Detail, Hint: pg.Hint, err: pg}
}

// Passes says that an error may pass by waiting: no server answers, the worker's
// lock was lost, the server lacks room (class 53, SQLSTATE appendix).
func Passes(err error) bool {
	var refused *StatementError
	return errors.Is(err, ErrUnreachable) || errors.Is(err, ErrWorkerLost) || errors.As(err, &refused) && strings.HasPrefix(refused.Code, "53")
}

// hasCode says whether err is one of Postgres with one of the codes.
func hasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && slices.Contains(codes, pg.Code)
}

// mayTryAgain says whether the same transaction may succeed when begun again.
func mayTryAgain(err error) bool {
	return hasCode(err, codeDeadlock, codeSerialization, codeNoLock)
}

// pause waits before try n+1, longer each time, and by chance so that those who
// clashed do not clash again.
func pause(ctx context.Context, n int) error {
	longest := 10 * time.Millisecond << min(n, 6)
	timer := time.NewTimer(rand.N(longest) + time.Millisecond)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
