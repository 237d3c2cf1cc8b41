package recipe

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzSQLName checks that any header gives a name that is typed unquoted, or none.
func FuzzSQLName(f *testing.F) {
	for _, seed := range []string{"Player", "3P%", "+/-", "#", "To", "__private", "Gro\u0308ße", "हिन्दी", "٣ نقاط", "Sea\u00adson", "İstanbul", "\u0301x", "\xff", strings.Repeat("ä", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		name := SQLName(text)
		if len(name) > nameBytes || !utf8.ValidString(name) || reservedWords[name] || SQLName(name) != name {
			t.Fatalf("SQLName(%q) = %q, and again %q", text, name, SQLName(name))
		}
		for i, c := range name {
			if !unicode.IsLetter(c) && (i == 0 || c != '_' && !unicode.IsDigit(c) && !unicode.IsMark(c)) {
				t.Fatalf("SQLName(%q) = %q, with %q at %d", text, name, c, i)
			}
		}
	})
}

// FuzzRange checks that a range says what is wrong with it or gives its values.
func FuzzRange(f *testing.F) {
	f.Add("1985", "2024", "", 1)
	f.Add("001", "120", "", 7)
	f.Add("2024-01", "today", "%Y-%m", 1)
	f.Add("today", "today-7d", "%d.%m.%Y", -1)
	f.Add("2024-01-31", "2024-12", "%", 2)
	f.Fuzz(func(t *testing.T, from, to, format string, step int) {
		r := Range{From: from, To: to, Format: format, Step: step}
		n, err := r.count(newYear)
		values, valuesErr := r.values(newYear)
		if (err == nil) != (valuesErr == nil) || err == nil && (n < 1 || n > maxRange) {
			t.Fatalf("%+v is %d values: %v, %v", r, n, err, valuesErr)
		}
		if err != nil {
			return
		}
		got := 0
		for range values {
			if got++; got == 100 {
				return
			}
		}
		if got != n {
			t.Fatalf("%+v gives %d values, and says %d", r, got, n)
		}
	})
}

// FuzzSubstitute checks that a template gives its texts and the values of its
// variables, and that a text without them is one whose braces are doubled.
func FuzzSubstitute(f *testing.F) {
	for _, seed := range []string{"NBA_{season}.html", "{{season}}", "{", "{{{season}", "{season}}}", "a{b}c{{d"} {
		f.Add(seed, "2024")
	}
	f.Fuzz(func(t *testing.T, template, value string) {
		_ = Substitute(template, map[string]string{"season": value, "b": value})
		if got := Substitute(strings.ReplaceAll(template, "{", "{{"), nil); strings.Count(got, "{") != strings.Count(template, "{") {
			t.Fatalf("%q with its braces doubled gives %q", template, got)
		}
	})
}
