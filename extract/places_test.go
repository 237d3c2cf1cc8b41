package extract_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// Rows out of JSON take values from the page and from its comments.
func TestJSONRowsWithValuesOfThePage(t *testing.T) {
	t.Parallel()
	url := pages(t, map[string]http.HandlerFunc{
		"/{$}":  document(`<h1>Title</h1><!-- <i class="x">2024</i> --><script>fetch('/rows')</script>`),
		"/rows": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`[{"a":1},{"a":2}]`)) },
	})
	k := kindOf(recipe.Table{JSON: &recipe.JSONSource{URL: "/rows"}, MinRows: 1, Columns: []recipe.Column{
		{Name: "title", CSS: "page >> h1"}, {Name: "year", CSS: "comments >> .x"},
	}})
	v := open(t, url+"/", k, nil)
	tables, err := extract.Tables(v.reading, v.sources, k, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("title|year|a\nTitle|2024|1\nTitle|2024|2", show(tables[0])); diff != "" {
		t.Error(diff)
	}
}
