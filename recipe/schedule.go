package recipe

import (
	"slices"
	"strings"
	"time"
)

// Next is the first time of the rule after another, by the clocks of a time zone;
// false when there is none.
func (s Schedule) Next(after time.Time, zone *time.Location) (time.Time, bool) {
	if before := s.From.Add(-time.Second); before.After(after) {
		after = before
	}
	rule, err := parseCron(s.Cron)
	if err != nil {
		return time.Time{}, false // a checked recipe holds no such rule
	}
	t := rule.next(after, zone)
	return t, !t.IsZero() && (s.Until.IsZero() || !t.After(s.Until))
}

// String is the rule as lists show it.
func (s Schedule) String() string {
	const form = "2006-01-02T15:04:05"
	text := s.Cron
	if !s.From.IsZero() {
		text += " from " + strings.TrimSuffix(s.From.Format(form), ":00")
	}
	if !s.Until.IsZero() {
		text += " until " + strings.TrimSuffix(s.Until.Format(form), ":00")
	}
	if s.AllowOverlap {
		text += " overlap allow"
	}
	return text
}

// NextStart is the first time after another that one of the recipe's rules gives;
// false when there is none.
func (r *Recipe) NextStart(after time.Time) (next time.Time, ok bool) {
	for _, s := range r.Schedules {
		if t, there := s.Next(after, r.Timezone); there && (!ok || t.Before(next)) {
			next, ok = t, true
		}
	}
	return next, ok
}

// MayOverlap says whether one of the rules that give a time lets a run begin while
// the one before is not done.
func (r *Recipe) MayOverlap(at time.Time) bool {
	return slices.ContainsFunc(r.Schedules, func(s Schedule) bool {
		t, ok := s.Next(at.Add(-time.Second), r.Timezone)
		return s.AllowOverlap && ok && t.Equal(at)
	})
}
