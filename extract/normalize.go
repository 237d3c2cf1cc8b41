package extract

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// missing are the texts that mean no value in a column whose other cells all
// take one type. In a text column they stay text: NA is Namibia there.
var missing = map[string]bool{
	"-": true, "--": true, "---": true, "–": true, "—": true, "―": true,
	"N/A": true, "n/a": true, "NA": true, "#N/A": true, "N.A.": true,
	"NaN": true, "nan": true, "null": true, "NULL": true, "None": true,
	"..": true, "…": true,
}

// normalize gives the copy of a cell's text that types are read from: NFC
// (never NFKC: 10² is not 102), invisible marks dropped, every run of white
// space one space, the minus signs one.
func normalize(text string) string {
	if plainASCII(text) {
		return text
	}
	var b strings.Builder
	space := false
	for _, c := range norm.NFC.String(text) {
		switch {
		case invisible(c):
			continue
		case unicode.IsSpace(c):
			space = true
			continue
		case c == '\u2212' || c == '\uff0d' || c == '\ufe63':
			c = '-'
		}
		if space && b.Len() > 0 {
			b.WriteByte(' ')
		}
		space = false
		b.WriteRune(c)
	}
	return leadingMinus(b.String())
}

// plainASCII says that a text is as normalize would leave it, which most are.
func plainASCII(text string) bool {
	for i := range len(text) {
		c := text[i]
		if c <= ' ' && (c != ' ' || i == 0 || i == len(text)-1 || text[i-1] == ' ') || c >= 0x7f {
			return false
		}
	}
	return true
}

// invisible says whether a character shows nothing: zero-width characters,
// marks of direction, the soft hyphen.
func invisible(c rune) bool {
	switch {
	case c == '\u00ad', c == '\ufeff', c == '\u061c', c == '\u180e':
		return true
	case c >= '\u200b' && c <= '\u200f', c >= '\u202a' && c <= '\u202e', c >= '\u2060' && c <= '\u2069':
		return true
	}
	return false
}

// leadingMinus turns a hyphen or dash before a number, 5 or .5, into a minus.
func leadingMinus(text string) string {
	for _, dash := range []string{"\u2010", "\u2011", "\u2012", "\u2013"} {
		rest, found := strings.CutPrefix(text, dash)
		number := strings.TrimLeft(rest, ".,")
		if found && number != "" && number[0] >= '0' && number[0] <= '9' {
			return "-" + rest
		}
	}
	return text
}

// cutNotes leaves footnote marks at the end of a text out: [a], [12], * † ‡ § ¶ ^ ~ #.
func cutNotes(text string) string {
	for {
		cut := strings.TrimRight(text, "*†‡§¶^~# ")
		if open := strings.LastIndexByte(cut, '['); open > 0 && strings.HasSuffix(cut, "]") {
			if mark := cut[open+1 : len(cut)-1]; mark != "" && len(mark) <= 6 && !strings.Contains(mark, "]") {
				cut = strings.TrimRight(cut[:open], " ")
			}
		}
		if cut == text || cut == "" {
			return text
		}
		text = cut
	}
}
