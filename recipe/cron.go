package recipe

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// cronRule is a parsed cron rule: minute, hour, day of the month, month, day of the
// week. A rule that names both days holds on either (crontab(5)).
type cronRule struct {
	times cron.Schedule
	// fixed rules name minutes and hours. Others, whose minute or hour begins with *,
	// go on by the time that passes, whatever is done to the clocks (crontab(5)).
	fixed bool
}

// farYears is how far ahead a time is looked for: 29 February may be eight years off.
const farYears = 8

// parseCron reads a cron rule. It is the one place that knows the library, which
// computes by the clock on the wall alone: see next.
func parseCron(rule string) (cronRule, error) {
	fields := strings.Fields(rule)
	if len(fields) != 5 {
		return cronRule{}, fmt.Errorf("a cron rule has 5 fields (minute hour day month weekday) and this has %d", len(fields))
	}
	if strings.Contains(rule, "TZ=") {
		return cronRule{}, fmt.Errorf("the time zone stands as timezone")
	}
	parser, err := cron.TryNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.DowOrDom)
	if err != nil {
		return cronRule{}, err
	}
	times, err := parser.WithMaxSearchYears(farYears).Parse(rule)
	if err != nil {
		return cronRule{}, fmt.Errorf("no cron rule: %w", err)
	}
	if times.Next(time.Now().UTC()).IsZero() {
		return cronRule{}, fmt.Errorf("there is no such day")
	}
	return cronRule{times, !strings.HasPrefix(fields[0], "*") && !strings.HasPrefix(fields[1], "*")}, nil
}

// next is the first time of the rule after another, zero when there is none. The
// library finds what the clock on the wall is to show, as if it were never put
// forward or back; the stretches of time between two such changes then say when it
// shows that. A fixed time that is left out comes at once after the gap, one that
// comes twice counts the first time.
func (r cronRule) next(after time.Time, zone *time.Location) time.Time {
	at := after.In(zone)
	start, end := at.ZoneBounds()
	seen := onWall(at)
	if r.fixed && !start.IsZero() {
		if before := onWall(start.Add(-time.Second)); before.After(seen) {
			seen = before // the clock was put back and shows a second time what has been
		}
	}
	for {
		due := r.times.Next(seen)
		if due.IsZero() {
			return time.Time{}
		}
		_, offset := at.Zone()
		t := due.Add(-time.Duration(offset) * time.Second).In(zone)
		if !start.IsZero() && t.Before(start) {
			t = start
		}
		if end.IsZero() || t.Before(end) {
			return t
		}
		at = end
		start, end = at.ZoneBounds()
		if !r.fixed {
			seen = onWall(at).Add(-time.Second)
		}
	}
}

// onWall is what the clock on the wall shows, as a time in UTC.
func onWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
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
	if _, err := parseCron(s); err != nil {
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
