package recipe

import (
	"maps"
	"slices"
	"strings"
)

// Key is a key of the keyboard, as the browser is told of it.
type Key struct {
	Name string // DOM name: Enter, a
	Code string // name of the physical key: Enter, KeyA
	ID   int    // Windows virtual key code
	Text string // what it writes, "" for none
}

// namedKeys are the keys that have a name. Source: UI Events KeyboardEvent key and
// code values, and the virtual key codes of Windows.
var namedKeys = map[string]Key{
	"Enter":      {"Enter", "Enter", 13, "\r"},
	"Tab":        {"Tab", "Tab", 9, ""},
	"Escape":     {"Escape", "Escape", 27, ""},
	"Space":      {" ", "Space", 32, " "},
	"Backspace":  {"Backspace", "Backspace", 8, ""},
	"Delete":     {"Delete", "Delete", 46, ""},
	"ArrowDown":  {"ArrowDown", "ArrowDown", 40, ""},
	"ArrowUp":    {"ArrowUp", "ArrowUp", 38, ""},
	"ArrowLeft":  {"ArrowLeft", "ArrowLeft", 37, ""},
	"ArrowRight": {"ArrowRight", "ArrowRight", 39, ""},
	"PageDown":   {"PageDown", "PageDown", 34, ""},
	"PageUp":     {"PageUp", "PageUp", 33, ""},
	"Home":       {"Home", "Home", 36, ""},
	"End":        {"End", "End", 35, ""},
}

// KeyOf finds a key by the name that `press` gives it: one of the named keys, or a
// letter or digit.
func KeyOf(name string) (Key, bool) {
	if k, ok := namedKeys[name]; ok {
		return k, true
	}
	if len(name) != 1 {
		return Key{}, false
	}
	switch c, upper := name[0], strings.ToUpper(name); {
	case c >= '0' && c <= '9':
		return Key{name, "Digit" + name, int(c), name}, true
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
		return Key{name, "Key" + upper, int(upper[0]), name}, true
	}
	return Key{}, false
}

// otherKeyNames are names of other tools, and the key that is meant.
var otherKeyNames = map[string]string{
	"Return": "Enter", "Esc": "Escape", "Down": "ArrowDown", "Up": "ArrowUp", "Left": "ArrowLeft", "Right": "ArrowRight",
	"Spacebar": "Space", " ": "Space", "Del": "Delete",
}

// pressed is the key of a `press`.
func (f field) pressed() string {
	text, ok := f.text("a key, as Enter")
	if !ok {
		return ""
	}
	if _, known := KeyOf(text); known {
		return text
	}
	names := slices.Sorted(maps.Keys(namedKeys))
	meant := didYouMean(text, names)
	if right, ok := otherKeyNames[text]; ok {
		meant = "; did you mean " + right + "?"
	}
	f.wrong("%s is no key that is known%s Keys: %s, a letter or a digit.", text, meant, strings.Join(names, ", "))
	return ""
}
