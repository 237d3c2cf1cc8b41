package browserpool

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/target"
)

// peer is the other end of a mux's pipes, in place of a browser: what a real one
// does only by chance, such as answering late or never, is done here at will.
type peer struct {
	t   *testing.T
	in  *bufio.Reader
	out *os.File
}

func newPeer(t *testing.T) (*mux, *peer) {
	t.Helper()
	commandR, commandW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	answerR, answerW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	m := newMux(answerR, commandW)
	t.Cleanup(func() {
		m.close()
		_ = commandR.Close()
		_ = answerW.Close()
	})
	return m, &peer{t, bufio.NewReader(commandR), answerW}
}

// next reads the next command and gives its number.
func (p *peer) next() (id int, method string) {
	p.t.Helper()
	b, err := p.in.ReadBytes(0)
	if err != nil {
		p.t.Fatal(err)
	}
	var msg struct {
		ID     int    `json:"id"`
		Method string `json:"method"`
	}
	if err := json.Unmarshal(b[:len(b)-1], &msg); err != nil {
		p.t.Fatal(err)
	}
	return msg.ID, msg.Method
}

func (p *peer) say(format string, args ...any) {
	p.t.Helper()
	if _, err := p.out.WriteString(fmt.Sprintf(format, args...) + "\x00"); err != nil {
		p.t.Fatal(err)
	}
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func attach(t *testing.T, m *mux, id string, on func(string, jsonv2.Value)) *session {
	t.Helper()
	s, err := m.attach(target.SessionID("s"+id), on)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMuxAnswersInAnyOrder(t *testing.T) {
	t.Parallel()
	m, p := newPeer(t)
	a, b := m.root.send("A.a", nil), m.root.send("B.b", map[string]int{"x": 1})
	first, _ := p.next()
	second, method := p.next()
	if method != "B.b" {
		t.Errorf("second command is %q", method)
	}
	p.say(`{"id":%d,"result":{"v":2}}`, second)
	p.say(`{"id":%d,"error":{"code":-1,"message":"no"}}`, first)
	p.say(`{"id":999,"result":{}}`) // nobody's
	var got struct {
		V int `json:"v"`
	}
	if err := b.wait(bounded(t), &got); err != nil || got.V != 2 {
		t.Errorf("%v, %+v", err, got)
	}
	if err := a.wait(bounded(t), nil); err == nil {
		t.Error("an error was taken for an answer")
	}
}

// TestMuxFailsWhatIsPending: no command waits for an answer that cannot come.
func TestMuxFailsWhatIsPending(t *testing.T) {
	t.Parallel()
	m, p := newPeer(t)
	gone, crashed, lives := attach(t, m, "1", nil), attach(t, m, "2", nil), attach(t, m, "3", nil)
	a, b, c := gone.send("A", nil), crashed.send("B", nil), lives.send("C", nil)
	d := m.root.send("D", nil)
	for range 4 {
		p.next()
	}
	p.say(`{"method":"Target.detachedFromTarget","params":{"sessionId":"s1"}}`)
	if err := a.wait(bounded(t), nil); !errors.Is(err, errGone) {
		t.Errorf("detached: %v", err)
	}
	<-gone.gone
	if err := gone.send("A", nil).wait(bounded(t), nil); !errors.Is(err, errGone) {
		t.Errorf("sent after it detached: %v", err)
	}
	m.fail(crashed.id, errCrashed)
	if err := b.wait(bounded(t), nil); !errors.Is(err, errCrashed) {
		t.Errorf("crashed: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.wait(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("not waited for: %v", err)
	}
	if err := p.out.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.wait(bounded(t), nil); !errors.Is(err, errLost) {
		t.Errorf("lost: %v", err)
	}
	<-lives.gone
	if _, err := m.attach("s4", nil); !errors.Is(err, errLost) {
		t.Errorf("attached to a lost browser: %v", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.pending) != 0 {
		t.Errorf("%d commands are pending", len(m.pending))
	}
}

// TestMuxFloods: many senders, and a session that is told 10,000 events, each in
// its order, while the peer takes no command for a while.
func TestMuxFloods(t *testing.T) {
	t.Parallel()
	m, p := newPeer(t)
	var got []string
	all := make(chan struct{})
	const events, senders, each = 10000, 8, 200
	attach(t, m, "1", func(method string, _ jsonv2.Value) {
		if got = append(got, method); len(got) == events {
			close(all)
		}
	})
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for range each {
				if err := m.root.send("X", nil).wait(bounded(t), nil); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range events {
		p.say(`{"sessionId":"s1","method":"E.%d","params":{}}`, i)
	}
	for range senders * each {
		id, _ := p.next()
		p.say(`{"id":%d,"result":{}}`, id)
	}
	wg.Wait()
	<-all
	for i, method := range got {
		if method != fmt.Sprint("E.", i) {
			t.Fatalf("event %d is %s", i, method)
		}
	}
}
