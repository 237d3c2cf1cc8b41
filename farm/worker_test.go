package farm

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/store"
)

// A worker takes visits only while they have a tab; those that wait for their
// host's turn do not count.
func TestRoom(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := newRoom(2)
	const soon, ever = time.Millisecond, time.Minute
	for visit, room := range []bool{true, true, false} {
		if r.enter(ctx, soon) != room {
			t.Fatalf("visit %d of a worker with two tabs: room %t, want %t", visit+1, !room, room)
		}
	}
	r.away() // one waits for its host
	if !r.enter(ctx, soon) {
		t.Fatal("no room while a visit waits for its host")
	}
	r.back() // three want two tabs now
	r.away()
	if r.enter(ctx, soon) {
		t.Fatal("room although every tab is wanted")
	}
	entered := make(chan bool)
	go func() { entered <- r.enter(ctx, ever) }()
	r.away()
	if !<-entered {
		t.Error("one that waited for room was not told of it")
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if r.enter(ended, ever) {
		t.Error("one that was told to end entered")
	}
}

// What this worker lacks for a run that it did not come for is left to others: the
// page goes back as if it had not been taken. One that came for the run ends.
func TestWhatAWorkerLacks(t *testing.T) {
	t.Parallel()
	b := newBench(t, demosite.Options{})
	r := b.recipe("needs", `
urls: SITE/planets
page: {headers: {X-Key: {secret: KEY}}}
tables: {planets: {from: table.figures, key: [planet]}}
polite: {rate: none}
`)
	var known atomic.Bool
	b.farm.Secret = func(string) (string, error) {
		if !known.Load() {
			return "", errors.New("secret is not set")
		}
		return "value", nil
	}
	known.Store(true)
	s, err := b.farm.Queue(t.Context(), r, SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	known.Store(false)
	if err := b.farm.Work(t.Context(), nil, s.RunID, nil); err == nil {
		t.Error("a worker that came for the run does not say what it lacks")
	}
	said := &lines{heard: make(chan struct{}), word: "lacks what a run needs"}
	b.farm.Log = slog.New(slog.NewTextHandler(said, nil))
	drain, ended := make(chan struct{}), make(chan error)
	go func() { ended <- b.farm.Serve(t.Context(), drain, ServeOptions{}) }()
	<-said.heard
	close(drain)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	pages, err := b.store.Pages(t.Context(), store.PageFilter{RunID: s.RunID})
	if err != nil || len(pages) != 1 || pages[0].Outcome != "" || pages[0].Attempts != 0 {
		t.Fatalf("%+v, %v", pages, err)
	}
	known.Store(true)
	if sum := b.work(t.Context(), s.RunID, nil, nil); sum.Done != 1 {
		t.Errorf("%+v", sum)
	}
}

// lines is a log that tells when a word was in it.
type lines struct {
	mu    sync.Mutex
	word  string
	heard chan struct{} // closed then
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.word != "" && strings.Contains(string(b), l.word) {
		l.word = ""
		close(l.heard)
	}
	return len(b), nil
}
