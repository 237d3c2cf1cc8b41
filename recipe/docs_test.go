package recipe

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

// TestDocs: every example of docs/recipe.md is a recipe without mistakes that an
// editor takes too, and only the section on what does nothing yet holds keys that
// do nothing yet.
func TestDocs(t *testing.T) {
	t.Parallel()
	text := readDocs(t)
	schema := compiledSchema(t)
	begin := strings.Index(text, "## What does nothing yet")
	end := begin + strings.Index(text[begin+1:], "\n## ")
	blocks := yamlBlock.FindAllStringSubmatchIndex(text, -1)
	if begin < 0 || len(blocks) < 10 {
		t.Fatalf("%d examples; the section begins at %d", len(blocks), begin)
	}
	for _, b := range blocks {
		example := text[b[2]:b[3]]
		r, err := Parse("docs.yaml", []byte(example))
		if err != nil {
			t.Errorf("%v\nin\n%s", err, example)
			continue
		}
		later := r.Unsupported()
		if yet := b[0] > begin && b[0] < end; yet != (len(later) > 0) {
			t.Errorf("keys that do nothing yet: %v\nin\n%s", later, example)
		}
		if err := schema.Validate(asJSON(t, example)); err != nil {
			t.Errorf("the schema refuses\n%s\n%v", example, err)
		}
	}
}

// TestDocsTellEveryKey: each key stands in an example and in the text.
func TestDocsTellEveryKey(t *testing.T) {
	t.Parallel()
	text := readDocs(t)
	var examples strings.Builder
	for _, b := range yamlBlock.FindAllStringSubmatch(text, -1) {
		examples.WriteString(b[1])
	}
	_, list, _ := strings.Cut(text, "## All keys")
	told, _, _ := strings.Cut(text, "## All keys")
	lines := strings.Split(list, "\n")
	for _, p := range places {
		keys := keysOf(p.keys)
		row := "`" + strings.Join(keys, "`, `") + "` |"
		if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasSuffix(l, "| "+row) }) {
			t.Errorf("no line of All keys lists %s", row)
		}
		for _, key := range keys {
			if !regexp.MustCompile(`(?m)(^|[\s{,])` + key + `:`).MatchString(examples.String()) {
				t.Errorf("no example holds %s%s", p.path, key)
			}
			if !strings.Contains(told, "`"+key+"`") && !strings.Contains(told, "`"+key+":") && !strings.Contains(told, "{"+key+":") {
				t.Errorf("the text does not tell %s%s", p.path, key)
			}
		}
	}
}

func readDocs(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/recipe.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
