package extract_test

import (
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// The way back from a value to what was shown, written apart from the way there:
// both must agree, or one of them has slipped.

var (
	plainNumber = regexp.MustCompile(`^-?(0|[1-9]\d*)(\.\d+)?$`)
	notesBehind = regexp.MustCompile(`( ?\[[^\]]{1,6}\]| ?[*†‡§¶^~#])+ ?$`)
	noShape     = regexp.MustCompile(`[\x{ad}\x{61c}\x{180e}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2069}\x{feff}]`)
	anySpace    = regexp.MustCompile(`[\s\v\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+`)
	dashAhead   = regexp.MustCompile(`^[\x{2010}-\x{2013}]([.,]*\d)`)
	yearFirst   = regexp.MustCompile(`^\d{4}[-/]`)
	allNumbers  = regexp.MustCompile(`\d+`)
)

// grouped are the shapes of whole digits, by the marks of a rule.
var grouped = map[string]*regexp.Regexp{
	"":            regexp.MustCompile(`^(\d+|\d{1,3}(,\d{3})+|\d{1,2}(,\d{2})*,\d{3})?$`),
	"comma":       regexp.MustCompile(`^(\d+|\d{1,3}(\.\d{3})+)?$`),
	"space":       regexp.MustCompile(`^(\d+|\d{1,3}( \d{3})+)?$`),
	"space-comma": regexp.MustCompile(`^(\d+|\d{1,3}( \d{3})+)?$`),
	"apostrophe":  regexp.MustCompile(`^(\d+|\d{1,3}('\d{3})+|\d{1,3}(’\d{3})+)?$`),
}

// tidied is a text as types are read from it.
func tidied(text string) string {
	text = strings.TrimSpace(anySpace.ReplaceAllString(noShape.ReplaceAllString(norm.NFC.String(text), ""), " "))
	text = strings.NewReplacer("\u2212", "-", "\uff0d", "-", "\ufe63", "-").Replace(text)
	return dashAhead.ReplaceAllString(text, "-$1")
}

// meansNothing says that a text is empty or a mark for a missing value.
func meansNothing(text string) bool {
	marks := " - -- --- – — ― N/A n/a NA #N/A N.A. NaN nan null NULL None .. … "
	text = tidied(text)
	return text == "" || strings.Contains(marks, " "+text+" ") || strings.Contains(marks, " "+strings.TrimSpace(notesBehind.ReplaceAllString(text, ""))+" ")
}

// shownAs says that a value formats to the text under its rule, but for group
// marks, a plus, the unit, and notes behind it.
func shownAs(rule extract.Rule, text, value string) bool {
	if rule.Type == recipe.Text {
		return text == value
	}
	shown := tidied(text)
	bare := strings.TrimSpace(notesBehind.ReplaceAllString(shown, ""))
	switch rule.Type {
	case recipe.Integer, recipe.Numeric:
		return plainNumber.MatchString(value) && (numberShown(rule, shown, value) || numberShown(rule, bare, value))
	case recipe.Boolean:
		return slices.Contains([]string{"true", "yes", "y", "1"}, strings.ToLower(bare)) == (value == "true")
	case recipe.Date:
		return dateShown(rule, bare, value)
	case recipe.Duration:
		return durationShown(bare, value)
	}
	return false
}

func numberShown(rule extract.Rule, shown, value string) bool {
	shown = strings.Replace(shown, rule.Unit, "", 1)
	negative := strings.ContainsAny(shown, "-(")
	shown = strings.Trim(shown, "+-() ")
	mark := "."
	if strings.HasSuffix(rule.Marks, "comma") {
		mark = ","
	}
	whole, fraction, decimal := strings.Cut(shown, mark)
	if !grouped[rule.Marks].MatchString(whole) {
		return false
	}
	plain := strings.Join(allNumbers.FindAllString(whole, -1), "")
	if plain == "" {
		plain = "0"
	}
	if decimal {
		plain += "." + fraction
	}
	if negative && strings.Trim(plain, "0.") != "" {
		plain = "-" + plain
	}
	return plain == value
}

func dateShown(rule extract.Rule, shown, value string) bool {
	day, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return false
	}
	var numbers []string
	for _, n := range allNumbers.FindAllString(shown, -1) {
		numbers = append(numbers, strings.TrimLeft(n, "0"))
	}
	y, m, d := day.Year(), int(day.Month()), day.Day()
	got := strings.Join(numbers, " ")
	switch {
	case yearFirst.MatchString(shown):
		return got == fmt.Sprint(y, " ", m, " ", d)
	case len(numbers) == 2: // the month has a name
		return got == fmt.Sprint(d, " ", y)
	case rule.Order == "mdy":
		return got == fmt.Sprint(m, " ", d, " ", y)
	}
	return rule.Order == "dmy" && got == fmt.Sprint(d, " ", m, " ", y)
}

func durationShown(shown, value string) bool {
	seconds, ok := new(big.Rat).SetString(strings.TrimSuffix(value, "s"))
	if !ok {
		return false
	}
	want := new(big.Rat)
	for _, part := range strings.Split(shown, ":") {
		n, ok := new(big.Rat).SetString(part)
		if !ok {
			return false
		}
		want.Add(want.Mul(want, big.NewRat(60, 1)), n)
	}
	_, fraction, _ := strings.Cut(shown, ".")
	_, kept, _ := strings.Cut(strings.TrimSuffix(value, "s"), ".")
	return want.Cmp(seconds) == 0 && fraction == kept
}
