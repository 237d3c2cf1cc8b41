package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// interrupts turns SIGINT and SIGTERM into the end of a command. Where the
// command can drain, the first signal drains and the second stops; elsewhere
// the first one stops. A further signal has the system's own effect, so a
// command that hangs while it stops can still be ended.
type interrupts struct {
	cancel context.CancelCauseFunc
	quit   chan struct{}
	ended  chan struct{}

	mu    sync.Mutex
	first os.Signal     // nil while none came
	drain chan struct{} // not nil while the command can drain
	deaf  bool          // a program that was started answers to Ctrl-C itself
}

// watchInterrupts begins to listen. The context ends with an *interrupted as
// its cause; stop ends the listening and waits for it.
func watchInterrupts(parent context.Context) (context.Context, *interrupts, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	in := &interrupts{cancel: cancel, quit: make(chan struct{}), ended: make(chan struct{})}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		defer close(in.ended)
		defer signal.Stop(signals)
		for {
			select {
			case s := <-signals:
				if in.stopped(s) {
					return
				}
			case <-in.quit:
				return
			}
		}
	}()
	return ctx, in, func() {
		close(in.quit)
		<-in.ended
		cancel(nil)
	}
}

// stopped handles one signal and says whether the command was told to stop.
func (in *interrupts) stopped(s os.Signal) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.deaf {
		return false
	}
	again := in.first != nil
	if !again {
		in.first = s
	}
	if in.drain != nil && !again {
		close(in.drain)
		return false
	}
	in.cancel(&interrupted{signal: in.first})
	return true
}

// draining makes the first signal a drain until done is called. A signal that
// came before has ended the context already.
func (in *interrupts) draining() (drain <-chan struct{}, done func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	ch := make(chan struct{})
	in.drain = ch
	return ch, func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.drain = nil
	}
}

// leave leaves Ctrl-C to a program that shares the terminal.
func (in *interrupts) leave() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.deaf = true
}

// signal gives the first signal that came, nil for none.
func (in *interrupts) signal() os.Signal {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.first
}
