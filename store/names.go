package store

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
)

// nameBytes is the longest name that Postgres keeps whole (NAMEDATALEN - 1); it
// would cut a longer one without a word.
const nameBytes = 63

// checkName refuses names that Postgres would not keep as they are. what names
// the place for the message.
func checkName(what, name string) error {
	switch {
	case name == "":
		return &StatementError{Verb: what, Code: "42602", Message: "a name is empty"}
	case len(name) > nameBytes:
		return &StatementError{Verb: what, Code: "42622", Message: fmt.Sprintf("the name %q has %d bytes; Postgres keeps %d", name, len(name), nameBytes)}
	case strings.ContainsRune(name, 0) || strings.ToValidUTF8(name, "") != name:
		return &StatementError{Verb: what, Code: "42602", Message: fmt.Sprintf("the name %q is no valid text", name)}
	}
	return nil
}

// quote makes names that checkName let pass an identifier of SQL.
func quote(names ...string) string { return pgx.Identifier(names).Sanitize() }

// literal makes a text a constant of SQL, for statements that take no
// parameters. It counts on standard_conforming_strings, which every connection has on.
func literal(text string) string {
	return "'" + strings.ReplaceAll(clean(text), "'", "''") + "'"
}

// clean makes a text one that Postgres takes: without NUL, valid UTF-8.
func clean(text string) string {
	if plain(text) {
		return text
	}
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "")
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

// plain says that a text is of ASCII without NUL, as most are.
func plain(text string) bool {
	for i := range len(text) {
		if text[i] == 0 || text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// cleanJSON is clean for a JSON document, in which jsonb takes neither the
// escape of NUL nor that of half a surrogate pair.
func cleanJSON(doc string) string {
	doc = clean(doc)
	if !strings.Contains(doc, `\u`) {
		return doc
	}
	var b strings.Builder
	for i := 0; i < len(doc); {
		r, size := escapeAt(doc[i:])
		switch {
		case size == 0:
			b.WriteByte(doc[i])
			i++
			continue
		case size == 2: // an escape of one letter, \\ among them
			b.WriteString(doc[i : i+2])
		case r == 0:
		case r >= 0xDC00 && r <= 0xDFFF:
			b.WriteString(`\ufffd`)
		case r >= 0xD800 && r <= 0xDBFF:
			low, next := escapeAt(doc[i+size:])
			if next == 6 && low >= 0xDC00 && low <= 0xDFFF {
				b.WriteString(doc[i : i+size+next])
				size += next
			} else {
				b.WriteString(`\ufffd`)
			}
		default:
			b.WriteString(doc[i : i+size])
		}
		i += size
	}
	return b.String()
}

// escapeAt reads the JSON escape that s begins with: its length, 0 for none, and
// for \uXXXX its UTF-16 unit.
func escapeAt(s string) (unit rune, size int) {
	if len(s) < 2 || s[0] != '\\' {
		return 0, 0
	}
	if s[1] != 'u' || len(s) < 6 {
		return 0, 2
	}
	if _, err := fmt.Sscanf(s[2:6], "%04x", &unit); err != nil {
		return 0, 2
	}
	return unit, 6
}

// cleanAll is clean for a column of texts, where nil is NULL. Texts that are clean
// already stay the caller's.
func cleanAll(texts []*string, json bool) {
	for i, t := range texts {
		if t == nil {
			continue
		}
		text := *t
		if json {
			text = cleanJSON(text)
		} else {
			text = clean(text)
		}
		if text != *t {
			texts[i] = &text
		}
	}
}
