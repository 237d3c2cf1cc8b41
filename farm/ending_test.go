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
	"github.com/tabfarm/tabfarm/internal/demosite"
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
		{"", 10 * time.Second},
		{"soon", 10 * time.Second},
	}
	for _, tt := range tests {
		if got := retryAfter(tt.value, now); got != tt.want {
			t.Errorf("retryAfter(%q) = %s, want %s", tt.value, got, tt.want)
		}
	}
}

func TestHTTPErrorTriesAgainWhatMayHeal(t *testing.T) {
	t.Parallel()
	for status, again := range map[int]bool{400: false, 401: false, 403: false, 404: false, 410: false, 429: true, 500: true, 502: true, 503: true} {
		e := httpError(browserpool.Answer{Status: status})
		if e.again != again || e.outcome != HTTPError {
			t.Errorf("HTTP %d: outcome %s, again %v; want http_error, %v", status, e.outcome, e.again, again)
		}
		if (e.push > 0) != (status == 429 || status == 503) {
			t.Errorf("HTTP %d pushes the host's clock by %s", status, e.push)
		}
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
