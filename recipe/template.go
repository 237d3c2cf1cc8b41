package recipe

import "strings"

// part is a piece of a template: literal text, or a variable.
type part struct {
	text  string // literal text with its braces unfolded; "" for a variable
	name  string // name of the variable; "" for text
	start int    // byte offset in the template
}

// parseTemplate splits a template into texts and variables. A variable is {name};
// {{ is a brace, and so is the }} that closes it; other closing braces are
// themselves. bad lists the byte offsets of opening braces that begin neither;
// they stay in the text as they are.
func parseTemplate(template string) (parts []part, bad []int) {
	var text strings.Builder
	begin, open := 0, 0 // open counts the {{ that no }} has closed
	flush := func(end int) {
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String(), start: begin})
		}
		text.Reset()
		begin = end
	}
	for i := 0; i < len(template); {
		c := template[i]
		switch {
		case c == '{' && strings.HasPrefix(template[i+1:], "{"):
			text.WriteByte(c)
			open++
			i += 2
		case c == '}' && open > 0 && strings.HasPrefix(template[i+1:], "}"):
			text.WriteByte(c)
			open--
			i += 2
		case c == '{':
			end := strings.IndexByte(template[i:], '}')
			if end < 0 || !isVariableName(template[i+1:i+end]) {
				bad = append(bad, i)
				text.WriteByte(c)
				i++
				continue
			}
			flush(i)
			parts = append(parts, part{name: template[i+1 : i+end], start: i})
			i += end + 1
			begin = i
		default:
			text.WriteByte(c)
			i++
		}
	}
	flush(len(template))
	return parts, bad
}

// isVariableName says whether s can be a variable: ASCII letters, digits and _,
// not beginning with a digit or _, so that jq ($name) and JS (vars.name) can say it.
func isVariableName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || c != '_' && (c < '0' || c > '9')) {
			return false
		}
	}
	return s != ""
}

// Substitute fills the {name} of a template with the values of vars and turns {{,
// and the }} that closes it, into braces. A variable without a value stays as it is written.
// What the values mean where they come to stand (CSS, a URL) is left to the caller.
func Substitute(template string, vars map[string]string) string {
	parts, _ := parseTemplate(template)
	var b strings.Builder
	for _, p := range parts {
		value, known := vars[p.name]
		switch {
		case p.name == "":
			b.WriteString(p.text)
		case known:
			b.WriteString(value)
		default:
			b.WriteString("{" + p.name + "}")
		}
	}
	return b.String()
}
