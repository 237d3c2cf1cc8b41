package farm

import (
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSitemap(t *testing.T) {
	t.Parallel()
	mux := http.NewServeMux()
	site := httptest.NewServer(mux)
	t.Cleanup(site.Close)
	mux.HandleFunc("/index.xml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<?xml version="1.0"?><sitemapindex xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
			<sitemap><loc>%[1]s/a.xml</loc></sitemap><sitemap><loc>%[1]s/b.xml.gz</loc></sitemap></sitemapindex>`, site.URL)
	})
	mux.HandleFunc("/a.xml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<urlset><url><loc> https://x.example/1?a=1&amp;b=2 </loc><lastmod>2024-01-01</lastmod></url><url><loc></loc></url></urlset>`)
	})
	mux.HandleFunc("/b.xml.gz", func(w http.ResponseWriter, _ *http.Request) {
		z := gzip.NewWriter(w)
		_, err := fmt.Fprint(z, `<urlset><url><loc>https://x.example/2</loc></url></urlset>`)
		if err := errors.Join(err, z.Close()); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("/plain.txt", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "https://x.example/3\n\nhttps://x.example/4\n")
	})
	mux.HandleFunc("/loop.xml", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<sitemapindex><sitemap><loc>%s/loop.xml</loc></sitemap></sitemapindex>`, site.URL)
	})
	mux.HandleFunc("/page.html", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<html><body>no</body></html>`) })

	tests := []struct {
		path string
		want []string
		err  string
	}{
		{path: "/index.xml", want: []string{"https://x.example/1?a=1&b=2", "https://x.example/2"}},
		{path: "/plain.txt", want: []string{"https://x.example/3", "https://x.example/4"}},
		{path: "/loop.xml", err: "more than 3 indexes"},
		{path: "/page.html", err: "neither a <urlset> nor a <sitemapindex>"},
		{path: "/missing.xml", err: "HTTP 404"},
	}
	f := newTestFarm(t, Config{})
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			var got []string
			var failed error
			for u, err := range f.sitemap(t.Context(), site.URL+tt.path) {
				if err != nil {
					failed = err
					break
				}
				got = append(got, u)
			}
			if tt.err == "" && failed != nil || tt.err != "" && (failed == nil || !strings.Contains(failed.Error(), tt.err)) {
				t.Fatalf("error is %v, want one with %q", failed, tt.err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("pages (-want +got):\n%s", diff)
			}
		})
	}
}
