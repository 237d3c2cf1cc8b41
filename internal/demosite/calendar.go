package demosite

import (
	"fmt"
	"time"
)

// The years of the grid: from the first whole year of the Gregorian calendar on.
const (
	firstYear = 1583
	yearCount = 2000
)

// The months that have a calendar page: 1900-01 to 2099-12, 2,400 pages.
const (
	firstMonthYear = 1900
	lastMonthYear  = 2099
)

// Month gives the days of a month such as 1984-07, 28 to 31 rows; false when
// the text is no month between 1900-01 and 2099-12.
func Month(month string) (Table, bool) {
	day, err := time.Parse("2006-01", month)
	if err != nil || day.Year() < firstMonthYear || day.Year() > lastMonthYear {
		return Table{}, false
	}
	t := Table{
		Title: "Calendar of " + day.Format("January 2006"),
		Note:  "Computed by the rules of the Gregorian calendar and of ISO 8601.",
		Columns: []Column{
			{Key: "date", Title: "Date"},
			{Key: "weekday", Title: "Weekday"},
			{Key: "day_of_year", Title: "Day of year"},
			{Key: "iso_week", Title: "ISO week"},
		},
	}
	for m := day.Month(); day.Month() == m; day = day.AddDate(0, 0, 1) {
		year, week := day.ISOWeek()
		t.Rows = append(t.Rows, []any{
			day.Format(time.DateOnly), day.Weekday().String(), day.YearDay(), fmt.Sprintf("%d-W%02d", year, week),
		})
	}
	t.Total = len(t.Rows)
	return t, true
}

// Years gives the 2,000 rows of the grid: when Easter falls in each year from 1583 to 3582.
func Years() Table {
	t := Table{
		Title: "Easter in 2,000 years",
		Note:  "Computed by the rules of the Gregorian calendar; all dates are Gregorian.",
		Total: yearCount,
		Columns: []Column{
			{Key: "year", Title: "Year"},
			{Key: "easter", Title: "Easter"},
			{Key: "orthodox", Title: "Orthodox Easter"},
			{Key: "january_1", Title: "1 January"},
			{Key: "leap", Title: "Leap"},
			{Key: "golden", Title: "Golden number"},
		},
	}
	for year := firstYear; year < firstYear+yearCount; year++ {
		first := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC)
		december31 := first.AddDate(1, 0, -1)
		t.Rows = append(t.Rows, []any{
			year, easter(year).Format(time.DateOnly), orthodoxEaster(year).Format(time.DateOnly),
			first.Weekday().String(), december31.YearDay() == 366, year%19 + 1,
		})
	}
	return t
}

// easter is Easter Sunday in the Gregorian calendar: the Sunday after the
// ecclesiastical full moon on or after 21 March, with the century's solar and
// lunar corrections to the moon's age.
func easter(year int) time.Time {
	century := year / 100
	golden := year % 19
	solar := century - century/4
	lunar := (8*century + 13) / 25
	// Age-based offset of the full moon from 21 March, 0 to 29 days.
	moon := (19*golden + solar - lunar + 15) % 30
	// The two exceptions that keep the full moon no later than 18 April and
	// its dates in one 19-year cycle apart.
	if moon == 29 || moon == 28 && golden > 10 {
		moon--
	}
	return sundayAfter(time.Date(year, time.March, 21+moon, 0, 0, 0, 0, time.UTC))
}

// orthodoxEaster is Easter Sunday by the Julian calendar, as a Gregorian date.
func orthodoxEaster(year int) time.Time {
	moon := (19*(year%19) + 15) % 30 // days after 21 March, Julian
	behind := year/100 - year/400 - 2
	return sundayAfter(time.Date(year, time.March, 21+moon+behind, 0, 0, 0, 0, time.UTC))
}

// sundayAfter is the first Sunday strictly after day.
func sundayAfter(day time.Time) time.Time {
	return day.AddDate(0, 0, 7-int(day.Weekday()))
}
