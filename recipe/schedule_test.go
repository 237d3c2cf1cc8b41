package recipe

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestNext: the times of rules over the changes of real clocks, as crontab(5) has
// them: a fixed time that is left out comes at once afterwards, one that comes twice
// counts once, and rules with * go on by the time that passes.
func TestNext(t *testing.T) {
	t.Parallel()
	const berlin, newYork, lordHowe = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
	for _, c := range []struct{ name, zone, cron, after, want string }{
		{"every day", "UTC", "30 6 * * *", "2026-11-24T06:29:59Z", "2026-11-24T06:30:00Z 2026-11-25T06:30:00Z"},
		{"strictly after", "UTC", "30 6 * * *", "2026-11-24T06:30:00Z", "2026-11-25T06:30:00Z"},
		{"within a second", "UTC", "30 6 * * *", "2026-11-24T06:29:59.999Z", "2026-11-24T06:30:00Z"},
		{"by the zone's clock", newYork, "30 6 * * *", "2026-11-24T00:00:00Z", "2026-11-24T06:30:00-05:00"},
		{"no daylight saving", "Asia/Kolkata", "30 6 * * *", "2026-03-28T12:00:00Z", "2026-03-29T06:30:00+05:30 2026-03-30T06:30:00+05:30"},
		{"the day before and after the gap", berlin, "30 6 * * *", "2026-03-28T00:00:00Z", "2026-03-28T06:30:00+01:00 2026-03-29T06:30:00+02:00"},

		{"fixed in the gap", berlin, "30 2 * * *", "2026-03-28T00:00:00Z", "2026-03-28T02:30:00+01:00 2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
		{"fixed in the gap, New York", newYork, "15 2 * * *", "2026-03-08T05:00:00Z", "2026-03-08T03:00:00-04:00 2026-03-09T02:15:00-04:00"},
		{"several fixed in the gap", berlin, "0,20,40 2 * * *", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00+02:00 2026-03-30T02:00:00+02:00"},
		{"the end of the gap itself", berlin, "0 2,3 * * *", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00+02:00 2026-03-30T02:00:00+02:00"},
		{"half an hour's gap", lordHowe, "15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"},
		{"midnight in the gap", "America/Santiago", "0 0 * * *", "2026-09-05T05:00:00Z", "2026-09-06T01:00:00-03:00 2026-09-07T00:00:00-03:00"},
		{"a day in the gap", "Pacific/Apia", "30 6 * * *", "2011-12-29T18:00:00Z", "2011-12-31T00:00:00+14:00 2011-12-31T06:30:00+14:00"},

		{"fixed in the overlap", berlin, "30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
		{"fixed, asked in the second hour", berlin, "45 2 * * *", "2026-10-25T01:30:00Z", "2026-10-26T02:45:00+01:00"},
		{"several fixed in the overlap", newYork, "0,30 1,2 * * *", "2026-11-01T04:59:00Z", "2026-11-01T01:00:00-04:00 2026-11-01T01:30:00-04:00 2026-11-01T02:00:00-05:00 2026-11-01T02:30:00-05:00"},
		{"half an hour's overlap", lordHowe, "45 1 * * *", "2026-04-04T12:00:00Z", "2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30"},

		{"every hour over the gap", berlin, "0 * * * *", "2026-03-29T00:00:00Z", "2026-03-29T03:00:00+02:00 2026-03-29T04:00:00+02:00"},
		{"every hour over the overlap", berlin, "0 * * * *", "2026-10-24T23:00:00Z", "2026-10-25T02:00:00+02:00 2026-10-25T02:00:00+01:00 2026-10-25T03:00:00+01:00"},
		{"every 20 minutes over the overlap", newYork, "*/20 * * * *", "2026-11-01T05:20:00Z", "2026-11-01T01:40:00-04:00 2026-11-01T01:00:00-05:00 2026-11-01T01:20:00-05:00"},
		{"half an hour's overlap by the hour", lordHowe, "45 * * * *", "2026-04-04T14:00:00Z", "2026-04-05T01:45:00+11:00 2026-04-05T01:45:00+10:30"},
		{"* for minutes of an hour in the gap", berlin, "*/30 2 * * *", "2026-03-29T00:00:00Z", "2026-03-30T02:00:00+02:00"},
		{"* for minutes of an hour that comes twice", berlin, "*/30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:00:00+02:00 2026-10-25T02:30:00+02:00 2026-10-25T02:00:00+01:00 2026-10-25T02:30:00+01:00"},

		{"29 February", "UTC", "0 12 29 2 *", "2026-03-01T00:00:00Z", "2028-02-29T12:00:00Z 2032-02-29T12:00:00Z"},
		{"29 February over 2100", "UTC", "0 12 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T12:00:00Z"},
		{"31st", "UTC", "0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"},
		{"either day", "UTC", "0 0 1 * mon", "2026-11-24T00:00:00Z", "2026-11-30T00:00:00Z 2026-12-01T00:00:00Z 2026-12-07T00:00:00Z"},
		{"Sunday is 0 and 7", "UTC", "0 0 * * 7", "2026-11-24T00:00:00Z", "2026-11-29T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wantTimes(t, Schedule{Cron: c.cron}, c.zone, c.after, c.want)
		})
	}
}

// TestNextMinuteByMinute: what Next leaps to is what comes out when every minute around
// a change of clocks is looked at, one after the other.
func TestNextMinuteByMinute(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	for zone, change := range map[string]time.Time{
		"Europe/Berlin":       time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC),
		"America/New_York":    time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC),
		"Australia/Lord_Howe": time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC),
		"America/Santiago":    time.Date(2026, 9, 6, 4, 0, 0, 0, time.UTC),
		"Asia/Kathmandu":      time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), // no change
	} {
		for range 40 {
			rule := pick("0", "15", "30", "45", "*/20", "*", "10-20", "0,59") + " " + pick("0", "1", "2", "3", "*", "*/2", "0-3", "1,2") + " " + pick("*", "29", "1", "1-6") + " * " + pick("*", "0", "sun", "6")
			s, in := Schedule{Cron: rule}, zoneOf(t, zone)
			after := change.Add(-8 * time.Hour).Add(time.Duration(random.IntN(8*60)) * time.Minute)
			end := change.Add(8 * time.Hour)
			var got []string
			for at, ok := s.Next(after, in); ok && !at.After(end); at, ok = s.Next(at, in) {
				got = append(got, at.Format(time.RFC3339))
			}
			if diff := cmp.Diff(everyMinute(t, rule, in, after, end), got); diff != "" {
				t.Errorf("%s after %s in %s (-want +got)\n%s", rule, after.In(in), zone, diff)
			}
		}
	}
}

// everyMinute gives the times of a rule by looking at each minute in turn.
func everyMinute(t *testing.T, rule string, in *time.Location, after, end time.Time) (times []string) {
	t.Helper()
	r, err := parseCron(rule)
	if err != nil {
		t.Fatal(err)
	}
	seen := onWall(after.Add(-4 * time.Hour).In(in)) // the latest that the wall has shown
	for at := after.Add(-4 * time.Hour); !at.After(end); at = at.Add(time.Minute) {
		wall := onWall(at.In(in))
		due := r.times.Next(wall.Add(-time.Second)).Equal(wall)
		if r.fixed {
			due = !r.times.Next(seen).After(wall)
		}
		if wall.After(seen) {
			seen = wall
		}
		if due && at.After(after) {
			times = append(times, at.In(in).Format(time.RFC3339))
		}
	}
	return times
}

// TestNextWithin: from and until are themselves within.
func TestNextWithin(t *testing.T) {
	t.Parallel()
	const night = "2026-11-03T19:00/2026-11-03T19:10"
	for _, c := range []struct{ name, within, after, want string }{
		{"before from", night, "2020-01-01T00:00:00Z", "2026-11-03T19:00:00-05:00 2026-11-03T19:05:00-05:00 2026-11-03T19:10:00-05:00 none"},
		{"at from", night, "2026-11-03T19:00:00-05:00", "2026-11-03T19:05:00-05:00"},
		{"at until", night, "2026-11-03T19:10:00-05:00", "none"},
		{"until within a step", "/2026-11-03T19:04", "2026-11-03T19:00:00-05:00", "none"},
		{"from within a step", "2026-11-03T19:04/", "2026-11-03T12:00:00-05:00", "2026-11-03T19:05:00-05:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := Schedule{Cron: "*/5 * * * *"}
			from, until, _ := strings.Cut(c.within, "/")
			for text, to := range map[string]*time.Time{from: &s.From, until: &s.Until} {
				if text != "" {
					at, err := time.ParseInLocation("2006-01-02T15:04", text, zoneOf(t, "America/New_York"))
					if err != nil {
						t.Fatal(err)
					}
					*to = at
				}
			}
			wantTimes(t, s, "America/New_York", c.after, c.want)
		})
	}
}

// TestNextStart: of several rules the next time of any counts, and whether runs may
// overlap is a matter of the rule whose time it is.
func TestNextStart(t *testing.T) {
	t.Parallel()
	r, err := Parse("a.yaml", []byte(`
schedule:
  - "30 6 * * *"
  - {cron: "0 7,12 * * *", until: 2026-11-25, overlap: allow}
  - {cron: "0 12 * * *"}
timezone: Europe/Berlin
priority: -5
urls: https://stats.example/a
tables: {a: {}}
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Unsupported()) > 0 || r.Priority != -5 {
		t.Errorf("priority %d, and %v", r.Priority, r.Unsupported())
	}
	var got []string
	at := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	for range 5 {
		next, ok := r.NextStart(at)
		if !ok {
			t.Fatal("no time is left")
		}
		line := next.Format(time.RFC3339)
		if r.MayOverlap(next) {
			line += " allow"
		}
		got, at = append(got, line), next
	}
	want := []string{
		"2026-11-24T06:30:00+01:00", "2026-11-24T07:00:00+01:00 allow", "2026-11-24T12:00:00+01:00 allow",
		"2026-11-25T06:30:00+01:00", "2026-11-25T12:00:00+01:00",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if got, want := r.Schedules[1].String(), "0 7,12 * * * until 2026-11-25T00:00 overlap allow"; got != want {
		t.Errorf("a rule is shown as %q, want %q", got, want)
	}
}

// wantTimes compares the first times of a rule after another.
func wantTimes(t *testing.T, s Schedule, zone, after, want string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, after)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for range strings.Fields(want) {
		next, ok := s.Next(at, zoneOf(t, zone))
		if !ok {
			got = append(got, "none")
			break
		}
		got, at = append(got, next.Format(time.RFC3339)), next
	}
	if got := strings.Join(got, " "); got != want {
		t.Errorf("%s after %s in %s\n got %s\nwant %s", s.Cron, after, zone, got, want)
	}
}

func zoneOf(t *testing.T, name string) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return zone
}
