package recipe

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	yaml "go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestSchemaIsKept: recipe.schema.json, which editors use, is what Schema says.
func TestSchemaIsKept(t *testing.T) {
	t.Parallel()
	got, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "recipe.schema.json", string(got))
}

// golden compares got with a file, or writes the file with -update.
func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; make it with go test ./recipe -update", err)
	}
	if got != string(want) {
		t.Errorf("%s is not what it should be; look at the difference after go test ./recipe -update\ngot:\n%s", file, got)
	}
}

func compiledSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("recipe.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("recipe.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is a YAML text as an editor's schema check sees it.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Load([]byte(text), &doc); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return nodeJSON(doc.Content[0])
}

func nodeJSON(n *yaml.Node) any {
	switch n = resolved(n); n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			m[n.Content[i].Value] = nodeJSON(n.Content[i+1])
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, 0, len(n.Content))
		for _, c := range n.Content {
			list = append(list, nodeJSON(c))
		}
		return list
	}
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true"
	case "!!int", "!!float":
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return json.Number(n.Value)
		}
	}
	return n.Value
}

// TestSchemaTakesRecipes: what the checker takes, an editor does not mark.
func TestSchemaTakesRecipes(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	for _, file := range files(t, "testdata/jobs/*.yaml") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(asJSON(t, string(text))); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestSchemaMarksMistakes: an editor marks unknown keys and words, and wrong shapes.
func TestSchemaMarksMistakes(t *testing.T) {
	t.Parallel()
	schema := compiledSchema(t)
	const head = "urls: https://a.example\n"
	for _, text := range []string{
		"url: https://a.example\ntables: {t: {}}\n",
		"urls: a.example\ntables: {t: {}}\n",
		head,
		head + "tables: [t]\n",
		head + "tables: {t: {form: table}}\n",
		head + "tables: {t: {rows: some}}\n",
		head + "tables: {t: {columns: {a: {type: float}}}}\n",
		head + "tables: {T: {}}\n",
		head + "tables: {t: {key: a}}\n",
		head + "page: {timeout: 30}\ntables: {t: {}}\n",
		head + "polite: {rate: 15/m}\ntables: {t: {}}\n",
		head + "with: {a: 1}\ntables: {t: {}}\n",
		"pages: {a: {tables: {t: {}}}}\n",
	} {
		if err := schema.Validate(asJSON(t, text)); err == nil {
			t.Errorf("the schema takes\n%s", text)
		}
	}
}
