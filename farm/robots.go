package farm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/temoto/robotstxt"

	"github.com/tabfarm/tabfarm/store"
)

const (
	robotsAgent = "tabfarm"
	robotsMax   = 500 << 10      // RFC 9309, 2.5: at least 500 KiB are read
	robotsFresh = 24 * time.Hour // RFC 9309, 2.4
	// robotsClosed is how long an answer holds that nothing may be read: HTTP 5xx and
	// 429. Pages wait for it, so that one hiccup does not deny them all. A Retry-After
	// may make it longer, up to robotsLongest.
	robotsClosed  = time.Minute
	robotsLongest = 5 * time.Minute
	// robotsMemory is how long the copy of this process is used before the database
	// is asked.
	robotsMemory = 5 * time.Minute
	// robotsAsk is the time that one worker has to fetch the file for all; it is more
	// than the client takes. robotsLook is how often the others look meanwhile.
	robotsAsk  = 45 * time.Second
	robotsLook = 100 * time.Millisecond
)

// robots gives the robots.txt of hosts. RFC 9309: 4xx means that all may be
// read, 5xx that nothing may.
type robots struct {
	client *http.Client
	mu     sync.Mutex // guards hosts
	hosts  map[string]*robotsHost
}

// robotsStore keeps robots.txt for all workers.
type robotsStore interface {
	AskRobots(ctx context.Context, host string, long time.Duration) (store.Robots, bool, error)
	KeepRobots(ctx context.Context, host string, r store.Robots) error
}

type robotsHost struct {
	mu    sync.Mutex // held while the file is had: one fetch a host
	rules *robotsRules
}

// robotsRules are the rules of one host for tabfarm.
type robotsRules struct {
	status  int    // of robots.txt; 0 when there was no answer
	failure string // why there was none
	until   time.Time
	group   *robotstxt.Group
}

func newRobots(c *http.Client) *robots { return &robots{client: c, hosts: map[string]*robotsHost{}} }

// rules gives the rules of a host (scheme://name:port), from the store where there
// is one, so that of many workers one asks the host. That the host gives no answer
// is in the rules; the error says that it may not be asked, or is the store's or that
// of turn, which is called before the host is asked.
func (r *robots) rules(ctx context.Context, s robotsStore, host string, turn func() error) (*robotsRules, error) {
	r.mu.Lock()
	h := r.hosts[host]
	if h == nil {
		h = &robotsHost{}
		r.hosts[host] = h
	}
	r.mu.Unlock()

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.rules != nil && time.Now().Before(h.rules.until) {
		return h.rules, nil
	}
	got, err := r.kept(ctx, s, host, turn)
	if err != nil {
		return nil, err
	}
	h.rules = parseRobots(got)
	if s != nil {
		h.rules.until = time.Now().Add(min(got.Fresh, robotsMemory))
	}
	return h.rules, nil
}

// kept gives the file that the store keeps. Where it is to be fetched, it is by
// whom the store chooses; the others look for it until then.
func (r *robots) kept(ctx context.Context, s robotsStore, host string, turn func() error) (store.Robots, error) {
	if s == nil {
		return r.fetch(ctx, host)
	}
	for {
		got, mine, err := s.AskRobots(ctx, host, robotsAsk)
		if err != nil || got.Fresh > 0 {
			return got, err
		}
		if !mine {
			if err := sleep(ctx, robotsLook); err != nil {
				return got, err
			}
			continue
		}
		if err = turn(); err == nil {
			got, err = r.fetch(ctx, host)
		}
		if err == nil {
			return got, s.KeepRobots(ctx, host, got)
		}
		bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
		defer cancel()
		return got, errors.Join(err, s.KeepRobots(bye, host, store.Robots{})) // another may ask
	}
}

// fetch asks the host. The error says that it was not asked to the end, by this
// process's own fault or settings.
func (r *robots) fetch(ctx context.Context, host string) (store.Robots, error) {
	got, err := r.get(ctx, host)
	var refused *RefusedError
	switch {
	case err == nil:
		return got, nil
	case ctx.Err() != nil:
		return got, context.Cause(ctx)
	case errors.As(err, &refused):
		return got, fmt.Errorf("read robots.txt of %q: %w", host, err)
	case errors.Is(err, errRedirects): // RFC 9309, 2.3.1.2: as if there were none
		return store.Robots{Status: http.StatusNotFound, Fresh: robotsFresh}, nil
	}
	return store.Robots{Failure: cause(err).Error()}, nil // whoever comes next asks again
}

func (r *robots) get(ctx context.Context, host string) (store.Robots, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/robots.txt", nil)
	if err != nil {
		return store.Robots{}, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return store.Robots{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, robotsMax))
	if err != nil {
		return store.Robots{}, err
	}
	got := store.Robots{Status: resp.StatusCode, Body: body, Fresh: robotsFresh}
	if closed(resp.StatusCode) {
		got.Fresh = min(max(retryAfter(resp.Header.Get("Retry-After"), time.Now()), robotsClosed), robotsLongest)
	}
	return got, nil
}

// closed says that robots.txt's status keeps all out. With 429 the site asks to be
// left alone, which other 4xx do not.
func closed(status int) bool { return status >= 500 || status == http.StatusTooManyRequests }

func parseRobots(f store.Robots) *robotsRules {
	rules := &robotsRules{status: f.Status, failure: f.Failure, until: time.Now().Add(f.Fresh)}
	if f.Failure != "" || closed(f.Status) {
		return rules
	}
	data, err := robotstxt.FromStatusAndBytes(f.Status, f.Body)
	if err != nil { // the file is nonsense: RFC 9309, 2.2: what cannot be read is left out
		data = &robotstxt.RobotsData{}
	}
	rules.group = data.FindGroup(robotsAgent)
	return rules
}

// denies gives the reason why a page may not be read, "" when it may, or when
// there was no answer.
func (r *robotsRules) denies(rawURL string) string {
	if closed(r.status) {
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

// forbids gives the end of a page that may not be read, nil when it may. While the
// file keeps all out, the host is left alone for as long as that holds.
func (r *robotsRules) forbids(p store.Page) *ending {
	if r.failure != "" {
		return &ending{outcome: Unreachable, message: fmt.Sprintf("robots.txt of %s cannot be had: %s", p.Host, r.failure), again: true, host: fails}
	}
	reason := r.denies(p.URL)
	if reason == "" {
		return nil
	}
	end := &ending{outcome: RobotsDenied, message: reason}
	if closed(r.status) {
		// Pages are claimed earlier than their turn by that, and asked about here.
		end.again, end.host, end.push = true, busy, max(time.Until(r.until), 0)+store.Patience
	}
	return end
}

// delay is the crawl-delay that the host asks for, 0 for none.
func (r *robotsRules) delay() time.Duration {
	if r.group == nil {
		return 0
	}
	return r.group.CrawlDelay
}
