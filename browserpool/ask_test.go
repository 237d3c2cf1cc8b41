package browserpool_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/internal/chrometest"
)

// askScript asks twice when the page says that it is ready, and delivers both answers.
const askScript = `
let told; globalThis.__tabfarm_told = (n, answer) => told(n + '=' + answer);
const ask = (n, text) => new Promise(r => { told = r; __tabfarm('ask ' + n + ' ' + text); });
const ready = () => new Promise(r => { const look = () => document.querySelector('li') ? r() : setTimeout(look, 10); look(); });
(async () => {
	await ready();
	const got = await ask(1, 'who has it?') + ' ' + await (__tabfarm('tell and '), ask(2, 'now?'));
	__tabfarm('data 0 1 ' + got); __tabfarm('done');
})();`

// TestAsk has questions about what pages have fetched: JSON of the document that
// is open, the newest first, and nothing where a connection stays open.
func TestAsk(t *testing.T) {
	t.Parallel()
	body := func(mime, text string, status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", mime)
			w.WriteHeader(status)
			fmt.Fprint(w, text)
		}
	}
	fetches := func(script string) http.HandlerFunc {
		return html(`<body></body><script>const get = (...a) => fetch(...a).then(r => r.arrayBuffer());
			(async () => { for (const url of ['/first', '/prose', '/image', '/missing', '/second']) await get(url);` + script + `; document.body.innerHTML = '<li>x</li>' })()</script>`)
	}
	s := site(t, map[string]http.HandlerFunc{
		"/page":    fetches(""),
		"/left":    fetches("if (!location.hash) { location.href = '/empty'; return }"),
		"/empty":   html("<li>x</li>"),
		"/live":    fetches("const source = new EventSource('/events'); await new Promise(r => source.onopen = r)"),
		"/stream":  fetches("await fetch('/events')"),
		"/socket":  fetches("new WebSocket('ws://' + location.host + '/events')"),
		"/first":   body("application/json", `{"a":1}`, http.StatusOK),
		"/second":  body("text/plain", `[2]`, http.StatusOK),
		"/prose":   body("text/plain", `no JSON`, http.StatusOK),
		"/image":   body("image/x-thing", `[]`, http.StatusOK),
		"/missing": body("application/json", `[]`, http.StatusNotFound),
		"/events": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	})
	answer := func(_ context.Context, text string, responses []browserpool.Response) (string, error) {
		got := []string{text}
		for _, r := range responses {
			got = append(got, strings.TrimPrefix(r.URL, s.URL)+string(r.Body))
		}
		return strings.Join(got, ","), nil
	}
	const both = `1=who has it?,/second[2],/first{"a":1} 2=and now?,/second[2],/first{"a":1}`
	for _, test := range []struct {
		name, path string
		ask        func(context.Context, string, []browserpool.Response) (string, error)
		want       string
	}{
		{"two responses", "/page", answer, both},
		{"nobody answers", "/page", nil, "1= 2="},
		{"no answer", "/page", func(context.Context, string, []browserpool.Response) (string, error) { return "half", errors.New("no") }, "1= 2="},
		{"another document", "/left", answer, "1=who has it? 2=and now?"},
		{"events", "/live", answer, "1=who has it? 2=and now?"},
		{"a stream", "/stream", answer, "1=who has it? 2=and now?"},
		{"a socket", "/socket", answer, "1=who has it? 2=and now?"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, err := open(t, chrometest.Pool(t), browserpool.Request{URL: s.URL + test.path, Script: askScript, Timeout: 40 * time.Second, Ask: test.ask})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(a.Payload)); diff != "" {
				t.Errorf("answers: %s", diff)
			}
		})
	}
}
