package recipe

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// SchemaURL is where editors find the JSON Schema of the language.
const SchemaURL = "https://raw.githubusercontent.com/tabfarm/tabfarm/main/recipe/recipe.schema.json"

// Draft is a recipe that tabfarm writes for a person to go on with.
type Draft struct {
	URL    string // of the one page
	Tables []DraftTable
}

// DraftTable is one table of a Draft. From, Each or JSON says what it is read from.
type DraftTable struct {
	Name     string
	From     string
	Each     string
	JSON     string
	Skip     string
	Key      []string
	Columns  []Column // Name, CSS, Attr, Match and Optional are written
	Optional bool
	Comments []string // lines above the table
}

// Text writes the recipe. It begins with the line by which editors find the schema.
func (d Draft) Text() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "# yaml-language-server: $schema=%s\n", SchemaURL)
	fmt.Fprintf(&b, "urls: %s\n", scalar(strings.NewReplacer("{", "{{", "}", "}}").Replace(d.URL)))
	b.WriteString("tables:\n")
	for _, t := range d.Tables {
		for _, line := range t.Comments {
			fmt.Fprintf(&b, "  # %s\n", strings.Join(strings.Fields(line), " "))
		}
		fmt.Fprintf(&b, "  %s:\n", t.Name)
		for _, k := range []struct{ key, value string }{{"from", t.From}, {"each", t.Each}, {"json", t.JSON}, {"skip", t.Skip}} {
			if k.value != "" {
				fmt.Fprintf(&b, "    %s: %s\n", k.key, quoteYAML(k.value))
			}
		}
		if len(t.Key) > 0 {
			fmt.Fprintf(&b, "    key: [%s]\n", strings.Join(t.Key, ", "))
		}
		if len(t.Columns) > 0 {
			b.WriteString("    columns:\n")
		}
		for _, c := range t.Columns {
			fmt.Fprintf(&b, "      %s: {%s}\n", c.Name, draftColumn(c))
		}
		if t.Optional {
			b.WriteString("    optional: true\n")
		}
	}
	return []byte(b.String())
}

func draftColumn(c Column) string {
	var parts []string
	for _, k := range []struct{ key, value string }{{"css", c.CSS}, {"attr", c.Attr}, {"match", c.Match}} {
		if k.value != "" {
			parts = append(parts, k.key+": "+quoteYAML(k.value))
		}
	}
	if c.Optional {
		parts = append(parts, "optional: true")
	}
	return strings.Join(parts, ", ")
}

// scalar writes a URL as YAML takes it: bare where nothing in it means more.
func scalar(url string) string {
	if strings.Contains(url, " #") || strings.Contains(url, ": ") || strings.ContainsAny(url, "\"'\\\n\t") {
		return quoteYAML(url)
	}
	return url
}

// quoteYAML quotes a text for YAML: in double quotes, or in single ones where
// those would ask for escapes, as regular expressions do.
func quoteYAML(text string) string {
	if !strings.ContainsAny(text, "\"\\") {
		return `"` + text + `"`
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// PageName is a name for the recipe of a page: the last part of the URL's path
// that says something, else the host.
func PageName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "page"
	}
	for p := strings.Trim(u.Path, "/"); p != "" && p != "."; p = path.Dir(p) {
		name := path.Base(p)
		name = SQLName(strings.TrimSuffix(name, path.Ext(name)))
		if name != "" && name != "index" {
			return name
		}
	}
	if name := SQLName(u.Hostname()); name != "" {
		return name
	}
	return "page"
}
