package demosite

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tabfarm/tabfarm/recipe"
)

// The site's recipes are right, and name as many pages as they say.
func TestRecipesNameTheirPages(t *testing.T) {
	t.Parallel()
	paths, err := WriteRecipes(t.TempDir(), "http://127.0.0.1:4711")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{"broken": 200, "calendar": 2000, "leaders": seasonCount, "standings": len(standings)}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".yaml")
		r, err := recipe.Load(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Polite.Delay != 0 {
			t.Errorf("%s waits %s between pages", name, r.Polite.Delay)
		}
		pages := 0
		for address, err := range r.Expand(t.Context(), &r.Kinds[0], nil, time.Now()) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !strings.HasPrefix(address.URL, "http://127.0.0.1:4711/") {
				t.Errorf("%s: %s", name, address.URL)
			}
			pages++
		}
		if pages != max(want[name], 1) {
			t.Errorf("%s names %d pages, want %d", name, pages, max(want[name], 1))
		}
		for _, m := range r.Unsupported() {
			t.Errorf("%s: %v", name, m)
		}
	}
}
