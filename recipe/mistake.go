package recipe

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Mistake is one thing that is wrong in a recipe, at its place.
type Mistake struct {
	File         string
	Line, Column int // 1-based; Column counts characters
	// Key is the path of the key, as page.ready; "" where the text itself names
	// the place.
	Key string
	// Text says what is wrong and what to write.
	Text string
}

// String is FILE:LINE:COL: KEY: what is wrong. What to write.
func (m Mistake) String() string {
	s := m.File + ":" + strconv.Itoa(m.Line) + ":" + strconv.Itoa(m.Column) + ": "
	if m.Key != "" {
		s += m.Key + ": "
	}
	return s + m.Text
}

// Mistakes is all that is wrong in a recipe, in the order of the file.
type Mistakes []Mistake

// Error is one mistake a line.
func (ms Mistakes) Error() string {
	lines := make([]string, len(ms))
	for i, m := range ms {
		lines[i] = m.String()
	}
	return strings.Join(lines, "\n")
}

// sorted brings the mistakes into the order of the file and says each once.
func (ms Mistakes) sorted() Mistakes {
	slices.SortStableFunc(ms, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Compact(ms)
}
