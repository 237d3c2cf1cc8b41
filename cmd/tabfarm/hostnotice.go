package main

import (
	"strings"

	"github.com/tabfarm/tabfarm/farm"
)

// tellHost tells what the engine decided about a host; events of pages are the
// progress's.
func (a *app) tellHost(e farm.Event) {
	if text := hostText(e); text != "" {
		a.notice("%s", text)
	}
}

// hostText is "stats.example answers nothing (unreachable): waiting 1 min, 12 pages
// wait; ^C stops", "" for an event of a page.
func hostText(e farm.Event) string {
	_, name, _ := strings.Cut(e.Host, "://")
	says := name + " only fails (" + string(e.Outcome) + "): "
	if e.Outcome == farm.Unreachable || e.Outcome == farm.Timeout {
		says = name + " answers nothing (" + string(e.Outcome) + "): "
	}
	switch {
	case e.Paused > 0:
		wait := " waits"
		if e.Waiting != 1 {
			wait = " wait"
		}
		return says + "waiting " + roughly(e.Paused) + ", " + pagesWords(e.Waiting) + wait + "; ^C stops"
	case e.GivenUp > 0:
		return says + "given up with " + pagesWords(e.GivenUp)
	}
	return ""
}
