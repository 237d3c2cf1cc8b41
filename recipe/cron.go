package recipe

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// checkCron says what is wrong with a cron rule: minute, hour, day of the month,
// month, day of the week. A rule that names both days holds on either (crontab(5)).
// It is the one place that knows the library.
func checkCron(rule string) error {
	if n := len(strings.Fields(rule)); n != 5 {
		return fmt.Errorf("a cron rule has 5 fields (minute hour day month weekday) and this has %d", n)
	}
	if strings.Contains(rule, "TZ=") {
		return fmt.Errorf("the time zone stands as timezone")
	}
	parser, err := cron.TryNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom)
	if err != nil {
		return err
	}
	if _, err = parser.Parse(rule); err != nil {
		return fmt.Errorf("no cron rule: %w", err)
	}
	return nil
}

// timeForms are how from and until of a schedule are written, in the recipe's
// time zone.
var timeForms = []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02"}

// schedules checks `schedule`: a rule, a map, or a list of them.
func (c *checker) schedules(v value, zone *time.Location) []Schedule {
	entries := []value{v}
	if v.isList() {
		list, ok := v.items(`"30 6 * * *"`)
		if !ok {
			return nil
		}
		entries = list
	}
	out := make([]Schedule, 0, len(entries))
	for _, e := range entries {
		if !e.isMap() {
			out = append(out, Schedule{Cron: e.cron()})
			continue
		}
		o, ok := e.object(reflect.TypeFor[scheduleKeys](), `cron: "30 6 * * *"`)
		if !ok {
			continue
		}
		s := Schedule{From: o.moment("from", zone), Until: o.moment("until", zone)}
		if f, ok := o.get("cron"); ok {
			s.Cron = f.cron()
		} else {
			e.wrong(`cron is missing. Write cron: "30 6 * * *".`)
		}
		if !s.From.IsZero() && !s.Until.IsZero() && !s.Until.After(s.From) {
			f, _ := o.get("until")
			f.wrong("until is not after from.")
		}
		if f, ok := o.get("overlap"); ok {
			word, _ := f.wordOf(overlapWords)
			s.AllowOverlap = word == "allow"
		}
		out = append(out, s)
	}
	return out
}

func (v value) cron() string {
	s, ok := v.text(`a cron rule: "30 6 * * *"`)
	if !ok {
		return ""
	}
	if err := checkCron(s); err != nil {
		v.wrong(`%q: %v. Write it as "30 6 * * *" (every day at 06:30).`, s, err)
	}
	return s
}

// moment is a time of the schedule; zero when it is not there.
func (o object) moment(key string, zone *time.Location) time.Time {
	f, ok := o.get(key)
	if !ok {
		return time.Time{}
	}
	s, ok := f.text("a time, as 2026-11-03T19:00")
	if !ok {
		return time.Time{}
	}
	for _, form := range timeForms {
		if t, err := time.ParseInLocation(form, s, zone); err == nil {
			return t
		}
	}
	f.wrong("%s is no time. Write it as 2026-11-03T19:00, in the recipe's timezone.", s)
	return time.Time{}
}
