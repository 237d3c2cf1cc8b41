package recipe

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// use is one place where a variable stands.
type use struct {
	name   string
	form   string // as it is written there: {season}, $season, vars.season
	v      value
	offset int        // byte offset in the value's text
	own    []Variable // values that hold at this place alone (with of its source)
}

// declared is a variable of a with, with the place where it is named.
type declared struct {
	field
	Variable
}

// scope is what the checker gathers of one kind of pages about its variables.
type scope struct {
	with       []declared
	uses       []use
	plainTexts []value // texts in which no variable may stand
	open       bool    // a source brings variables that no with names
}

// template notes the variables of a text in which variables may stand.
func (s *scope) template(v value, text string, own ...Variable) {
	s.lenient(v, text, own...)
	_, bad := parseTemplate(text)
	for _, offset := range bad {
		v.wrongAt(offset, v.path, "{ begins a variable, as {season}. Write {{ for a brace.")
	}
}

// lenient is template for a text that may be JSON, where braces are common.
func (s *scope) lenient(v value, text string, own ...Variable) {
	parts, _ := parseTemplate(text)
	for _, p := range parts {
		if p.name != "" {
			s.uses = append(s.uses, use{p.name, "{" + p.name + "}", v, p.start, own})
		}
	}
}

// plain notes a text in which no variable may stand.
func (s *scope) plain(v value, text string) {
	if strings.Contains(text, "{") {
		s.plainTexts = append(s.plainTexts, v)
	}
}

var scriptVariable = regexp.MustCompile(`\bvars\.([A-Za-z]\w*)|\bvars\[["']([A-Za-z]\w*)["']\]`)

// script notes the variables of a JavaScript.
func (s *scope) script(v value, text string) {
	for _, m := range scriptVariable.FindAllStringSubmatchIndex(text, -1) {
		begin, end := m[2], m[3] // vars.name
		if begin < 0 {
			begin, end = m[4], m[5] // vars["name"]
		}
		name := text[begin:end]
		s.uses = append(s.uses, use{name: name, form: "vars." + name, v: v, offset: m[0]})
	}
}

var jqVariable = regexp.MustCompile(`\$([A-Za-z]\w*)`)

// jqVariables lists the $names of a jq program that it does not bind itself.
// $ENV is one of jq's own; a program in which it stands reads no environment.
func jqVariables(query *gojq.Query) []string {
	var free []string
	for _, m := range jqVariable.FindAllStringSubmatch(query.String(), -1) {
		if m[1] == "ENV" || m[1] == "__loc__" || slices.Contains(free, m[1]) {
			continue
		}
		free = append(free, m[1])
	}
	for i := len(free) - 1; i >= 0; i-- {
		others := make([]string, 0, len(free))
		for j, name := range free {
			if j != i {
				others = append(others, "$"+name)
			}
		}
		if _, err := gojq.Compile(query, gojq.WithVariables(others)); err == nil {
			free = slices.Delete(free, i, i+1)
		}
	}
	return free
}

// jq checks a jq program and notes its variables.
func (s *scope) jq(v value, text string) {
	query, err := gojq.Parse(text)
	if err != nil {
		offset := 0
		var e *gojq.ParseError
		if errors.As(err, &e) {
			offset = max(e.Offset-len(e.Token), 0)
		}
		v.wrongAt(offset, v.path, "is no jq: %v. Write a jq expression that gives the rows, as '.data[]'.", err)
		return
	}
	free := jqVariables(query)
	names := make([]string, len(free))
	for i, name := range free {
		names[i] = "$" + name
		s.uses = append(s.uses, use{name: name, form: "$" + name, v: v, offset: max(strings.Index(text, "$"+name), 0)})
	}
	if _, err := gojq.Compile(query, gojq.WithVariables(names)); err != nil {
		v.wrong("is no jq: %v. Write a jq expression that gives the rows, as '.data[]'.", err)
	}
}

// variables checks a `with`. outer holds the variables that have values already.
func (c *checker) variables(v value, s *scope, outer []declared) []Variable {
	fields, ok := v.members("NAME: [values]")
	if !ok {
		return nil
	}
	var out []Variable
	for _, f := range fields {
		if !isVariableName(f.name) {
			c.add(f.key.Line, f.key.Column, v.path, "%q is no name for a variable. Write letters, digits and _, beginning with a letter.", f.name)
			continue
		}
		if slices.ContainsFunc(outer, func(d declared) bool { return d.Name == f.name }) {
			c.add(f.key.Line, f.key.Column, v.path, "%s has values already, in the with of all sources. Keep one.", f.name)
		}
		x := Variable{Name: f.name, Pos: pos(f.key)}
		c.values(f.value, &x, s)
		s.with = append(s.with, declared{f, x})
		out = append(out, x)
	}
	return out
}

// values checks the values of one variable: a list, a range, a file or SQL.
func (c *checker) values(v value, x *Variable, s *scope) {
	const want = "a list, as [2023, 2024], or {from: 1985, to: 2024}"
	switch {
	case v.isMap():
		c.valuesFrom(v, x, s)
	case v.isScalar():
		v.wrong("is one value; a list is expected. Write %s: [%s].", x.Name, v.node.Value)
	default:
		entries, ok := v.items(want)
		if !ok {
			return
		}
		for _, e := range entries {
			if e.isScalar() && e.node.Value == "" {
				x.Values = append(x.Values, "")
			} else if text, ok := e.text("a value"); ok {
				x.Values = append(x.Values, text)
			}
		}
	}
}

func (c *checker) valuesFrom(v value, x *Variable, s *scope) {
	o, ok := v.object(reflect.TypeFor[valuesKeys](), "from: and to:")
	if !ok {
		return
	}
	o.exclusive("values come from one place", "from", "file", "sql")
	if n, _ := o.count("from", "file", "sql"); n == 0 {
		v.wrong("has no values. Write {from: 1985, to: 2024}, {file: values.txt} or {sql: \"select ...\"}.")
		return
	}
	if f, ok := o.get("file"); ok {
		x.File, _ = f.text("a file, as words.txt")
		s.plain(f.value, x.File)
	}
	if f, ok := o.get("sql"); ok {
		x.SQL, _ = f.text("a query, as \"select id from players\"")
		s.plain(f.value, x.SQL)
	}
	from, ok := o.get("from")
	if !ok {
		o.without("goes with from.", "to", "step", "format")
		return
	}
	r := &Range{Step: 1}
	x.Range = r
	good := true
	if r.From, ok = from.text("a number or date, as 1985 or 2024-01-31"); !ok {
		good = false
	}
	if to, ok := o.get("to"); !ok {
		v.wrong("to is missing. Write {from: %s, to: ...}.", r.From)
		good = false
	} else if r.To, ok = to.text("a number or date, as 2024 or today"); !ok {
		good = false
	}
	if f, ok := o.get("step"); ok {
		if n, ok := f.number(-maxNumber, maxNumber); ok && n == 0 {
			f.wrong("0 leads nowhere. Write 1 or more, or a negative number to count down.")
			good = false
		} else if r.Step = n; !ok {
			good = false
		}
	}
	if f, ok := o.get("format"); ok {
		if r.Format, ok = f.strftime(); !ok {
			good = false
		}
	}
	if good {
		if _, err := r.count(time.Now()); err != nil {
			v.wrong("%v.", err)
		}
	}
}

// knows says whether a variable may have values in this kind: those of with, or
// of a source whose further columns are known only when it is read.
func (k *Kind) knows(name string) bool {
	has := func(with []Variable) bool {
		return slices.ContainsFunc(with, func(x Variable) bool { return x.Name == name })
	}
	if has(k.With) || k.open() {
		return true
	}
	for _, s := range k.Sources {
		if !has(s.With) {
			return false
		}
	}
	return len(k.Sources) > 0
}

// open says whether a source may bring variables that no with names.
func (k *Kind) open() bool { return slices.ContainsFunc(k.Sources, Source.open) }

func (s Source) open() bool {
	return s.Kind == SourceSQL || s.Kind == SourceLinks || s.Kind == SourceFile && isCSV(s.Value)
}

// resolve tells variables without values, values without use, and variables where
// none may stand.
func (c *checker) resolve(k Kind, s *scope) {
	used := map[string]bool{}
	for _, u := range s.uses {
		used[u.name] = true
		if !k.knows(u.name) && !slices.ContainsFunc(u.own, func(x Variable) bool { return x.Name == u.name }) {
			c.noValues(u, s.with)
		}
	}
	if k.Name != "" { // the page that all kinds share may use them
		for _, step := range k.Page.Steps {
			for _, name := range step.variables() {
				used[name] = true
			}
		}
	}
	for _, d := range s.with {
		if used[d.Name] || c.lost[d.Name] {
			continue
		}
		text := d.Name + " is used nowhere (urls, steps, columns)"
		if n := d.countValues(); n > 1 {
			text += fmt.Sprintf(": %d pages would be the same", n)
		} else if n < 0 {
			text += ": pages would be the same"
		}
		c.add(d.Pos.Line, d.Pos.Column, "with", "%s.", text)
	}
	for _, v := range s.plainTexts {
		c.noVariableHere(v, s.with)
	}
}

// noVariableHere tells a known variable in a text that takes none.
func (c *checker) noVariableHere(v value, with []declared) {
	parts, _ := parseTemplate(v.node.Value)
	for _, p := range parts {
		if p.name != "" && slices.ContainsFunc(with, func(d declared) bool { return d.Name == p.name }) {
			v.wrongAt(p.start, v.path, "{%s} cannot stand here. Variables stand in urls, value, json, from and each.", p.name)
		}
	}
}

// noValues tells a variable without values.
func (c *checker) noValues(u use, with []declared) {
	names := make([]string, len(with))
	for i, d := range with {
		names[i] = d.Name
	}
	if near := nearest(u.name, names); near != "" && near != u.name {
		u.v.wrongAt(u.offset, "", "%s has no values; did you mean %s?", u.form, strings.Replace(u.form, u.name, near, 1))
		return
	}
	u.v.wrongAt(u.offset, "", "%s has no values. Add  with:\n  %s: [..]", u.form, u.name)
}

// countValues is how many values there are; -1 when only reading tells.
func (x Variable) countValues() int {
	switch {
	case x.File != "" || x.SQL != "":
		return -1
	case x.Range != nil:
		n, err := x.Range.count(time.Now())
		if err != nil {
			return 0
		}
		return n
	}
	return len(x.Values)
}

// templateNames lists the variables of a template.
func templateNames(template string) []string {
	var names []string
	parts, _ := parseTemplate(template)
	for _, p := range parts {
		if p.name != "" {
			names = append(names, p.name)
		}
	}
	return names
}

// variables lists those that a step's value or JavaScript holds.
func (s Step) variables() []string {
	names := templateNames(s.Value)
	if s.Verb == "js" {
		for _, m := range scriptVariable.FindAllStringSubmatch(s.Target, -1) {
			names = append(names, m[1]+m[2])
		}
	}
	return names
}

// usedVariables are the variables on which every page of a kind depends, whatever
// its URL: those in values of steps, js, json, from, each, jq, keys and columns.
func usedVariables(k *Kind) map[string]bool {
	used := map[string]bool{}
	note := func(templates ...string) {
		for _, t := range templates {
			for _, name := range templateNames(t) {
				used[name] = true
			}
		}
	}
	for _, step := range k.Page.Steps {
		for _, name := range step.variables() {
			used[name] = true
		}
	}
	for _, t := range k.Tables {
		note(t.From, t.Each)
		if t.JSON != nil {
			note(t.JSON.URL, t.JSON.Body)
		}
		if query, err := gojq.Parse(t.JQ); t.JQ != "" && err == nil {
			for _, name := range jqVariables(query) {
				used[name] = true
			}
		}
		for _, name := range t.Key {
			if !slices.ContainsFunc(t.Columns, func(c Column) bool { return c.Name == name && c.Var == "" }) {
				used[name] = true
			}
		}
		for _, col := range t.Columns {
			if col.Var != "" {
				used[col.Var] = true
			}
		}
	}
	return used
}
