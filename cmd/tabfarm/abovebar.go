package main

import (
	"io"
	"sync"
)

// aboveBar is standard error: lines go through the bar while one is shown, so
// that they stand above it instead of tearing it.
type aboveBar struct {
	mu  sync.Mutex
	to  io.Writer
	bar io.Writer // nil while there is none
}

func (a *aboveBar) Write(b []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bar != nil {
		return a.bar.Write(b)
	}
	return a.to.Write(b)
}

// through sends what is written to bar, nil for the screen itself.
func (a *aboveBar) through(bar io.Writer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bar = bar
}
