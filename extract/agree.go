package extract

import (
	"math/big"
	"regexp"
	"strings"
)

// Found is a response whose rows are those of a shown table.
type Found struct {
	URL   string
	Rows  int     // of the response
	Share float64 // of the shown values that stand in the matching row of the response
}

// The least that makes a response the source of a table: a share of its values,
// rows that were compared, and columns of each.
const (
	agreeShare   = 0.9
	agreeRows    = 3
	agreeColumns = 2
)

// SourceOf finds the response whose rows agree best with what a table shows: for
// each row one of the response that holds its values, numbers as they are or
// rounded as shown, shares as percent too. ok is false where none agrees.
func SourceOf(t *Table, sources []Source) (best Found, ok bool) {
	if len(t.Rows) < agreeRows || len(t.Columns) < agreeColumns {
		return Found{}, false
	}
	for _, s := range sources {
		if s.Lost || s.TooLarge {
			continue
		}
		v, err := decodeJSON(s.Body)
		if err != nil {
			continue
		}
		rows := findRows(v)
		if share := agreement(t, rows); share >= agreeShare && share > best.Share {
			best, ok = Found{URL: s.URL, Rows: len(rows.rows), Share: share}, true
		}
	}
	return best, ok
}

// agreement is the mean over the shown rows of the share of their values that
// the best of the records holds.
func agreement(t *Table, found records) float64 {
	if len(found.rows) < agreeRows {
		return 0
	}
	sets := make([]map[string]bool, len(found.rows))
	holding := map[string][]int{} // records by value
	for i, row := range found.rows {
		sets[i] = map[string]bool{}
		for _, f := range row {
			for _, form := range formsOf(f.value) {
				if !sets[i][form] {
					sets[i][form] = true
					holding[form] = append(holding[form], i)
				}
			}
		}
	}
	sum := 0.0
	for _, row := range t.Rows {
		sum += bestShare(row, sets, holding)
	}
	return sum / float64(len(t.Rows))
}

// tries bounds how many records one shown row is held against.
const tries = 50

// bestShare looks among the records that hold the rarest value of the row.
func bestShare(row []Cell, sets []map[string]bool, holding map[string][]int) float64 {
	var values []string
	var among []int
	for _, c := range row {
		if isEmpty(c) || c.Span {
			continue
		}
		value := shownForm(*c.Text)
		values = append(values, value)
		if in := holding[value]; len(in) > 0 && (among == nil || len(in) < len(among)) {
			among = in
		}
	}
	if len(values) < agreeColumns {
		return 0
	}
	best := 0
	for _, i := range among[:min(len(among), tries)] {
		n := 0
		for _, v := range values {
			if sets[i][v] {
				n++
			}
		}
		best = max(best, n)
	}
	return float64(best) / float64(len(values))
}

// shownForm is a shown text in the form in which values are compared: numbers
// without their group marks and percent sign, other texts without case.
func shownForm(text string) string {
	text = normalize(text)
	number := strings.TrimSpace(strings.TrimSuffix(strings.ReplaceAll(text, ",", ""), "%"))
	if r, ok := asNumber(number); ok {
		return plainNumber(r)
	}
	return strings.ToLower(text)
}

// plainDigits are the numbers that are compared as such. Longer ones and those
// with an exponent, which a page could make as large as it likes, are texts.
var plainDigits = regexp.MustCompile(`^[-+]?\d{0,30}(\.\d{1,15})?$`)

func asNumber(number string) (*big.Rat, bool) {
	if !plainDigits.MatchString(number) {
		return nil, false
	}
	return new(big.Rat).SetString(number)
}

// shownDecimals is the most decimals to which pages round.
const shownDecimals = 3

// formsOf gives the forms in which a page may show a value.
func formsOf(value any) []string {
	if s, ok := value.(string); ok {
		return []string{shownForm(s)}
	}
	text := encodeJSON(value)
	r, ok := asNumber(text)
	if !ok {
		return []string{strings.ToLower(text)}
	}
	forms := []string{plainNumber(r)}
	for _, scale := range []int64{1, 100} {
		scaled := new(big.Rat).Mul(r, big.NewRat(scale, 1))
		for decimals := range shownDecimals + 1 {
			rounded, _ := new(big.Rat).SetString(scaled.FloatString(decimals))
			forms = append(forms, plainNumber(rounded))
		}
	}
	return forms
}

// plainNumber is one text for equal numbers.
func plainNumber(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	return strings.TrimRight(r.FloatString(20), "0")
}
