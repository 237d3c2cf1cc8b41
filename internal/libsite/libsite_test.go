package libsite

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func get(t *testing.T, url string) string {
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
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, response.Status, err)
	}
	return string(body)
}

func TestPagesAndTheirFigures(t *testing.T) {
	t.Parallel()
	site := Start(t)
	for name, want := range map[string]struct {
		rows int
		word string // something that only the library's own code says
		api  string // what is behind the page, by its whole
	}{
		"react": {50, "react", "react"}, "datatables": {128, "dt-paging", "datatables"},
		"datatables_server": {2000, "dt-paging", "part?from=0&size=2000"}, "aggrid": {2000, "ag-row", "stations"},
		"tabulator": {2000, "tabulator-row", "stations"}, "muigrid": {2000, "MuiDataGrid", "part?wide=1&from=0&size=2000"},
		"handsontable": {2000, "ht_master", "stations"}, "tanstack": {2000, "data-index", "stations"},
		"reactwindow": {2000, "aria-rowindex", "stations"},
		"loadmore":    {2000, "Showing", "part?from=0&size=2000"}, "numbered": {2000, "aria-current", "part?from=0&size=2000"},
	} {
		var page Page
		for _, p := range site.Pages {
			if p.Name == name {
				page = p
			}
		}
		if body := get(t, page.URL); strings.Contains(body, "<td") || !strings.Contains(body, "/dist/"+name+".js") {
			t.Errorf("%s: %s", name, body)
		}
		if script := get(t, site.URL+"/dist/"+name+".js"); len(script) < 500 || !strings.Contains(script, want.word) {
			t.Errorf("%s: a bundle of %d bytes without %q", name, len(script), want.word)
		}
		var table struct {
			Total int
			Rows  []map[string]any
		}
		if err := json.Unmarshal([]byte(get(t, site.URL+"/api/"+want.api)), &table); err != nil {
			t.Error(err)
		}
		if len(table.Rows) != want.rows || table.Total != want.rows || len(page.Texts) != want.rows || len(page.Table.Rows) != want.rows {
			t.Errorf("%s: %d rows of %d, texts of %d", name, len(table.Rows), table.Total, len(page.Texts))
		}
		if !strings.HasPrefix(page.Recipe, "urls: "+page.URL+"\n") {
			t.Errorf("%s: the recipe is for another page:\n%s", name, page.Recipe)
		}
	}
}

// Several test binaries may come for the bundles at once; the lock makes them one build.
func TestBuildsOnce(t *testing.T) {
	t.Parallel()
	var builds sync.WaitGroup
	folders := make([]string, 4)
	for i := range folders {
		builds.Go(func() {
			dist, err := Build(t.Context())
			if err != nil {
				t.Error(err)
			}
			folders[i] = dist
		})
	}
	builds.Wait()
	for _, folder := range folders {
		if folder == "" || folder != folders[0] {
			t.Errorf("the bundles are in %q", folders)
		}
	}
}
