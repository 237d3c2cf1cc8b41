package browserpool

import (
	"context"
	"slices"
	"time"

	"github.com/chromedp/cdproto/headlessexperimental"
)

// Half of Chrome's work for a page is style, layout and painting of frames that nobody
// sees. The headless shell can be told to draw a frame only when it is asked for one;
// but then what waits for a frame (requestAnimationFrame, observers of size and sight,
// scroll events) waits until one comes. The reading script knows when the page waits
// for one, says so ("draw" in script.go), and hears itself when it has come; inputs
// have frames while they last. Whole Chrome has frames of its own, and is asked for
// none.
//
// Frames of one browser must not overlap: Chrome's GPU process dies of it. And a frame
// waits for the page's own thread. So each tab has a browser of its own where this is
// done, and holds up no other.

// frameAgain is the pause before one more frame, where the last one was not the one
// that is waited for.
const frameAgain = 4 * time.Millisecond

// asksForFrames says that browsers draw the frames that they are asked for, and no
// others. They cannot where every site has a process of its own.
func asksForFrames(c Config, b Browser) bool {
	return b.HeadlessShell() && !c.isolated && c.Processes == c.Tabs
}

// waitAlways is a script that waits for frames and does nothing with them: a page that
// waits for none when one is asked for draws that one later, by itself, and Chrome may
// then wait for ever for the next.
const waitAlways = "const wait = () => requestAnimationFrame(wait);\nwait();"

// draw: a script waits for a frame of the page.
func (v *visit) draw(r *reader) {
	r.read.draws = true
	v.wantFrames()
}

// wantFrames has frames drawn until wantsFrame is false.
func (v *visit) wantFrames() {
	c := v.target.chrome
	if !v.drawing && asksForFrames(c.pool.config, c.pool.binary) {
		v.drawing = true
		c.wg.Go(v.drawFrames)
	}
}

// wantsFrame is true while a script waits for a frame, or an input lasts.
func (v *visit) wantsFrame() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drawing = !v.over && (v.inputs > 0 || slices.ContainsFunc(v.readers(), func(r *reader) bool { return r.read.draws }))
	return v.drawing
}

// drawFrames has frames drawn while they are wanted.
func (v *visit) drawFrames() {
	c := v.target.chrome
	for v.wantsFrame() {
		select {
		case c.frame <- struct{}{}:
		case <-v.ended:
			return
		}
		drawn := v.drawFrame()
		<-c.frame
		if !drawn {
			c.pool.log.Warn("browser draws no frame and is killed", "profile", c.home)
			c.kill()
			return
		}
		select {
		case <-time.After(frameAgain):
		case <-v.ended:
			return
		}
	}
}

// drawFrame draws one frame. It may take as long as the page may: what holds it up
// holds up the page, whose deadline ends both. Not drawn is what the browser owes long
// after the page's end. That Chrome refuses one is no harm while others follow, and a
// target that is gone ends the visit.
func (v *visit) drawFrame() bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(v.ctx, func() { time.AfterFunc(answerLimit, cancel) })
	defer stop()
	_, _ = run(ctx, v.target.session, headlessexperimental.BeginFrame, headlessexperimental.BeginFrameParams{NoDisplayUpdates: new(true)})
	return ctx.Err() == nil
}
