package browserpool

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// The ways a command ends without an answer.
var (
	errLost    = errors.New("connection to the browser lost")
	errGone    = errors.New("session detached")
	errCrashed = errors.New("renderer crashed")
)

// readBuffer is the size of one read from the pipe in bytes. Chrome writes 64
// KiB at a time, and rows of a page come in messages of up to 1 MB.
const readBuffer = 256 << 10

// bufferedPipe puts a large buffer before the small reads of chromedp.PipeConn.
type bufferedPipe struct {
	*bufio.Reader
	file *os.File
}

func (b bufferedPipe) Close() error { return b.file.Close() }

// mux carries the commands and events of many sessions over the one pipe of a
// browser. docs/decisions/001-own-session-multiplexer.md has the reasons for it.
//
// Two goroutines belong to it, a reader and a writer, and close waits for both.
// The reader never blocks: a handler of events keeps what it needs under its own
// lock and returns. So no tab, however chatty or dead, holds up another.
type mux struct {
	wire chromedp.Transport
	root *session // of the browser itself; it stays when it is gone
	wg   sync.WaitGroup

	mu       sync.Mutex
	next     int64
	pending  map[int64]*call
	sessions map[target.SessionID]*session
	queue    []*cdproto.Message // not yet written; the writer takes it whole
	lost     chan struct{}      // closed under mu, once
	wake     chan struct{}      // capacity 1: queue is not empty
}

// newMux starts to read and write the pipe of a browser: commands go to w,
// answers and events come from r. close ends it.
func newMux(r, w *os.File) *mux {
	m := &mux{
		wire:     chromedp.NewPipeConn(bufferedPipe{bufio.NewReaderSize(r, readBuffer), r}, w),
		pending:  map[int64]*call{},
		sessions: map[target.SessionID]*session{},
		lost:     make(chan struct{}),
		wake:     make(chan struct{}, 1),
	}
	m.root = &session{mux: m, gone: make(chan struct{})}
	m.sessions[""] = m.root
	m.wg.Go(m.read)
	m.wg.Go(m.write)
	return m
}

// close closes the pipe, fails what is pending and waits for both goroutines.
func (m *mux) close() {
	m.lose()
	_ = m.wire.Close()
	m.wg.Wait()
}

// lose fails every pending command and ends every session.
func (m *mux) lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.lost:
		return
	default:
	}
	close(m.lost)
	for id, c := range m.pending {
		delete(m.pending, id)
		c.done <- answer{err: errLost}
	}
	for _, s := range m.sessions {
		close(s.gone)
	}
	clear(m.sessions)
}

func (m *mux) read() {
	defer m.lose()
	for {
		msg := new(cdproto.Message)
		if err := m.wire.Read(context.Background(), msg); err != nil {
			return // the end of the pipe, or text that is no JSON: both end this browser
		}
		if msg.ID != 0 {
			m.answered(msg)
			continue
		}
		if msg.Method == "Target.detachedFromTarget" { // comes on the parent's session
			m.detached(msg.Params)
		}
		m.mu.Lock()
		s := m.sessions[msg.SessionID]
		m.mu.Unlock()
		if s != nil && s.on != nil {
			s.on(string(msg.Method), msg.Params)
		}
	}
}

func (m *mux) answered(msg *cdproto.Message) {
	m.mu.Lock()
	c := m.pending[msg.ID]
	delete(m.pending, msg.ID)
	m.mu.Unlock()
	if c == nil {
		return // its waiter has left
	}
	a := answer{result: msg.Result}
	if msg.Error != nil {
		a = answer{err: msg.Error}
	}
	if c.heard != nil {
		c.heard(a)
	}
	c.done <- a
}

func (m *mux) detached(params jsonv2.Value) {
	var ev struct {
		SessionID target.SessionID `json:"sessionId"`
	}
	if decode(params, &ev) == nil {
		m.drop(ev.SessionID, errGone)
	}
}

// drop ends a session and fails its pending commands.
func (m *mux) drop(id target.SessionID, why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.sessions[id]
	if s == nil {
		return
	}
	delete(m.sessions, id)
	close(s.gone)
	m.failLocked(id, why)
}

// fail ends the pending commands of a session that goes on: Chrome never
// answers those that a renderer took with it when it crashed.
func (m *mux) fail(id target.SessionID, why error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failLocked(id, why)
}

func (m *mux) failLocked(id target.SessionID, why error) {
	for n, c := range m.pending {
		if c.session == id {
			delete(m.pending, n)
			c.done <- answer{err: why}
		}
	}
}

func (m *mux) write() {
	for {
		select {
		case <-m.lost:
			return
		case <-m.wake:
		}
		m.mu.Lock()
		queue := m.queue
		m.queue = nil
		m.mu.Unlock()
		for _, msg := range queue {
			if err := m.wire.Write(context.Background(), msg); err != nil {
				m.lose()
				return
			}
		}
	}
}

// session is one attached target of the browser, or the browser itself.
type session struct {
	mux *mux
	id  target.SessionID
	// on is called by the reader for each event and must not block. It is set
	// before the session is known to the mux.
	on   func(method string, params jsonv2.Value)
	gone chan struct{} // closed when the target detached or the browser was lost
	// of is the session of the page or frame that a worker belongs to; nil for those.
	of *session
}

// page is the session of the page or frame that a session belongs to.
func (s *session) page() *session {
	for s.of != nil {
		s = s.of
	}
	return s
}

// attach makes the session id known, so that its events come to on.
func (m *mux) attach(id target.SessionID, on func(string, jsonv2.Value)) (*session, error) {
	s := &session{mux: m, id: id, on: on, gone: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.lost:
		return nil, errLost
	default:
	}
	m.sessions[id] = s
	return s, nil
}

type answer struct {
	result jsonv2.Value
	err    error
}

// call is a command on its way.
type call struct {
	mux     *mux
	id      int64
	session target.SessionID
	method  string
	done    chan answer // capacity 1
	// heard, if any, is called by the reader with Chrome's answer before it takes
	// the next event, and must not block. It is set by sendHeard.
	heard func(answer)
}

// send queues a command and returns at once, so that several can be on their
// way together. Chrome runs the commands of a session in their order.
func (s *session) send(method string, params any) *call { return s.sendHeard(method, params, nil) }

// sendHeard is send for who must know the answer before what happens next.
func (s *session) sendHeard(method string, params any, heard func(answer)) *call {
	c := &call{mux: s.mux, session: s.id, method: method, done: make(chan answer, 1), heard: heard}
	msg := &cdproto.Message{SessionID: s.id, Method: cdproto.MethodType(method)}
	if params != nil {
		b, err := jsonv2.Marshal(params, chromedp.DefaultMarshalOptions)
		if err != nil {
			c.done <- answer{err: fmt.Errorf("encode parameters: %w", err)}
			return c
		}
		msg.Params = b
	}
	m := s.mux
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-s.gone:
		c.done <- answer{err: errGone}
		return c
	default:
	}
	m.next++
	c.id, msg.ID = m.next, m.next
	m.pending[c.id] = c
	m.queue = append(m.queue, msg)
	select {
	case m.wake <- struct{}{}:
	default:
	}
	return c
}

// wait returns when the command is answered, its session has ended, or ctx has.
// It may be called once.
func (c *call) wait(ctx context.Context, result any) error {
	select {
	case a := <-c.done:
		return c.decode(a, result)
	case <-ctx.Done():
	}
	c.forget()
	select {
	case a := <-c.done: // an answer that is there counts, however late it is looked at
		return c.decode(a, result)
	default:
		return fmt.Errorf("%s: %w", c.method, context.Cause(ctx))
	}
}

func (c *call) decode(a answer, result any) error {
	if a.err == nil && result != nil {
		a.err = decode(a.result, result)
	}
	if a.err != nil {
		return fmt.Errorf("%s: %w", c.method, a.err)
	}
	return nil
}

// forget lets go of a command whose answer nobody wants.
func (c *call) forget() {
	c.mux.mu.Lock()
	defer c.mux.mu.Unlock()
	delete(c.mux.pending, c.id)
}

// decode reads the parameters of an event or the result of a command. Own small
// structs are used for events, because cdproto's enums refuse words that a newer
// Chrome has added.
func decode(v jsonv2.Value, into any) error {
	return jsonv2.Unmarshal(v, into, chromedp.DefaultUnmarshalOptions)
}

// send queues a command of cdproto on s.
func send[P, R any](s *session, c cdp.Command[P, R], params P) *call {
	return s.send(c.Method, params)
}

// run sends a command of cdproto on s and waits for its result.
func run[P, R any](ctx context.Context, s *session, c cdp.Command[P, R], params P) (R, error) {
	var result R
	err := s.send(c.Method, params).wait(ctx, &result)
	return result, err
}
