package extract

import (
	"encoding/json"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// How a page shows a value of its JSON, and which kinds of values a column has. A
// page may show a kind in a way of its own, as 0 by a dash or long texts cut; so of
// every kind that a column holds one must have been seen.

// value is a scalar of JSON as a page shows it when it does nothing about it.
type value struct {
	kind  byte
	text  string
	looks uint64 // kinds that it is of, by bit
}

const (
	valueAbsent byte = iota // the zero value: the row lacks the key
	valueNull
	valueText
	valueNumber
	valueBool
	valueOther // a list, an object, a number that JavaScript does not keep
)

// The bits of looks.
const (
	looksAbsent = iota
	looksNull
	looksTrue
	looksFalse
	looksZero
	looksNegative
	looksEmpty
	looksMarked   // text with characters of HTML
	looksNumeric  // text that is a number
	looksLong     // text: one for each doubling of its length
	looksLarge    = looksLong + 12
	looksDecimals = looksLarge + 9 // number: one for each number of decimals
)

// valueOf takes a value of JSON.
func valueOf(v any) value {
	switch v := v.(type) {
	case nil:
		return value{kind: valueNull, looks: 1 << looksNull}
	case bool:
		if v {
			return value{valueBool, "true", 1 << looksTrue}
		}
		return value{valueBool, "false", 1 << looksFalse}
	case string:
		return textValue(foldText(v))
	case json.Number:
		return numberValue(v.String())
	}
	return value{kind: valueOther}
}

func textValue(text string) value {
	v := value{kind: valueText, text: text}
	if text == "" {
		v.looks = 1 << looksEmpty
		return v
	}
	v.looks = 1 << (looksLong + min(max(bits.Len(uint(utf8.RuneCountInString(text)))-4, 0), 11))
	if strings.ContainsAny(text, "<&") {
		v.looks |= 1 << looksMarked
	}
	if plainNumeric.MatchString(text) {
		v.looks |= 1 << looksNumeric
	}
	return v
}

// plainNumeric is a number in a text of JSON.
var plainNumeric = regexp.MustCompile(`^[-+]?\d+(\.\d+)?$`)

// numberValue takes a number in the form that JavaScript gives it. One that
// JavaScript rounds, or writes with an exponent, is none to compare.
func numberValue(raw string) value {
	f, err := strconv.ParseFloat(raw, 64)
	text := strconv.FormatFloat(f, 'f', -1, 64)
	same := raw
	if strings.Contains(same, ".") {
		same = strings.TrimRight(strings.TrimRight(same, "0"), ".")
	}
	if err != nil || same != text || len(text) > 21 {
		return value{kind: valueOther}
	}
	if text == "-0" {
		text = "0"
	}
	whole, part, _ := strings.Cut(strings.TrimPrefix(text, "-"), ".")
	v := value{kind: valueNumber, text: text}
	v.looks = 1<<(looksLarge+min((len(whole)-1)/3, 8)) | 1<<(looksDecimals+min(len(part), 63-looksDecimals))
	switch {
	case f == 0:
		v.looks |= 1 << looksZero
	case f < 0:
		v.looks |= 1 << looksNegative
	}
	return v
}

// unshown are the characters that the script drops. Joiners are none of them.
const unshown = "\u00ad\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069\ufeff"

// foldText folds white space and drops what shows nothing, as the script does
// with the texts that it reads.
func foldText(text string) string {
	if plainASCII(text) {
		return text
	}
	var b strings.Builder
	space := false
	for _, c := range text {
		switch {
		case strings.ContainsRune(unshown, c):
		case unicode.IsSpace(c):
			space = true
		default:
			if space && b.Len() > 0 {
				b.WriteByte(' ')
			}
			space = false
			b.WriteRune(c)
		}
	}
	return b.String()
}

// form is how a column shows its values beyond their plain texts.
type form struct {
	group    bool   // numbers have commas between their thousands
	decimals int    // numbers have so many, -1: as many as they have
	null     string // what stands for no value
}

// show gives the text of a value; ok is false where the form has none that is exact.
func (f form) show(v value) (text string, ok bool) {
	switch v.kind {
	case valueAbsent, valueNull:
		return f.null, true
	case valueText, valueBool:
		return v.text, true
	case valueNumber:
		return f.number(v.text)
	}
	return "", false
}

func (f form) number(text string) (string, bool) {
	if f.decimals >= 0 {
		whole, part, _ := strings.Cut(text, ".")
		if len(part) > f.decimals {
			return "", false
		}
		text = whole
		if f.decimals > 0 {
			text += "." + part + strings.Repeat("0", f.decimals-len(part))
		}
	}
	if f.group {
		whole, part, cut := strings.Cut(text, ".")
		digits := strings.TrimPrefix(whole, "-")
		for i := len(digits) - 3; i > 0; i -= 3 {
			digits = digits[:i] + "," + digits[i:]
		}
		if text = digits; whole[0] == '-' {
			text = "-" + digits
		}
		if cut {
			text += "." + part
		}
	}
	return text, true
}

// shownDecimal is a number with decimals, as pages write it.
var shownDecimal = regexp.MustCompile(`^-?[\d,]+\.(\d{1,20})$`)

// formsIn gives the forms that a column may have, by what was seen of it.
func formsIn(column int, windows []window) []form {
	decimals, null := -1, ""
	for _, w := range windows {
		for _, row := range w.Rows {
			if missing[row[column]] {
				null = row[column]
			}
			if m := shownDecimal.FindStringSubmatch(row[column]); m != nil && decimals < 0 {
				decimals = len(m[1])
			}
		}
	}
	forms := []form{{decimals: -1}, {decimals: -1, group: true}}
	if decimals >= 0 {
		forms = append(forms, form{decimals: decimals}, form{decimals: decimals, group: true})
	}
	if null != "" {
		for _, f := range forms {
			f.null = null
			forms = append(forms, f)
		}
	}
	return forms
}

// longGrid is how many times the rows that are seen with one a grid must have
// before it is looked at in its middle, too.
const longGrid = 40

// shortText is the length in bytes up to which no page cuts a text.
const shortText = 32

// between adds the last row, and some far from all that were seen.
func (f *fit) between(looks map[int]bool) {
	looks[f.c.rows-1] = true
	if f.c.rows < longGrid*f.near {
		return
	}
	for row := f.c.rows / 4; row < f.c.rows; row += f.c.rows / 4 {
		looks[row] = true
	}
}

// unsure adds the rows that must be seen before the fit proves anything: where
// the options of a column differ, where a column that looked constant is not, its
// longest text, and of each kind of value one.
func (f *fit) unsure(looks map[int]bool) {
	unseen := make([]uint64, len(f.options))
	for column, options := range f.options {
		for _, o := range options[1:] {
			if row := options[0].differs(o); row >= 0 {
				looks[row] = true
			}
		}
		values := options[0].values
		constant, longest := true, shortText
		for _, row := range f.seen {
			constant = constant && values[row].text == values[f.seen[0]].text
			longest = max(longest, len(values[row].text))
		}
		other, long := -1, -1
		for row, v := range values {
			unseen[column] |= v.kinds()
			if constant && other < 0 && v.text != values[f.seen[0]].text {
				other = row
			}
			if len(v.text) > longest && v.kind == valueText {
				long, longest = row, len(v.text)
			}
		}
		for _, row := range f.seen {
			unseen[column] &^= values[row].kinds()
		}
		for _, row := range []int{other, long} {
			if row >= 0 {
				looks[row] = true
			}
		}
	}
	f.cover(unseen, looks)
}

// kinds are the looks of a value.
func (v value) kinds() uint64 {
	if v.kind == valueAbsent {
		return 1 << looksAbsent
	}
	return v.looks
}

// differs gives the first row that two options show differently, -1 for none.
func (o origins) differs(other origins) int {
	for row := range o.values {
		a, _ := o.form.show(o.values[row])
		if b, _ := other.form.show(other.values[row]); a != b {
			return row
		}
	}
	return -1
}

// cover adds rows that hold the kinds which were not seen, by column, each time
// the row that holds most of them. What stands near a row that is looked at will
// be seen with it.
func (f *fit) cover(unseen []uint64, looks map[int]bool) {
	take := func(row int) {
		looks[row] = true
		for near := max(row-f.near, 0); near <= min(row+f.near, f.c.rows-1); near++ {
			for column := range unseen {
				unseen[column] &^= f.options[column][0].values[near].kinds()
			}
		}
	}
	for row := range looks {
		take(min(row, f.c.rows-1))
	}
	for len(looks) <= maxLooks {
		best, most := -1, 0
		for row := range f.c.rows {
			n := 0
			for column, kinds := range unseen {
				if kinds != 0 {
					n += bits.OnesCount64(kinds & f.options[column][0].values[row].kinds())
				}
			}
			if n > most {
				best, most = row, n
			}
		}
		if best < 0 {
			return
		}
		take(best)
	}
}
