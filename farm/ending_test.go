package farm

import (
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/internal/demosite"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		value string
		want  time.Duration
	}{
		{"30", 30 * time.Second},
		{"0", time.Second},
		{"-5", time.Second},
		{"Mon, 23 Nov 2026 12:02:00 GMT", 2 * time.Minute},
		{"Mon, 23 Nov 2026 11:00:00 GMT", time.Second},
		{"99999999", time.Hour},
		{"", 0},
		{"soon", 0},
	}
	for _, tt := range tests {
		if got := retryAfter(tt.value, now); got != tt.want {
			t.Errorf("retryAfter(%q) = %s, want %s", tt.value, got, tt.want)
		}
	}
}

// TestTryAgainByKind: what each kind of failure means for the page and its host.
func TestTryAgainByKind(t *testing.T) {
	t.Parallel()
	limit := 30 * time.Second
	kind := &recipe.Kind{Page: recipe.Page{Timeout: limit}}
	status := func(code int) *ending { return httpError(browserpool.Answer{Status: code}) }
	lost := func(a browserpool.Answer, err error) *ending { return noAnswer(a, err, kind, limit) }
	own := func(f browserpool.Failure) *ending {
		a := browserpool.Answer{URL: "https://stats.example/a", Status: 200, Failed: []browserpool.Failure{f}}
		return explain(&extract.Problem{Outcome: string(SelectorMissing)}, &extract.Reading{Settled: true}, nil, a, kind)
	}
	robots := func(f store.Robots) *ending {
		f.Fresh = time.Minute
		return parseRobots(f).forbids(store.Page{URL: "https://stats.example/a"})
	}
	tests := []struct {
		name    string
		end     *ending
		outcome Outcome
		again   bool
		host    verdict
		costs   bool // a try, where it is tried again
	}{
		{"404", status(404), HTTPError, false, answers, true},
		{"401", status(401), HTTPError, false, answers, true},
		{"410", status(410), HTTPError, false, answers, true},
		{"429", status(429), HTTPError, true, busy, false},
		{"500", status(500), HTTPError, true, fails, true},
		{"502", status(502), HTTPError, true, fails, true},
		{"503", status(503), HTTPError, true, busy, false},
		{"no answer in time", lost(browserpool.Answer{}, browserpool.ErrTimeout), Timeout, true, fails, true},
		{"an answer and no table in time", lost(browserpool.Answer{Status: 200}, browserpool.ErrTimeout), Timeout, true, answers, true},
		{"refused connection", lost(browserpool.Answer{Err: "net::ERR_CONNECTION_REFUSED"}, browserpool.ErrUnreachable), Unreachable, true, fails, true},
		{"unknown name", lost(browserpool.Answer{Err: "net::ERR_NAME_NOT_RESOLVED"}, browserpool.ErrUnreachable), Unreachable, true, fails, true},
		{"bad certificate", lost(browserpool.Answer{Err: "net::ERR_CERT_DATE_INVALID"}, browserpool.ErrUnreachable), Unreachable, false, unasked, true},
		{"crash", lost(browserpool.Answer{}, browserpool.ErrCrashed), BrowserCrashed, true, unasked, true},
		{"refused address", lost(browserpool.Answer{}, browserpool.ErrRefused), RefusedAddress, false, unasked, true},
		{"download", lost(browserpool.Answer{Status: 200}, browserpool.ErrDownload), NotHTML, false, answers, true},
		{"too large", lost(browserpool.Answer{Status: 200}, browserpool.ErrTooLarge), TooLarge, false, answers, true},
		{"not HTML", notHTML(browserpool.Answer{MIMEType: "text/csv"}), NotHTML, false, answers, true},
		{"its API answers 500", own(browserpool.Failure{Status: 500}), HTTPError, true, fails, true},
		{"its API answers 503", own(browserpool.Failure{Status: 503, RetryAfter: "7"}), HTTPError, true, busy, false},
		{"its API answers 404", own(browserpool.Failure{Status: 404}), HTTPError, false, answers, true},
		{"its API does not answer", own(browserpool.Failure{URL: "https://stats.example/api", Err: "net::ERR_FAILED"}), HTTPError, true, fails, true},
		{"its API breaks off", own(browserpool.Failure{URL: "https://stats.example/api", Status: 200, Err: "net::ERR_CONTENT_LENGTH_MISMATCH"}), HTTPError, true, fails, true},
		{"a tracker does not answer", own(browserpool.Failure{URL: "https://track.example/", Err: "net::ERR_FAILED"}), HTTPError, true, answers, true},
		{"no table", explain(&extract.Problem{Outcome: string(SelectorMissing)}, &extract.Reading{Settled: true}, nil, browserpool.Answer{Status: 200}, kind), SelectorMissing, false, answers, true},
		{"robots.txt denies", robots(store.Robots{Status: 200, Body: []byte("User-agent: *\nDisallow: /a")}), RobotsDenied, false, unasked, true},
		{"robots.txt answers 500", robots(store.Robots{Status: 500}), RobotsDenied, true, busy, false},
		{"robots.txt gives no answer", robots(store.Robots{Failure: "refused"}), Unreachable, true, fails, true},
	}
	w := &work{recipe: &recipe.Recipe{Polite: recipe.Polite{Retries: 3}}}
	for _, tt := range tests {
		e := tt.end
		if e.outcome != tt.outcome || e.again != tt.again || e.host != tt.host {
			t.Errorf("%s: outcome %s, again %v, host %d; want %s, %v, %d", tt.name, e.outcome, e.again, e.host, tt.outcome, tt.again, tt.host)
		}
		next, again := w.again(store.Page{Attempt: 1}, e, store.Treatment{})
		if again != tt.again || next.free != (again && !tt.costs) {
			t.Errorf("%s: tried again: %v, free: %v", tt.name, again, next.free)
		}
		if _, again = w.again(store.Page{Attempt: 4, Pushed: freePushes}, e, store.Treatment{}); again {
			t.Errorf("%s: tried again after all tries", tt.name)
		}
		if _, again = w.again(store.Page{Attempt: 1}, e, store.Treatment{GiveUp: true}); again {
			t.Errorf("%s: tried again although the host is given up", tt.name)
		}
		next, again = w.again(store.Page{Attempt: 4}, e, store.Treatment{Paused: time.Minute})
		if again != tt.again || again && !next.free {
			t.Errorf("%s: while the host is paused: %+v, %v", tt.name, next, again)
		}
	}
	if push := tests[18].end.push; push != 7*time.Second {
		t.Errorf("the API's Retry-After is %s", push)
	}
	w.recipe.Polite.Retries = 0
	if _, again := w.again(store.Page{Attempt: 1}, status(503), store.Treatment{Paused: time.Minute}); again {
		t.Error("retries: 0 is tried again")
	}
}

// TestEarlierRows: a page without rows that gave some before says so, also where
// none is fine.
func TestEarlierRows(t *testing.T) {
	t.Parallel()
	var gone atomic.Bool
	site := serve(t, map[string]http.HandlerFunc{
		"/{page}": func(w http.ResponseWriter, r *http.Request) {
			body := `<table id="t"><thead><tr><th>Name</thead><tbody><tr><td>a<tr><td>b</table>`
			if gone.Load() {
				body = map[string]string{"renamed": `<table id="u"><tr><td>a</table>`}[r.PathValue("page")]
				if body == "" {
					body = `<table id="t"><thead><tr><th>Name</thead></table>`
				}
			}
			document(body)(w, r)
		},
	})
	b := newBench(t, demosite.Options{})
	const text = "urls: [SITE/a, SITE/renamed]\ntables: {t%d: {from: '#t', key: [name]%s}}"
	for _, lenient := range []string{"", ", min_rows: 0"} {
		gone.Store(false)
		r := parse(t, "earlier"+strconv.Itoa(len(lenient)), site.URL, fmt.Sprintf(text, len(lenient), lenient))
		first := b.run(r, SubmitOptions{})
		gone.Store(true)
		second := b.run(r, SubmitOptions{})
		got := b.query(fmt.Sprintf(`select outcome, substring(regexp_replace(message, '\d{4}-\d\d-\d\d', 'a day') from 'In run.*') from tabfarm.pages where run = %d order by url`, second.RunID))
		words := fmt.Sprintf("In run %d, on a day, it gave 2 rows.", first.RunID)
		if diff := cmp.Diff([]string{"empty|" + words, "selector_missing|" + words}, got); diff != "" {
			t.Errorf("%q: pages (-want +got):\n%s", lenient, diff)
		}
		if want := 2 - len(lenient)/12; second.Failed != want {
			t.Errorf("%q: %d pages failed, want %d", lenient, second.Failed, want)
		}
	}
}
