package recipe

import (
	"regexp"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// The functions of this file each know one mistake of YAML: what the parser says
// of it, where it truly is, and what was meant. at is where the parser stopped,
// context where the thing began that it was in.

// badEscape: match: "/p/(\d+)".
func badEscape(at, context place, e *yaml.LoadError, lines []string) (Mistake, *repair, bool) {
	if !strings.Contains(e.Message, "unknown escape character") && !strings.Contains(e.Message, "hexadecimal") && !strings.Contains(e.Message, "hexdecimal") {
		return Mistake{}, nil, false
	}
	_, from := at.split(lines)
	escape := firstRunes(from, 2)
	if !strings.HasPrefix(escape, `\`) { // some marks stand on the character behind the backslash
		before, rest := at.split(lines)
		if cut := strings.LastIndexByte(before, '\\'); cut >= 0 {
			escape = firstRunes(before[cut:]+rest, 2)
		}
	}
	before, rest := context.split(lines)
	inner, after, whole := cutQuoted(rest)
	if !whole || context.line != at.line {
		return context.mistake("in double quotes " + escape + " is no YAML escape. Use single quotes, or write the backslash twice."), nil, true
	}
	inner = strings.ReplaceAll(inner, `\"`, `"`)
	value := "'" + strings.ReplaceAll(inner, "'", "''") + "'"
	text := "in double quotes " + escape + " is no YAML escape. Use single quotes: " + written(before, value) + "."
	return context.mistake(text), &repair{context.line, before + value + after}, true
}

// cutQuoted cuts the inside of a quoted text that begins s, as it is written.
func cutQuoted(s string) (inner, after string, whole bool) {
	if s == "" {
		return "", "", false
	}
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case quote == '"' && s[i] == '\\':
			i++
		case s[i] == quote:
			return s[1:i], s[i+1:], true
		}
	}
	return "", "", false
}

func firstRunes(s string, n int) string {
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// unclosedQuote: name: "a, and nothing closes it.
func unclosedQuote(_, context place, e *yaml.LoadError, _ []string) (Mistake, *repair, bool) {
	if e.ContextMsg != "while scanning a quoted scalar" || !strings.Contains(e.Message, "unexpected") {
		return Mistake{}, nil, false
	}
	return context.mistake("the quote that opens here is not closed. Write the same quote at the end of the text."), nil, true
}

// specialStarts are the characters that mean something else at the beginning of a value.
const specialStarts = "*&@`%!>|"

// unquotedStart: json: *shotchart*, schedule: */5 * * * *, value: @x, from: > .x.
func unquotedStart(at, context place, e *yaml.LoadError, lines []string) (Mistake, *repair, bool) {
	for _, p := range []place{context, at, aliasBefore(at, lines)} {
		if p.line == 0 {
			continue
		}
		before, rest := p.split(lines)
		if rest == "" || strings.IndexByte(specialStarts, rest[0]) < 0 || !startsValue(before) {
			continue
		}
		flow := inFlow(before)
		value := rest[:plainEnd(rest, flow)]
		after := rest[len(value):]
		r := &repair{p.line, before + quoted(value) + after}
		if m := keyBefore.FindStringSubmatch(before); m != nil && m[1] == "schedule" || cronLike.MatchString(value) {
			return p.mistake("quote the schedule: " + quoted(value) + "."), r, true
		}
		text := "a value that begins with " + value[:1] + " must be quoted: " + written(before, quoted(value)) + "."
		return p.mistake(text), r, true
	}
	return Mistake{}, nil, false
}

var cronLike = regexp.MustCompile(`^\*\S*( [\d*/,a-zA-Z-]+){4}$`)

// startsValue says that a value begins at the end of before.
func startsValue(before string) bool {
	return keyBefore.MatchString(before) || strings.TrimSpace(before) == "" ||
		strings.HasSuffix(strings.TrimRight(before, " "), "-") || strings.HasSuffix(strings.TrimRight(before, " "), ",") ||
		strings.HasSuffix(strings.TrimRight(before, " "), "[")
}

// aliasBefore is the first value of the line that begins with *, which the parser
// may have read as an alias before it stopped at what comes behind.
func aliasBefore(at place, lines []string) place {
	line := lines[at.line-1]
	m := starValue.FindStringIndex(line)
	if m == nil {
		return place{}
	}
	return place{at.line, len([]rune(line[:m[1]]))}
}

var starValue = regexp.MustCompile(`^[^#"']*?(: +|- +|\[ *|, *)[*&]`)

// tabIndent: tabs before a key.
func tabIndent(at, _ place, _ *yaml.LoadError, lines []string) (Mistake, *repair, bool) {
	line := lines[at.line-1]
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	tab := strings.IndexByte(indent, '\t')
	if tab < 0 {
		return Mistake{}, nil, false
	}
	r := &repair{at.line, strings.ReplaceAll(indent, "\t", "  ") + strings.TrimLeft(line, " \t")}
	return place{at.line, tab + 1}.mistake("a tab indents this line, which YAML does not take. Use spaces."), r, true
}

// unquotedInFlow: {css: a[href], attr: href}, {css: #id}, [https://x/{a}].
func unquotedInFlow(at, context place, e *yaml.LoadError, lines []string) (Mistake, *repair, bool) {
	open := "{ }"
	switch e.ContextMsg {
	case "while parsing a flow mapping":
	case "while parsing a flow sequence":
		open = "[ ]"
	default:
		return Mistake{}, nil, false
	}
	if m, r, ok := commentInFlow(context, lines); ok {
		return m, r, true
	}
	before, rest := at.split(lines)
	var start int
	var text string
	switch m := lastKey.FindStringIndex(before); {
	case rest != "" && strings.IndexByte("[{", rest[0]) >= 0:
		start = strings.LastIndexAny(before, "{[,") + 1
		if m != nil {
			start = max(start, m[1])
		}
		text = rest[:1] + " inside " + open
	case m != nil && m[1] < len(before) && strings.IndexByte("[{", before[m[1]]) >= 0: // {from: {a} td}
		start = m[1]
		text = "a value that begins with " + before[start:start+1]
	default:
		return Mistake{}, nil, false
	}
	for start < len(before) && before[start] == ' ' {
		start++
	}
	tail := before[start:] + rest
	value := tail[:plainEnd(tail, true)]
	if value == "" {
		return Mistake{}, nil, false
	}
	text += " must be quoted: " + written(before[:start], quoted(value)) + "."
	if closer := closers[value[0]]; closer != "" && !strings.Contains(tail, closer) { // key: [player
		text = value[:1] + " is not closed. Write " + written(before[:start], value+closer) + "."
		return context.mistake(text), &repair{at.line, before[:start] + value + closer}, true
	}
	place := at
	if context.line == at.line {
		place = context
	}
	return place.mistake(text), &repair{at.line, before[:start] + quoted(value) + tail[len(value):]}, true
}

var closers = map[byte]string{'[': "]", '{': "}"}

var lastKey = regexp.MustCompile(`.*[\w-]+\s*:\s+`)

// commentInFlow: {css: #id, attr: href}; the rest of the line is lost.
func commentInFlow(context place, lines []string) (Mistake, *repair, bool) {
	before, rest := context.split(lines)
	cut := strings.Index(rest, " #")
	if cut < 0 {
		return Mistake{}, nil, false
	}
	start := strings.TrimRight(before+rest[:cut], " ") + " "
	if !keyBefore.MatchString(start) || !inFlow(start) {
		return Mistake{}, nil, false
	}
	tail := rest[cut+1:]
	value := "#" + tail[1:][:plainEnd(tail[1:], true)]
	text := "an unquoted # begins a comment in YAML. Write " + written(start, quoted(value)) + "."
	p := place{context.line, len([]rune(before+rest[:cut+1])) + 1}
	return p.mistake(text), &repair{context.line, start + quoted(value) + tail[len(value):]}, true
}

// unclosedFlow: { or [ without its end.
func unclosedFlow(_, context place, e *yaml.LoadError, _ []string) (Mistake, *repair, bool) {
	switch e.ContextMsg {
	case "while parsing a flow mapping":
		return context.mistake("the { } that begins here is not right. Close it with }, put commas between its keys, and quote values with special characters."), nil, true
	case "while parsing a flow sequence":
		return context.mistake("the [ ] that begins here is not right. Close it with ], put commas between its values, and quote values with special characters."), nil, true
	}
	return Mistake{}, nil, false
}

var quotedValue = regexp.MustCompile(`^(\s*(?:- +)?[^\s:"']+:\s+|\s*- +)(["'\[{].*)$`)

// afterValue: css: [data-sku] a, or "x" y: the value goes on behind its end.
func afterValue(at, _ place, e *yaml.LoadError, lines []string) (Mistake, *repair, bool) {
	if e.Stage != yaml.ParserStage {
		return Mistake{}, nil, false
	}
	m := quotedValue.FindStringSubmatch(lines[at.line-1])
	if m == nil {
		return Mistake{}, nil, false
	}
	before, value := m[1], m[2][:plainEnd(m[2], false)]
	p := place{at.line, len([]rune(before)) + 1}
	r := &repair{at.line, before + quoted(value)}
	if value[0] == '"' || value[0] == '\'' {
		if inner, after, whole := cutQuoted(value); whole && strings.TrimSpace(after) != "" {
			value = quoted(inner + after)
			r.text = before + value
		}
		return p.mistake("text stands behind the closing quote. Quote the whole value: " + written(before, value) + "."), r, true
	}
	return p.mistake("a value that begins with " + value[:1] + " must be quoted: " + written(before, quoted(value)) + "."), r, true
}

var noSpace = regexp.MustCompile(`^(\s*(?:- +)?)([a-z_]+):([^\s/].*)$`)

// missingSpace: ready:x. The parser stops at the line behind it.
func missingSpace(at, _ place, _ *yaml.LoadError, lines []string) (Mistake, *repair, bool) {
	for _, n := range []int{at.line, at.line - 1} {
		if n < 1 {
			continue
		}
		if m := noSpace.FindStringSubmatch(lines[n-1]); m != nil {
			p := place{n, len([]rune(m[1]+m[2])) + 2}
			return p.mistake("a space is missing behind the colon. Write " + m[2] + ": " + m[3] + "."),
				&repair{n, m[1] + m[2] + ": " + m[3]}, true
		}
	}
	return Mistake{}, nil, false
}

var plainValue = regexp.MustCompile(`^(\s*(?:- +)?[^\s:"'#]+:\s+)([^\s"'].*: .*|[^\s"'].*:)$`)

// unquotedColon: name: x: y. Else a key stands where none may: the line above has
// a value already, or the indentation is wrong.
func unquotedColon(at, _ place, e *yaml.LoadError, lines []string) (Mistake, *repair, bool) {
	line := lines[at.line-1]
	switch {
	case strings.Contains(e.Message, "mapping values are not allowed"):
		if m := plainValue.FindStringSubmatch(line); m != nil && at.column > len([]rune(m[1])) {
			value := m[2][:plainEnd(m[2], false)]
			p := place{at.line, len([]rune(m[1])) + 1}
			return p.mistake(`a value that holds ": " must be quoted: ` + written(m[1], quoted(value)) + "."),
				&repair{at.line, m[1] + quoted(value)}, true
		}
		return indentation(at, lines, "a key stands where none may: the line above has a value already, or this line is indented too far. Indent the keys of one map alike.")
	case strings.Contains(e.Message, "block sequence entries are not allowed"):
		return at.mistake("a list begins on the line of its key. Begin each entry on a line of its own, as   - entry."), nil, true
	case strings.Contains(e.Message, "could not find expected ':'"):
		return indentation(at, lines, "a key without a colon, or a text that is not indented. Write KEY: value.")
	case e.Stage == yaml.ParserStage:
		return indentation(at, lines, "the indentation is not right here. Indent the keys of one map alike, with spaces.")
	}
	return Mistake{}, nil, false
}

// indentation is a mistake at the first character of the line.
func indentation(at place, lines []string, text string) (Mistake, *repair, bool) {
	line := lines[at.line-1]
	at.column = len(line) - len(strings.TrimLeft(line, " ")) + 1
	return at.mistake(text), nil, true
}
