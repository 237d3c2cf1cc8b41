package recipe

import (
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// page checks `page`; what it does not name stays as in base.
func (c *checker) page(v value, base Page, s *scope) Page {
	p := base
	o, ok := v.object(reflect.TypeFor[pageKeys](), `ready: "#results"`)
	if !ok {
		return p
	}
	if f, ok := o.get("ready"); ok {
		p.Ready = f.css(s, cssPlain)
	}
	if f, ok := o.get("timeout"); ok {
		if d, ok := f.duration(time.Hour); ok {
			p.Timeout = d
		}
	}
	if f, ok := o.get("steps"); ok {
		p.Steps = c.steps(f.value, s)
	}
	if f, ok := o.get("next"); ok {
		p.Next = c.next(f.value, s)
	}
	if f, ok := o.get("block"); ok {
		p.Block = c.block(f.value)
	}
	if f, ok := o.get("headers"); ok {
		p.Headers = c.headers(f.value, s)
	}
	if f, ok := o.get("session"); ok {
		p.Session = c.session(f, s)
	}
	if f, ok := o.get("viewport"); ok {
		p.Viewport = f.viewport()
	}
	return p
}

func (c *checker) block(v value) []string {
	entries, ok := v.items("[image, font, media]")
	if !ok {
		return nil
	}
	var kinds []string
	for _, e := range entries {
		if kind, ok := e.wordOf(blockWords); ok && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return kinds
}

var (
	headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // RFC 9110, 5.6.2
	secretName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*$`)
)

func (c *checker) headers(v value, s *scope) []Header {
	fields, ok := v.members("Accept-Language: en")
	if !ok {
		return nil
	}
	var headers []Header
	seen := map[string]bool{}
	for _, f := range fields {
		h := Header{Name: f.name}
		lower := strings.ToLower(f.name)
		switch {
		case !headerName.MatchString(f.name):
			c.add(f.key.Line, f.key.Column, v.path, "%q is no name of an HTTP header. Write it as Accept-Language.", f.name)
		case slices.Contains([]string{"host", "content-length", "connection", "transfer-encoding"}, lower):
			c.add(f.key.Line, f.key.Column, v.path, "%s is set by the browser alone. Take it out.", f.name)
		case seen[lower]:
			c.add(f.key.Line, f.key.Column, v.path, "%s stands here twice; case does not matter in headers. Keep one.", f.name)
		}
		seen[lower] = true
		h.Value, h.Secret = f.secretOr(s, "a text, or {secret: NAME}", false)
		if strings.ContainsAny(h.Value, "\r\n\x00") {
			f.wrong("a header is one line. Take out the line break.")
		}
		headers = append(headers, h)
	}
	return headers
}

// secretOr is a text or {secret: NAME}; template says that {name} may stand in the text.
func (v value) secretOr(s *scope, want string, template bool) (text, secret string) {
	if v.isMap() && !v.bracketed() {
		o, ok := v.object(reflect.TypeFor[secretKeys](), "secret: NAME")
		if !ok {
			return "", ""
		}
		f, ok := o.get("secret")
		if !ok {
			v.wrong("secret is missing. Write {secret: NAME}.")
			return "", ""
		}
		secret, _ = f.text("the name of a secret, as PORTAL_PASSWORD")
		if secret != "" && !secretName.MatchString(secret) {
			f.wrong("%q is no name of a secret. Write letters, digits and _, as PORTAL_PASSWORD.", secret)
		}
		return "", secret
	}
	if v.isScalar() && v.node.Value == "" { // an empty header or field may be meant
		return "", ""
	}
	text, ok := v.text(want)
	switch {
	case !ok:
	case template:
		s.template(v, text)
	default:
		s.plain(v, text)
	}
	return text, ""
}

// session is a storage state file, when it looks like a path, or a name.
func (c *checker) session(f field, s *scope) string {
	text, ok := f.text("a file as ./storage.json, or the name of a session")
	if !ok {
		return ""
	}
	s.plain(f.value, text)
	if !IsSessionFile(text) {
		if !recipeName.MatchString(text) {
			f.wrong("%q is neither a file as ./storage.json nor the name of a session.", text)
		}
		f.later("page.session with the name of a session")
	}
	return text
}

// IsSessionFile says whether a Page's Session is the path of a storage state file;
// else it is the name of a session.
func IsSessionFile(session string) bool {
	return strings.ContainsAny(session, `/\`) || strings.EqualFold(filepath.Ext(session), ".json")
}

var viewportForm = regexp.MustCompile(`^([0-9]{1,5})x([0-9]{1,5})$`)

func (v value) viewport() Viewport {
	s, ok := v.text("a size, as 1280x800")
	if !ok {
		return Viewport{}
	}
	m := viewportForm.FindStringSubmatch(s)
	if m == nil {
		v.wrong("%s is no size. Write width x height in pixels, as 1280x800.", s)
		return Viewport{}
	}
	width, _ := strconv.Atoi(m[1]) // the form holds at most five digits
	height, _ := strconv.Atoi(m[2])
	if width < 100 || width > 10000 || height < 100 || height > 20000 {
		v.wrong("%s is out of bounds. Write 100x100 to 10000x20000.", s)
	}
	return Viewport{width, height}
}

func (c *checker) next(v value, s *scope) *Next {
	o, ok := v.object(reflect.TypeFor[nextKeys](), `{click: "a.next", max: 200}`)
	if !ok {
		return nil
	}
	n := &Next{}
	if f, ok := o.get("click"); ok {
		n.Click = f.css(s, cssPlain)
	} else {
		v.wrong(`click is missing. Write {click: "a.next"}.`)
	}
	if f, ok := o.get("max"); ok {
		n.Max, _ = f.number(1, maxNumber)
	}
	return n
}

// spanOfTime is what other tools wait for.
var spanOfTime = regexp.MustCompile(`^[0-9.]+ ?(ms|s|m)?$`)

// verbs are the keys of a step that say what it does.
var verbs = []string{"click", "fill", "select", "press", "wait", "wait_gone", "scroll", "js"}

func (c *checker) steps(v value, s *scope) []Step {
	entries, ok := v.items(`- click: "#more"`)
	if !ok {
		return nil
	}
	steps := make([]Step, 0, len(entries))
	for _, e := range entries {
		o, ok := e.object(reflect.TypeFor[stepKeys](), `click: "#more"`)
		if !ok {
			continue
		}
		o.exclusive("a step does one thing", verbs...)
		step := Step{Pos: pos(e.node)}
		for _, verb := range verbs {
			if f, ok := o.get(verb); ok {
				step.Verb, step.Target = verb, f.target(verb, s)
				break
			}
		}
		if f, ok := o.get("value"); ok {
			step.Value, step.Secret = f.secretOr(s, `a text, as "{season}"`, true)
		}
		if f, ok := o.get("optional"); ok {
			step.Optional = f.yesNo()
		}
		_, hasValue := o.get("value")
		needs := step.Verb == "fill" || step.Verb == "select"
		switch {
		case step.Verb == "" && o.unknown > 0: // said already
		case step.Verb == "":
			e.wrong("says not what to do. Write one of %s.", strings.Join(verbs, ", "))
		case needs && !hasValue:
			e.wrong("%s has no value. Write value: below it.", step.Verb)
		case hasValue && !needs:
			o.without("value goes with fill and select.", "value")
		}
		steps = append(steps, step)
	}
	return steps
}

// target is the value of a step's verb.
func (f field) target(verb string, s *scope) string {
	switch verb {
	case "press":
		return f.pressed()
	case "js":
		text, _ := f.text("JavaScript")
		s.script(f.value, text)
		return text
	case "wait", "wait_gone":
		if f.isScalar() && spanOfTime.MatchString(f.node.Value) {
			f.wrong(`%s is a time; %s is for what is on the page. Write CSS, as %[2]s: ".loaded".`, f.node.Value, verb)
			return ""
		}
	case "scroll":
		if f.isScalar() && f.node.Value == "end" {
			return "end"
		}
	}
	return f.css(s, cssPlain)
}
