package extract

import (
	"encoding/json"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// Infer decides the rule of a column from its cells: the first of integer,
// numeric, percent, currency, duration, date and boolean that every cell takes,
// else text. No sample and no share is enough: one odd cell keeps all as text.
//
// Empty cells, missing marks and cells that span several columns take no part.
// ok is false where no cell is left, so that nothing is known yet; the rule is
// then text.
func Infer(name, header, lang string, cells []Cell) (rule Rule, ok bool) {
	texts, documents := split(cells)
	if len(documents) > 0 {
		return inferJSON(texts, documents), true
	}
	values := texts[:0:0]
	for _, t := range texts {
		if !missing[t] {
			values = append(values, t)
		}
	}
	if len(values) == 0 {
		return Rule{Type: recipe.Text}, false
	}
	for _, r := range candidates(name, header, lang, values) {
		if r.takesAll(values) {
			return r, true
		}
	}
	bare := values[:0:0] // footnote marks are split off only if all become a type by it
	for _, v := range values {
		if v = cutNotes(v); !missing[v] {
			bare = append(bare, v)
		}
	}
	if len(bare) == 0 {
		return Rule{Type: recipe.Text}, true
	}
	for _, r := range candidates(name, header, lang, bare) {
		if r.takesAll(bare) {
			return r, true
		}
	}
	return Rule{Type: recipe.Text}, true
}

// split gives the normalized texts of the cells that have a say, and the JSON values among them.
func split(cells []Cell) (texts, documents []string) {
	for _, c := range cells {
		switch {
		case c.Text == nil || c.Span:
		case c.JSON:
			if raw := strings.TrimSpace(*c.Text); raw != "null" && raw != "" {
				documents = append(documents, raw)
			}
		default:
			if t := normalize(*c.Text); t != "" {
				texts = append(texts, t)
			}
		}
	}
	return texts, documents
}

// takesAll says that every text is a value of the rule as it stands, without its notes cut.
func (r Rule) takesAll(texts []string) bool {
	for _, t := range texts {
		if _, ok := r.read(t); !ok {
			return false
		}
	}
	return true
}

// candidates are the rules to try for shown texts, first fit wins.
func candidates(name, header, lang string, values []string) []Rule {
	if addresses(values) {
		return nil
	}
	var rules []Rule
	for _, m := range provenMarks(lang, "", values) {
		rules = append(rules, Rule{Type: recipe.Integer, Marks: m}, Rule{Type: recipe.Numeric, Marks: m})
	}
	if unit := unitOf(values[0]); unit != "" {
		for _, m := range provenMarks(lang, unit, values) {
			rules = append(rules, Rule{Type: recipe.Numeric, Unit: unit, Marks: m})
		}
	}
	if durations(name, header, values) {
		rules = append(rules, Rule{Type: recipe.Duration})
	}
	if order, sure := proveOrder(values); sure {
		rules = append(rules, Rule{Type: recipe.Date, Order: order})
	}
	if truths(values) {
		rules = append(rules, Rule{Type: recipe.Boolean})
	}
	return rules
}

// provenMarks are the ways to write numbers that these texts may be in. Those
// with the decimal mark that the page's language has not need a text that is no
// number with the other: 1,234 beside 1 234 proves no decimal comma.
func provenMarks(lang, unit string, values []string) []string {
	all := marksFor(lang)
	own := all
	for i, m := range all {
		if numberMarks[m].decimal != numberMarks[all[0]].decimal {
			own = all[:i]
			break
		}
	}
	for _, v := range values {
		if !slices.ContainsFunc(own, func(m string) bool {
			_, ok := Rule{Type: recipe.Numeric, Unit: unit, Marks: m}.read(v)
			return ok
		}) {
			return all
		}
	}
	return own
}

// addresses says that all texts are IP addresses: 192.168.100.101 is no number
// whose groups are marked by points.
func addresses(values []string) bool {
	for _, v := range values {
		if a, err := netip.ParseAddr(v); err != nil || !a.Is4() {
			return false
		}
	}
	return true
}

// truths says that all texts are true or false.
func truths(values []string) bool {
	for _, v := range values {
		if !strings.EqualFold(v, "true") && !strings.EqualFold(v, "false") {
			return false
		}
	}
	return true
}

// currency finds a symbol or code before or behind an amount.
var currency = regexp.MustCompile(`^[-+(]?(?:((?:US|CA|AU|NZ|HK|[ACRSZ])?\$|[€£¥₹₽₩₺₫₴₪฿₦₱]|kr|[A-Z]{3}) ?[-+(]?[\d.,]|[\d.,' ’]*\d[-)]? ?([€£¥₹₽₩₺₫₴₪฿₦₱$]|[A-Z]{3}|zł|kr|Kč|Ft)[-)]?$)`)

// code has the form of a currency code.
var code = regexp.MustCompile(`^[A-Z]{3}$`)

// currencyCodes are the ISO 4217 codes that are read; three capitals alone are no currency.
var currencyCodes = map[string]bool{
	"USD": true, "EUR": true, "GBP": true, "JPY": true, "CHF": true, "CAD": true, "AUD": true, "NZD": true,
	"SEK": true, "NOK": true, "DKK": true, "ISK": true, "PLN": true, "CZK": true, "HUF": true, "RON": true,
	"BGN": true, "TRY": true, "RUB": true, "UAH": true, "INR": true, "CNY": true, "HKD": true, "SGD": true,
	"KRW": true, "THB": true, "IDR": true, "MYR": true, "PHP": true, "VND": true, "ILS": true, "AED": true,
	"SAR": true, "ZAR": true, "NGN": true, "KES": true, "EGP": true, "BRL": true, "MXN": true, "ARS": true,
	"CLP": true, "COP": true, "PEN": true,
}

// unitOf is the unit that a text bears, "" for none.
func unitOf(text string) string {
	if strings.HasSuffix(text, "%") {
		return "%"
	}
	m := currency.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	unit := m[1] + m[2]
	if code.MatchString(unit) && !currencyCodes[unit] {
		return ""
	}
	return unit
}

// durationNames are the headers under which 34:12 is minutes and seconds.
// "Time" is not one of them: 7:05 below it may be a clock.
var durationNames = map[string]bool{
	"mp": true, "min": true, "mins": true, "minutes": true, "toi": true, "top": true, "duration": true,
	"length": true, "elapsed": true, "atoi": true, "mpg": true, "dauer": true, "runtime": true,
}

// durations says that texts of the form 7:05 are lengths and no times of day:
// all have seconds, or the header says so, or one cannot be a clock.
func durations(name, header string, values []string) bool {
	all, proved := true, durationNames[strings.ToLower(header)] || durationNames[name]
	for _, v := range values {
		m := duration.FindStringSubmatch(v)
		if m == nil {
			return false
		}
		all = all && m[1] != ""
		if m[1] == "" && (m[4] != "" || len(m[2]) > 2 || m[2] > "23" && len(m[2]) == 2) {
			proved = true
		}
	}
	return all || proved
}

// proveOrder finds the order of numeric dates. sure is false when some are
// numeric and no cell proves the order, or two contradict each other.
func proveOrder(values []string) (order string, sure bool) {
	onlyMDY, onlyDMY, numeric := false, false, false
	for _, v := range values {
		mdy, dmy, isNumeric := dateOrders(v)
		numeric = numeric || isNumeric
		onlyMDY = onlyMDY || mdy && !dmy
		onlyDMY = onlyDMY || dmy && !mdy
	}
	switch {
	case !numeric:
		return "", true
	case onlyMDY && !onlyDMY:
		return "mdy", true
	case onlyDMY && !onlyMDY:
		return "dmy", true
	}
	return "", false
}

// inferJSON decides the rule of a column with JSON values by their own types:
// strings are text, whatever they look like.
func inferJSON(texts, documents []string) Rule {
	var strs, bools, nested, integers, numbers int
	for _, d := range documents {
		switch d[0] {
		case '"':
			strs++
		case 't', 'f':
			bools++
		case '{', '[':
			nested++
		default:
			if _, ok := jsonNumber(d, recipe.Integer); ok {
				integers++
			}
			if _, ok := jsonNumber(d, recipe.Numeric); ok {
				numbers++
			}
		}
	}
	all := len(documents)
	switch {
	case len(texts) > 0:
		return Rule{Type: recipe.Text}
	case integers == all:
		return Rule{Type: recipe.Integer}
	case numbers == all:
		return Rule{Type: recipe.Numeric}
	case bools == all:
		return Rule{Type: recipe.Boolean}
	case nested == all:
		return Rule{Type: recipe.JSON}
	case nested > 0:
		return Rule{Type: recipe.JSON}
	}
	return Rule{Type: recipe.Text}
}

// Declared is the rule of a column whose type the recipe declares. The cells of
// the page only say how numbers are written and in which order dates stand;
// what does not fit is a misfit, whatever it is.
//
// A numeric date whose order nothing proves is read by the page's language
// where that has one order (en-US, de), else it is a misfit: the recipe must
// give a format.
func Declared(c Column, lang string, cells []Cell) Rule {
	base := Rule{Type: c.Type, Format: c.Format}
	var values []string
	for _, cell := range cells {
		if cell.Text == nil || cell.Span {
			continue
		}
		text := *cell.Text
		if cell.JSON {
			var s string
			if json.Unmarshal([]byte(text), &s) != nil {
				continue
			}
			text = s
		}
		if t := normalize(text); t != "" && !missing[t] {
			values = append(values, cutNotes(t))
		}
	}
	switch c.Type {
	case recipe.Integer, recipe.Numeric:
		return declaredNumber(base, lang, values)
	case recipe.Date, recipe.Timestamp:
		if base.Format == "" {
			base.Order = declaredOrder(lang, values)
		}
	}
	return base
}

// declaredNumber takes the marks and the unit that most cells fit, the earlier on a tie.
func declaredNumber(base Rule, lang string, values []string) Rule {
	best, most := base, -1
	units := []string{""}
	for _, v := range values {
		if u := unitOf(v); u != "" {
			units = append(units, u)
			break
		}
	}
	for _, unit := range units {
		for _, m := range marksFor(lang) {
			r := Rule{Type: base.Type, Unit: unit, Marks: m}
			fit := 0
			for _, v := range values {
				if _, ok := r.read(v); ok {
					fit++
				}
			}
			if fit > most {
				best, most = r, fit
			}
		}
	}
	return best
}

func declaredOrder(lang string, values []string) string {
	dates := make([]string, len(values))
	for i, v := range values {
		dates[i], _, _ = strings.Cut(v, " ")
		dates[i] = strings.TrimSuffix(dates[i], ",")
	}
	if order, sure := proveOrder(dates); sure && order != "" {
		return order
	}
	language, region, _ := strings.Cut(strings.ToLower(lang), "-")
	switch {
	case region == "us":
		return "mdy"
	case language == "" || language == "en" && region == "":
		return ""
	}
	return "dmy"
}
