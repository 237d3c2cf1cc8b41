package recipe

import (
	"regexp"
	"strings"

	"github.com/andybalholm/cascadia"
)

// cssWhere says what may stand in a selector beside CSS.
type cssWhere int

const (
	cssPlain    cssWhere = 0
	cssTemplate cssWhere = 1 << iota // {variables}
	cssFrames                        // iframe >> and comments >>
	cssPlaces                        // page >>, iframe >> and comments >>
)

// The places before a selector: the page as a whole, its frames, its HTML comments.
const (
	PlacePage     = "page"
	PlaceFrame    = "iframe"
	PlaceComments = "comments"
)

// SplitPlace takes a checked selector apart: where it looks, "" when it names no
// place, and the CSS.
func SplitPlace(selector string) (place, css string) {
	if m := placePrefix.FindStringSubmatch(selector); m != nil {
		return m[1], selector[len(m[0]):]
	}
	return "", selector
}

var placePrefix = regexp.MustCompile(`^\s*(\S+)\s*>>\s*`)

// css is a selector. A place before it stays, written as "page >> CSS".
func (v value) css(s *scope, where cssWhere) string {
	text, ok := v.text(`a CSS selector: "#id"`)
	if !ok {
		return ""
	}
	if lost, ok := v.comment(); ok {
		v.c.add(v.node.Line, v.node.Column, v.path, "an unquoted # begins a comment in YAML. Write %s, or a space behind # for a comment.",
			v.label()+quoted(text+" "+lost))
		return text
	}
	selector, prefix := text, ""
	if m := placePrefix.FindStringSubmatch(text); m != nil {
		prefix, selector = m[1], text[len(m[0]):]
		if strings.HasPrefix(prefix, PlaceFrame) && prefix != PlaceFrame {
			v.wrong("iframe >> looks in all frames of the page, and %s >> is not known. Write %s.", prefix, quoted("iframe >> "+selector))
			return text
		}
		allowed := cssPlaces
		if prefix == PlaceFrame || prefix == PlaceComments {
			allowed = cssFrames | cssPlaces
		}
		if where&allowed == 0 || (prefix != PlaceFrame && prefix != PlaceComments && prefix != PlacePage) {
			v.wrong("%s >> cannot stand here. page >> stands in css of columns and in total; iframe >> and comments >> also in from and each.", prefix)
			return text
		}
		prefix += " >> "
	}
	if where&cssTemplate != 0 {
		s.template(v, text)
		parts, _ := parseTemplate(selector)
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(p.text)
			if p.name != "" {
				b.WriteString("x")
			}
		}
		v.checkCSS(b.String())
	} else if m := braced.FindStringIndex(selector); m != nil {
		v.wrongAt(len(text)-len(selector)+m[0], v.path, "%s cannot stand here. Variables stand in urls, value, json, from and each.", selector[m[0]:m[1]])
	} else {
		v.checkCSS(selector)
	}
	return prefix + selector
}

var braced = regexp.MustCompile(`\{[A-Za-z]\w*\}`)

// notCSS are selectors of libraries, which a browser does not know.
var notCSS = regexp.MustCompile(`:(contains|containsown|matchesown|haschild|eq|gt|lt|first|last|even|odd|visible|hidden|input|has-text|text|text-is)\b(?:\(|$|[\s,>+~.:\[)])`)

// belowFrame is CSS that goes on behind a frame.
var belowFrame = regexp.MustCompile(`(?i)(?:^|[\s>+~,])iframe(?:[.#:][\w-]+(?:\([^)]*\))?|\[[^\]]*\])*(?:\s*>\s*|\s+)[^\s,>+~]`)

// checkCSS tells what no browser takes for a selector. It is lenient: browsers
// learn new pseudo-classes faster than any library, so what is merely unknown passes.
func (v value) checkCSS(selector string) {
	trimmed := strings.TrimSpace(selector)
	switch {
	case strings.HasPrefix(trimmed, "/") || strings.HasPrefix(trimmed, "(/") || strings.HasPrefix(trimmed, "./"):
		v.wrong(`%q is XPath, and tabfarm reads CSS. Write it as "table#id td".`, selector)
		return
	case trimmed == "":
		v.wrong(`is empty. Write a CSS selector: "#id".`)
		return
	}
	bare := blankStrings(trimmed)
	if m := notCSS.FindStringSubmatch(strings.ToLower(bare)); m != nil {
		v.wrong(":%s is no CSS that browsers know. Name the element by its id, class or attributes.", m[1])
		return
	}
	if m := belowFrame.FindStringIndex(bare); m != nil {
		v.wrong("CSS finds nothing below an iframe, for what it shows is another document. Write iframe >> and the CSS of what is in it.")
		return
	}
	if strings.Contains(bare, "!=") {
		v.wrong("!= is no CSS that browsers know. Write :not([name=\"value\"]).")
		return
	}
	if m := digitName.FindStringSubmatch(bare); m != nil {
		v.wrong(`%q is no CSS selector: a name behind . or # does not begin with a digit. Write \3%s and a space for it, or [id="..."].`, selector, m[1])
		return
	}
	if _, err := cascadia.ParseGroup(trimmed); err == nil {
		return
	}
	if why := brokenCSS(bare); why != "" {
		v.wrong(`%q is no CSS selector: %s. Write it as "table#id td".`, selector, why)
	}
}

// blankStrings replaces quoted strings by empty ones, so that what stands in them
// is not taken for CSS, and an escaped character by a letter.
func blankStrings(s string) string {
	var b strings.Builder
	quote := byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\\' && i+1 < len(s):
			i++
			if quote == 0 {
				b.WriteByte('x')
			}
		case quote != 0:
			if c == quote {
				quote = 0
				b.WriteByte(c)
			}
		default:
			if c == '"' || c == '\'' {
				quote = c
			}
			b.WriteByte(c)
		}
	}
	return b.String()
}

// brokenCSS finds what breaks a selector in every browser; "" if nothing does.
// Strings are blank already.
func brokenCSS(s string) string {
	var open []byte
	part := "" // since the last comma or bracket
	for i := 0; i < len(s); i++ {
		c := s[i]
		inside := len(open) > 0 && open[len(open)-1] == '['
		switch {
		case c == '(' || c == '[':
			open = append(open, c)
		case c == ')' || c == ']':
			want := byte('(')
			if c == ']' {
				want = '['
			}
			if len(open) == 0 || open[len(open)-1] != want {
				return "the " + string(c) + " has no beginning"
			}
			open = open[:len(open)-1]
		case c == '"' || c == '\'':
			if i+1 >= len(s) || s[i+1] != c {
				return "the " + string(c) + " is not closed"
			}
			i++
		case strings.IndexByte("{}@!?;%`<$&=/^", c) >= 0 && !inside && len(open) == 0 && c != '&':
			return "the " + string(c) + " cannot stand here"
		case c == ',' && len(open) == 0:
			if strings.TrimSpace(part) == "" {
				return "nothing stands before the comma"
			}
			part = ""
			continue
		}
		part += string(c)
	}
	if len(open) > 0 {
		return "the " + string(open[len(open)-1]) + " is not closed"
	}
	part = strings.TrimSpace(part)
	switch {
	case part == "":
		return "nothing stands behind the comma"
	case strings.ContainsAny(part[len(part)-1:], ">+~.#:"):
		return "it ends with " + part[len(part)-1:]
	}
	return ""
}

var digitName = regexp.MustCompile(`[.#]([0-9])`)
