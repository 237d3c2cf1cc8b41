package recipe

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// tables checks `tables`.
func (c *checker) tables(v value, s *scope) []Table {
	fields, ok := v.members("NAME: and below it what is a row")
	if !ok {
		return nil
	}
	out := make([]Table, 0, len(fields))
	bare := "" // the table before, where nothing stands below it
	for _, f := range fields {
		if bare != "" && slices.Contains(keysOf(reflect.TypeFor[tableKeys]()), f.name) {
			c.add(f.key.Line, f.key.Column, "tables", "%s is a key of a table. Indent it further than %s.", f.name, bare)
			continue
		}
		bare = ""
		if f.isNull() {
			bare = f.name
		}
		f.sqlName(f.name, "tables", "a table")
		if first, twice := c.names[f.name]; twice {
			c.add(f.key.Line, f.key.Column, "tables", "a table %s stands in line %d already. Give each its own name.", f.name, first.Line)
		}
		c.names[f.name] = pos(f.key)
		t := Table{
			Name: f.name, Pos: pos(f.key), Rows: rowsWords[0], MinRows: 1,
			Duplicates: duplicatesWords[0], OtherColumns: otherColumnsWords[0], Gone: goneWords[0],
		}
		switch lost, ok := f.comment(); {
		case f.isNull() && ok:
			c.add(f.node.Line, f.node.Column, "", "%s is empty: an unquoted # begins a comment in YAML. Write %s: {from: %s}.", f.path, f.name, quoted(lost))
		case f.isScalar():
			f.wrong("is a text; a map is expected. Write %s: {from: %s}.", f.name, quoted(f.node.Value))
		case !f.isBlank():
			c.table(f.value, &t, s)
		}
		out = append(out, t)
	}
	return out
}

// sqlName tells a name that cannot be typed unquoted in SQL. The key of f is the
// name, or f is the name itself.
func (f field) sqlName(name, key, what string) {
	at := f.key
	if at == nil {
		at = f.node
	}
	say := func(format string, args ...any) { f.c.add(at.Line, at.Column, key, format, args...) }
	switch {
	case reservedWords[name]:
		say("%s is a reserved word in SQL. Write %s_.", name, name)
	case len(name) > nameBytes:
		say("%s is %d bytes long, and Postgres keeps %d of a name. Write a shorter one.", name, len(name), nameBytes)
	case strings.HasPrefix(name, "_"):
		say("%s begins with _, and such names are tabfarm's own. Write another name.", name)
	case !isSQLName(name):
		right := SQLName(name)
		if right == "" {
			right = "a name of letters, digits and _"
		}
		say("%q is not how SQL writes the name of %s. Write %s.", name, what, right)
	}
}

// isSQLName says that a name needs no quotes: lower-case letters and digits of any
// script and _, no digit first.
func isSQLName(name string) bool {
	for i, r := range name {
		switch {
		case unicode.IsUpper(r) || unicode.IsTitle(r):
			return false
		case unicode.IsLetter(r), r == '_' && i > 0, i > 0 && (unicode.IsDigit(r) || unicode.IsMark(r)):
		default:
			return false
		}
	}
	return name != ""
}

// table checks one table: what is a row, how many there are, what names one.
func (c *checker) table(v value, t *Table, s *scope) {
	o, ok := v.object(reflect.TypeFor[tableKeys](), `from: "#id"`)
	if !ok {
		return
	}
	c.rowSource(o, t, s)
	if f, ok := o.get("rows"); ok {
		t.Rows = f.word(rowsWords)
	}
	if f, ok := o.get("total"); ok {
		t.Total = c.total(f.value, s)
	}
	if f, ok := o.get("min_rows"); ok {
		if n, ok := f.number(0, maxNumber); ok {
			t.MinRows = n
		}
	}
	if f, ok := o.get("skip"); ok {
		t.Skip = f.css(s, cssPlain)
		if t.JSON != nil {
			o.without("skip is CSS, and rows of json have no elements. Leave rows out in jq, as .rows[] | select(.id).", "skip")
		}
	}
	if f, ok := o.get("optional"); ok {
		t.Optional = f.yesNo()
	}
	if f, ok := o.get("duplicates"); ok {
		t.Duplicates = f.word(duplicatesWords)
	}
	if f, ok := o.get("other_columns"); ok {
		t.OtherColumns = f.word(otherColumnsWords)
	}
	if f, ok := o.get("gone"); ok {
		if t.Gone = f.word(goneWords); t.Gone != goneWords[0] {
			f.later("gone: " + t.Gone)
		}
	}
	if f, ok := o.get("history"); ok {
		t.History = f.yesNo()
		if t.History {
			f.later("history: true")
		}
	}
	if f, ok := o.get("columns"); ok {
		t.Columns = c.columns(f.value, t, s)
	}
	if f, ok := o.get("key"); ok {
		t.Key = c.key(f.value, t, s)
	}
}

// word is a word of a closed set, the default where it is wrong.
func (f field) word(set []string) string {
	if s, ok := f.wordOf(set); ok {
		return s
	}
	return set[0]
}

// rowSource checks from, each, json and jq.
func (c *checker) rowSource(o object, t *Table, s *scope) {
	o.exclusive("a table says once what is a row", "from", "each", "json")
	if f, ok := o.get("from"); ok {
		t.From = f.css(s, cssTemplate|cssFrames)
	}
	if f, ok := o.get("each"); ok {
		if t.Each = f.css(s, cssTemplate|cssFrames); t.Each == "page" {
			o.without("with each: page there is one row a page, and none to skip or count.", "skip", "total")
		}
	}
	if f, ok := o.get("json"); ok {
		t.JSON = c.json(f.value, s)
	}
	if f, ok := o.get("jq"); ok {
		if text, ok := f.text("a jq expression that gives the rows, as '.data[]'"); ok {
			t.JQ = text
			s.jq(f.value, text)
		}
		if _, ok := o.get("json"); !ok {
			c.add(f.key.Line, f.key.Column, f.path, "jq goes with json. Write json: and part of the URL of the response.")
		}
	}
}

func (c *checker) json(v value, s *scope) *JSONSource {
	const want = `part of a URL, as "/api/rows"`
	if !v.isMap() || v.bracketed() {
		text, ok := v.text(want)
		if ok {
			s.template(v, text)
		}
		return &JSONSource{URL: text}
	}
	o, ok := v.object(reflect.TypeFor[jsonKeys](), "{url: \"/api/rows\", body: \"players\"}")
	if !ok {
		return &JSONSource{}
	}
	j := &JSONSource{}
	if f, ok := o.get("url"); !ok {
		v.wrong("url is missing. Write {url: \"/api/rows\", body: \"players\"}.")
	} else if j.URL, ok = f.text(want); ok {
		s.template(f.value, j.URL)
	}
	if f, ok := o.get("body"); ok {
		if j.Body, ok = f.text("part of the body of the request"); ok {
			s.lenient(f.value, j.Body)
		}
	}
	return j
}

func (c *checker) total(v value, s *scope) *Locator {
	if !v.isMap() || v.bracketed() {
		return &Locator{CSS: v.totalCSS(s)}
	}
	o, ok := v.object(reflect.TypeFor[locatorKeys](), `{css: ".count", match: 'of (\d+)'}`)
	if !ok {
		return nil
	}
	l := &Locator{}
	if f, ok := o.get("css"); ok {
		l.CSS = f.totalCSS(s)
	} else {
		v.wrong(`css is missing. Write {css: ".count", match: 'of (\d+)'}.`)
	}
	if f, ok := o.get("match"); ok {
		l.Match = f.regex()
	}
	return l
}

// totalCSS is where the page states its number of rows. It is looked for in the
// whole page, so that page >> says nothing new.
func (v value) totalCSS(s *scope) string {
	return strings.TrimPrefix(v.css(s, cssPlain|cssPlaces), "page >> ")
}

// key checks `key` against the columns and variables.
func (c *checker) key(v value, t *Table, s *scope) []string {
	if v.isScalar() {
		v.wrong("is one name; a list is expected. Write key: [%s].", v.node.Value)
		return nil
	}
	entries, ok := v.items("key: [player, season]")
	if !ok {
		return nil
	}
	var key []string
	for _, e := range entries {
		name, ok := e.text("the name of a column or variable")
		if !ok {
			continue
		}
		if slices.Contains(key, name) {
			e.wrong("%s stands here twice. Keep one.", name)
			continue
		}
		if name != "_url" && name != "_row" {
			field{value: e}.sqlName(name, v.path, "a column")
		}
		key = append(key, name)
		c.keyName(e, name, t, s)
	}
	return key
}

// keyName notes a name in key as a use of the variable of that name, and tells a
// name that is both column and variable, or can be neither.
func (c *checker) keyName(e value, name string, t *Table, s *scope) {
	at := slices.IndexFunc(t.Columns, func(col Column) bool { return col.Name == name })
	known := slices.ContainsFunc(s.with, func(d declared) bool { return d.Name == name })
	switch {
	case known && at >= 0 && t.Columns[at].Var == "":
		e.wrong("%s is a variable and a column here: which names the row? Write   %s: {var: %s}   under columns for the variable, or give the column another name.", name, name, name)
		s.uses = append(s.uses, use{name: name, form: "{" + name + "}", v: e})
	case known && at < 0:
		s.uses = append(s.uses, use{name: name, form: "{" + name + "}", v: e})
	case at < 0 && t.OtherColumns == "drop" && !s.open && !strings.HasPrefix(name, "_"):
		names := make([]string, 0, len(t.Columns)+len(s.with))
		for _, col := range t.Columns {
			names = append(names, col.Name)
		}
		for _, d := range s.with {
			names = append(names, d.Name)
		}
		e.wrong("%s is neither a listed column nor a variable, and other_columns: drop leaves out all others%s List it under columns.", name, didYouMean(name, names))
	}
}

// columns checks `columns`.
func (c *checker) columns(v value, t *Table, s *scope) []Column {
	fields, ok := v.members("NAME: HEADER")
	if !ok {
		return nil
	}
	out := make([]Column, 0, len(fields))
	for _, f := range fields {
		f.sqlName(f.name, v.path, "a column")
		col := Column{Name: f.name, Pos: pos(f.key)}
		switch _, lost := f.comment(); {
		case f.isScalar() && lost:
			f.wrong("an unquoted # begins a comment in YAML. Quote the header, or write a space behind # for a comment.")
		case f.isBlank() && !lost: // by its own name
		case f.isMap() && !f.bracketed():
			c.column(f.value, &col, t, s)
		default:
			col.Header, _ = f.text("the header as the page shows it, or {css: ...}")
			s.plain(f.value, col.Header)
		}
		out = append(out, col)
	}
	return out
}

var attributeName = regexp.MustCompile(`^[^\s"'<>/=\x00-\x1f]+$`)

func (c *checker) column(v value, col *Column, t *Table, s *scope) {
	o, ok := v.object(reflect.TypeFor[columnKeys](), "{header: PTS}")
	if !ok {
		return
	}
	o.exclusive("a value stands in one place (attr goes with css or header)", "header", "css", "above", "var")
	o.exclusive("attr is read from the element that css names, from what stands under header, or from the row's own", "attr", "above")
	o.exclusive("a variable has no attributes", "attr", "var")
	if f, ok := o.get("header"); ok {
		col.Header, _ = f.text("the header as the page shows it")
		s.plain(f.value, col.Header)
	}
	if f, ok := o.get("css"); ok {
		col.CSS = f.css(s, cssPlain|cssPlaces)
		if place, _ := SplitPlace(col.CSS); t.JSON != nil && place == "" {
			f.wrong(`rows of json have no elements. Write {header: NAME} for a field of the row, or css: "page >> CSS".`)
		}
	}
	if f, ok := o.get("attr"); ok {
		if col.Attr, ok = f.text("the name of an attribute, as href"); ok && !attributeName.MatchString(col.Attr) {
			f.wrong("%q is no name of an attribute. Write it as href or data-id.", col.Attr)
		}
		if _, css := o.get("css"); !css && t.JSON != nil {
			f.wrong("rows of json have no attributes. Write {header: NAME} for a field of the row.")
		}
	}
	if f, ok := o.get("above"); ok {
		col.Above = f.css(s, cssPlain)
		if t.JSON != nil {
			f.wrong("rows of json have no place on the page. Write css: \"page >> CSS\".")
		}
	}
	if f, ok := o.get("var"); ok {
		if col.Var, ok = f.text("the name of a variable"); ok {
			s.uses = append(s.uses, use{name: col.Var, form: "{" + col.Var + "}", v: f.value})
		}
	}
	c.columnValue(o, col)
}

// columnValue checks what becomes of the text: match, type, format, optional.
func (c *checker) columnValue(o object, col *Column) {
	if f, ok := o.get("match"); ok {
		col.Match = f.regex()
	}
	if f, ok := o.get("type"); ok {
		col.Type, _ = f.typeOf()
	}
	if f, ok := o.get("format"); ok {
		col.Format, _ = f.strftime()
		_, typed := o.get("type")
		if !typed || col.Type != "" && col.Type != Date && col.Type != Time && col.Type != Timestamp {
			c.add(f.key.Line, f.key.Column, f.path, "format goes with type: date, time or timestamp. Write the type beside it.")
		}
	}
	if f, ok := o.get("optional"); ok {
		col.Optional = f.yesNo()
	}
}
