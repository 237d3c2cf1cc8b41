package recipe

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	yaml "go.yaml.in/yaml/v4"
)

// maxRepairs limits how many mistakes of YAML itself are told at once, lineRepairs
// how many in one line: each repair may double its quotes.
const (
	maxRepairs  = 50
	lineRepairs = 4
)

// parseYAML reads the one document of a recipe. A mistake of YAML itself is told
// in our words; where it is plain what was meant (a missing quote), that is put
// right in memory and reading goes on, so that one missing quote does not hide the
// other mistakes. broken holds the lines so treated: what is said of them later
// would be about our repair and not about the file. root is nil when nothing
// could be read.
func parseYAML(file string, text []byte) (root *yaml.Node, found Mistakes, broken map[int]bool) {
	broken = map[int]bool{}
	repairs := map[int]int{}
	if m, bad := badCharacter(file, text); bad {
		return nil, Mistakes{m}, broken
	}
	lines := splitLines(text)
	for range maxRepairs {
		root, next, err := loadDocument([]byte(strings.Join(lines, "\n")))
		if err == nil {
			if next > 0 {
				found = append(found, Mistake{
					File: file, Line: next, Column: 1,
					Text: "a second YAML document begins here. A recipe is one: write a file for each.",
				})
			}
			return root, found, broken
		}
		m, repaired := diagnose(err, lines)
		if m.File = file; !broken[m.Line] {
			found = append(found, m)
		}
		if repaired == nil || repairs[repaired.line] == lineRepairs || lines[repaired.line-1] == repaired.text {
			return nil, found, broken
		}
		repairs[repaired.line]++
		broken[repaired.line] = true
		lines[repaired.line-1] = repaired.text
	}
	return nil, found, broken
}

// loadDocument gives the first document, and the line of the second if there is one.
func loadDocument(text []byte) (root *yaml.Node, second int, err error) {
	loader, err := yaml.NewLoader(bytes.NewReader(text))
	if err != nil {
		return nil, 0, err
	}
	var first, further yaml.Node
	if err := loader.Load(&first); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, 0, nil
		}
		return nil, 0, err
	}
	switch err := loader.Load(&further); {
	case err == nil:
		second = max(further.Line, 1)
	case !errors.Is(err, io.EOF):
		return nil, 0, err
	}
	if len(first.Content) == 0 {
		return nil, second, nil
	}
	return first.Content[0], second, nil
}

func splitLines(text []byte) []string {
	s := strings.TrimPrefix(string(text), "\ufeff")
	s = strings.ReplaceAll(s, "\r\n", "\n")
	return strings.Split(strings.ReplaceAll(s, "\r", "\n"), "\n")
}

// badCharacter finds the first character that YAML does not take, for which the
// YAML reader gives no place.
func badCharacter(file string, text []byte) (Mistake, bool) {
	for i, line := range splitLines(text) {
		column := 0
		for at, r := range line {
			column++
			m := Mistake{File: file, Line: i + 1, Column: column}
			if _, size := utf8.DecodeRuneInString(line[at:]); r == utf8.RuneError && size == 1 {
				m.Text = "the file is not UTF-8 here. Save it as UTF-8."
				return m, true
			}
			if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 && r != 0x85 || r == 0xfffe || r == 0xffff || r == 0xfeff {
				m.Text = "a control character stands here, which YAML does not take. Take it out."
				return m, true
			}
		}
	}
	return Mistake{}, false
}

// repair replaces one line by what was meant.
type repair struct {
	line int // 1-based
	text string
}

// diagnose says in our words what is wrong with the YAML, and how to go on
// reading; repair is nil where that cannot be known.
func diagnose(err error, lines []string) (Mistake, *repair) {
	var e *yaml.LoadError
	if !errors.As(err, &e) {
		return Mistake{Line: 1, Column: 1, Text: "this is no YAML that tabfarm can read. Write keys and values, as urls: https://..."}, nil
	}
	at := place{e.Mark.Line, e.Mark.Column}.within(lines)
	context := place{e.ContextMark.Line, e.ContextMark.Column}
	if context.line == 0 {
		context = at
	}
	context = context.within(lines)
	for _, known := range []func(place, place, *yaml.LoadError, []string) (Mistake, *repair, bool){
		badEscape, unclosedQuote, unquotedStart, tabIndent, unquotedInFlow, unclosedFlow, afterValue, missingSpace, unquotedColon,
	} {
		if m, r, ok := known(at, context, e, lines); ok {
			return m, r
		}
	}
	text := "YAML cannot read this line. Look at its indentation, quotes and brackets."
	return Mistake{Line: at.line, Column: at.column, Text: text}, nil
}

// place is a place in the file, 1-based; column counts characters.
type place struct{ line, column int }

// within moves a place that lies behind the end of the file, as the mark of an
// unexpected end does, to the end of the last line that has text.
func (p place) within(lines []string) place {
	p.line, p.column = max(p.line, 1), max(p.column, 1)
	if p.line <= len(lines) && (p.line < len(lines) || lines[p.line-1] != "") {
		p.column = min(p.column, utf8.RuneCountInString(lines[p.line-1])+1)
		return p
	}
	last := len(lines)
	for last > 1 && strings.TrimSpace(lines[last-1]) == "" {
		last--
	}
	return place{last, utf8.RuneCountInString(lines[last-1]) + 1}
}

// split cuts the place's line in two at the place.
func (p place) split(lines []string) (before, rest string) {
	line := lines[p.line-1]
	n := 0
	for i := range line {
		if n++; n == p.column {
			return line[:i], line[i:]
		}
	}
	return line, ""
}

func (p place) mistake(text string) Mistake {
	return Mistake{Line: p.line, Column: p.column, Text: text}
}

// keyBefore finds the key whose value begins at the end of before.
var keyBefore = regexp.MustCompile(`([^\s{}\[\],:"']+)\s*:\s+$`)

// written is KEY: VALUE as a person would write it, or the value alone in a list.
func written(before, value string) string {
	if m := keyBefore.FindStringSubmatch(before); m != nil {
		return m[1] + ": " + value
	}
	return value
}

// quoted puts a text into quotes: double ones where nothing needs an escape.
func quoted(s string) string {
	if strings.ContainsAny(s, `"\`) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return `"` + s + `"`
}

// plainEnd is where an unquoted value was meant to end: at a comment, and inside
// { } or [ ] at the comma or bracket that is not its own.
func plainEnd(s string, flow bool) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '#' && i > 0 && s[i-1] == ' ':
			return len(strings.TrimRight(s[:i], " "))
		case !flow:
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0 && depth > 0:
			depth--
		case (c == ',' || c == '}' || c == ']') && depth == 0:
			return len(strings.TrimRight(s[:i], " "))
		}
	}
	return len(strings.TrimRight(s, " "))
}

// inFlow says whether { or [ is open at the end of before.
func inFlow(before string) bool {
	depth, quote := 0, byte(0)
	for i := 0; i < len(before); i++ {
		c := before[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && (i == 0 || strings.IndexByte(" {[,:", before[i-1]) >= 0):
			quote = c
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return depth > 0
}
