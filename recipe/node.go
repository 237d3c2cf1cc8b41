package recipe

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// value is one value of the recipe with its place: the node, never an alias, and
// the path of its key, as page.ready or urls[2].
type value struct {
	c    *checker
	node *yaml.Node
	name string // the key; "" in a list
	path string
}

// field is one key of a map with its value.
type field struct {
	key *yaml.Node
	value
}

func (v value) member(key *yaml.Node, node *yaml.Node) field {
	path := key.Value
	if v.path != "" {
		path = v.path + "." + key.Value
	}
	return field{key, value{v.c, resolved(node), key.Value, path}}
}

// resolved follows aliases. YAML forbids an alias without its anchor, and one
// that leads to itself ends at the depth of the language.
func resolved(n *yaml.Node) *yaml.Node {
	for range 10 {
		if n.Kind != yaml.AliasNode || n.Alias == nil {
			break
		}
		n = n.Alias
	}
	return n
}

// wrong notes a mistake at the value.
func (v value) wrong(format string, args ...any) {
	v.c.add(v.node.Line, v.node.Column, v.path, format, args...)
}

// wrongAt notes a mistake at the byte offset of the value's text.
func (v value) wrongAt(offset int, key, format string, args ...any) {
	v.c.add(v.node.Line, v.column(offset), key, format, args...)
}

// column is where the byte offset of the text stands in the file. Where escapes
// or several lines make that unsure it is where the value begins.
func (v value) column(offset int) int {
	n := v.node
	if offset <= 0 || offset > len(n.Value) || n.Line > len(v.c.lines) {
		return n.Column
	}
	_, rest := place{n.Line, n.Column}.split(v.c.lines)
	quote := 0
	if n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		quote = 1
	}
	if len(rest) < quote || !strings.HasPrefix(rest[quote:], n.Value[:offset]) {
		return n.Column
	}
	return n.Column + quote + utf8.RuneCountInString(n.Value[:offset])
}

// later notes that the key does nothing in this version yet.
func (v value) later(what string) {
	v.c.later = append(v.c.later, Mistake{
		File: v.c.file, Line: v.node.Line, Column: v.node.Column,
		Text: what + " does nothing in this version of tabfarm yet. Take it out.",
	})
}

func (f field) later(what string) {
	f.node = f.key
	f.value.later(what)
}

func (v value) isNull() bool { return v.node.Kind == yaml.ScalarNode && v.node.Tag == "!!null" }

// isBlank says that nothing stands there, or an empty map.
func (v value) isBlank() bool {
	return v.isNull() && v.node.Anchor == "" || v.isMap() && len(v.node.Content) == 0
}

func (v value) isScalar() bool { return v.node.Kind == yaml.ScalarNode && !v.isNull() }

func (v value) isList() bool { return v.node.Kind == yaml.SequenceNode }

func (v value) isMap() bool { return v.node.Kind == yaml.MappingNode }

// shape is what the value is, in words.
func (v value) shape() string {
	switch {
	case v.isNull():
		return "empty"
	case v.isList():
		return "a list"
	case v.isMap():
		return "a map"
	}
	return "a text"
}

// lineRest is the value's line from where the value begins.
func (v value) lineRest() string {
	if v.node.Line > len(v.c.lines) || v.node.Line < 1 {
		return ""
	}
	_, rest := place{v.node.Line, v.node.Column}.split(v.c.lines)
	return rest
}

// label is KEY: or nothing in a list.
func (v value) label() string {
	if v.name == "" {
		return ""
	}
	return v.name + ": "
}

// text is the value as it is written, unquoted. want says what is expected, with
// an example: `a URL: https://...`.
func (v value) text(want string) (string, bool) {
	switch {
	case v.isScalar() && v.node.Style&yaml.TaggedStyle != 0,
		v.isNull() && v.node.Anchor != "":
		v.unquoted()
	case v.isNull():
		v.empty(want)
	case v.isScalar() && v.node.Value == "":
		v.wrong("is empty. Write %s.", want)
	case v.isScalar():
		return v.node.Value, true
	case (v.isMap() || v.isList()) && v.node.Style&yaml.FlowStyle != 0 && v.bracketed():
		for _, n := range v.node.Content {
			v.c.lost[n.Value] = true
		}
		v.unquoted()
	default:
		v.wrong("is %s; one value is expected. Write %s.", v.shape(), want)
	}
	return "", false
}

// unquoted tells a value that YAML takes for something else than text.
func (v value) unquoted() {
	value := v.lineRest()
	before, _ := place{v.node.Line, v.node.Column}.split(v.c.lines)
	value = value[:plainEnd(value, inFlow(before))]
	v.c.add(v.node.Line, v.node.Column, "", "a value that begins with %.1s must be quoted: %s.", value, v.label()+quoted(value))
}

// bracketed says that a { } or [ ] was likely meant as text: {season}, [data-sku].
func (v value) bracketed() bool {
	c := v.node.Content
	if v.isMap() {
		return len(c) == 2 && c[0].Kind == yaml.ScalarNode && c[1].Tag == "!!null"
	}
	return len(c) == 1 && c[0].Kind == yaml.ScalarNode
}

// empty says that there is no value, and why: most often a comment swallowed it.
func (v value) empty(want string) {
	if lost, ok := v.comment(); ok {
		v.c.add(v.node.Line, v.node.Column, "", "%s is empty: an unquoted # begins a comment in YAML. Write %s.", v.path, v.label()+quoted(lost))
		return
	}
	v.wrong("is empty. Write %s, or take the key out.", want)
}

// comment is the comment behind the value if it looks like a value that lost its
// quotes: #stats tr, not # a remark.
func (v value) comment() (string, bool) {
	rest := v.lineRest()
	if v.isScalar() {
		if v.node.Style != 0 || !strings.HasPrefix(rest, v.node.Value+" #") {
			return "", false
		}
		rest = rest[len(v.node.Value):]
	}
	lost, ok := strings.CutPrefix(strings.TrimSpace(rest), "#")
	if !ok || strings.HasPrefix(lost, " ") || strings.HasPrefix(lost, "#") || lost == "" && v.isScalar() {
		return "", false
	}
	return "#" + lost, true
}

// wordOf is a text out of a closed set.
func (v value) wordOf(set []string) (string, bool) {
	s, ok := v.text(strings.Join(set, " or "))
	if !ok {
		return "", false
	}
	if slices.Contains(set, s) {
		return s, true
	}
	v.wrong("%s is not known%s Write %s.", s, didYouMean(s, set), orList(set))
	return "", false
}

// yesNo is true or false; false where it is neither.
func (v value) yesNo() bool {
	s, ok := v.text("true or false")
	if !ok {
		return false
	}
	switch {
	case v.node.Tag == "!!bool":
		return strings.EqualFold(s, "true")
	case slices.Contains([]string{"yes", "on", "y", "1", "true"}, strings.ToLower(s)):
		v.wrong("%s is no truth value here. Write true.", s)
	case slices.Contains([]string{"no", "off", "n", "0", "false"}, strings.ToLower(s)):
		v.wrong("%s is no truth value here. Write false.", s)
	default:
		v.wrong("%s is neither true nor false. Write true or false.", s)
	}
	return false
}

// number is a whole number between low and high.
func (v value) number(low, high int) (int, bool) {
	want := fmt.Sprintf("a whole number from %d to %d", low, high)
	if low == -maxNumber && high == maxNumber {
		want = "a whole number"
	} else if high == maxNumber {
		want = fmt.Sprintf("a whole number, at least %d", low)
	}
	s, ok := v.text(want)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < low || n > high {
		v.wrong("%s is not what may stand here. Write %s.", s, want)
		return 0, false
	}
	return n, true
}

// maxNumber is the bound of numbers that have none of their own.
const maxNumber = 1_000_000_000

// duration is a length of time above zero, as 30s.
func (v value) duration(limit time.Duration) (time.Duration, bool) {
	s, ok := v.text("a time, as 30s")
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(s)
	if _, number := strconv.ParseFloat(s, 64); err != nil && number == nil {
		v.wrong("%s has no unit. Write %ss for seconds, %sm for minutes.", s, s, s)
		return 0, false
	}
	if err != nil || d <= 0 || d > limit {
		v.wrong("%s is no time between 0 and %s. Write it as 30s, 2m or 1m30s.", s, limit)
		return 0, false
	}
	return d, true
}

// items is a list with its entries.
func (v value) items(want string) ([]value, bool) {
	if !v.isList() {
		if v.isNull() {
			v.empty(want)
		} else {
			v.wrong("is %s; a list is expected. Write %s.", v.shape(), want)
		}
		return nil, false
	}
	if len(v.node.Content) == 0 {
		v.wrong("is an empty list. Write %s, or take the key out.", want)
		return nil, false
	}
	items := make([]value, len(v.node.Content))
	for i, n := range v.node.Content {
		items[i] = value{v.c, resolved(n), "", fmt.Sprintf("%s[%d]", v.path, i+1)}
	}
	return items, true
}

// members is a map with free names and its entries, each name once.
func (v value) members(want string) ([]field, bool) {
	if !v.isMap() {
		if v.isNull() {
			v.empty(want)
		} else {
			v.wrong("is %s; a map is expected. Write %s.", v.shape(), want)
		}
		return nil, false
	}
	if len(v.node.Content) == 0 {
		v.wrong("is an empty map. Write %s, or take the key out.", want)
		return nil, false
	}
	var fields []field
	lines := map[string]int{}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := resolved(v.node.Content[i])
		switch {
		case key.Kind != yaml.ScalarNode:
			v.c.add(key.Line, key.Column, v.path, "a key is one word. Write KEY: value.")
		case key.Tag == "!!merge":
			v.c.add(key.Line, key.Column, v.path, "<< (a YAML merge key) is not read. Write the keys out.")
		case lines[key.Value] > 0:
			v.c.add(key.Line, key.Column, v.path, "%s stands here twice; the first is in line %d. Keep one.", key.Value, lines[key.Value])
		default:
			lines[key.Value] = key.Line
			fields = append(fields, v.member(key, v.node.Content[i+1]))
		}
	}
	return fields, true
}

// object is a map whose keys are those of a type of the language.
type object struct {
	value
	keys    []string
	fields  map[string]field
	unknown int // how many keys are not known
}

// object reads a map with fixed keys and tells the ones that are not known.
func (v value) object(t reflect.Type, want string) (object, bool) {
	fields, ok := v.members(want)
	if !ok {
		return object{}, false
	}
	o := object{value: v, keys: keysOf(t), fields: map[string]field{}}
	for _, f := range fields {
		if slices.Contains(o.keys, f.name) {
			o.fields[f.name] = f
		}
	}
	for _, f := range fields {
		if slices.Contains(o.keys, f.name) {
			continue
		}
		o.unknown++
		if meant := o.notKnown(f); meant != "" {
			if _, taken := o.fields[meant]; !taken { // so that the value is looked at, and the key not missed
				o.fields[meant] = f
			}
		}
	}
	return o, true
}

// get is the value of a key of the object's type, if it is there.
func (o object) get(key string) (field, bool) {
	if !slices.Contains(o.keys, key) {
		panic("recipe: " + key + " is no key of this map")
	}
	f, ok := o.fields[key]
	return f, ok
}

// without tells each of the keys that is there to be out of place, with the reason.
func (o object) without(reason string, keys ...string) {
	for _, key := range keys {
		if f, ok := o.get(key); ok {
			o.c.add(f.key.Line, f.key.Column, f.path, "%s", reason)
		}
	}
}

// count is how many of the keys are there, and the last of them in the file.
func (o object) count(keys ...string) (n int, last field) {
	for _, key := range keys {
		f, ok := o.get(key)
		if !ok {
			continue
		}
		n++
		if last.key == nil || f.key.Line > last.key.Line || f.key.Line == last.key.Line && f.key.Column > last.key.Column {
			last = f
		}
	}
	return n, last
}

// exclusive tells when more than one of the keys is there.
func (o object) exclusive(why string, keys ...string) {
	if n, last := o.count(keys...); n > 1 {
		var there []string
		for _, key := range keys {
			if _, ok := o.get(key); ok {
				there = append(there, key)
			}
		}
		o.c.add(last.key.Line, last.key.Column, o.path, "%s exclude each other: %s. Keep one.", andList(there), why)
	}
}
