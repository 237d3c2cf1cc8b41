package browserpool

import (
	"fmt"
	"slices"

	"github.com/chromedp/cdproto/network"
)

// The most that the responses which are asked about may be: the newest of them,
// and bytes of all together.
const (
	maxHeard      = 50
	maxHeardBytes = 32 << 20
	maxQuestion   = 32 << 20
)

// heard is a response to XHR or fetch that a question may be about.
type heard struct {
	from     *session
	loader   string
	id       network.RequestID
	bytes    int64
	response Response
	asked    *call // for the body, until it has come
	lost     bool
}

// hear notes a response that has ended. The lock is held.
func (v *visit) hear(from *session, r *request) {
	h := r.heard
	if h == nil || h.response.Status < 200 || h.response.Status > 299 || !maybeJSON(h.response.MIMEType) {
		return
	}
	h.from, h.bytes = from, r.bytes
	if v.net.heard = append(v.net.heard, h); len(v.net.heard) > maxHeard {
		v.net.heard = v.net.heard[1:]
	}
}

// answerAsk answers a question of the script beside the reader. The lock is held.
func (v *visit) answerAsk(n int, text string) {
	text = string(append(v.read.told, text...))
	v.read.told = nil
	doc := v.doc
	var known []*heard
	if v.request.Ask != nil && !v.net.live {
		known = v.askBodies()
	}
	v.wg.Go(func() {
		answer := ""
		if v.request.Ask != nil {
			answer = v.answerOf(text, known)
		}
		v.mu.Lock()
		defer v.mu.Unlock()
		if v.doc == doc && !v.over {
			v.callScript("__tabfarm_told", n, answer)
		}
	})
}

// tell adds a piece to the next question. The lock is held.
func (v *visit) tell(text string) {
	if v.read.told = append(v.read.told, text...); len(v.read.told) > maxQuestion {
		v.failLocked(fmt.Errorf("%w: a question of more than %d bytes", ErrTooLarge, maxQuestion))
	}
}

// askBodies asks Chrome for the bodies of the newest responses, as far as they
// were not asked for before.
func (v *visit) askBodies() []*heard {
	var known []*heard
	left := int64(maxHeardBytes)
	for _, h := range slices.Backward(v.net.heard) {
		if left -= h.bytes; left < 0 {
			break
		}
		if h.asked == nil && h.response.Body == nil && !h.lost {
			h.asked = send(h.from, network.GetResponseBody, network.GetResponseBodyParams{RequestID: h.id})
		}
		known = append(known, h)
	}
	return known
}

// answerOf waits for the bodies and asks the question; "" where that fails.
func (v *visit) answerOf(text string, known []*heard) string {
	v.asking.Lock()
	defer v.asking.Unlock()
	var responses []Response
	for _, h := range known {
		v.mu.Lock()
		asked := h.asked
		v.mu.Unlock()
		if asked != nil {
			body, err := bodyOf(v.ctx, asked)
			v.mu.Lock()
			h.asked, h.response.Body, h.lost = nil, body, err != nil
			v.mu.Unlock()
		}
		if !h.lost && looksLikeJSON(h.response.Body) {
			responses = append(responses, h.response)
		}
	}
	answer, err := v.request.Ask(v.ctx, text, responses)
	if err != nil {
		return ""
	}
	return answer
}
