package browserpool

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/chromedp/cdproto/headlessexperimental"
)

// Half of Chrome's work for a page is painting what nobody sees. The headless shell
// can be told to draw a frame only when it is asked for one; then little is painted,
// but what waits for a frame (requestAnimationFrame, observers of size and sight,
// scroll events) waits until one comes. The reading script knows when the page
// waits for one and asks for it ("draw" in script.go); inputs get them while they
// last. Whole Chrome has frames of its own, and is asked for none.
//
// Frames are drawn whole: with noDisplayUpdates Chrome leaves the last drawing stage
// out, and a page whose layers are large then has one frame a second, whatever number is
// asked for.
//
// Frames of one browser must not overlap: Chrome's GPU process dies of it. So each
// browser has one pump, and one frame on its way.

// frameEvery is the time between two frames of a page while an input lasts.
const frameEvery = 16 * time.Millisecond

// pumped says that a browser draws the frames that it is asked for, and no others. It
// cannot where every site has a process of its own.
func pumped(c Config, b Browser) bool { return b.HeadlessShell() && !c.isolated }

// pump runs the frames of a browser, one after the other.
type pump struct {
	mu    sync.Mutex
	queue []frameOrder
	wake  chan struct{} // capacity 1: queue is not empty
}

// frameOrder is a frame of the page of a session. then is called by the pump when it
// has been drawn, or cannot be.
type frameOrder struct {
	session *session
	then    func()
}

// draw orders a frame. It does not block. then is not called when the browser ends.
func (c *chrome) draw(s *session, then func()) {
	p := c.pump
	p.mu.Lock()
	p.queue = append(p.queue, frameOrder{s, then})
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// pumpFrames draws the frames that are ordered until the browser ends. A browser
// that takes too long for one is taken for dead: all its pages wait.
func (c *chrome) pumpFrames() {
	for {
		select {
		case <-c.mux.lost:
			return
		case <-c.pump.wake:
		}
		c.pump.mu.Lock()
		queue := c.pump.queue
		c.pump.queue = nil
		c.pump.mu.Unlock()
		for _, order := range queue {
			ctx, cancel := context.WithTimeout(context.Background(), answerLimit)
			_, err := run(ctx, order.session, headlessexperimental.BeginFrame, headlessexperimental.BeginFrameParams{})
			cancel()
			if errors.Is(err, context.DeadlineExceeded) {
				c.pool.log.Warn("browser draws no frame and is killed", "profile", c.home)
				c.kill()
				return
			}
			order.then()
		}
	}
}

// draw draws a frame for a script and tells it.
func (v *visit) draw(r *reader, n int) {
	world := r.world
	tell := func() { r.callScript("__tabfarm_drawn", n) }
	c := v.target.chrome
	if c.pump == nil {
		tell()
		return
	}
	c.draw(v.target.session, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		if !v.over && r.world == world {
			tell()
		}
	})
}

// whileDrawing waits for what needs frames of the page, and draws them meanwhile.
func (v *visit) whileDrawing(ctx context.Context, wait func() error) error {
	c := v.target.chrome
	if c.pump == nil {
		return wait()
	}
	ctx, cancel := context.WithCancel(ctx)
	var drawing sync.WaitGroup
	drawing.Go(func() {
		for ctx.Err() == nil {
			drawn := make(chan struct{})
			c.draw(v.target.session, func() { close(drawn) })
			select {
			case <-drawn:
			case <-ctx.Done():
			case <-c.mux.lost:
				return
			}
			select {
			case <-time.After(frameEvery):
			case <-ctx.Done():
			}
		}
	})
	defer drawing.Wait()
	defer cancel()
	return wait()
}
