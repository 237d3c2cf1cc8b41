package recipe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestJobs reads recipes of whole jobs and keeps what they mean, and which of
// their keys do nothing yet, in a file beside each.
func TestJobs(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, "testdata/jobs/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			r, err := Parse(filepath.Base(file), text)
			if err != nil {
				t.Fatal(err)
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", describe(t, r))
		})
	}
}

// describe is a recipe as JSON, without its text and its zero values, and its
// unsupported keys.
func describe(t *testing.T, r *Recipe) string {
	t.Helper()
	plain := *r
	plain.Text, plain.Timezone = nil, nil
	data, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(withoutZeros(tree), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\ntimezone %s\n%s\n", out, r.Timezone, r.Unsupported().Error())
}

func withoutZeros(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, x := range v {
			if x = withoutZeros(x); x != nil && key != "Pos" {
				out[key] = x
			}
		}
		if len(out) == 0 {
			return nil
		}
		return out
	case []any:
		for i := range v {
			if x := withoutZeros(v[i]); x != nil {
				v[i] = x
			}
		}
		return v
	case string:
		if v == "" || v == (time.Time{}).Format(time.RFC3339) {
			return nil
		}
	case float64:
		if v == 0 {
			return nil
		}
	case bool:
		if !v {
			return nil
		}
	}
	return v
}

func globSorted(pattern string) ([]string, error) { return filepath.Glob(pattern) }

func files(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	return found
}

// TestMistakes reads wrong recipes and keeps what is said of them in a file
// beside each.
func TestMistakes(t *testing.T) {
	t.Parallel()
	for _, file := range files(t, "testdata/mistakes/*.yaml") {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(file), text)
			if err == nil {
				t.Fatal("no mistake was found")
			}
			golden(t, strings.TrimSuffix(file, ".yaml")+".txt", err.Error()+"\n")
		})
	}
}
