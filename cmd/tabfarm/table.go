package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// alignment of headers over columns of numbers.
type headers int

const (
	// headersCentred puts the header over a column of numbers in its middle, as
	// psql does; texts keep theirs on the left.
	headersCentred headers = iota
	headersLeft
)

// screenTable is a table as it is printed for people: cells are padded with
// spaces, numbers stand on the right, a line of dashes ends the header.
type screenTable struct {
	names []string
	types []string // a second header line, nil for none
	right []bool
	rows  [][]string
	heads headers
	// fit is the width in columns of the screen that long texts are cut for; 0 cuts nothing.
	fit int
}

// leastCut is the width below which no column is cut.
const leastCut = 14

func (t *screenTable) write(w io.Writer) error {
	widths := t.widths()
	lines := make([]string, 0, len(t.rows)+3)
	lines = append(lines, t.line(widths, t.names, t.head))
	if t.types != nil {
		lines = append(lines, t.line(widths, t.types, t.head))
	}
	rules := make([]string, len(widths))
	for i, width := range widths {
		rules[i] = strings.Repeat("-", width+2)
	}
	lines = append(lines, strings.Join(rules, "+"))
	for _, row := range t.rows {
		lines = append(lines, t.line(widths, row, t.cell))
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

// widths measures the columns and, where the screen is too narrow, cuts the
// widest text column again and again until all fit or none may be cut further.
func (t *screenTable) widths() []int {
	widths := make([]int, len(t.names))
	floor := make([]int, len(t.names))
	for i, name := range t.names {
		floor[i] = runewidth.StringWidth(clean(name))
		if t.types != nil {
			floor[i] = max(floor[i], runewidth.StringWidth(t.types[i]))
		}
		widths[i] = floor[i]
		for _, row := range t.rows {
			widths[i] = max(widths[i], runewidth.StringWidth(clean(row[i])))
		}
		floor[i] = max(floor[i], leastCut)
	}
	for t.fit > 0 {
		total, widest := -1, -1 // " a | b " is as wide as the widths and 3 for each column, less 1
		for i, width := range widths {
			total += width + 3
			if !t.right[i] && width > floor[i] && (widest < 0 || width > widths[widest]) {
				widest = i
			}
		}
		if total <= t.fit || widest < 0 {
			break
		}
		widths[widest] = max(floor[widest], widths[widest]-(total-t.fit))
	}
	return widths
}

func (t *screenTable) line(widths []int, cells []string, pad func(string, int, bool) string) string {
	parts := make([]string, len(cells))
	for i, c := range cells {
		c = clean(c)
		if runewidth.StringWidth(c) > widths[i] {
			c = runewidth.Truncate(c, widths[i], "...")
		}
		parts[i] = " " + pad(c, widths[i], t.right[i]) + " "
	}
	return strings.TrimRight(strings.Join(parts, "|"), " ")
}

func (t *screenTable) head(s string, width int, right bool) string {
	gap := width - runewidth.StringWidth(s)
	if !right || t.heads == headersLeft {
		return s + strings.Repeat(" ", gap)
	}
	return strings.Repeat(" ", gap/2) + s + strings.Repeat(" ", gap-gap/2)
}

func (t *screenTable) cell(s string, width int, right bool) string {
	gap := strings.Repeat(" ", width-runewidth.StringWidth(s))
	if right {
		return gap + s
	}
	return s + gap
}

// clean makes control characters visible: what a page or a database holds must
// neither break the table nor speak to the terminal.
func clean(s string) string {
	if strings.IndexFunc(s, unprintable) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case unprintable(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// unprintable finds control characters and marks that turn the direction of
// the writing around; accents and joiners are part of names and stay.
func unprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// thousands writes a number with separators, as 21,377.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// count is a number with its noun, as "1 page" and "40 pages".
func count(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return thousands(n) + " " + many
}

// separated puts separators into a text that is a whole number.
func separated(s string) string {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return s
	}
	return thousands(n)
}
