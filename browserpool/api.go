// Package browserpool owns Chrome: its processes, its profile folders and its
// tabs. It starts them, hands a tab out, opens one page in it under a deadline,
// makes the tab whole again or replaces it, and leaves nothing behind.
//
// It is the only importer of chromedp and cdproto. It knows no recipe, no table
// and no database: what is read on a page is up to the script that a Request
// brings along, and the answer is bytes.
package browserpool

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Request says which page a tab opens and what it brings back.
type Request struct {
	URL string
	// Timeout is for one load: the first, and each that the script announces with
	// "more". PageLimit is for the page as a whole; 0 is Timeout. Either may be
	// left out when the context has a deadline, which always holds.
	Timeout   time.Duration
	PageLimit time.Duration

	// Script runs at document start of the top frame in an isolated world, and
	// talks to the pool as the package documentation of script.go tells.
	Script string
	// FrameScript, if any, is what Script is in every frame below the top one, of
	// whatever site. The answer then waits for the frames and has what they deliver.
	FrameScript string
	// PageScript, if any, runs at document start in the page's own world.
	PageScript string

	Headers map[string]string // sent to HeaderHosts only
	// HeaderHosts are the hosts (scheme://name[:port]) that get Headers; a redirect elsewhere goes without.
	HeaderHosts []string
	Block       []string                 // kinds of resources left out: image, font, media, stylesheet, script
	Capture     []string                 // parts of URLs, * for anything, whose 2xx bodies come back; "*" alone is every JSON-like XHR or fetch
	Cookies     []Cookie                 // set before the page opens
	Storage     map[string][]StorageItem // localStorage by origin
	// Group names the cookies and cache that pages share: one browser context for each.
	Group         string
	Width, Height int // viewport; 0 for the default 1280 x 800

	// Allow is asked before the top document is requested, for the URL and for
	// each redirect of it, and again with the address that was connected to.
	// nil allows everything. With FrameScript it is asked for the documents of frames
	// too; what is refused to a frame leaves that frame out. A later version asks it for
	// sub-requests too.
	//
	// connected is the zero Addr before the request. It stays so when the pool
	// goes through a proxy, which hides the address, and then the second question
	// is not asked.
	Allow func(ctx context.Context, rawURL string, connected netip.Addr) error

	// Ask answers a question of the script ("ask") with the help of the JSON-like
	// responses to XHR and fetch that the document has had until then, the newest
	// first; their bodies are asked of Chrome only then. Where the page keeps a
	// connection open there are none. What it returns goes to the script, an error
	// as "". nil answers "" and keeps no bodies.
	Ask func(ctx context.Context, text string, responses []Response) (string, error)

	// Turn is asked when the script wants the page to ask its host for more. It
	// may wait, for the host's clock; that time is not the page's and is added to
	// its deadline, within PageLimit. nil grants at once.
	Turn func(ctx context.Context) error
}

// Cookie is one cookie of a stored session.
type Cookie struct {
	Name, Value, Domain, Path string
	Expires                   time.Time // zero: until the browser closes
	Secure, HTTPOnly          bool
	SameSite                  string // Strict, Lax, None or ""
}

// StorageItem is one entry of localStorage.
type StorageItem struct{ Name, Value string }

// Answer is what a page gave, as far as it came. It is also returned beside an
// error, with what was known until then.
type Answer struct {
	URL       string            // of the document that was read, after redirects
	Status    int               // of that document, 0 when there was no HTTP response
	Header    map[string]string // of that document, names in lower case
	MIMEType  string
	Payload   []byte   // what the script delivered; nil when it delivered nothing
	Parts     [][]byte // what it delivered before in parts, in their order
	Frames    []Frame  // below the top one, in the order in which they appeared; with Request.FrameScript alone
	Responses []Response
	// Failed are the page's own requests that could have drawn something (XHR,
	// fetch, script) and ended without an answer or with a status of 400 or more.
	Failed []Failure
	// Awaited is the document that the page was on its way to at its deadline, "" for none.
	Awaited string
	Err     string // Chrome's own word for a failed load, net::ERR_...
	// Exceptions is the number of uncaught errors of the page; Exception the first one's text.
	Exceptions int
	Exception  string
	Spent      Spent // where the time went
}

// Frame is what a frame gave.
type Frame struct {
	URL     string
	Payload []byte // what its script delivered; nil when it delivered nothing
	Err     string // why it did not, in Chrome's words or ours; "" where it was not waited for
	Late    bool   // there was or may have been a document, which was not read to its end
}

// Response is one captured response of the page.
type Response struct {
	URL      string
	Method   string
	PostData string
	Status   int
	MIMEType string
	Body     []byte
	// TooLarge says that the body passed MaxBody and was left out.
	TooLarge bool
	// Lost says that Chrome no longer had the body, because the page was left.
	Lost bool
}

// Failure is one failed request of a page: Status, or Chrome's word in Err.
type Failure struct {
	URL        string
	Status     int
	RetryAfter string // header of the answer
	Err        string
}

// MaxBody is the largest body of a captured response, in bytes; MaxPayload the
// largest payload of a script.
const (
	MaxBody    = 64 << 20
	MaxPayload = 64 << 20
)

// maxBodies is the most that the bodies of one page may have together, in bytes;
// maxFailures the most failures that are kept of it.
const (
	maxBodies   = 256 << 20
	maxFailures = 20
)

// The ends of a page that are not an answer. All are matched with errors.Is.
var (
	// ErrTimeout: the script had not answered by the deadline.
	ErrTimeout = errors.New("page not read by its deadline")
	// ErrUnreachable: no HTTP response came: name not found, refused, reset, TLS; or
	// the document broke off in the middle. Answer.Err has Chrome's word.
	ErrUnreachable = errors.New("page unreachable")
	// ErrCrashed: the tab's renderer crashed, the page closed itself, or the browser went away.
	ErrCrashed = errors.New("tab crashed")
	// ErrDownload: the URL is a download and no page.
	ErrDownload = errors.New("url is a download")
	// ErrRefused: Request.Allow said no; the error it returned is wrapped beside.
	ErrRefused = errors.New("address refused")
	// ErrTooLarge: the payload passed MaxPayload.
	ErrTooLarge = errors.New("payload too large")
	// ErrClosed: the pool was closed.
	ErrClosed = errors.New("pool closed")
	// ErrNoBrowser: no browser binary was found or it does not start; a *StartError has its words.
	ErrNoBrowser = errors.New("no browser")
)
