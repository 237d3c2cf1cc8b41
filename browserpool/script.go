package browserpool

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"strings"
)

// The script contract. Request.Script runs in an isolated world of the top frame,
// once at the start of each document that came over http or https. In worlds of
// that name, and in no other, there is a function
//
//	__tabfarm(message: string)
//
// by which the script tells the pool:
//
//	quiet N         what is wanted has not changed for its quiet time. N is the
//	                script's own counter. The pool notes which requests that may
//	                still draw are in flight now, waits until those have ended,
//	                and calls __tabfarm_go(N, pending, waited, captured, loose). Requests begun
//	                since are pending; they are not waited for, so that endless
//	                polling does not hold a page. waited is the number that were
//	                waited for, and one more where a request had just ended (20
//	                ms). What came of those may not be drawn yet: unless
//	                waited is 0 the script must see one more quiet time before it
//	                reads. captured is the number of responses captured so far, loose
//	                that of images, fonts and styles in flight, of workers and open
//	                connections, which may draw but are not waited for. A
//	                later quiet replaces an earlier one.
//	draw            the script waits for a frame of the page. Until it says "drawn"
//	                the pool draws some, where the browser draws none by itself
//	                (draw.go); what tells the script of one is requestAnimationFrame.
//	data I OF TEXT  piece I (from 0) of OF pieces of the payload, 1 MB or less.
//	done            the payload is complete.
//	part            the payload so far is one part of the page's, and more follow, of
//	                this document or of one that it leads to. What was captured
//	                until now stays when the document is left.
//	turn N          the script wants the page to ask its host for more; when
//	                Request.Turn grants it, the pool calls __tabfarm_turn(N).
//	more T          a further load has begun; its deadline is T ms from now, but
//	                not past the page's limit.
//	input N JSON    a list of inputs that a person could make (see act in input.go).
//	                Chrome gives them to the page as its own, in their order, and
//	                the pool calls __tabfarm_did(N, error), error "" when all is well.
//	run N SOURCE    run in the page's own world; a promise that comes of it is
//	                awaited. __tabfarm_did(N, error) follows.
//	tell TEXT       a piece of the next question, 1 MB or less.
//	ask N TEXT      the last piece of a question to Request.Ask; __tabfarm_told(N,
//	                answer) follows. It is asked with no responses where the page
//	                keeps a connection open that may change what it shows.
//	keep TEXT       what the script of the next document is to know, 1 MB or less.
//	recall          the pool calls __tabfarm_kept(TEXT), "" when nothing was kept.
//	forget          responses of requests that were begun until now do not count.
//	read            what is wanted is at rest and is read from now on, until it is
//	                delivered. This is for Answer.Spent alone.
//
// Request.FrameScript runs in the same world of every document of every frame below
// the top one, when there is one. It has the words quiet, draw, drawn, data, turn and more, and
// these:
//
//	frame           the script has begun in a document. When the top document has
//	                delivered, the pool calls __tabfarm_begin(): steps of the top
//	                document may have to bring the frame to show what is wanted.
//	done LACKED     the payload is complete; the frame does not hold what these names
//	                mean, which is the same in every frame.
//	bare LACKED     so far it holds nothing. It is not waited for any more while
//	                frames that have delivered hold all of that.
//	read            as above.
//
// The visit ends when the top document has delivered and no frame is waited for:
// none is on its way to a document, and each script has delivered. Where the top
// document says "done alone" the frames are not wanted.
//
// The script defines on globalThis what it wants called. At the deadline the pool
// calls __tabfarm_last() of each script that has not delivered, and what that
// delivers within three seconds is returned beside ErrTimeout; it may return a
// promise.
//
// Requests in flight are fetch, XHR, scripts and whatever else may draw, of the
// page, the frames that its process draws and their workers; for the script of a
// frame that is a target of its own, those of that target. WebSockets, event
// streams, beacons, prefetches, images, fonts, media and styles never count.
//
// A new document makes the pool forget what the one before it has said, but for
// its parts and what it kept. A page may send itself on a number of times; a turn
// begins that count anew.
const (
	worldName   = "tabfarm"
	bindingName = "__tabfarm"
)

// script is a source that runs at document start in a world; "" is the page's own.
type script struct{ world, source string }

// wrap makes a script run in the documents that are meant: top frame, http or https.
func wrap(source string) string {
	return "(() => {\n" +
		"if (window !== window.top || !/^https?:$/.test(location.protocol)) return;\n" +
		source + "\n})();"
}

// wrapFrame makes a script run once in the documents of all frames below the top
// one, whatever scheme they came by, but in none of Chrome's own.
func wrapFrame(source string) string {
	return "(() => {\n" +
		"if (window === window.top || location.protocol === 'chrome-error:' || globalThis.__tabfarm_in === document) return;\n" +
		"globalThis.__tabfarm_in = document;\n" +
		source + "\n})();"
}

// storageScript puts entries of localStorage in place before the page's own
// scripts look. It is installed until the first document of its origin has come,
// so that what the page itself changes afterwards stays. A page that sends itself
// on at once is faster than the removal; so the first run leaves a mark of the
// visit in sessionStorage, by which a second one knows that it has nothing to do.
func storageScript(origin string, items []StorageItem) (script, error) {
	pairs := make([][2]string, 0, len(items))
	for _, item := range items {
		pairs = append(pairs, [2]string{item.Name, item.Value})
	}
	data, err := json.Marshal(pairs)
	if err != nil {
		return script{}, fmt.Errorf("encode localStorage of %q: %w", origin, err)
	}
	name, err := json.Marshal(origin)
	if err != nil {
		return script{}, fmt.Errorf("encode origin %q: %w", origin, err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "if (location.origin === %s) { try { if (sessionStorage.getItem('tabfarm') !== %q) {"+
		" for (const [k, v] of %s) localStorage.setItem(k, v); sessionStorage.setItem('tabfarm', %[2]q); } } catch {} }", name, rand.Text(), data)
	return script{world: worldName, source: b.String()}, nil
}
