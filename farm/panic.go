package farm

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a bug of tabfarm that showed itself while a page was worked on.
// The run stops with it; its pages are given back.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.Value, e.Stack) }

// guard calls f and turns a panic of it into a *PanicError, so that a goroutine
// of a worker cannot end the program without giving its pages back.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return f()
}
