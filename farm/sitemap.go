package farm

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/netip"
	"strings"
)

const (
	sitemapMax   = 50 << 20 // sitemaps.org: 50 MB uncompressed
	sitemapDepth = 3        // an index of indexes is more than the protocol allows, but seen
)

// sitemap streams the page URLs of a sitemap, gzipped or not; a sitemap index is
// followed, a plain list of URLs is taken line by line. Source: sitemaps.org/protocol.html.
func (f *Farm) sitemap(ctx context.Context, rawURL string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		_, err := f.walkSitemap(ctx, rawURL, 0, func(u string) bool { return yield(u, nil) })
		if err != nil {
			yield("", err)
		}
	}
}

// walkSitemap reports whether the caller wants more.
func (f *Farm) walkSitemap(ctx context.Context, rawURL string, depth int, page func(string) bool) (bool, error) {
	if depth > sitemapDepth {
		return false, fmt.Errorf("read sitemap %q: more than %d indexes inside each other", rawURL, sitemapDepth)
	}
	body, err := f.openSitemap(ctx, rawURL)
	if err != nil {
		return false, fmt.Errorf("read sitemap %q: %w", rawURL, err)
	}
	defer body.Close()
	text := bufio.NewReader(io.LimitReader(body, sitemapMax))
	if start, err := text.Peek(1); err == nil && start[0] != '<' && start[0] != 0xEF {
		more, err := plainSitemap(text, page)
		if err != nil {
			err = fmt.Errorf("read sitemap %q: %w", rawURL, err)
		}
		return more, err
	}
	indexes, more, err := parseSitemap(text, page)
	if err != nil {
		return false, fmt.Errorf("read sitemap %q: %w", rawURL, err)
	}
	for _, inner := range indexes {
		if !more {
			break
		}
		if more, err = f.walkSitemap(ctx, inner, depth+1, page); err != nil {
			return false, err
		}
	}
	return more, nil
}

// openSitemap fetches a sitemap and takes its gzip off.
func (f *Farm) openSitemap(ctx context.Context, rawURL string) (io.ReadCloser, error) {
	if err := f.addresses.check(ctx, rawURL, netip.Addr{}); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, rawURL, nil)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the server answers HTTP %s", resp.Status)
	}
	buffered := bufio.NewReader(resp.Body)
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1F && magic[1] == 0x8B {
		unzipped, err := gzip.NewReader(buffered)
		if err != nil {
			resp.Body.Close()
			return nil, err
		}
		return readCloser{unzipped, resp.Body}, nil
	}
	return readCloser{buffered, resp.Body}, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// parseSitemap gives each page to page and returns the sitemaps of an index.
func parseSitemap(r io.Reader, page func(string) bool) (indexes []string, more bool, err error) {
	d := xml.NewDecoder(r)
	d.Strict = false
	kind := ""
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if kind == "" {
				return nil, false, errors.New("neither a <urlset> nor a <sitemapindex>")
			}
			return indexes, true, nil
		}
		if err != nil {
			return nil, false, err
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "urlset", "sitemapindex":
			kind = start.Name.Local
		case "url", "sitemap":
			var entry struct {
				Loc string `xml:"loc"`
			}
			if err := d.DecodeElement(&entry, &start); err != nil {
				return nil, false, err
			}
			loc := strings.TrimSpace(entry.Loc)
			if loc == "" {
				continue
			}
			if start.Name.Local == "sitemap" {
				indexes = append(indexes, loc)
			} else if !page(loc) {
				return nil, false, nil
			}
		}
	}
}

func plainSitemap(r io.Reader, page func(string) bool) (bool, error) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if u := strings.TrimSpace(lines.Text()); u != "" && !page(u) {
			return false, nil
		}
	}
	return true, lines.Err()
}
