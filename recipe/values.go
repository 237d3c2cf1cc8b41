package recipe

import (
	"errors"
	"regexp"
	"regexp/syntax"
	"strings"

	yaml "go.yaml.in/yaml/v4"
)

// regex is one RE2 expression.
func (v value) regex() string {
	s, ok := v.text(`an RE2 expression in single quotes, as '(\d+)'`)
	if !ok {
		return ""
	}
	if v.node.Style&yaml.DoubleQuotedStyle != 0 && strings.ContainsAny(s, "\b\f\v\a") {
		v.wrong("in double quotes YAML reads a backslash itself, so that \\b is no word boundary here. Use single quotes.")
		return ""
	}
	if _, err := regexp.Compile(s); err != nil {
		text := err.Error()
		var e *syntax.Error
		if errors.As(err, &e) {
			text = e.Code.String() + ": " + e.Expr
		}
		hint := "Write it as '(\\d+)'."
		if strings.Contains(s, "(?=") || strings.Contains(s, "(?!") || strings.Contains(s, "(?<") {
			hint = "RE2 looks neither ahead nor behind: put what you want into a group."
		}
		v.wrong("is no RE2 expression: %s. %s", text, hint)
	}
	return s
}

// directives are what may stand behind % in a format: what strftime(3) knows and
// both writing and reading dates can do.
const directives = "YyCGgmBbhAawuVUWedjkHlIPpMSsfZzntcvrFDxTXR%"

// strftime is a format of dates.
func (v value) strftime() (string, bool) {
	s, ok := v.text(`a strftime format in quotes: "%d.%m.%Y"`)
	if !ok {
		return "", false
	}
	found := false
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			continue
		}
		for i++; i < len(s) && strings.IndexByte("-_^#0:", s[i]) >= 0; i++ {
		}
		if i >= len(s) || strings.IndexByte(directives, s[i]) < 0 {
			v.wrong("%s is not known in %q. Write %%Y year, %%m month, %%d day, %%H hour, %%M minute, %%S second, %%b or %%B the month's name.", s[strings.LastIndexByte(s[:i], '%'):min(i+1, len(s))], s)
			return "", false
		}
		found = found || s[i] != '%'
	}
	if !found {
		hint := `"%d.%m.%Y"`
		v.wrong("%q holds no %% directive. Write it by strftime, as %s.", s, hint)
		return "", false
	}
	return s, true
}
