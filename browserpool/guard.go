package browserpool

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
)

// Interception costs a round trip for each request that it stops, so it stops
// only three kinds: documents when Allow is to be asked (for those of frames where
// frames are read), requests to the hosts
// that get headers, and kinds of resources that are left out. Sub-requests will be asked for here as well one day: a
// pattern for them, and paused without its test for documents.

// kinds are the resources that Request.Block may name. Chrome tells no others
// apart here: fetch, XMLHttpRequest and EventSource are one kind to it.
var kinds = map[string]network.ResourceType{
	"image": network.ResourceTypeImage, "font": network.ResourceTypeFont, "media": network.ResourceTypeMedia,
	"stylesheet": network.ResourceTypeStylesheet, "script": network.ResourceTypeScript,
}

// blocks says that resources of a type are left out.
func (r *Request) blocks(resourceType string) bool {
	return slices.ContainsFunc(r.Block, func(kind string) bool { return string(kinds[kind]) == resourceType })
}

// intercepted are the patterns of the requests to stop, none when none are.
func (r *Request) intercepted() []*fetch.RequestPattern {
	var patterns []*fetch.RequestPattern
	if r.Allow != nil {
		patterns = append(patterns, &fetch.RequestPattern{
			URLPattern: "*", ResourceType: network.ResourceTypeDocument, RequestStage: fetch.RequestStageRequest,
		})
	}
	for _, kind := range r.Block {
		if t, ok := kinds[kind]; ok {
			patterns = append(patterns, &fetch.RequestPattern{URLPattern: "*", ResourceType: t, RequestStage: fetch.RequestStageRequest})
		}
	}
	if len(r.Headers) > 0 {
		escape := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`)
		for _, host := range r.HeaderHosts {
			patterns = append(patterns, &fetch.RequestPattern{
				URLPattern: escape.Replace(hostOf(host)) + "/*", RequestStage: fetch.RequestStageRequest,
			})
		}
	}
	return patterns
}

// getsHeaders says that a request to the URL carries Request.Headers.
func (r *Request) getsHeaders(url string) bool {
	if len(r.Headers) == 0 {
		return false
	}
	host := hostOf(url)
	return slices.ContainsFunc(r.HeaderHosts, func(h string) bool { return hostOf(h) == host })
}

// pausedRequest is a request that waits for our word.
type pausedRequest struct {
	ID      fetch.RequestID `json:"requestId"`
	Frame   string          `json:"frameId"`
	Type    string          `json:"resourceType"`
	Request struct {
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
	} `json:"request"`
}

// paused decides about a request that Chrome holds. Each hop of a redirect comes
// here anew, before it goes out.
func (v *visit) paused(from *session, params jsonv2.Value) {
	var p pausedRequest
	if decode(params, &p) != nil {
		return // without its id there is nothing to answer to
	}
	if v.request.blocks(p.Type) {
		send(from, fetch.FailRequest, fetch.FailRequestParams{
			RequestID: p.ID, ErrorReason: network.ErrorReasonBlockedByClient,
		}).forget()
		return
	}
	top := p.Frame == string(v.target.id)
	if v.request.Allow == nil || p.Type != string(network.ResourceTypeDocument) || (!top && v.request.FrameScript == "") {
		v.pass(from, p)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.over:
		refuse(from, p)
	case !top:
		v.frameAsked(from, p)
	default:
		v.ask(p.Request.URL, netip.Addr{}, func(err error) {
			if err != nil {
				refuse(from, p)
				return
			}
			v.pass(from, p)
		})
	}
}

func refuse(s *session, p pausedRequest) {
	send(s, fetch.FailRequest, fetch.FailRequestParams{
		RequestID: p.ID, ErrorReason: network.ErrorReasonAccessDenied,
	}).forget()
}

// pass lets a request go, with the headers that its host gets. Chrome drops them
// on a redirect, which comes here again.
func (v *visit) pass(to *session, p pausedRequest) {
	params := fetch.ContinueRequestParams{RequestID: p.ID}
	if v.request.getsHeaders(p.Request.URL) {
		for name, value := range p.Request.Headers {
			if !v.request.overrides(name) {
				params.Headers = append(params.Headers, &fetch.HeaderEntry{Name: name, Value: value})
			}
		}
		for name, value := range v.request.Headers {
			params.Headers = append(params.Headers, &fetch.HeaderEntry{Name: name, Value: value})
		}
	}
	send(to, fetch.ContinueRequest, params).forget()
}

func (r *Request) overrides(name string) bool {
	for own := range r.Headers {
		if strings.EqualFold(own, name) {
			return true
		}
	}
	return false
}
