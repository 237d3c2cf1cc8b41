package browserpool

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
)

// extensions are the ends of paths by which most resources of a kind are known.
// These are left out inside the renderer, for nothing; what of the kind has
// another URL is intercepted (guard.go), which costs a round trip each.
var extensions = map[string][]string{
	"image":      {"png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "bmp", "apng", "jxl"},
	"font":       {"woff", "woff2", "ttf", "otf", "eot"},
	"media":      {"mp4", "webm", "mp3", "ogg", "oga", "ogv", "m4a", "m4v", "mov", "wav", "flac", "aac", "m3u8", "mpd", "ts"},
	"stylesheet": {"css"},
	"script":     {"js", "mjs"},
}

// blockPatterns are URL patterns (https://urlpattern.spec.whatwg.org) of what is
// left out. They need the port: without it only default ports match.
func blockPatterns(block []string) []*network.BlockPattern {
	var patterns []*network.BlockPattern
	for _, kind := range block {
		for _, ext := range extensions[kind] {
			patterns = append(patterns, &network.BlockPattern{URLPattern: "*://*:*/*." + ext, Block: true})
		}
	}
	return patterns
}

// apply brings the target into the state that the visit needs and waits for it.
// Only what differs from the last page's is sent, all at once.
func (t *tabTarget) apply(ctx context.Context, v *visit) error {
	r := &v.request
	calls := t.applyViewport(r)
	if wanted := r.FrameScript != ""; wanted != t.frames {
		t.frames = wanted
		calls = append(calls, send(t.session, target.SetAutoAttach, autoAttach(wanted)))
	}
	calls = append(calls, t.applyNetwork(v)...)
	adding, more, err := t.applyScripts(v)
	if err != nil {
		return err
	}
	for s, c := range adding {
		var result page.AddScriptToEvaluateOnNewDocumentResult
		if err := c.wait(ctx, &result); err != nil {
			return fmt.Errorf("put script in place: %w", err)
		}
		t.scripts[s] = result.Identifier
	}
	for _, c := range append(calls, more...) {
		if err := c.wait(ctx, nil); err != nil {
			return fmt.Errorf("prepare tab: %w", err)
		}
	}
	return nil
}

func (t *tabTarget) applyViewport(r *Request) []*call {
	width, height := r.Width, r.Height
	if width <= 0 || height <= 0 {
		width, height = defaultWidth, defaultHeight
	}
	if t.width == width && t.height == height {
		return nil
	}
	t.width, t.height = width, height
	return []*call{send(t.session, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: int64(width), Height: int64(height), DeviceScaleFactor: 1,
	})}
}

func (t *tabTarget) applyNetwork(v *visit) []*call {
	r, s := &v.request, t.session
	var calls []*call
	if wanted := v.net.buffer(); wanted != t.bodies {
		t.bodies = wanted
		calls = append(calls, send(s, network.Enable, buffers(wanted)))
		t.blocked = "" // a second enable may forget what is blocked
	}
	if patterns := blockPatterns(r.Block); t.blocked != fmt.Sprint(r.Block) {
		t.blocked = fmt.Sprint(r.Block)
		calls = append(calls, send(s, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: patterns}))
	}
	patterns := r.intercepted()
	if key := fetchKey(patterns); key != t.fetching {
		t.fetching = key
		if key == "" {
			calls = append(calls, send(s, fetch.Disable, cdp.Empty{}))
		} else {
			calls = append(calls, send(s, fetch.Enable, fetch.EnableParams{Patterns: patterns}))
		}
	}
	if len(r.Cookies) > 0 {
		calls = append(calls, send(s, network.SetCookies, network.SetCookiesParams{Cookies: cookies(r.Cookies)}))
	}
	return calls
}

func fetchKey(patterns []*fetch.RequestPattern) string {
	key := ""
	for _, p := range patterns {
		key += p.URLPattern + " " + string(p.ResourceType) + "\n"
	}
	return key
}

// applyScripts removes the scripts of other pages and adds those of this one. It
// gives the calls that add, by script, and the others.
func (t *tabTarget) applyScripts(v *visit) (adding map[script]*call, more []*call, err error) {
	r := &v.request
	var wanted []script
	for origin, items := range r.Storage {
		s, err := storageScript(origin, items)
		if err != nil {
			return nil, nil, err
		}
		v.storage[origin] = s
		wanted = append(wanted, s)
	}
	wanted = append(wanted, r.frameScripts()...)
	wanted = append(wanted, script{world: worldName, source: wrap(r.Script)})
	for s := range t.scripts {
		if !slices.Contains(wanted, s) {
			more = append(more, t.uninstall(s))
		}
	}
	adding = map[script]*call{}
	for _, s := range wanted {
		if _, ok := t.scripts[s]; !ok {
			adding[s] = send(t.session, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{
				Source: s.source, WorldName: s.world,
			})
		}
	}
	return adding, more, nil
}

// frameScripts are the scripts that run in frames too.
func (r *Request) frameScripts() []script {
	var scripts []script
	if r.PageScript != "" {
		scripts = append(scripts, script{source: r.PageScript})
	}
	if r.FrameScript != "" {
		scripts = append(scripts, script{world: worldName, source: wrapFrame(r.FrameScript)})
	}
	return scripts
}

// uninstall removes a script, so that it is not run in the next document.
func (t *tabTarget) uninstall(s script) *call {
	id := t.scripts[s]
	delete(t.scripts, s)
	return send(t.session, page.RemoveScriptToEvaluateOnNewDocument, page.RemoveScriptToEvaluateOnNewDocumentParams{Identifier: id})
}

func cookies(list []Cookie) []*network.CookieParam {
	out := make([]*network.CookieParam, 0, len(list))
	for _, c := range list {
		p := &network.CookieParam{
			Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path,
			Secure: c.Secure, HTTPOnly: c.HTTPOnly, SameSite: network.CookieSameSite(c.SameSite),
		}
		if !c.Expires.IsZero() {
			p.Expires = cdp.TimeSinceEpoch(c.Expires.Unix())
		}
		if p.Path == "" {
			p.Path = "/"
		}
		out = append(out, p)
	}
	return out
}

// bodyOf waits for the body of a response.
func bodyOf(ctx context.Context, c *call) ([]byte, error) {
	var result struct {
		Body   string `json:"body"`
		Base64 bool   `json:"base64Encoded"`
	}
	if err := c.wait(ctx, &result); err != nil {
		return nil, err
	}
	if result.Base64 {
		body, err := base64.StdEncoding.DecodeString(result.Body)
		if err != nil {
			return nil, fmt.Errorf("decode body: %w", err)
		}
		return body, nil
	}
	return []byte(result.Body), nil
}
