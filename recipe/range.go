package recipe

import (
	"fmt"
	"iter"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"
)

var (
	wholeForm = regexp.MustCompile(`^[+-]?[0-9]{1,15}$`)
	dayForm   = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	monthForm = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}$`)
	todayForm = regexp.MustCompile(`^today(?: ?([+-]) ?([0-9]{1,5})d)?$`)
)

// maxRange is the most values that one range may give.
const maxRange = 10_000_000

// values gives the values of the range, in order. today is taken from now, which
// is in the recipe's time zone already.
func (r Range) values(now time.Time) (iter.Seq[string], error) {
	n, err := r.count(now)
	if err != nil {
		return nil, err
	}
	if wholeForm.MatchString(r.From) {
		from, _ := strconv.Atoi(r.From)
		width := 0 // 001 to 120: as many digits as the first is written with
		if len(r.From) > 1 && r.From[0] == '0' {
			width = len(r.From)
		}
		return func(yield func(string) bool) {
			for i := range n {
				if !yield(fmt.Sprintf("%0*d", width, from+i*r.Step)) {
					return
				}
			}
		}, nil
	}
	from, months, err := r.ends(now)
	if err != nil {
		return nil, err
	}
	format := r.Format
	if format == "" {
		format = "%Y-%m-%d"
		if months {
			format = "%Y-%m"
		}
	}
	return func(yield func(string) bool) {
		for i := range n {
			day := from[0].AddDate(0, 0, i*r.Step)
			if months {
				day = from[0].AddDate(0, i*r.Step, 0)
			}
			if !yield(timefmt.Format(day, format)) {
				return
			}
		}
	}, nil
}

// count is how many values the range gives. The error says what is wrong with it
// and what to write.
func (r Range) count(now time.Time) (int, error) {
	step := r.Step
	if step == 0 {
		return 0, fmt.Errorf("step 0 leads nowhere")
	}
	var distance int
	switch {
	case wholeForm.MatchString(r.From) && wholeForm.MatchString(r.To):
		if r.Format != "" {
			return 0, fmt.Errorf("format goes with dates, and %s is a number. Take it out", r.From)
		}
		from, _ := strconv.Atoi(r.From) // the form holds at most 15 digits
		to, _ := strconv.Atoi(r.To)
		distance = to - from
	default:
		ends, months, err := r.ends(now)
		if err != nil {
			return 0, err
		}
		distance = int(ends[1].Sub(ends[0]) / (24 * time.Hour))
		if months {
			distance = (ends[1].Year()-ends[0].Year())*12 + int(ends[1].Month()) - int(ends[0].Month())
		}
	}
	if distance != 0 && distance > 0 != (step > 0) {
		return 0, fmt.Errorf("from %s does not lead to %s in steps of %d. Write step: %d, or exchange them", r.From, r.To, step, -step)
	}
	n := distance/step + 1
	if n > maxRange {
		return 0, fmt.Errorf("from %s to %s is %d values, and a range holds at most %d", r.From, r.To, n, maxRange)
	}
	return n, nil
}

// ends are the two ends of a range of dates, as midnights in UTC, so that no
// change of clocks shifts a day. months says that it counts in months: one end is
// written as one.
func (r Range) ends(now time.Time) (ends [2]time.Time, months bool, err error) {
	for i, s := range []string{r.From, r.To} {
		if ends[i], err = civil(s, now); err != nil {
			return ends, false, err
		}
		months = months || monthForm.MatchString(s)
	}
	if months {
		for i, d := range ends {
			ends[i] = d.AddDate(0, 0, 1-d.Day())
		}
	}
	return ends, months, nil
}

// civil reads 2024-01-31, 2024-01, today or today+7d as a day.
func civil(s string, now time.Time) (time.Time, error) {
	if m := todayForm.FindStringSubmatch(s); m != nil {
		days, _ := strconv.Atoi(m[1] + m[2]) // at most five digits; none is 0
		return time.Date(now.Year(), now.Month(), now.Day()+days, 0, 0, 0, 0, time.UTC), nil
	}
	for form, layout := range map[*regexp.Regexp]string{dayForm: "2006-01-02", monthForm: "2006-01"} {
		if !form.MatchString(s) {
			continue
		}
		t, err := time.Parse(layout, s)
		if err != nil {
			return t, fmt.Errorf("%s is in no calendar", s)
		}
		return t, nil
	}
	hint := ""
	if strings.HasPrefix(s, "today") {
		hint = " (days only: today+7d)"
	}
	return time.Time{}, fmt.Errorf("%s does not go with the other end. Write two whole numbers, or two of 2024-01-31, 2024-01, today and today+7d%s", s, hint)
}
