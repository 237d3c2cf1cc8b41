package extract_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// A shownColumn is a column whose cells were written from values in one of the
// ways in which pages write them.
type shownColumn struct {
	header, lang  string
	kind          recipe.Type
	texts, values []string
}

// TestShownForms writes values as pages do and reads them again: their type must
// be found, and each value be what it was.
func TestShownForms(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(t *rapid.T) shownColumn{
		"integers": shownIntegers, "numbers": shownNumbers, "units": shownUnits,
		"durations": shownDurations, "dates": shownDates, "booleans": shownBooleans,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				c := write(t)
				c.disturb(t)
				cells := cellsOf(c.texts)
				rule, ok := extract.Infer(recipe.SQLName(c.header), c.header, c.lang, cells)
				if !ok || rule.Type != c.kind {
					t.Fatalf("%q in %q under %q is %s, want %s", c.texts, c.lang, c.header, rule, c.kind)
				}
				if got := values(rule, cells); got != strings.Join(c.values, "; ") {
					t.Fatalf("%q in %q is %s as %s, want %q", c.texts, c.lang, got, rule, c.values)
				}
			})
		})
	}
}

// disturb puts in what takes no part in typing: marks for missing values, notes, white space.
func (c *shownColumn) disturb(t *rapid.T) {
	if rapid.Bool().Draw(t, "missing") {
		c.texts = append(c.texts, rapid.SampledFrom([]string{"", "-", "—", "N/A", "NULL", "…", " \u00a0"}).Draw(t, "mark"))
		c.values = append(c.values, "NULL")
	}
	if rapid.Bool().Draw(t, "notes") {
		i := rapid.IntRange(0, len(c.texts)-1).Draw(t, "noted")
		if c.values[i] != "NULL" {
			c.texts[i] += rapid.SampledFrom([]string{"*", " †", "[1]", " [a]", "[2][3]"}).Draw(t, "note")
		}
	}
	if rapid.Bool().Draw(t, "space") {
		i := rapid.IntRange(0, len(c.texts)-1).Draw(t, "spaced")
		c.texts[i] = "\u2009" + c.texts[i] + "\u00a0\n"
	}
}

// add adds a cell and its value.
func (c *shownColumn) add(text, value string) {
	c.texts = append(c.texts, text)
	c.values = append(c.values, value)
}

// groupedBy puts marks between the digits of a whole number; in India between two
// of them but for the last three.
func groupedBy(whole, mark string, indian bool) string {
	out := ""
	for size := 3; len(whole) > size; {
		out = mark + whole[len(whole)-size:] + out
		whole = whole[:len(whole)-size]
		if indian {
			size = 2
		}
	}
	return whole + out
}

// signed gives the digits of a number their sign as pages write it, and as values have it.
func signed(t *rapid.T, negative bool, shown, value string) (text, signedValue string) {
	if !negative || strings.Trim(value, "0.") == "" {
		return rapid.SampledFrom([]string{"", "", "+"}).Draw(t, "plus") + shown, value
	}
	return rapid.SampledFrom([]string{"-", "\u2212", "\u2013", "\uff0d"}).Draw(t, "minus") + shown, "-" + value
}

func shownIntegers(t *rapid.T) shownColumn {
	c := shownColumn{kind: recipe.Integer}
	way := rapid.SampledFrom([]struct {
		lang, mark string
		indian     bool
	}{
		{"", "", false},
		{"en", ",", false},
		{"en-IN", ",", true},
		{"", "\u00a0", false},
		{"fr", "\u202f", false},
		{"", "'", false},
		{"de", ".", false},
		{"de-CH", "’", false},
		{"de", "", false},
	}).Draw(t, "way")
	c.lang = way.lang
	for range rapid.IntRange(1, 5).Draw(t, "cells") {
		n := rapid.Int64Min(-1<<62).Draw(t, "n")
		whole := strings.TrimPrefix(fmt.Sprint(n), "-")
		text, value := signed(t, n < 0, groupedBy(whole, way.mark, way.indian), whole)
		c.add(text, value)
	}
	return c
}

// numberWay is how decimal numbers are written, and where.
type numberWay struct{ lang, group, decimal string }

var numberWays = []numberWay{
	{"", "", "."},
	{"en", ",", "."},
	{"de", ".", ","},
	{"pt-BR", ".", ","},
	{"fr", "\u202f", ","},
	{"sv", "\u00a0", ","},
	{"", " ", "."},
	{"de-CH", "’", "."},
	{"es-MX", ",", "."},
	{"it", "", ","},
}

// number writes a decimal number; its sign apart.
func (w numberWay) number(t *rapid.T) (shown, value string) {
	whole := fmt.Sprint(rapid.IntRange(0, 1e9).Draw(t, "whole"))
	fraction := rapid.StringMatching(`[0-9]{1,6}`).Draw(t, "fraction")
	if rapid.IntRange(0, 9).Draw(t, "bare") == 0 {
		return w.decimal + fraction, "0." + fraction // .512
	}
	return groupedBy(whole, w.group, false) + w.decimal + fraction, whole + "." + fraction
}

func shownNumbers(t *rapid.T) shownColumn {
	way := rapid.SampledFrom(numberWays).Draw(t, "way")
	c := shownColumn{kind: recipe.Numeric, lang: way.lang}
	for range rapid.IntRange(1, 5).Draw(t, "cells") {
		shown, value := way.number(t)
		text, value := signed(t, rapid.Bool().Draw(t, "negative"), shown, value)
		c.add(text, value)
	}
	return c
}

func shownUnits(t *rapid.T) shownColumn {
	way := rapid.SampledFrom(numberWays).Draw(t, "way")
	unit := rapid.SampledFrom([]string{"%", " %", "$", "€", " €", "£", "¥", "₹", "kr ", "CHF ", "USD ", " EUR", " kr", " zł", "R$ ", "US$", "A$", "\u00a0Kč"}).Draw(t, "unit")
	c := shownColumn{kind: recipe.Numeric, lang: way.lang}
	behind := strings.HasPrefix(unit, " ") || strings.HasPrefix(unit, "\u00a0") || unit == "%" || unit == "€" && rapid.Bool().Draw(t, "behind")
	for range rapid.IntRange(1, 5).Draw(t, "cells") {
		shown, value := way.number(t)
		if rapid.Bool().Draw(t, "whole") {
			shown, value = "5", "5"
		}
		amount := unit + shown
		if behind {
			amount = shown + unit
		}
		sign := "none"
		if strings.Trim(value, "0.") != "" {
			signs := []string{"none", "minus"}
			if !strings.HasSuffix(unit, "%") {
				signs = append(signs, "parentheses", "behind")
			}
			sign = rapid.SampledFrom(signs).Draw(t, "sign")
		}
		switch sign {
		case "none":
			c.add(amount, value)
		case "minus":
			c.add("\u2212"+amount, "-"+value)
		case "parentheses":
			c.add("("+amount+")", "-"+value)
		case "behind":
			c.add(amount+"-", "-"+value)
		}
	}
	return c
}

func shownDurations(t *rapid.T) shownColumn {
	c := shownColumn{kind: recipe.Duration}
	long := rapid.Bool().Draw(t, "hours")
	if !long {
		c.header = rapid.SampledFrom([]string{"MP", "Min", "TOI", "Duration", "Length"}).Draw(t, "header")
	}
	for range rapid.IntRange(1, 5).Draw(t, "cells") {
		seconds := rapid.IntRange(0, 9999*60).Draw(t, "seconds")
		text := fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
		if long {
			text = fmt.Sprintf("%d:%02d:%02d", seconds/3600, seconds/60%60, seconds%60)
		}
		c.add(text, fmt.Sprintf("%ds", seconds))
	}
	return c
}

func shownDates(t *rapid.T) shownColumn {
	c := shownColumn{kind: recipe.Date}
	layout := rapid.SampledFrom([]string{
		"2006-01-02", "2006/01/02", "Jan 2, 2006", "January 2, 2006", "2 Jan 2006", "2. January 2006", "02-Jan-2006", "Mon, Jan 2, 2006",
		"Monday, 2 January 2006", "Jan. 2, 2006", "01/02/2006", "1/2/2006", "02.01.2006", "2.1.2006", "02-01-2006",
	}).Draw(t, "layout")
	add := func(day time.Time) { c.add(day.Format(layout), day.Format(time.DateOnly)) }
	add(time.Date(2024, 3, 31, 0, 0, 0, 0, time.UTC)) // proves the order
	for range rapid.IntRange(1, 5).Draw(t, "cells") {
		add(time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, rapid.IntRange(0, 8999*365).Draw(t, "day")))
	}
	return c
}

func shownBooleans(t *rapid.T) shownColumn {
	c := shownColumn{kind: recipe.Boolean}
	for range rapid.IntRange(1, 5).Draw(t, "cells") {
		text := rapid.SampledFrom([]string{"true", "false", "True", "False", "TRUE", "FALSE"}).Draw(t, "text")
		c.add(text, strings.ToLower(text))
	}
	return c
}
