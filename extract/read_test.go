package extract_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/internal/chrometest"
	"github.com/tabfarm/tabfarm/recipe"
)

// visit is one page opened in a real Chrome.
type visit struct {
	reading *extract.Reading
	sources []extract.Source
	err     error // of Open
}

// open opens url and reads it for a kind; with a nil kind every table is read.
func open(t *testing.T, url string, k *recipe.Kind, vars map[string]string) visit {
	t.Helper()
	return openFor(t, url, k, vars, 20*time.Second)
}

// openFor is open with a timeout.
func openFor(t *testing.T, url string, k *recipe.Kind, vars map[string]string, timeout time.Duration) visit {
	t.Helper()
	script, err := extract.Script(k, vars, nil, k == nil)
	if err != nil {
		t.Fatal(err)
	}
	frameScript, err := extract.FrameScript(k, vars, k == nil)
	if err != nil {
		t.Fatal(err)
	}
	request := browserpool.Request{
		URL: url, Script: script, FrameScript: frameScript, PageScript: extract.PageScript(), Timeout: timeout,
		Capture: extract.Capture(k, vars),
	}
	if answer := extract.Asker(); k == nil || extract.Asks(k) {
		request.Ask = func(_ context.Context, text string, responses []browserpool.Response) (string, error) {
			return answer(text, sourcesOf(responses)), nil
		}
	}
	var v visit
	err = chrometest.Pool(t).Do(t.Context(), func(tab *browserpool.Tab) error {
		answer, err := tab.Open(t.Context(), request)
		v.err = err
		v.sources = sourcesOf(answer.Responses)
		if answer.Payload == nil {
			return fmt.Errorf("no payload: %w", err)
		}
		if v.reading, err = extract.Decode(append(answer.Parts, answer.Payload)...); err != nil {
			return err
		}
		var frames []extract.Frame
		for _, f := range answer.Frames {
			frames = append(frames, extract.Frame{URL: f.URL, Payload: f.Payload, Err: f.Err, Late: f.Late})
		}
		return v.reading.AddFrames(k, frames)
	})
	if err != nil {
		t.Fatalf("open %s: %v", url, err)
	}
	return v
}

func sourcesOf(responses []browserpool.Response) []extract.Source {
	var all []extract.Source
	for _, r := range responses {
		all = append(all, extract.Source{
			URL: r.URL, Method: r.Method, PostData: r.PostData, MIMEType: r.MIMEType, Body: r.Body, TooLarge: r.TooLarge,
		})
	}
	return all
}

// pages serves HTML by path on loopback.
func pages(t *testing.T, handlers map[string]http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	for path, h := range handlers {
		mux.HandleFunc(path, h)
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// document answers with one document.
func document(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, "<!doctype html>\n", text)
	}
}

// readHTML reads every table of a document.
func readHTML(t *testing.T, text string) *extract.Reading {
	t.Helper()
	v := open(t, pages(t, map[string]http.HandlerFunc{"/{$}": document(text)})+"/", nil, nil)
	if v.err != nil {
		t.Fatal(v.err)
	}
	return v.reading
}

// sleep waits on the server's side, as a slow host does.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// kindOf is a kind of pages with one table, defaults filled in as the recipe's loader does.
func kindOf(t recipe.Table) *recipe.Kind {
	if t.Name == "" {
		t.Name = "t"
	}
	if t.Rows == "" {
		t.Rows = "all"
	}
	if t.OtherColumns == "" {
		t.OtherColumns = "keep"
	}
	if t.Duplicates == "" {
		t.Duplicates = "error"
	}
	return &recipe.Kind{Tables: []recipe.Table{t}, Page: recipe.Page{Timeout: 20 * time.Second}}
}
