package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/tabfarm/tabfarm/recipe"
)

// look tells rows that are there with other values, and rows that are not there,
// both in order. It sends the keys alone, and compares what is there as text: to
// write values out and to compare texts costs half of sending them all to be read
// and compared by Postgres. Texts that are equal are equal values; of texts that are
// not, such as 1.5 and 1.50, put finds out.
func (u *upsert) look(ctx context.Context, tx pgx.Tx) (differing, fresh []int, err error) {
	others := u.others()
	list := make([]string, len(others))
	for i, f := range others {
		list[i] = "t." + quote(f.name)
		switch {
		case f.byServer():
			list[i] += " IS DISTINCT FROM " + u.value(f.name)
		case f.typ == sqlTypes[recipe.Boolean]:
			list[i] += "::text" // true and not t
		}
		list[i] += fmt.Sprintf(" AS o%d", i)
	}
	needs := func(f *field) bool { return f.byServer() || slices.Contains(u.key, f.name) }
	sql := "SELECT n.ord, f.* FROM " + u.rows(needs) + u.found(strings.Join(list, ", "))
	rows, err := tx.Query(ctx, sql, slices.Concat([]any{pgx.QueryResultFormats{pgx.TextFormatCode}}, u.args(u.order, needs))...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	there, differs := make([]bool, u.n), make([]bool, u.n)
	for rows.Next() {
		cells := rows.RawValues()
		ord, err := strconv.Atoi(string(cells[0]))
		if err != nil {
			return nil, nil, err
		}
		row := u.order[ord-1]
		there[row] = true
		for i, f := range others {
			if !f.same(row, cells[i+1]) {
				differs[row] = true
				break
			}
		}
	}
	for _, r := range u.order {
		switch {
		case !there[r]:
			fresh = append(fresh, r)
		case differs[r]:
			differing = append(differing, r)
		}
	}
	return differing, fresh, rows.Err()
}

// byServer says that the server compares a column's values: they have many
// writings.
func (f *field) byServer() bool {
	return f.typ == sqlTypes[recipe.Duration] || f.typ == sqlTypes[recipe.JSON]
}

// same compares the value of a row with what look got for it.
func (f *field) same(row int, have []byte) bool {
	want := f.values[row]
	switch {
	case f.byServer():
		return string(have) == "f"
	case have == nil || want == nil:
		return have == nil && want == nil
	case f.typ == sqlTypes[recipe.Timestamp]:
		return sameMoment(*want, have)
	}
	return string(have) == *want
}

// sameMoment compares 2024-02-29T12:00:00Z with 2024-02-29 12:00:00+00.
func sameMoment(want string, have []byte) bool {
	day, clock, ok := strings.Cut(want, "T")
	clock, utc := strings.CutSuffix(clock, "Z")
	return ok && utc && len(have) == len(day)+len(clock)+4 &&
		string(have[:len(day)]) == day && have[len(day)] == ' ' &&
		string(have[len(day)+1:len(have)-3]) == clock && string(have[len(have)-3:]) == "+00"
}
