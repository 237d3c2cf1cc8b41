package recipe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
)

// otherKeys are words of other tools, and the key that is meant. The language has
// no aliases: one thing has one name.
var otherKeys = map[string]string{
	"selector": "css", "selectors": "css", "xpath": "css", "primary_key": "key", "unique_key": "key", "pk": "key",
	"url": "urls", "start_urls": "urls", "append": "key", "cron": "schedule", "delay": "rate", "sleep": "wait",
	"regex": "match", "regexp": "match", "pattern": "match", "fields": "columns", "variables": "with", "vars": "with",
	"wait_for": "wait", "ready_when": "ready", "rate_limit": "rate", "interval": "rate", "attribute": "attr",
	"headers_": "headers", "cookies": "session", "table": "tables", "tz": "timezone",
}

// otherKeyAdvice is what to write where another key alone does not say it.
var otherKeyAdvice = map[string]string{
	"xpath":    "tabfarm reads CSS: write css.",
	"append":   "leave out key, and rows belong to their page: nothing is overwritten.",
	"delay":    "write polite.rate, as rate: 15/min.",
	"interval": "write polite.rate, as rate: 15/min.",
	"sleep":    `write wait with the CSS of what you wait for, as wait: ".loaded".`,
}

// notKnown tells that a key is not known and what was meant. It gives the key of
// this map that the value is to be read as, "" if none.
func (o object) notKnown(f field) (meant string) {
	say := func(format string, args ...any) {
		o.c.add(f.key.Line, f.key.Column, o.path, "unknown key %s%s", f.name, fmt.Sprintf(format, args...))
	}
	if advice, ok := otherKeyAdvice[f.name]; ok {
		say("; %s", advice)
		return ""
	}
	if right, ok := otherKeys[f.name]; ok {
		if slices.Contains(o.keys, right) {
			say("; did you mean %s?", right)
			return right
		}
		if path := placeOf(right); path != "" && (right != "css" || !slices.Contains(o.keys, "from") || !slices.Contains(o.keys, "each")) {
			say("; did you mean %s? It stands as %s.", right, path)
			return ""
		}
		if right == "css" {
			say("; did you mean css? That stands in a column; the rows of a table are named by from or each.")
			return ""
		}
	}
	if near := nearest(f.name, o.keys); near != "" {
		say("; did you mean %s?", near)
		return near
	}
	if path := placeOf(f.name); path != "" {
		say(" here; it stands as %s.", path)
		return ""
	}
	say(". Keys here: %s.", strings.Join(o.keys, ", "))
	return ""
}

// placeOf is the path of a key where it most likely belongs, "" if there is none.
func placeOf(key string) string {
	for _, p := range places {
		if slices.Contains(keysOf(p.keys), key) {
			return p.path + key
		}
	}
	return ""
}

// otherTypes are type names of other tools.
var otherTypes = map[string]string{
	"int": "integer", "int64": "integer", "long": "integer", "bigint": "integer", "smallint": "integer",
	"number": "numeric", "decimal": "numeric", "double": "numeric", "real": "numeric", "money": "numeric", "float": "numeric",
	"string": "text", "str": "text", "varchar": "text", "char": "text",
	"bool": "boolean", "datetime": "timestamp", "timestamptz": "timestamp", "jsonb": "json", "object": "json",
}

// typeOf is the type of a column.
func (v value) typeOf() (Type, bool) {
	s, ok := v.text("a type: " + strings.Join(typeWords, ", "))
	if !ok {
		return "", false
	}
	if slices.Contains(typeWords, s) {
		return Type(s), true
	}
	word := strings.ToLower(s)
	right := otherTypes[word]
	switch {
	case word == "interval":
		v.wrong("write duration (it is stored as interval).")
	case right == "numeric":
		v.wrong("type %s is not known; numeric keeps every digit. Types: %s.", s, strings.Join(typeWords, ", "))
	case right != "":
		v.wrong("type %s is not known; write %s. Types: %s.", s, right, strings.Join(typeWords, ", "))
	default:
		v.wrong("type %s is not known%s Types: %s.", s, didYouMean(s, typeWords), strings.Join(typeWords, ", "))
	}
	return "", false
}

// nearest is the candidate that a slip of the fingers leads to s from, "" if none
// is that near: one change in short words, a third of the letters in long ones.
func nearest(s string, candidates []string) string {
	best, distance := "", 0
	for _, c := range candidates {
		d := slip(strings.ToLower(s), strings.ToLower(c))
		if best == "" || d < distance {
			best, distance = c, d
		}
	}
	if distance > max(1, len(s)/3) || distance >= len([]rune(s)) {
		return ""
	}
	return best
}

// slip is the number of slips of the fingers from a to b: letters typed wrongly,
// too much, too few, or in the wrong order.
func slip(a, b string) int {
	d := levenshtein.ComputeDistance(a, b)
	if d == 2 && len(a) == len(b) {
		x, y := []byte(a), []byte(b)
		slices.Sort(x)
		slices.Sort(y)
		if string(x) == string(y) {
			return 1
		}
	}
	return d
}

// didYouMean ends a sentence about s with the nearest candidate, if one is near.
func didYouMean(s string, candidates []string) string {
	if near := nearest(s, candidates); near != "" {
		return "; did you mean " + near + "?"
	}
	return "."
}

func orList(words []string) string { return joined(words, " or ") }

func andList(words []string) string { return joined(words, " and ") }

func joined(words []string, last string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + last + words[len(words)-1]
}
