package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
)

// format is how results are printed.
type format string

const (
	formatTable format = "table"
	formatCSV   format = "csv"
	formatJSON  format = "json"
	formatJSONL format = "jsonl"
)

func parseFormat(s string) (format, error) {
	switch f := format(s); f {
	case formatTable, formatCSV, formatJSON, formatJSONL:
		return f, nil
	}
	return "", usage("", "--format %s is not known: table, csv, json or jsonl", s)
}

// kind is how the text of a column is written as JSON, and on which side it stands.
type kind int

const (
	kindText    kind = iota
	kindInteger      // a JSON number; on the right
	kindNumeric      // a JSON string, so that no digit is lost; on the right
	kindFloat        // a JSON number where it is finite; on the right
	kindBoolean      // true or false
	kindJSON         // the value itself
)

// resultColumn is one column of a result.
type resultColumn struct {
	name string
	kind kind
}

// result is rows of texts, nil is NULL. Texts are as Postgres writes them. The
// rows are read once.
type result struct {
	columns []resultColumn
	rows    iter.Seq2[[]*string, error]
}

// rowsOf makes rows of a slice.
func rowsOf(rows [][]*string) iter.Seq2[[]*string, error] {
	return func(yield func([]*string, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// writeResult prints a result. The table has psql's form without its last line,
// CSV tells NULL (nothing) from the empty text (""), json is an array of
// objects and jsonl one object a line.
// All but the table are written as the rows come.
func writeResult(w io.Writer, f format, r result) error {
	if f == formatTable {
		t, err := r.screen()
		if err != nil {
			return err
		}
		return t.write(w)
	}
	b := bufio.NewWriter(w)
	if err := streamResult(b, f, r); err != nil {
		// What came before the error is a part of the answer; the exit code tells the rest.
		_ = b.Flush()
		return err
	}
	return b.Flush()
}

// streamResult ignores what single writes return: bufio.Writer keeps the first
// error and Flush gives it.
func streamResult(b *bufio.Writer, f format, r result) error {
	names := uniqueNames(r.columns)
	switch f {
	case formatCSV:
		cells := make([]*string, len(r.columns))
		for i := range r.columns {
			cells[i] = &r.columns[i].name
		}
		writeCSVLine(b, cells)
	case formatJSON:
		_ = b.WriteByte('[')
	}
	n := 0
	for row, err := range r.rows {
		if err != nil {
			return err
		}
		switch f {
		case formatCSV:
			writeCSVLine(b, row)
		case formatJSON:
			if n > 0 {
				_ = b.WriteByte(',')
			}
			_ = b.WriteByte('\n')
			_, _ = b.Write(jsonRow(names, r.columns, row))
		default:
			_, _ = b.Write(jsonRow(names, r.columns, row))
			_ = b.WriteByte('\n')
		}
		n++
	}
	if f == formatJSON {
		if n > 0 {
			_ = b.WriteByte('\n')
		}
		_, _ = b.WriteString("]\n")
	}
	return nil
}

// screen lays a result out for people: NULL is empty.
func (r result) screen() (*screenTable, error) {
	t := &screenTable{}
	for _, c := range r.columns {
		t.names = append(t.names, c.name)
		t.right = append(t.right, c.kind == kindInteger || c.kind == kindNumeric || c.kind == kindFloat)
	}
	for row, err := range r.rows {
		if err != nil {
			return nil, err
		}
		cells := make([]string, len(row))
		for i, c := range row {
			if c != nil {
				cells[i] = *c
			}
		}
		t.rows = append(t.rows, cells)
	}
	return t, nil
}

// writeCSVLine follows RFC 4180 with line feeds, and Postgres in that an empty
// text is quoted and NULL is not.
func writeCSVLine(b *bufio.Writer, row []*string) {
	for i, c := range row {
		if i > 0 {
			_ = b.WriteByte(',')
		}
		if c != nil {
			_, _ = b.WriteString(csvField(*c))
		}
	}
	_ = b.WriteByte('\n')
}

func csvField(s string) string {
	if s != "" && !strings.ContainsAny(s, "\",\r\n") && s != `\.` {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// jsonRow is a row as an object. It keeps the order of the columns, which a map
// would not.
func jsonRow(names []string, columns []resultColumn, row []*string) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, c := range row {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(jsonOf(names[i]))
		b.WriteByte(':')
		b.Write(jsonCell(columns[i].kind, c))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// uniqueNames gives the second column of one name a _2, so that no object loses a value.
func uniqueNames(columns []resultColumn) []string {
	names := make([]string, len(columns))
	taken := map[string]bool{}
	for i, c := range columns {
		name := c.name
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", c.name, n)
		}
		taken[name] = true
		names[i] = name
	}
	return names
}

// jsonCell writes one text as JSON. A text that is not what its kind says is
// written as a string: the output is valid JSON in any case.
func jsonCell(k kind, c *string) json.RawMessage {
	if c == nil {
		return json.RawMessage("null")
	}
	switch {
	case k == kindBoolean && (*c == "t" || *c == "true"):
		return json.RawMessage("true")
	case k == kindBoolean && (*c == "f" || *c == "false"):
		return json.RawMessage("false")
	case (k == kindInteger || k == kindFloat || k == kindJSON) && json.Valid([]byte(*c)):
		var b bytes.Buffer
		if err := json.Compact(&b, []byte(*c)); err == nil {
			return b.Bytes()
		}
	}
	return jsonOf(*c)
}

// jsonOf encodes a value on one line; <, > and & stay as they are.
func jsonOf(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		// Only values that this package builds come here, and they all encode.
		panic(fmt.Sprintf("encode %T: %v", v, err))
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// printJSON writes one value on one line.
func printJSON(w io.Writer, v any) error {
	_, err := fmt.Fprintf(w, "%s\n", jsonOf(v))
	return err
}
