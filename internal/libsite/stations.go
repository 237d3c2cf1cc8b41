package libsite

import (
	"fmt"

	"github.com/tabfarm/tabfarm/internal/demosite"
)

// stationRows is how many rows the grids have: far more than any of them draws.
const stationRows = 2000

// withheld is the row that pages leave out on request while their total still counts it.
const withheld = 777

// firstYear and lastYear bound the columns of passengers, one a year.
const firstYear, lastYear = 1990, 2022

// Stations is a made-up table of 2,000 rows and 40 columns for grids that draw
// only a part of either. Its values are of many types, some cells are empty,
// every fiftieth row equals the one before it and some equal one far above, so
// that whoever takes equal rows for one row loses some.
func Stations() demosite.Table {
	t := demosite.Table{
		Title: "Stations", Note: "made up", Total: stationRows,
		Columns: []demosite.Column{
			{Key: "station", Title: "Station"},
			{Key: "code", Title: "Code"}, // leading zeros make it text
			{Key: "opened", Title: "Opened"},
			{Key: "platforms", Title: "Platforms"},
			{Key: "height", Title: "Height m"},
			{Key: "lift", Title: "Lift"},
			{Key: "remark", Title: "Remark"},
		},
	}
	for year := firstYear; year <= lastYear; year++ {
		t.Columns = append(t.Columns, demosite.Column{Key: fmt.Sprintf("y%d", year), Title: fmt.Sprintf("In %d", year)})
	}
	for i := range stationRows {
		switch {
		case i%50 == 49:
			i--
		case i%211 == 210:
			i -= 200
		}
		t.Rows = append(t.Rows, station(i))
	}
	return t
}

// station is the row that the number n makes.
func station(n int) []any {
	names := []string{"Mill", "Old Bridge", "North Gate", "Harbour", "Côte-Verte", "Straße des 1. Mai", "St Mary & St John", "Airport"}
	row := []any{
		fmt.Sprintf("%s %d", names[n%len(names)], n/len(names)%90),
		fmt.Sprintf("%04d", n*37%10_000),
		fmt.Sprintf("%d-%02d-%02d", 1860+n%150, 1+n%12, 1+n%28),
		1 + n%14,
		float64(n*13%9000)/10 - 4.5,
		n%3 == 0,
		nil,
	}
	if n%4 == 1 {
		row[6] = fmt.Sprintf("%d-%d", n%12, n%7) // like a score: text
	}
	for year := firstYear; year <= lastYear; year++ {
		passengers := any(n*7919%1_000_003 + year*31)
		if (n+year)%17 == 0 {
			passengers = nil
		}
		row = append(row, passengers)
	}
	return row
}

// narrow is a table with only its first columns, for pages that page through it.
func narrow(t demosite.Table, columns int) demosite.Table {
	t.Columns = t.Columns[:columns]
	rows := make([][]any, len(t.Rows))
	for i, row := range t.Rows {
		rows[i] = row[:columns]
	}
	t.Rows = rows
	return t
}
