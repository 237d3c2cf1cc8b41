package browserpool

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// outputKept is how much of a browser's output is kept to explain its end, in bytes.
const outputKept = 8 << 10

// tail keeps the end of what a browser writes, and keeps its pipe empty.
type tail struct {
	src  *os.File
	done chan struct{}

	mu  sync.Mutex
	buf []byte
}

func newTail() *tail { return &tail{done: make(chan struct{})} }

// follow starts to read src; finish ends it.
func (t *tail) follow(src *os.File) {
	t.src = src
	go func() {
		defer close(t.done)
		_, _ = io.Copy(t, src)
		_ = src.Close()
	}()
}

// Write keeps the last outputKept bytes.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - outputKept; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

// finish waits for the end of the output, which comes when the last process that
// holds the pipe has ended: so it also waits for the browser's children.
func (t *tail) finish(limit time.Duration) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-t.done:
	case <-timer.C:
		_ = t.src.Close()
		<-t.done
	}
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.buf))
}
