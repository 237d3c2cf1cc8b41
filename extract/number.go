package extract

import (
	"strconv"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// maxDigits bounds a number; Postgres numeric takes 131,072 digits, no page shows so many.
const maxDigits = 1000

// marks are the characters of one way to write numbers; group may be several
// characters of which a number uses one.
type marks struct {
	groups  string
	decimal byte
}

// numberMarks are the ways to write numbers, by the word in Rule.Marks.
var numberMarks = map[string]marks{
	"":            {",", '.'},
	"comma":       {".", ','},
	"space":       {" ", '.'},
	"space-comma": {" ", ','},
	"apostrophe":  {"'’", '.'},
}

// commaLanguages write a decimal comma; a region may differ.
var commaLanguages = map[string]bool{
	"af": true, "az": true, "be": true, "bg": true, "bs": true, "ca": true, "cs": true, "da": true,
	"de": true, "el": true, "es": true, "et": true, "eu": true, "fi": true, "fr": true, "gl": true,
	"hr": true, "hu": true, "hy": true, "id": true, "is": true, "it": true, "ka": true, "kk": true,
	"lt": true, "lv": true, "mk": true, "nb": true, "nl": true, "nn": true, "no": true, "pl": true,
	"pt": true, "ro": true, "ru": true, "sk": true, "sl": true, "sq": true, "sr": true, "sv": true,
	"tr": true, "uk": true, "uz": true, "vi": true,
}

// pointRegions write a decimal point although their language has a comma.
var pointRegions = map[string]bool{
	"ch": true, "li": true, "mx": true, "us": true, "pr": true, "gt": true, "hn": true,
	"sv": true, "ni": true, "pa": true, "do": true, "pe": true,
}

// marksFor are the ways to write numbers in the order to try them for a page's
// language. The comma comes first only where the language says so; elsewhere it
// needs a cell that is no English number.
func marksFor(lang string) []string {
	language, region, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(lang, "_", "-")), "-")
	if commaLanguages[language] && !pointRegions[region] {
		return []string{"comma", "space-comma", "", "space", "apostrophe"}
	}
	return []string{"", "space", "apostrophe", "comma", "space-comma"}
}

// number reads a number with the rule's marks and unit.
func (r Rule) number(text string) (string, bool) {
	negative := false
	if r.Unit != "" {
		var ok bool
		if text, negative, ok = cutUnit(text, r.Unit); !ok {
			return "", false
		}
	} else if text != "" && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	whole, fraction, ok := splitNumber(text, numberMarks[r.Marks])
	if !ok || r.Type == recipe.Integer && fraction != "" {
		return "", false
	}
	value := whole
	if fraction != "" {
		value += "." + fraction
	}
	if negative && strings.Trim(value, "0.") != "" {
		value = "-" + value
	}
	if r.Type == recipe.Integer {
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return "", false
		}
	}
	return value, true
}

// cutUnit takes the percent sign or the currency off an amount, and its sign:
// -$5, $-5, ($5), 5- and 5 € are read; a number without the unit is not.
func cutUnit(text, unit string) (amount string, negative, ok bool) {
	if unit == "%" {
		text, ok = strings.CutSuffix(text, "%")
		text = strings.TrimSuffix(text, " ")
		if text != "" && (text[0] == '-' || text[0] == '+') {
			return text[1:], text[0] == '-', ok
		}
		return text, false, ok
	}
	signs := 0
	sign := func() {
		switch {
		case len(text) > 2 && text[0] == '(' && text[len(text)-1] == ')':
			text, signs = text[1:len(text)-1], signs+1
			negative = true
		case strings.HasPrefix(text, "-"), strings.HasPrefix(text, "+"):
			negative = text[0] == '-'
			text, signs = strings.TrimPrefix(text[1:], " "), signs+1
		case strings.HasSuffix(text, "-"):
			negative = true
			text, signs = strings.TrimSuffix(text[:len(text)-1], " "), signs+1
		}
	}
	sign()
	bare, found := strings.CutPrefix(text, unit)
	if !found {
		bare, found = strings.CutSuffix(text, unit)
	}
	text = strings.Trim(bare, " ")
	sign()
	return text, negative, found && signs <= 1
}

// splitNumber splits a number without sign into its digits before and behind
// the decimal mark. Groups must be of three digits (or of two with three at the
// end, as in India), all with the same mark; a leading zero is no number.
func splitNumber(text string, m marks) (whole, fraction string, ok bool) {
	if len(text) > maxDigits {
		return "", "", false
	}
	whole = text
	if i := strings.IndexByte(text, m.decimal); i >= 0 {
		whole, fraction = text[:i], text[i+1:]
		if !digits(fraction) {
			return "", "", false
		}
	}
	whole, ok = ungroup(whole, m.groups)
	if !ok || whole == "" && fraction == "" {
		return "", "", false
	}
	if whole == "" {
		whole = "0"
	}
	if len(whole) > 1 && whole[0] == '0' {
		return "", "", false
	}
	return whole, fraction, true
}

// ungroup takes the group marks out of whole digits.
func ungroup(whole, groups string) (string, bool) {
	for _, mark := range groups {
		if !strings.ContainsRune(whole, mark) {
			continue
		}
		parts := strings.Split(whole, string(mark))
		last := len(parts) - 1
		western := len(parts[0]) <= 3
		indian := groups == "," && len(parts[0]) <= 2
		for i, p := range parts {
			if !digits(p) {
				return "", false
			}
			if i > 0 {
				western = western && len(p) == 3
				indian = indian && (len(p) == 2 || i == last && len(p) == 3) && len(parts[last]) == 3
			}
		}
		if !western && !indian || parts[0][0] == '0' {
			return "", false
		}
		return strings.Join(parts, ""), true
	}
	return whole, whole == "" || digits(whole)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// jsonNumber is the canonical text of a JSON number: its own digits, an
// exponent written out. An integer column takes no number with a fraction.
func jsonNumber(raw string, t recipe.Type) (*string, bool) {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(raw), "e")
	if hasExponent {
		shift, err := strconv.Atoi(exponent)
		if err != nil || shift > maxDigits || shift < -maxDigits {
			return nil, false
		}
		mantissa = shiftPoint(mantissa, shift)
	}
	r := Rule{Type: t}
	value, ok := r.number(mantissa)
	if !ok {
		return nil, false
	}
	return &value, true
}

// shiftPoint moves the decimal point of a plain number.
func shiftPoint(number string, by int) string {
	sign := ""
	if strings.HasPrefix(number, "-") {
		sign, number = "-", number[1:]
	}
	whole, fraction, _ := strings.Cut(number, ".")
	all := whole + fraction
	at := len(whole) + by
	if at <= 0 {
		all = strings.Repeat("0", 1-at) + all
		at = 1
	}
	if at > len(all) {
		all += strings.Repeat("0", at-len(all))
	}
	whole = strings.TrimLeft(all[:at], "0")
	if whole == "" {
		whole = "0"
	}
	if at == len(all) {
		return sign + whole
	}
	return sign + whole + "." + all[at:]
}
