package farm

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/temoto/robotstxt"
)

const (
	robotsAgent = "tabfarm"
	robotsMax   = 500 << 10      // RFC 9309, 2.5: at least 500 KiB are read
	robotsFresh = 24 * time.Hour // RFC 9309, 2.4
)

// robots keeps the robots.txt of hosts. RFC 9309: 4xx means that all may be
// read, 5xx that nothing may.
type robots struct {
	client *http.Client
	mu     sync.Mutex // guards hosts
	hosts  map[string]*robotsHost
}

type robotsHost struct {
	mu     sync.Mutex // held while the file is fetched: one fetch a host
	loaded time.Time
	rules  *robotsRules
}

// robotsRules are the rules of one host for tabfarm.
type robotsRules struct {
	status int // of robots.txt
	group  *robotstxt.Group
}

func newRobots(c *http.Client) *robots { return &robots{client: c, hosts: map[string]*robotsHost{}} }

// rules gives the rules of a host (scheme://name:port). The error says that the
// host could not be reached; it is not kept.
func (r *robots) rules(ctx context.Context, host string) (*robotsRules, error) {
	r.mu.Lock()
	h := r.hosts[host]
	if h == nil {
		h = &robotsHost{}
		r.hosts[host] = h
	}
	r.mu.Unlock()

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rules != nil && time.Since(h.loaded) < robotsFresh {
		return h.rules, nil
	}
	rules, err := r.fetch(ctx, host)
	if err != nil {
		return nil, err
	}
	h.loaded, h.rules = time.Now(), rules
	return rules, nil
}

func (r *robots) fetch(ctx context.Context, host string) (*robotsRules, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/robots.txt", nil)
	if err != nil {
		return nil, fmt.Errorf("read robots.txt of %q: %w", host, err)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("read robots.txt of %q: %w", host, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, robotsMax))
	if err != nil {
		return nil, fmt.Errorf("read robots.txt of %q: %w", host, err)
	}
	status := resp.StatusCode
	if status == http.StatusTooManyRequests {
		status = http.StatusServiceUnavailable // the site asks to be left alone, which a 4xx would not say
	}
	data, err := robotstxt.FromStatusAndBytes(status, body)
	if err != nil { // the file is nonsense: RFC 9309, 2.2: what cannot be read is left out
		data = &robotstxt.RobotsData{}
	}
	return &robotsRules{status: status, group: data.FindGroup(robotsAgent)}, nil
}

// denies gives the reason why a page may not be read, "" when it may.
func (r *robotsRules) denies(rawURL string) string {
	if r.status >= 500 {
		return fmt.Sprintf("robots.txt answers HTTP %d, which means: keep out (RFC 9309). Try later, or set polite.robots: ignore if the site's owner agrees", r.status)
	}
	u, err := url.Parse(rawURL)
	if err != nil || r.group == nil {
		return ""
	}
	if !r.group.Test(u.RequestURI()) {
		return fmt.Sprintf("robots.txt does not let %s read %s. Leave the page out, or set polite.robots: ignore if the site's owner agrees", robotsAgent, u.RequestURI())
	}
	return ""
}

// delay is the crawl-delay that the host asks for, 0 for none.
func (r *robotsRules) delay() time.Duration {
	if r.group == nil {
		return 0
	}
	return r.group.CrawlDelay
}
