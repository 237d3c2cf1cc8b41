package peers

import (
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// The versions in the results are those that the lock files pin.
func TestVersions(t *testing.T) {
	t.Parallel()
	versions, err := Versions(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"@crawlee/playwright", "@crawlee/puppeteer", "playwright", "puppeteer", "puppeteer-cluster", "chromedp", "rod"} {
		if v := versions[name]; strings.Count(v, ".") != 2 || strings.ContainsAny(v, "^~*v") {
			t.Errorf("%s has version %q, which pins nothing", name, v)
		}
	}
}

func TestUnknownDriver(t *testing.T) {
	t.Parallel()
	_, err := Build(t.Context(), root, t.TempDir(), []string{"selenium"})
	if err == nil || !strings.Contains(err.Error(), `no driver "selenium"; there are crawlee-playwright, `) {
		t.Error(err)
	}
	if names := Names(root); !slices.Contains(names, "rod-pool") || !slices.Contains(names, "playwright-reused") {
		t.Errorf("drivers are %q", names)
	}
}
