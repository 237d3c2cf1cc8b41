package extract_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

func cellsOf(texts []string) []extract.Cell {
	cells := make([]extract.Cell, len(texts))
	for i := range texts {
		cells[i] = extract.Cell{Text: &texts[i]}
	}
	return cells
}

// values are a rule's values of texts; "NULL" for none, "MISFIT" for no value.
func values(r extract.Rule, cells []extract.Cell) string {
	var out []string
	for _, c := range cells {
		v, ok := r.Value(c)
		switch {
		case !ok:
			out = append(out, "MISFIT")
		case v == nil:
			out = append(out, "NULL")
		default:
			out = append(out, *v)
		}
	}
	return strings.Join(out, "; ")
}

func TestInfer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		lang, header, cells, rule, values string
	}{
		{"", "", "1,5; 2", `numeric marks="comma"`, "1.5; 2"},
		{"", "", "1.234,56; 7", `numeric marks="comma"`, "1234.56; 7"},
		{"de", "", "1.234; 5.678", `integer marks="comma"`, "1234; 5678"},
		{"de-CH", "", "1.234; 5.678", "numeric", "1.234; 5.678"},
		{"de", "", "1.5; 2.25", "numeric", "1.5; 2.25"},
		{"", "", "1'234; 5", `integer marks="apostrophe"`, "1234; 5"},
		{"", "", "1 234,5; 2", `numeric marks="space-comma"`, "1234.5; 2"},
		{"", "", "12,34,567; 1", "integer", "1234567; 1"},
		{"", "", "1,2,3; 4", "text", "1,2,3; 4"},
		{"", "", "12,34; 1,234", `numeric marks="comma"`, "12.34; 1.234"},
		{"", "", "-; —; N/A", "text", "-; —; N/A"},
		{"", "", "+5; −3; -0; 0", "integer", "5; -3; 0; 0"},
		{"", "", "99999999999999999999; 1", "numeric", "99999999999999999999; 1"},
		{"", "", "-$5; ($1,200.50); $3-; $0", `numeric unit="$"`, "-5; -1200.50; -3; 0"},
		{"", "", "(3); 4", "text", "(3); 4"},
		{"", "", "5 €; 1.200,50 €", `numeric unit="€" marks="comma"`, "5; 1200.50"},
		{"", "", "USD 5; USD 7.25", `numeric unit="USD"`, "5; 7.25"},
		{"", "", "ABC 5; ABC 7", "text", "ABC 5; ABC 7"},
		{"", "", "5%; 7", "text", "5%; 7"},
		{"", "", "-3.5 %; +1 %", `numeric unit="%"`, "-3.5; 1"},
		{"", "MP", "7:05; 12:30", "duration", "425s; 750s"},
		{"", "", "1:02:33; 59:10", "duration", "3753s; 3550s"},
		{"", "", "1:43.21; 1:44.00", "duration", "103.21s; 104.00s"},
		{"", "", "7:65; 34:12", "text", "7:65; 34:12"},
		{"", "", "2024-01-05; 2024-12-31", "date", "2024-01-05; 2024-12-31"},
		{"", "", "2024-02-30", "text", "2024-02-30"},
		{"", "", "13/02/2024; 01/02/2024", `date order="dmy"`, "2024-02-13; 2024-02-01"},
		{"", "", "02/13/2024; 01/02/2024", `date order="mdy"`, "2024-02-13; 2024-01-02"},
		{"", "", "13/02/2024; 02/13/2024", "text", "13/02/2024; 02/13/2024"},
		{"", "", "5. März 2024; 12 août 2024", "date", "2024-03-05; 2024-08-12"},
		{"", "", "Sun, Dec 7, 2024", "text", "Sun, Dec 7, 2024"}, // it was a Saturday
		{"", "", "12*; 13†; 14 [a]; -", "integer", "12; 13; 14; NULL"},
		{"", "", "1e5; 2", "text", "1e5; 2"},
		{"", "", "0x1F; 1_000; ½", "text", "0x1F; 1_000; ½"},
		{"", "", "Yes; No", "text", "Yes; No"},
		{"", "", "1.; 2", "text", "1.; 2"},
		{"", "", "1.2.3.4; 1.2.3.5", "text", "1.2.3.4; 1.2.3.5"},
		{"", "", "192.168.100.101; 192.168.100.102", "text", "192.168.100.101; 192.168.100.102"},
		{"", "", "1.234.567.890; 12", `integer marks="comma"`, "1234567890; 12"},
		{"", "", "1,234; 1 234", "text", "1,234; 1 234"}, // nothing proves a decimal comma
		{"de", "", "1.234; 5 678", "text", "1.234; 5 678"},
		{"", "", "1 234; 5,67", `numeric marks="space-comma"`, "1234; 5.67"},
		{"", "", "9223372036854775807; -9223372036854775808", "integer", "9223372036854775807; -9223372036854775808"},
		{"", "", "9223372036854775808; 1", "numeric", "9223372036854775808; 1"},
		{"", "", "-9223372036854775809", "numeric", "-9223372036854775809"},
		{"", "", "1,23,456; 1,00,00,000", "integer", "123456; 10000000"},
		{"", "", "123,45,678; 1", "text", "123,45,678; 1"},
		{"", "", "1,2345; 1", `numeric marks="comma"`, "1.2345; 1"},
		{"", "", "0,123; 1", `numeric marks="comma"`, "0.123; 1"},
		{"", "", "-.5; +.25", "numeric", "-0.5; 0.25"},
		{"", "", "00; 01", "text", "00; 01"},
		{"", "", "0.0; 00.5", "text", "0.0; 00.5"},
		{"", "", "1 234.5; 7", `numeric marks="space"`, "1234.5; 7"},
		{"", "", "1 2 3; 4", "text", "1 2 3; 4"},
		{"", "", "1'234'567.89; 1", `numeric marks="apostrophe"`, "1234567.89; 1"},
		{"", "", "1'234’567; 1", "text", "1'234’567; 1"},
		{"", "", "1,234.5; 1.234,5", "text", "1,234.5; 1.234,5"},
		{"", "", "1,234.56; 7,890", "numeric", "1234.56; 7890"},
		{"de", "", "1.234; 2", `integer marks="comma"`, "1234; 2"},
		{"es-MX", "", "1,234; 2", "integer", "1234; 2"},
		{"pt_BR", "", "1.234,5; 2", `numeric marks="comma"`, "1234.5; 2"},
		{"fr", "", "1 234,5; 2", `numeric marks="space-comma"`, "1234.5; 2"},
		{"", "", "5%; $5", "text", "5%; $5"},
		{"", "", "(5%); 6%", "text", "(5%); 6%"},
		{"", "", "-5%; +5%; .5%", `numeric unit="%"`, "-5; 5; 0.5"},
		{"", "", "$1,200; ($3.50); -$2; $-2; $2-; $ 5; $(4)", `numeric unit="$"`, "1200; -3.50; -2; -2; -2; 5; -4"},
		{"", "", "-($5); $5", "text", "-($5); $5"},
		{"", "", "--$5; $5", "text", "--$5; $5"},
		{"", "", "$5; US$6", "text", "$5; US$6"},
		{"", "", "$5; 6", "text", "$5; 6"},
		{"", "", "£5; £6k", "text", "£5; £6k"},
		{"", "", "1'234.50 CHF; 5 CHF", `numeric unit="CHF" marks="apostrophe"`, "1234.50; 5"},
		{"", "", "₹1,23,456; ₹5", `numeric unit="₹"`, "123456; 5"},
		{"", "", "R$ 1.234,56; R$ 5", `numeric unit="R$" marks="comma"`, "1234.56; 5"},
		{"", "", "$5; -; N/A", `numeric unit="$"`, "5; NULL; NULL"},
		{"", "", "0:45; 1:30", "text", "0:45; 1:30"},
		{"", "", "1:02:03; 2:03:04", "duration", "3723s; 7384s"},
		{"", "", "1:02:03; 7:05", "text", "1:02:03; 7:05"},
		{"", "", "24:00; 1:00", "duration", "1440s; 60s"},
		{"", "", "23:59; 1:00", "text", "23:59; 1:00"},
		{"", "TOI", "7:05; DNP", "text", "7:05; DNP"},
		{"", "Min", "7:05; -", "duration", "425s; NULL"},
		{"", "Time", "7:05; 12:30", "text", "7:05; 12:30"},
		{"", "", "-1:30; 34:12", "text", "-1:30; 34:12"},
		{"", "", "34:60; 34:12", "text", "34:60; 34:12"},
		{"", "", "1:2; 34:12", "text", "1:2; 34:12"},
		{"", "", "2024-1-5", "text", "2024-1-5"},
		{"", "", "05-Jan-2024; 5 January 2024; Jan. 5, 2024", "date", "2024-01-05; 2024-01-05; 2024-01-05"},
		{"", "", "Saturday, 7 December 2024; 2024-01-05", "date", "2024-12-07; 2024-01-05"},
		{"", "", "Jan 5; Jan 6", "text", "Jan 5; Jan 6"},
		{"", "", "12/31/24; 1/1/24", "text", "12/31/24; 1/1/24"},
		{"", "", "31.12.2024; 1.1.2024", `date order="dmy"`, "2024-12-31; 2024-01-01"},
		{"", "", "05/05/2024; 06/06/2024", "text", "05/05/2024; 06/06/2024"},
		{"", "", "31/02/2024; 13/01/2024", "text", "31/02/2024; 13/01/2024"},
		{"", "", "20240105; 20240106", "integer", "20240105; 20240106"},
		{"", "", "true; FALSE; -", "boolean", "true; false; NULL"},
		{"", "", "true; 1", "text", "true; 1"},
		{"", "", "12[1]; 13[a][b]; 14 †‡", "integer", "12; 13; 14"},
		{"", "", "2[]; 3", "text", "2[]; 3"},
		{"", "", "5[a]]; 6", "text", "5[a]]; 6"},
		{"", "", "12[citation needed]; 13", "text", "12[citation needed]; 13"},
		{"", "", "#1; #2", "text", "#1; #2"},
		{"", "", "45%*; $3", "text", "45%*; $3"},
		{"nb", "", "kr 5; kr 1 234,50", `numeric unit="kr" marks="space-comma"`, "5; 1234.50"},
		{"", "", "5 Kč; 1 234,50 Kč", `numeric unit="Kč" marks="space-comma"`, "5; 1234.50"},
		{"", "", "–.512; 0.5", "numeric", "-0.512; 0.5"},
		{"", "", "−5; ‐5; ‑5; ‒5; –5", "integer", "-5; -5; -5; -5; -5"},
		{"", "", "—5; 5", "text", "—5; 5"},
		{"", "", "5−; 5", "text", "5−; 5"},
		{"", "", "NA; NULL; #N/A; None; …; 5", "integer", "NULL; NULL; NULL; NULL; NULL; 5"},
		{"", "", "Null; 5", "text", "Null; 5"},
		{"", "", "1 234; 1 234; 1 234", `integer marks="space"`, "1234; 1234; 1234"},
		{"", "", "１２; 3", "text", "１２; 3"},
		{"", "", "+5; - 5", "text", "+5; - 5"},
		{"", "", "12-5; 7-15", "text", "12-5; 7-15"},
		{"", "", "T-3; 1st; 1/2", "text", "T-3; 1st; 1/2"},
		{"", "", "12 km; 13 km", "text", "12 km; 13 km"},
		{"", "", "1.2M; 2.3M", "text", "1.2M; 2.3M"},
	} {
		t.Run(test.cells, func(t *testing.T) {
			t.Parallel()
			cells := cellsOf(strings.Split(test.cells, "; "))
			rule, _ := extract.Infer(recipe.SQLName(test.header), test.header, test.lang, cells)
			if rule.String() != test.rule {
				t.Errorf("rule is %s, want %s", rule, test.rule)
			}
			if got := values(rule, cells); got != test.values {
				t.Errorf("values are %s, want %s", got, test.values)
			}
			again, err := extract.ParseRule(rule.String())
			if err != nil || again != rule {
				t.Errorf("rule comes back as %v, %v", again, err)
			}
		})
	}
}

// TestSpansHaveNoSay: a text across several columns types none of them.
func TestSpansHaveNoSay(t *testing.T) {
	t.Parallel()
	cells := cellsOf([]string{"1", "Did Not Play", "2"})
	cells[1].Span = true
	rule, ok := extract.Infer("", "", "", cells)
	if !ok || rule.Type != recipe.Integer || values(rule, cells) != "1; NULL; 2" {
		t.Errorf("rule %s: %s", rule, values(rule, cells))
	}
}

// TestNothingKnown: a column without any value has no type yet.
func TestNothingKnown(t *testing.T) {
	t.Parallel()
	for _, texts := range [][]string{{}, {""}, {"", "-", "N/A"}} {
		if rule, ok := extract.Infer("", "", "", append(cellsOf(texts), extract.Cell{})); ok || rule.Type != recipe.Text {
			t.Errorf("%q gives %s, %t", texts, rule, ok)
		}
	}
}

func TestDeclared(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kind         recipe.Type
		format, lang string
		cells, want  string
	}{
		{recipe.Integer, "", "", "1,234; x; -; 2.5", "1234; MISFIT; NULL; MISFIT"},
		{recipe.Integer, "", "", "007; 7", "MISFIT; 7"},
		{recipe.Numeric, "", "", "$1,200; $3.50; 4", "1200; 3.50; MISFIT"},
		{recipe.Numeric, "", "", "1,5; 2,25; x", "1.5; 2.25; MISFIT"},
		{recipe.Text, "", "", "1; -; NA", "1; -; NA"},
		{recipe.Boolean, "", "", "Yes; no; 1; maybe; -", "true; false; true; MISFIT; NULL"},
		{recipe.Date, "%d.%m.%Y", "", "02.12.2026; 31.02.2026; 2026-12-02", "2026-12-02; MISFIT; MISFIT"},
		{recipe.Date, "%d.%m.", "", "02.12.", "MISFIT"},
		{recipe.Date, "%d.%m.%Y", "", "02.12.-02; 01.01.0000; 01.01.0001", "MISFIT; MISFIT; 0001-01-01"},
		{recipe.Date, "%b %d, %Y", "", "Jan 5, 2024", "2024-01-05"},
		{recipe.Date, "", "", "01/02/2024", "MISFIT"},
		{recipe.Date, "", "en-US", "01/02/2024", "2024-01-02"},
		{recipe.Date, "", "de", "01.02.2024", "2024-02-01"},
		{recipe.Time, "", "", "14:05; 2:05 PM; 12:00 am; 25:00; 7:05:09", "14:05:00; 14:05:00; 00:00:00; MISFIT; 07:05:09"},
		{recipe.Time, "%H.%M", "", "14.05", "14:05:00"},
		{recipe.Timestamp, "", "", "2024-01-05T10:00:00+02:00; 2024-01-05 10:00; Jan 5, 2024 7:30 PM", "2024-01-05T08:00:00Z; 2024-01-05T10:00:00Z; 2024-01-05T19:30:00Z"},
		{recipe.Timestamp, "", "", "0000-01-05T10:00:00Z; 9999-12-31T23:00:00-05:00; 0001-01-01T00:00:00+01:00", "MISFIT; MISFIT; MISFIT"},
		{recipe.Timestamp, "%d/%m/%Y %H:%M", "", "05/01/2024 10:30", "2024-01-05T10:30:00Z"},
		{recipe.Duration, "", "", "7:05; 1:02:03; x", "425s; 3723s; MISFIT"},
		{recipe.JSON, "", "", `{"a":1}; x`, `{"a":1}; MISFIT`},
	} {
		t.Run(string(test.kind)+" "+test.cells, func(t *testing.T) {
			t.Parallel()
			cells := cellsOf(strings.Split(test.cells, "; "))
			rule := extract.Declared(extract.Column{Type: test.kind, Format: test.format}, test.lang, cells)
			if got := values(rule, cells); got != test.want {
				t.Errorf("rule %s: %s, want %s", rule, got, test.want)
			}
			if again, err := extract.ParseRule(rule.String()); err != nil || again != rule {
				t.Errorf("rule comes back as %v, %v", again, err)
			}
		})
	}
}

func TestWidens(t *testing.T) {
	t.Parallel()
	integer, numeric := extract.Rule{Type: recipe.Integer}, extract.Rule{Type: recipe.Numeric}
	if !integer.Widens(numeric) || numeric.Widens(integer) || integer.Widens(extract.Rule{Type: recipe.Text}) ||
		integer.Widens(extract.Rule{Type: recipe.Numeric, Unit: "%"}) || integer.Widens(extract.Rule{Type: recipe.Numeric, Marks: "comma"}) {
		t.Error("only an integer written alike widens to numeric")
	}
}

func TestParseRuleRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "float", "numeric unit", `numeric unit=%`, `numeric marks="roman"`, `date order="ymd"`, `text x="y"`, `numeric unit="a`} {
		if r, err := extract.ParseRule(text); err == nil {
			t.Errorf("%q is read as %s", text, r)
		}
	}
}

// TestTypesAsDocumented holds the table of types in docs/reading.md: each example
// alone is of the type of its line, or text where it is not taken.
func TestTypesAsDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/reading.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(doc), "| type | taken | not taken, and so text |\n|---|---|---|\n")
	if !found {
		t.Fatal("docs/reading.md has no table of types")
	}
	example := regexp.MustCompile("`([^`]+)`")
	n := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			break
		}
		word, _, _ := strings.Cut(strings.TrimSpace(strings.ReplaceAll(cells[1], ",", " ")), " ")
		for column, want := range map[int]string{2: word, 3: string(recipe.Text)} {
			for _, m := range example.FindAllStringSubmatch(cells[column], -1) {
				if len(m[1]) == 1 {
					continue // a mark, and no value
				}
				n++
				if rule, _ := extract.Infer("x", "x", "en", []extract.Cell{{Text: &m[1]}}); string(rule.Type) != want {
					t.Errorf("%q is %s, and documented as %s", m[1], rule, want)
				}
			}
		}
	}
	if n < 25 {
		t.Errorf("%d examples were found", n)
	}
}
