package farm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

var errRedirects = errors.New("more than 5 redirects")

// newClient is the HTTP client for robots.txt and sitemaps. It refuses private
// addresses at connect time, so that a redirect or a second answer of DNS cannot
// lead around the check.
func newClient(product, proxy string, allowed addresses) (*http.Client, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	transport := &http.Transport{
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 15 * time.Second,
		IdleConnTimeout:       10 * time.Second,
		MaxIdleConnsPerHost:   1,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, fmt.Errorf("dial %q: %w", address, err)
			}
			d := *dialer
			if proxy == "" && !allowed.named(host, port) {
				d.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
					ap, err := netip.ParseAddrPort(resolved)
					if err != nil {
						return fmt.Errorf("dial %q: %w", resolved, err)
					}
					if !allowed.permits(ap.Addr()) {
						return &RefusedError{URL: address, Host: host, Addr: ap.Addr()}
					}
					return nil
				}
			}
			return d.DialContext(ctx, network, address)
		},
	}
	if proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("network.proxy: %q is no URL such as http://proxy.example:3128", proxy)
		}
		transport.Proxy = http.ProxyURL(u)
	}
	return &http.Client{
		Timeout:   30 * time.Second,
		Transport: &agentTransport{product: product, next: transport},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) >= 5 { // RFC 9309, 2.3.1.2: at least five
				return errRedirects
			}
			return allowed.check(r.Context(), r.URL.String(), netip.Addr{})
		},
	}, nil
}

// agentTransport sets the User-Agent of every request.
type agentTransport struct {
	product string
	next    *http.Transport
}

func (t *agentTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", t.product)
	return t.next.RoundTrip(r)
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (t *agentTransport) CloseIdleConnections() { t.next.CloseIdleConnections() }
