package extract

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"

	"github.com/tabfarm/tabfarm/recipe"
)

// Dates are read strictly: the day must exist, the year has four digits, and
// numeric dates need an order that was proved or declared. strftime formats are
// read by timefmt, which gojq brings along: a strptime of our own would be a
// second, lesser one.

var (
	isoDate     = regexp.MustCompile(`^(\d{4})([-/])(\d{1,2})[-/](\d{1,2})$`)
	numericDate = regexp.MustCompile(`^(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4})$`)
	dayFirst    = regexp.MustCompile(`^(\d{1,2})(?:\.|st|nd|rd|th)?[ -](?:de )?(\p{L}+)\.?,?[ -](?:de )?(\d{4})$`)
	monthFirst  = regexp.MustCompile(`^(\p{L}+)\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})$`)
	weekdayHead = regexp.MustCompile(`^(\p{L}+)\.?,? `)
	clockTime   = regexp.MustCompile(`^(\d{1,2}):(\d{2})(?::(\d{2})(\.\d{1,6})?)?(?: ?([AaPp])\.?[Mm]\.?)?$`)
	duration    = regexp.MustCompile(`^(?:(\d{1,4}):)?(\d{1,4}):(\d{2})(\.\d{1,6})?$`)
)

// instant reads a date, time or timestamp.
func (r Rule) instant(text string) (string, bool) {
	if r.Format != "" {
		return formatted(text, r.Format, r.Type)
	}
	switch r.Type {
	case recipe.Date:
		return readDate(text, r.Order)
	case recipe.Time:
		return readTime(text)
	default:
		return readTimestamp(text, r.Order)
	}
}

// readDate reads a date whose parts are named or in the order given.
func readDate(text, order string) (string, bool) {
	if m := isoDate.FindStringSubmatch(text); m != nil {
		if strings.Count(text, m[2]) != 2 || m[2] == "-" && len(text) != 10 {
			return "", false
		}
		return calendarDay(m[1], m[3], m[4])
	}
	if m := numericDate.FindStringSubmatch(text); m != nil {
		switch {
		case strings.Count(text, m[2]) != 2:
			return "", false
		case order == "mdy":
			return calendarDay(m[4], m[1], m[3])
		case order == "dmy":
			return calendarDay(m[4], m[3], m[1])
		}
		return "", false
	}
	return namedDate(text)
}

// namedDate reads a date with the name of its month; a weekday before it must be the right one.
func namedDate(text string) (string, bool) {
	weekday := -1
	if m := weekdayHead.FindStringSubmatch(text); m != nil {
		if day, known := weekdays[strings.ToLower(m[1])]; known {
			weekday = int(day)
			text = text[len(m[0]):]
		}
	}
	var year, name, day string
	if m := dayFirst.FindStringSubmatch(text); m != nil {
		day, name, year = m[1], m[2], m[3]
	} else if m := monthFirst.FindStringSubmatch(text); m != nil {
		name, day, year = m[1], m[2], m[3]
	} else {
		return "", false
	}
	month, known := months[strings.ToLower(name)]
	if !known {
		return "", false
	}
	date, ok := calendarDay(year, strconv.Itoa(month), day)
	if !ok || weekday < 0 {
		return date, ok
	}
	t, err := time.Parse(time.DateOnly, date)
	return date, err == nil && int(t.Weekday()) == weekday
}

// calendarDay gives the ISO date of a day that exists.
func calendarDay(year, month, day string) (string, bool) {
	y, errY := strconv.Atoi(year)
	m, errM := strconv.Atoi(month)
	d, errD := strconv.Atoi(day)
	if errY != nil || errM != nil || errD != nil || y < 1 || m < 1 || m > 12 || d < 1 {
		return "", false
	}
	t := time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC)
	if t.Day() != d {
		return "", false
	}
	return t.Format(time.DateOnly), true
}

// dateOrders says which orders of a numeric date a text allows, and whether it is one.
func dateOrders(text string) (mdy, dmy, numeric bool) {
	if !numericDate.MatchString(text) {
		return false, false, false
	}
	_, mdy = readDate(text, "mdy")
	_, dmy = readDate(text, "dmy")
	return mdy, dmy, true
}

// readTime reads a time of day, of 24 hours or with AM and PM.
func readTime(text string) (string, bool) {
	m := clockTime.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	second, _ := strconv.Atoi("0" + m[3])
	if half := strings.ToLower(m[5]); half != "" {
		if hour < 1 || hour > 12 {
			return "", false
		}
		hour %= 12
		if half == "p" {
			hour += 12
		}
	}
	if hour > 23 || minute > 59 || second > 59 {
		return "", false
	}
	return fmt.Sprintf("%02d:%02d:%02d%s", hour, minute, second, m[4]), true
}

// timestampLayouts are read as UTC where they bear no zone.
var timestampLayouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04",
	"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04",
	time.RFC1123, time.RFC1123Z,
}

// readTimestamp reads ISO 8601, RFC 1123, or a date and a time of day with a space or comma between.
func readTimestamp(text, order string) (string, bool) {
	for _, layout := range timestampLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Format(time.RFC3339Nano), fourDigits(t.UTC())
		}
	}
	for i, c := range text {
		if c != ' ' {
			continue
		}
		date, okDate := readDate(strings.TrimSuffix(text[:i], ","), order)
		clock, okTime := readTime(text[i+1:])
		if okDate && okTime {
			return date + "T" + clock + "Z", true
		}
	}
	return "", false
}

// fourDigits says that the year is one that can be written: Postgres has no year
// 0, and a longer one or one below it is a slip of the page.
func fourDigits(at time.Time) bool { return at.Year() >= 1 && at.Year() <= 9999 }

// formatted reads a text by a strftime format. A date or timestamp whose format
// has no year is a misfit: a year would have to be made up.
func formatted(text, format string, t recipe.Type) (string, bool) {
	if t != recipe.Time && !hasYear(format) {
		return "", false
	}
	at, err := timefmt.ParseInLocation(text, format, time.UTC)
	if err != nil || !sameDay(at, text, format) || !fourDigits(at.UTC()) {
		return "", false
	}
	switch t {
	case recipe.Date:
		return at.Format(time.DateOnly), true
	case recipe.Time:
		return at.Format("15:04:05.999999"), true
	default:
		return at.UTC().Format(time.RFC3339Nano), true
	}
}

// sameDay refuses 31.02.: the parser would go on into March. Digits of the text
// must come back when the time is formatted again, leading zeros aside.
func sameDay(at time.Time, text, format string) bool {
	return numbersOf(timefmt.Format(at, format)) == numbersOf(text)
}

func numbersOf(text string) string {
	var b strings.Builder
	for _, part := range strings.FieldsFunc(text, func(c rune) bool { return c < '0' || c > '9' }) {
		b.WriteString(strings.TrimLeft(part, "0"))
		b.WriteByte(' ')
	}
	return b.String()
}

func hasYear(format string) bool {
	for i := 0; i+1 < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		for i++; i+1 < len(format) && strings.IndexByte("-_0^#EO:", format[i]) >= 0; i++ {
		}
		if strings.IndexByte("YyGgCFDcxsv+", format[i]) >= 0 {
			return true
		}
	}
	return false
}

// readDuration reads m:ss or h:mm:ss, with fractions of a second, as seconds.
func readDuration(text string) (string, bool) {
	m := duration.FindStringSubmatch(text)
	if m == nil {
		return "", false
	}
	hours, _ := strconv.Atoi("0" + m[1])
	minutes, _ := strconv.Atoi(m[2])
	seconds, _ := strconv.Atoi(m[3])
	if seconds > 59 || m[1] != "" && (minutes > 59 || len(m[2]) != 2) {
		return "", false
	}
	return strconv.Itoa(hours*3600+minutes*60+seconds) + m[4] + "s", true
}
