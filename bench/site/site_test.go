package site

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/tabfarm/tabfarm/recipe"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves the site with one file in the place of its bundles, which need npm.
func start(t *testing.T) *Site {
	t.Helper()
	dist := t.TempDir()
	if err := os.WriteFile(filepath.Join(dist, "style.css"), []byte("p {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := serve(t.Context(), dist)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, url string) (body string, header http.Header) {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return string(text), response.Header
}

// The rows of a page are its own, as many as its kind says, each time the same.
func TestRowsOfPages(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, k := range Kinds() {
		if k.Name == "plain" {
			continue
		}
		var tables [3]struct {
			Total   int
			Columns []column
			Rows    []map[string]any
		}
		for i, number := range []int{7, 8, 7} {
			body, header := get(t, fmt.Sprintf("%s/api/%s/%d", s.URL, k.Name, number))
			if err := json.Unmarshal([]byte(body), &tables[i]); err != nil || header.Get("Content-Type") != "application/json" {
				t.Fatalf("%s: %v, %v", k.Name, err, header)
			}
			if len(tables[i].Rows) != k.Rows || tables[i].Total != k.Rows || len(tables[i].Columns) != columns {
				t.Errorf("%s: %d rows of %d, %d columns", k.Name, len(tables[i].Rows), tables[i].Total, len(tables[i].Columns))
			}
			for _, row := range tables[i].Rows {
				if id := int(row["id"].(float64)); PageOf(id) != number || len(row) != columns {
					t.Errorf("%s/%d has %v", k.Name, number, row)
				}
			}
		}
		if !reflect.DeepEqual(tables[0], tables[2]) || reflect.DeepEqual(tables[0].Rows[0], tables[1].Rows[0]) {
			t.Errorf("%s: the rows of a page changed, or those of two are alike", k.Name)
		}
	}
}

// The streamed page comes whole, with the rows between its parts.
func TestStreamedRows(t *testing.T) {
	t.Parallel()
	s := start(t)
	body, _ := get(t, s.Page("plain", 3))
	if rows := strings.Count(body, "<tr><td>"); rows != 300 || strings.Contains(body, mark) {
		t.Errorf("%d rows:\n%s", rows, body)
	}
	last := rowsOf(3, 300)[299].texts()
	if !strings.Contains(body, "<td>"+strings.Join(last[:], "</td><td>")+"</td></tr>\n</tbody>") || !strings.HasSuffix(body, "</html>\n") {
		t.Errorf("the end is missing:\n%s", body[len(body)-1000:])
	}
}

func TestWhatPagesLoad(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, k := range Kinds() {
		body, header := get(t, s.Page(k.Name, 0))
		if n := strings.Count(body, "<img "); n != pictures || header.Get("Cache-Control") != "" {
			t.Errorf("%s has %d pictures, %v", k.Name, n, header)
		}
		if strings.Contains(body, "/dist/"+k.Name+".js") != (k.Name != "plain") || !strings.Contains(body, "/dist/ads.js") {
			t.Errorf("%s:\n%s", k.Name, body)
		}
	}
	for _, path := range []string{"/pictures/19.png", "/dist/style.css"} {
		if body, header := get(t, s.URL+path); body == "" || !strings.Contains(header.Get("Cache-Control"), "max-age") {
			t.Errorf("%s: %d bytes, %v", path, len(body), header)
		}
	}
	if _, header := get(t, s.URL+"/ads/offers"); header.Get("Cache-Control") != "no-store" {
		t.Errorf("offers: %v", header)
	}
}

func TestDocumentsAreCounted(t *testing.T) {
	t.Parallel()
	s := start(t)
	get(t, s.URL+"/api/react/1")
	if d := s.Documents(); d != (Documents{}) {
		t.Errorf("before any: %+v", d)
	}
	get(t, s.Page("react", 1))
	first := s.Documents().First
	get(t, s.Page("plain", 1))
	get(t, s.Page("react", 1))
	if d := s.Documents(); d.Requests != 3 || d.Distinct != 2 || d.First != first || first.IsZero() {
		t.Errorf("after three: %+v, the first at %v", d, first)
	}
	s.Forget()
	if d := s.Documents(); d != (Documents{}) {
		t.Errorf("forgotten: %+v", d)
	}
}

func TestRecipesAreWhole(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, k := range Kinds() {
		r, err := recipe.Parse(k.Name+".yaml", []byte(s.Recipe(k.Name, 10, 5, 8)))
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
		} else if r.Name != k.Name {
			t.Errorf("%s is named %q", k.Name, r.Name)
		} else if r.Polite.Concurrency != 8 {
			t.Errorf("%s opens %d pages at once", k.Name, r.Polite.Concurrency)
		}
	}
	if pages := s.Pages("react", 10, 2); len(pages) != 2 || pages[1] != s.URL+"/react/11" {
		t.Errorf("pages: %q", pages)
	}
}
