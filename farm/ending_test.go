package farm

import (
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
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
