package farm

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// request is what the browser is asked to do for one page, whether it belongs to
// a run or is only tried. all reads every table of the page.
func (f *Farm) request(kind *recipe.Kind, url string, vars map[string]string, known secrets, all bool) (browserpool.Request, error) {
	script, err := extract.Script(kind, vars, known, all)
	if err != nil {
		return browserpool.Request{}, fmt.Errorf("write reading script for %q: %w", url, err)
	}
	frames, err := extract.FrameScript(kind, vars, all)
	if err != nil {
		return browserpool.Request{}, fmt.Errorf("write reading script for the frames of %q: %w", url, err)
	}
	headers := make(map[string]string, len(kind.Page.Headers))
	for _, h := range kind.Page.Headers {
		value := h.Value
		if h.Secret != "" {
			value = known[h.Secret]
		}
		headers[h.Name] = value
	}
	r := browserpool.Request{
		URL: url, Timeout: kind.Page.Timeout, PageLimit: f.PageLimit,
		Script: script, FrameScript: frames, PageScript: extract.PageScript(), Capture: extract.Capture(kind, vars),
		Headers: headers, Block: kind.Page.Block,
		Width: kind.Page.Viewport.Width, Height: kind.Page.Viewport.Height,
		Allow: func(ctx context.Context, rawURL string, connected netip.Addr) error {
			return f.addresses.check(ctx, rawURL, connected)
		},
	}
	if all || extract.Asks(kind) {
		r.Ask = f.asker(url)
	}
	return r, nil
}

// asker answers what the reading script of one page asks about its responses. A bug
// in there costs the page time and no more.
func (f *Farm) asker(url string) func(context.Context, string, []browserpool.Response) (string, error) {
	answer := extract.Asker()
	return func(_ context.Context, text string, responses []browserpool.Response) (found string, err error) {
		err = guard(func() error {
			found = answer(text, sources(responses))
			return nil
		})
		if err != nil {
			f.Log.Error("what the page fetched was not looked at", "url", url, "error", err)
		}
		return found, err
	}
}
