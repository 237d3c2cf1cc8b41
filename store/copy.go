package store

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// copy writes rows that are not in the table by COPY. One that another page has
// written since look ends it with a unique violation.
func (u *upsert) copy(ctx context.Context, tx pgx.Tx, rows []int, c *TableCounts) error {
	if len(rows) == 0 {
		return nil
	}
	var names []string
	for _, f := range u.columns {
		names = append(names, quote(f.name))
	}
	// now is the begin of the transaction, as now() is.
	own := "\t" + strconv.FormatInt(u.page.ID, 10) + "\t" + strconv.FormatInt(u.page.RunID, 10) + "\tnow\tnow\n"
	tail := append(appendCopied([]byte{'\t'}, u.page.Address), own...)
	names = append(names, colURL, colPage, colRun, colFirstSeen, colChanged)
	sql := "COPY " + u.table + " (" + strings.Join(names, ", ") + ") FROM STDIN"
	tag, err := tx.Conn().PgConn().CopyFrom(ctx, &copyReader{u: u, rows: rows, tail: tail}, sql)
	c.Inserted += tag.RowsAffected()
	return err
}

// copyReader is rows in the text format of COPY, each written when it is asked for:
// the server reads the first ones while the next are written.
type copyReader struct {
	u    *upsert
	rows []int
	tail []byte // the end of each row
	buf  []byte // of the row that is being read
	rest []byte // of buf
}

func (r *copyReader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.rest) == 0 {
			if len(r.rows) == 0 {
				return n, io.EOF
			}
			r.next()
		}
		c := copy(p[n:], r.rest)
		n, r.rest = n+c, r.rest[c:]
	}
	return n, nil
}

// next writes the next row.
func (r *copyReader) next() {
	b := r.buf[:0]
	for i := range r.u.columns {
		if i > 0 {
			b = append(b, '\t')
		}
		if v := r.u.columns[i].values[r.rows[0]]; v != nil {
			b = appendCopied(b, *v)
		} else {
			b = append(b, `\N`...)
		}
	}
	b = append(b, r.tail...)
	r.buf, r.rest, r.rows = b, b, r.rows[1:]
}

// appendCopied adds a value, with what would end it, or is no letter of its own, escaped.
func appendCopied(b []byte, text string) []byte {
	if !strings.ContainsAny(text, "\\\t\n\r") {
		return append(b, text...)
	}
	for i := range len(text) {
		switch text[i] {
		case '\\':
			b = append(b, `\\`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = append(b, text[i])
		}
	}
	return b
}
