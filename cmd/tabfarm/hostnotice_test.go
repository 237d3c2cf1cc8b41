package main

import (
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/farm"
)

func TestHostText(t *testing.T) {
	t.Parallel()
	const host = "https://stats.example"
	for want, e := range map[string]farm.Event{
		"stats.example answers nothing (unreachable): waiting 1 min, 12 pages wait; ^C stops": {Host: host, Outcome: farm.Unreachable, Paused: 59 * time.Second, Waiting: 12},
		"stats.example only fails (http_error): waiting 30 min, 1 page waits; ^C stops":       {Host: host, Outcome: farm.HTTPError, Paused: 30 * time.Minute, Waiting: 1},
		"stats.example answers nothing (timeout): given up with 1,200 pages":                  {Host: host, Outcome: farm.Timeout, GivenUp: 1200},
		"": {Address: host + "/1", Outcome: farm.Timeout, Retry: time.Second},
	} {
		if got := hostText(e); got != want {
			t.Errorf("got  %q\nwant %q", got, want)
		}
	}
}
