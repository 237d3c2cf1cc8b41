package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/store"
)

func newQuery(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   `query "SQL"|TABLE`,
		Short: "ask the database, read-only",
		Long: `Runs one SQL statement in a read-only transaction and prints its rows; the name of
a table alone shows that table. - reads the statement from standard input, -f from
a file. An SQL error is exit code 1.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				return takes(0, 0)(cmd, args)
			}
			return takes(1, 1)(cmd, args)
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "read the statement from a file")
	get := formatFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := get()
		if err != nil {
			return err
		}
		sql, err := a.statement(file, args)
		if err != nil {
			return err
		}
		return a.query(cmd.Context(), sql, f)
	}
	return cmd
}

// bareName is a table: one name, or two with a dot, quoted or not.
var bareName = regexp.MustCompile(`^\s*(?:[\pL_][\pL\pN_$]*|"[^"]+")(?:\.(?:[\pL_][\pL\pN_$]*|"[^"]+"))?\s*$`)

// statement finds the SQL that is meant.
func (a *app) statement(file string, args []string) (string, error) {
	var sql string
	switch {
	case file != "" && file != "-":
		text, err := os.ReadFile(file)
		if err != nil {
			return "", usage("", "read statement: %w", err)
		}
		sql = string(text)
	case file == "-" || args[0] == "-":
		text, err := io.ReadAll(a.stdin)
		if err != nil {
			return "", fmt.Errorf("read standard input: %w", err)
		}
		sql = string(text)
	default:
		sql = args[0]
		if bareName.MatchString(sql) {
			return "select * from " + strings.TrimSpace(sql), nil
		}
	}
	if strings.TrimSpace(sql) == "" {
		return "", usage(`tabfarm query "select ..."`, "the statement is empty")
	}
	return sql, nil
}

// query prints the rows of a statement.
func (a *app) query(ctx context.Context, sql string, f format) error {
	s, err := a.openStore(ctx, looks)
	if err != nil {
		return err
	}
	rows, err := s.Query(ctx, sql)
	if err != nil {
		return a.sqlFailure(err, sql)
	}
	defer rows.Close()
	r := result{rows: rowsOfQuery(rows)}
	for _, c := range rows.Columns {
		r.columns = append(r.columns, resultColumn{c.Name, kindOfSQL(c.Type)})
	}
	if err := writeResult(a.stdout, f, r); err != nil {
		return a.sqlFailure(err, sql)
	}
	return nil
}

// sqlFailure gives the database's words exit code 1; other errors stay what
// they are.
func (a *app) sqlFailure(err error, sql string) error {
	var wrong *store.SQLError
	if !errors.As(err, &wrong) {
		return err
	}
	words := errors.New(wrong.Message + caret(sql, wrong.Position))
	return &failure{code: exitPages, err: words, hint: wrong.Hint}
}

// caret shows the line of a statement that an error is in, with a mark below
// the place. position counts characters from 1; 0 is unknown.
func caret(sql string, position int) string {
	if position < 1 || position > utf8.RuneCountInString(sql)+1 {
		return ""
	}
	before := string([]rune(sql)[:position-1])
	number := strings.Count(before, "\n") + 1
	start := strings.LastIndexByte(before, '\n') + 1
	line, _, _ := strings.Cut(sql[start:], "\n")
	head := fmt.Sprintf("LINE %d: ", number)
	gap := len(head) + runewidth.StringWidth(before[start:])
	return "\n" + head + clean(line) + "\n" + strings.Repeat(" ", gap) + "^"
}

// kindOfSQL tells how values of a Postgres type are shown.
func kindOfSQL(name string) kind {
	switch name {
	case "int2", "int4", "int8", "oid":
		return kindInteger
	case "numeric":
		return kindNumeric
	case "float4", "float8":
		return kindFloat
	case "bool":
		return kindBoolean
	case "json", "jsonb":
		return kindJSON
	}
	return kindText
}

// rowsOfQuery reads the rows as they come.
func rowsOfQuery(rows *store.Rows) iter.Seq2[[]*string, error] {
	return func(yield func([]*string, error) bool) {
		for rows.Next() {
			if !yield(rows.Values(), nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(nil, err)
		}
	}
}
