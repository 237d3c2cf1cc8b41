package demosite

import (
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
)

// serveRobots answers with robots.txt as the options say.
func (p *pages) serveRobots(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if p.options.RobotsStatus != 0 {
		w.WriteHeader(p.options.RobotsStatus)
	}
	text := p.options.Robots
	if text == "" {
		text = "User-agent: *\nAllow: /\n\nSitemap: " + base(r) + "/sitemap.xml\n"
	}
	_, _ = io.WriteString(w, text)
}

// base is the site's address as the client knows it.
func base(r *http.Request) string { return "http://" + r.Host }

// Months gives the first n months that have a calendar page, at most 2,400.
func Months(n int) []string {
	months := make([]string, min(n, 12*(lastMonthYear-firstMonthYear+1)))
	for i := range months {
		months[i] = fmt.Sprintf("%04d-%02d", firstMonthYear+i/12, i%12+1)
	}
	return months
}

// serveSitemapIndex names the two sitemaps, one of them gzipped.
func serveSitemapIndex(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	_ = writeSitemap(w, "sitemapindex", "sitemap", []string{
		base(r) + "/sitemap-leaders.xml", base(r) + "/sitemap-calendar.xml.gz",
	})
}

// serveLeadersSitemap lists the 40 leaders' pages.
func serveLeadersSitemap(w http.ResponseWriter, r *http.Request) {
	var urls []string
	for _, season := range Seasons() {
		urls = append(urls, base(r)+"/leaders?season="+season)
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = writeSitemap(w, "urlset", "url", urls)
}

// serveCalendarSitemap lists the 2,400 calendar pages, gzipped.
func serveCalendarSitemap(w http.ResponseWriter, r *http.Request) {
	var urls []string
	for _, month := range Months(12 * (lastMonthYear - firstMonthYear + 1)) {
		urls = append(urls, base(r)+"/calendar?month="+month)
	}
	w.Header().Set("Content-Type", "application/gzip")
	zipped := gzip.NewWriter(w)
	_ = writeSitemap(zipped, "urlset", "url", urls)
	_ = zipped.Close()
}

// writeSitemap writes a sitemap or index after sitemaps.org, protocol 0.9.
func writeSitemap(w io.Writer, root, element string, urls []string) error {
	type entry struct {
		XMLName  xml.Name
		Location string `xml:"loc"`
		Modified string `xml:"lastmod"`
	}
	entries := make([]entry, len(urls))
	for i, url := range urls {
		entries[i] = entry{xml.Name{Local: element}, url, "2024-07-01"}
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return fmt.Errorf("write sitemap: %w", err)
	}
	err := xml.NewEncoder(w).Encode(struct {
		XMLName xml.Name
		Space   string `xml:"xmlns,attr"`
		Entries []entry
	}{xml.Name{Local: root}, "http://www.sitemaps.org/schemas/sitemap/0.9", entries})
	if err != nil {
		return fmt.Errorf("write sitemap: %w", err)
	}
	return nil
}
