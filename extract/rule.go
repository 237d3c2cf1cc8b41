package extract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// Rule is how the texts of one column become values: its type, its unit, its
// number marks or the order of its dates. It is stored with the table's column
// as String gives it, and holds for every later page.
type Rule struct {
	Type recipe.Type
	// Unit is "%", a currency symbol or code that every cell bears, or "".
	Unit string
	// Marks says how numbers are written: "" for 1,234.5, "comma" for 1.234,5,
	// "space" for 1 234.5, "space-comma" for 1 234,5, "apostrophe" for 1'234.5.
	Marks string
	// Order is the order of numeric dates: "mdy" or "dmy"; "" where it needs none.
	Order string
	// Format is the strftime format of a declared date, time or timestamp.
	Format string
}

// types are the types a Rule may have.
var types = []recipe.Type{
	recipe.Text, recipe.Integer, recipe.Numeric, recipe.Boolean, recipe.Date,
	recipe.Time, recipe.Timestamp, recipe.Duration, recipe.JSON,
}

// String gives the rule in the form that ParseRule reads: the type, then the
// fields that are set, `numeric unit="%" marks="comma"`.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(string(r.Type))
	for _, f := range []struct{ name, value string }{
		{"unit", r.Unit}, {"marks", r.Marks}, {"order", r.Order}, {"format", r.Format},
	} {
		if f.value != "" {
			fmt.Fprintf(&b, " %s=%q", f.name, f.value)
		}
	}
	return b.String()
}

// ParseRule reads what Rule.String wrote.
func ParseRule(s string) (Rule, error) {
	name, rest, _ := strings.Cut(s, " ")
	r := Rule{Type: recipe.Type(name)}
	if !slices.Contains(types, r.Type) {
		return Rule{}, fmt.Errorf("parse rule %q: type %q is not known", s, name)
	}
	for rest != "" {
		field, tail, found := strings.Cut(rest, "=")
		if !found {
			return Rule{}, fmt.Errorf("parse rule %q: no value behind %q", s, rest)
		}
		quoted, err := strconv.QuotedPrefix(tail)
		if err != nil {
			return Rule{}, fmt.Errorf("parse rule %q: value of %s: %w", s, field, err)
		}
		value, err := strconv.Unquote(quoted)
		if err != nil {
			return Rule{}, fmt.Errorf("parse rule %q: value of %s: %w", s, field, err)
		}
		if err := r.set(field, value); err != nil {
			return Rule{}, fmt.Errorf("parse rule %q: %w", s, err)
		}
		rest = strings.TrimPrefix(tail[len(quoted):], " ")
	}
	return r, nil
}

func (r *Rule) set(field, value string) error {
	switch field {
	case "unit":
		r.Unit = value
	case "marks":
		if _, known := numberMarks[value]; !known {
			return fmt.Errorf("marks %q are not known", value)
		}
		r.Marks = value
	case "order":
		if value != "mdy" && value != "dmy" {
			return fmt.Errorf("order %q is not known", value)
		}
		r.Order = value
	case "format":
		r.Format = value
	default:
		return fmt.Errorf("field %q is not known", field)
	}
	return nil
}

// Widens says whether a column of rule r may become one of rule to with nothing
// lost: an integer column whose numbers are written alike becomes numeric.
func (r Rule) Widens(to Rule) bool {
	return r.Type == recipe.Integer && to.Type == recipe.Numeric &&
		r.Unit == to.Unit && r.Marks == to.Marks
}

// Value is the canonical Postgres text of a cell under the rule: integer
// "1234", numeric "1200.50", boolean "true", date "2024-01-05", time
// "07:05:00", timestamp RFC 3339 in UTC, duration "2052s", json as JSON, text
// itself. nil and true is NULL: no value, and in a column that is no text also
// a missing mark or a cell that spans several columns. ok is false for a misfit.
func (r Rule) Value(c Cell) (value *string, ok bool) {
	if c.Text == nil {
		return nil, true
	}
	if c.JSON {
		return r.jsonValue(*c.Text)
	}
	if *c.Text == "" {
		return nil, true
	}
	if r.Type == recipe.Text {
		return c.Text, true
	}
	text := normalize(*c.Text)
	if text == "" || missing[text] || c.Span {
		return nil, true
	}
	return r.parse(text)
}

// parse reads a normalized text that is no missing mark; a footnote mark behind
// a value is left out.
func (r Rule) parse(text string) (*string, bool) {
	if v, ok := r.read(text); ok {
		return &v, true
	}
	if bare := cutNotes(text); bare != text {
		if missing[bare] {
			return nil, true
		}
		if v, ok := r.read(bare); ok {
			return &v, true
		}
	}
	return nil, false
}

// read reads a normalized text without footnote marks.
func (r Rule) read(text string) (string, bool) {
	switch r.Type {
	case recipe.Integer, recipe.Numeric:
		return r.number(text)
	case recipe.Boolean:
		return readBoolean(text)
	case recipe.Date, recipe.Time, recipe.Timestamp:
		return r.instant(text)
	case recipe.Duration:
		return readDuration(text)
	case recipe.JSON:
		return text, json.Valid([]byte(text))
	default:
		return text, true
	}
}

// jsonValue is Value for a JSON scalar or document: strings are read like
// texts, numbers and booleans by their own type.
func (r Rule) jsonValue(raw string) (*string, bool) {
	raw = strings.TrimSpace(raw)
	if raw == "null" || raw == "" {
		return nil, true
	}
	if r.Type == recipe.JSON {
		return &raw, true
	}
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal([]byte(raw), &s); err != nil {
			return nil, false
		}
		return r.Value(Cell{Text: &s})
	case '{', '[':
		if r.Type != recipe.Text {
			return nil, false
		}
		compact := compactJSON(raw)
		return &compact, true
	case 't', 'f':
		if r.Type == recipe.Text || r.Type == recipe.Boolean {
			return &raw, true
		}
		return nil, false
	}
	if r.Type == recipe.Integer || r.Type == recipe.Numeric {
		return jsonNumber(raw, r.Type)
	}
	return r.Value(Cell{Text: &raw})
}

func compactJSON(raw string) string {
	var b bytes.Buffer
	if err := json.Compact(&b, []byte(raw)); err != nil {
		return raw
	}
	return b.String()
}

// readBoolean reads more words than Infer takes for one: a column of Yes and No
// is boolean only where the recipe declares it.
func readBoolean(text string) (string, bool) {
	switch strings.ToLower(text) {
	case "true", "yes", "y", "1":
		return "true", true
	case "false", "no", "n", "0":
		return "false", true
	}
	return "", false
}
