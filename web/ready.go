package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Pulse notes that a loop moves. NewPulse makes one.
type Pulse struct {
	most time.Duration
	last atomic.Pointer[time.Time]
}

// NewPulse makes a pulse that counts as stopped when no beat came for so long.
func NewPulse(most time.Duration) *Pulse {
	p := &Pulse{most: most}
	p.Beat()
	return p
}

// Beat says that the loop moves.
func (p *Pulse) Beat() { p.last.Store(new(time.Now())) }

// Still is how long the loop has stood still, 0 while it moves.
func (p *Pulse) Still() time.Duration {
	if since := time.Since(*p.last.Load()); since > p.most {
		return since
	}
	return 0
}

// healthy answers whether the process is worth keeping.
func (c Config) healthy(w http.ResponseWriter, r *http.Request) {
	s := state{Well: true}
	if c.Alive != nil {
		if still := c.Alive.Still(); still > 0 {
			s = state{Parts: []partState{{Name: "loop", Problem: fmt.Sprintf("has not moved for %s", still.Round(time.Second))}}}
		}
	}
	s.write(w, r, "alive")
}

// Part is something without which a worker takes no pages.
type Part struct {
	Name    string
	Problem string                          // what is said while it is not ready, such as "does not answer"
	Check   func(ctx context.Context) error // nil: it is ready. The error is logged and never served
}

const (
	// checkLimit bounds the checks of all parts together, and a look at the queue. It
	// is less than farewell, so that Close outlasts them.
	checkLimit = 2 * time.Second
	// checkAgain is how long an answer holds, so that nobody can keep the parts
	// busy by asking.
	checkAgain = time.Second
)

// readiness answers whether the worker takes pages.
type readiness struct {
	parts []Part
	log   *slog.Logger

	lock chan struct{} // capacity 1, held during a check: there is one at a time; goes before at and last
	at   time.Time
	last state
}

// state is what a path tells, as JSON or as text.
type state struct {
	Well  bool        `json:"ok"`
	Parts []partState `json:"parts,omitempty"`
}

type partState struct {
	Name    string `json:"name"`
	Ready   bool   `json:"ready"`
	Problem string `json:"problem,omitempty"`
}

func (a *readiness) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.look(r.Context()).write(w, r, "ready")
}

// look asks every part, unless that was done a moment ago.
func (a *readiness) look(ctx context.Context) state {
	a.lock <- struct{}{}
	defer func() { <-a.lock }()
	if time.Since(a.at) < checkAgain {
		return a.last
	}
	// The answer is for others too, so it does not end with this client.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkLimit)
	defer cancel()
	now := state{Well: true}
	for i, part := range a.parts {
		s := partState{Name: part.Name, Ready: true}
		if err := part.Check(ctx); err != nil {
			s.Ready, s.Problem, now.Well = false, part.Problem, false
			if len(a.last.Parts) == 0 || a.last.Parts[i].Ready { // once, not at each probe
				a.log.Warn("the worker is not ready", "part", part.Name, "error", err)
			}
		}
		now.Parts = append(now.Parts, s)
	}
	a.at, a.last = time.Now(), now
	return now
}

// write answers 200 and the word, or 503 and a line for each part that is to blame.
func (s state) write(w http.ResponseWriter, r *http.Request, word string) {
	asJSON := strings.Contains(r.Header.Get("Accept"), "application/json")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if asJSON {
		w.Header().Set("Content-Type", "application/json")
	}
	if !s.Well {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	switch {
	case asJSON:
		_ = json.NewEncoder(w).Encode(s) // who asked has gone
	case s.Well:
		fmt.Fprintln(w, word)
	default:
		fmt.Fprintf(w, "not %s\n", word)
		for _, part := range s.Parts {
			if !part.Ready {
				fmt.Fprintf(w, "%s: %s\n", part.Name, part.Problem)
			}
		}
	}
}
