package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Col is one column of a Query's result.
type Col struct {
	Name string
	Type string // name of the Postgres type as in pg_type: int8, numeric, text, timestamptz, ...
}

// Rows is the result of a Query, read row by row:
//
//	defer rows.Close()
//	for rows.Next() { use(rows.Values()) }
//	return rows.Err()
type Rows struct {
	Columns []Col
	conn    *pgxpool.Conn
	tx      pgx.Tx
	res     *pgconn.ResultReader
	cancel  context.CancelFunc
	values  []*string
	err     error
	closed  bool
}

// Query runs one statement that returns rows, with the rights of the role
// tabfarm_reader where that can be taken on, in a read-only transaction, for at
// most Config.ReadTimeout. Names are looked for in the schema of the results, in
// public, and in tabfarm. args are for $1, $2 and so on; nil is NULL, anything
// else is given as text. Errors: *SQLError for what is wrong with the SQL.
//
// A read-only transaction alone does not keep a superuser from COPY ... TO
// PROGRAM. So statements that return no rows are refused before they are run, COPY
// and DO among them, and the rest has a reader's rights.
func (s *Store) Query(ctx context.Context, sql string, args ...any) (*Rows, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, translate("query", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &Rows{conn: conn, cancel: cancel}
	if r.err = r.begin(ctx, s); r.err == nil {
		r.err = r.start(ctx, sql, args)
	}
	if r.err != nil {
		r.Close()
		return nil, queryError(r.err)
	}
	return r, nil
}

// begin opens the transaction and takes the reader's role on.
func (r *Rows) begin(ctx context.Context, s *Store) (err error) {
	r.tx, err = r.conn.BeginTx(ctx, pgx.TxOptions{AccessMode: pgx.ReadOnly})
	if err != nil {
		return err
	}
	path := quote(s.cfg.Schema) + ", public, tabfarm"
	if s.cfg.Schema == "public" {
		path = "public, tabfarm"
	}
	if err := script(ctx, r.tx, fmt.Sprintf("SET LOCAL search_path TO %s; SET LOCAL statement_timeout TO %d; SET LOCAL idle_in_transaction_session_timeout TO 0",
		path, s.cfg.ReadTimeout.Milliseconds())); err != nil {
		return err
	}
	err = pgx.BeginFunc(ctx, r.tx, func(tx pgx.Tx) error { return script(ctx, tx, "SET LOCAL ROLE "+readerRole) })
	if hasCode(err, codeNoRight, "22023") { // not a member; no such role
		return nil
	}
	return err
}

// start asks what the statement returns, refuses it if that is nothing, and runs it.
func (r *Rows) start(ctx context.Context, sql string, args []any) error {
	pg := r.conn.Conn().PgConn()
	// The extended protocol takes one statement only, and this one is not run yet.
	plan, err := pg.Prepare(ctx, "", sql, nil)
	if err != nil {
		return err
	}
	if len(plan.Fields) == 0 {
		return &SQLError{
			Message: "only one statement that returns rows may be run", Code: "25006",
			Hint: "SELECT, WITH, VALUES, TABLE, EXPLAIN and SHOW return rows",
		}
	}
	types, err := r.typeNames(ctx, plan.Fields)
	if err != nil {
		return err
	}
	for i, f := range plan.Fields {
		r.Columns = append(r.Columns, Col{Name: f.Name, Type: types[i]})
	}
	values := make([][]byte, len(args))
	for i, a := range args {
		if a != nil {
			values[i] = []byte(fmt.Sprint(a))
		}
	}
	r.res = pg.ExecParams(ctx, sql, values, nil, nil, nil)
	return nil
}

// typeNames are the names of the columns' types, as in pg_type.
func (r *Rows) typeNames(ctx context.Context, fields []pgconn.FieldDescription) ([]string, error) {
	oids := make([]uint32, len(fields))
	for i, f := range fields {
		oids[i] = f.DataTypeOID
	}
	rows, err := r.tx.Query(ctx, `SELECT coalesce(t.typname::text, '') FROM unnest($1::oid[]) WITH ORDINALITY AS f(oid, n)
LEFT JOIN pg_catalog.pg_type t ON t.oid = f.oid ORDER BY n`, oids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Next reads the next row; false at the end and after an error.
func (r *Rows) Next() bool {
	if r.closed || !r.res.NextRow() {
		return false
	}
	raw := r.res.Values()
	r.values = make([]*string, len(raw))
	for i, v := range raw {
		if v != nil {
			text := string(v)
			r.values[i] = &text
		}
	}
	return true
}

// Values is the row as Postgres writes it, nil for NULL. The caller may keep it.
func (r *Rows) Values() []*string { return r.values }

// JSON is the row as JSON values: integers, booleans and json as such, floats as
// numbers where they are finite, anything else, numeric too, as strings.
func (r *Rows) JSON() []json.RawMessage {
	out := make([]json.RawMessage, len(r.values))
	for i, v := range r.values {
		out[i] = jsonValue(r.Columns[i].Type, v)
	}
	return out
}

func jsonValue(typ string, v *string) json.RawMessage {
	if v == nil {
		return json.RawMessage("null")
	}
	switch typ {
	case "int2", "int4", "int8", "oid", "json", "jsonb":
		return json.RawMessage(*v)
	case "bool":
		return json.RawMessage(strconv.FormatBool(*v == "t"))
	case "float4", "float8":
		if json.Valid([]byte(*v)) {
			return json.RawMessage(*v)
		}
	}
	text, err := json.Marshal(*v)
	if err != nil {
		return json.RawMessage("null") // a string always has a form
	}
	return text
}

// Err is the error that ended Next, nil at the end of the rows.
func (r *Rows) Err() error {
	if !r.closed {
		r.finish()
	}
	return queryError(r.err)
}

// Close gives the connection back. It may be called at any time and twice.
func (r *Rows) Close() {
	if !r.closed {
		r.finish()
	}
}

// finish ends the statement and its transaction, which changed nothing.
func (r *Rows) finish() {
	r.closed = true
	if r.res != nil {
		if _, err := r.res.Close(); err != nil && r.err == nil {
			r.err = err
		}
	}
	if r.tx != nil {
		_ = r.tx.Rollback(context.Background()) // a failed one closes the connection, and the pool makes another
	}
	r.cancel()
	r.conn.Release()
}

// queryError is translate for SQL that a person wrote: what Postgres says about
// it is theirs to read.
func queryError(err error) error {
	var mine *SQLError
	var pg *pgconn.PgError
	if err == nil || errors.As(err, &mine) {
		return err
	}
	if errors.As(err, &pg) && !isOutage(pg.Code) {
		e := &SQLError{Message: pg.Message, Detail: pg.Detail, Hint: pg.Hint, Position: int(pg.Position), Code: pg.Code}
		if pg.Code == codeSyntax && pg.Routine == "exec_parse_message" {
			e.Message, e.Hint, e.Position = "these are several statements; one at a time may be run", "", 0
		}
		return e
	}
	return translate("query", err)
}
