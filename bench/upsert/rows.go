package main

import (
	"fmt"
	"math/big"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// The columns after the key come in this order, again and again.
var types = []recipe.Type{recipe.Integer, recipe.Numeric, recipe.Text, recipe.Date, recipe.Timestamp, recipe.Boolean, recipe.Numeric, recipe.Integer}

// The key of the tables.
var key = []string{"player", "season"}

// columnsOf are the key and what follows it.
func columnsOf(n int) []store.Column {
	columns := []store.Column{{Name: key[0], Header: key[0], Type: recipe.Text}, {Name: key[1], Header: key[1], Type: recipe.Integer}}
	for i := len(key); i < n; i++ {
		name := fmt.Sprintf("c%d", i)
		columns = append(columns, store.Column{Name: name, Header: name, Type: types[(i-len(key))%len(types)]})
	}
	return columns
}

// rows are the same rows twice: as texts, which is how tabfarm has them, and as
// values of Go, as a program has them that reads no pages.
type rows struct {
	columns []store.Column
	texts   [][]*string
	values  [][]any
}

// makeRows makes n rows. The keys come in no order, as on most pages. Of another
// edition every whole number is another: that is a fourth of the columns.
func makeRows(n, columns, edition int) rows {
	r := rows{columns: columnsOf(columns)}
	for i := range n {
		texts, values := make([]*string, columns), make([]any, columns)
		for c, column := range r.columns {
			text, value := cell(column.Type, i, c, edition)
			if c < len(key) {
				text, value = keyCell(c, i)
			}
			texts[c], values[c] = &text, value
		}
		r.texts, r.values = append(r.texts, texts), append(r.values, values)
	}
	return r
}

func keyCell(column, i int) (string, any) {
	mixed := uint32(i) * 2654435761 // odd, so that each number is met once
	if column == 0 {
		text := fmt.Sprintf("player-%010d", mixed)
		return text, text
	}
	season := 1985 + int64(mixed%40)
	return strconv.FormatInt(season, 10), season
}

// cell is a value that is told from others by its row and column.
func cell(t recipe.Type, i, c, edition int) (string, any) {
	n := i*31 + c
	switch t {
	case recipe.Integer:
		v := int64(n + edition)
		return strconv.FormatInt(v, 10), v
	case recipe.Numeric:
		v := int64(n % 100_000)
		return fmt.Sprintf("%d.%02d", v/100, v%100), pgtype.Numeric{Int: big.NewInt(v), Exp: -2, Valid: true}
	case recipe.Date:
		v := time.Date(1950+n%70, time.Month(1+n%12), 1+n%28, 0, 0, 0, 0, time.UTC)
		return v.Format(time.DateOnly), v
	case recipe.Timestamp:
		v := time.Date(2024, 1, 1, 0, 0, n%30_000_000, 0, time.UTC)
		return v.Format(time.RFC3339), v
	case recipe.Boolean:
		return strconv.FormatBool(n%3 == 0), n%3 == 0
	default:
		text := fmt.Sprintf("some words, number %d", n)
		return text, text
	}
}
