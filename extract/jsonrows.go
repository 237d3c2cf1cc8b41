package extract

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// records are rows found in JSON: fields in their order, named by their path.
type records struct{ rows [][]field }

type field struct {
	name  string // path of keys, joined by dots
	value any
}

// flattenDepth is how deep objects in a row become columns of their own; what is deeper stays JSON.
const flattenDepth = 3

// searchDepth is how deep rows are looked for.
const searchDepth = 8

// size is the number of values, by which the rows of a response are chosen.
func (r records) size() int {
	n := 0
	for _, row := range r.rows {
		n += len(row)
	}
	return n
}

// findRows finds the rows in a response: the largest of all arrays of objects,
// header lists with arrays of values beside them, columns of values, and maps
// by id. An object without any array is one row.
func findRows(v any) records {
	var best records
	found := false
	consider := func(r records) {
		if !found || r.size() > best.size() {
			best, found = r, true
		}
	}
	search(v, 0, consider)
	if o, ok := v.(*object); ok && !found {
		consider(records{rows: [][]field{flatten(o)}})
	}
	return best
}

// search offers every candidate below v.
func search(v any, depth int, consider func(records)) {
	if depth > searchDepth {
		return
	}
	switch v := v.(type) {
	case []any:
		if len(v) == 0 {
			consider(records{})
			return
		}
		inner := slices.ContainsFunc(v, func(e any) bool {
			o, ok := e.(*object)
			if !ok {
				return false
			}
			_, ok = headed(o)
			return ok
		})
		rows, ok := rowsOfArray(v)
		if ok && !inner {
			consider(rows)
		}
		if !ok || inner || len(v) == 1 {
			for _, e := range v {
				search(e, depth+1, consider)
			}
		}
	case *object:
		if rows, ok := headed(v); ok {
			consider(rows)
			return
		}
		if rows, ok := columnar(v); ok {
			consider(rows)
			return
		}
		if rows, ok := mapByID(v); ok {
			consider(rows)
			return
		}
		for _, key := range v.keys {
			search(v.values[key], depth+1, consider)
		}
	}
}

// wrappers are keys under which interfaces put the row itself.
var wrappers = []string{"node", "_source"}

// opened are keys of an object with a type, whose fields are fields of the row
// beside its own: JSON:API (jsonapi.org/format, resource objects) and GeoJSON
// (RFC 7946, 3.2).
var opened = []string{"attributes", "properties"}

// unwrap is the row in an element of a list.
func unwrap(o *object) *object {
	for _, key := range wrappers {
		if inner, ok := o.values[key].(*object); ok {
			return inner
		}
	}
	if _, typed := o.values["type"].(string); !typed {
		return o
	}
	for _, key := range opened {
		if inner, ok := o.values[key].(*object); ok {
			return open(o, key, inner)
		}
	}
	return o
}

// open puts the fields of an object below key in its place. One that has the name
// of a field beside it keeps the key before its own.
func open(o *object, key string, inner *object) *object {
	out := &object{values: map[string]any{}}
	for _, k := range o.keys {
		if k != key {
			out.set(k, o.values[k])
			continue
		}
		for _, name := range inner.keys {
			full := name
			if _, taken := o.values[name]; taken {
				full = key + "." + name
			}
			out.set(full, inner.values[name])
		}
	}
	return out
}

// rowsOfArray takes an array of objects, or one of arrays of one length, as rows.
func rowsOfArray(list []any) (records, bool) {
	var rows [][]field
	for _, e := range list {
		o, ok := e.(*object)
		if e == nil {
			continue
		}
		if !ok {
			return rowsOfArrays(list)
		}
		rows = append(rows, flatten(unwrap(o)))
	}
	return records{rows: rows}, len(rows) > 0 || len(list) == 0
}

// rowsOfArrays takes arrays of one length as rows. The first is the header when
// it is all text and a later row is not; else columns are c1, c2 and so on.
func rowsOfArrays(list []any) (records, bool) {
	if len(list) < 2 {
		return records{}, false
	}
	lines := make([][]any, len(list))
	for i, e := range list {
		line, ok := e.([]any)
		if !ok || len(line) == 0 || i > 0 && len(line) != len(lines[0]) {
			return records{}, false
		}
		lines[i] = line
	}
	names := make([]string, len(lines[0]))
	isText := func(v any) bool { _, ok := v.(string); return ok }
	isHead := !slices.ContainsFunc(lines[0], func(v any) bool { return !isText(v) || v == "" }) &&
		slices.ContainsFunc(lines[1:], func(line []any) bool { return slices.ContainsFunc(line, func(v any) bool { return !isText(v) }) })
	for i := range names {
		names[i] = "c" + strconv.Itoa(i+1)
		if isHead {
			names[i], _ = lines[0][i].(string)
		}
	}
	if isHead {
		lines = lines[1:]
	}
	return table(names, lines), true
}

// table puts names to the values of lines.
func table(names []string, lines [][]any) records {
	rows := make([][]field, len(lines))
	for i, line := range lines {
		for j, v := range line {
			if j < len(names) {
				rows[i] = append(rows[i], field{names[j], v})
			}
		}
	}
	return records{rows: rows}
}

var (
	headerKeys = []string{"headers", "columns", "cols", "fields", "names"}
	bodyKeys   = []string{"rowSet", "rows", "data", "values", "body"}
)

// headed takes an object with a list of names and arrays of values beside it,
// as statistics services answer; the names may have two levels.
func headed(o *object) (records, bool) {
	for _, headerKey := range headerKeys {
		names, ok := headerNames(o.values[headerKey])
		if !ok {
			continue
		}
		for _, bodyKey := range bodyKeys {
			body, ok := o.values[bodyKey].([]any)
			if !ok {
				continue
			}
			lines := make([][]any, 0, len(body))
			for _, e := range body {
				line, ok := bodyLine(e)
				if !ok || len(line) != len(names) {
					break
				}
				lines = append(lines, line)
			}
			if len(lines) == len(body) {
				return table(names, lines), true
			}
		}
	}
	return records{}, false
}

// bodyLine is a row of values, also in the form {c: [{v, f}]} of chart services.
func bodyLine(e any) ([]any, bool) {
	if line, ok := e.([]any); ok {
		return line, true
	}
	o, ok := e.(*object)
	if !ok {
		return nil, false
	}
	cells, ok := o.values["c"].([]any)
	if !ok {
		return nil, false
	}
	line := make([]any, len(cells))
	for i, c := range cells {
		if cell, ok := c.(*object); ok {
			line[i] = cell.values["v"]
		}
	}
	return line, true
}

// headerNames reads a list of names: texts, objects with a name, or two levels
// of which the upper says how many columns it skips and spans.
func headerNames(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return nil, false
	}
	if names, ok := twoLevels(list); ok {
		return names, true
	}
	names := make([]string, len(list))
	for i, e := range list {
		switch e := e.(type) {
		case string:
			names[i] = e
		case *object:
			for _, key := range []string{"label", "name", "title", "field", "id", "key"} {
				if text, ok := e.values[key].(string); ok && text != "" {
					names[i] = text
					break
				}
			}
			if names[i] == "" {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return names, true
}

// twoLevels reads [{columnsToSkip, columnSpan, columnNames}, {columnNames}].
func twoLevels(list []any) ([]string, bool) {
	if len(list) != 2 {
		return nil, false
	}
	upper, ok1 := list[0].(*object)
	lower, ok2 := list[1].(*object)
	if !ok1 || !ok2 {
		return nil, false
	}
	groups, ok1 := texts(upper.values["columnNames"])
	names, ok2 := texts(lower.values["columnNames"])
	if !ok1 || !ok2 {
		return nil, false
	}
	skip, span := intOf(upper.values["columnsToSkip"]), max(intOf(upper.values["columnSpan"]), 1)
	for i := range names {
		if group := (i - skip) / span; i >= skip && group < len(groups) {
			names[i] = groups[group] + "." + names[i]
		}
	}
	return names, true
}

func texts(v any) ([]string, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]string, len(list))
	for i, e := range list {
		if out[i], ok = e.(string); !ok {
			return nil, false
		}
	}
	return out, true
}

func intOf(v any) int {
	n, ok := v.(json.Number)
	if !ok {
		return 0
	}
	i, err := strconv.Atoi(n.String())
	if err != nil || i < 0 || i > maxColumns {
		return 0
	}
	return i
}

// columnar takes an object of at least two arrays of scalars of one length as columns.
func columnar(o *object) (records, bool) {
	if len(o.keys) < 2 {
		return records{}, false
	}
	n := -1
	for _, key := range o.keys {
		list, ok := o.values[key].([]any)
		if !ok || n >= 0 && len(list) != n || slices.ContainsFunc(list, isNested) {
			return records{}, false
		}
		n = len(list)
	}
	if n < 2 {
		return records{}, false
	}
	rows := make([][]field, n)
	for i := range rows {
		for _, key := range o.keys {
			list, _ := o.values[key].([]any)
			rows[i] = append(rows[i], field{key, list[i]})
		}
	}
	return records{rows: rows}, true
}

func isNested(v any) bool {
	switch v.(type) {
	case []any, *object:
		return true
	}
	return false
}

// identity is the form of keys that name rows: numbers and UUIDs.
var identity = regexp.MustCompile(`^(\d+|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27})$`)

// mapByID takes an object of alike objects as rows, with its keys as column "key".
func mapByID(o *object) (records, bool) {
	if len(o.keys) < 2 {
		return records{}, false
	}
	ids := true
	shared := map[string]int{}
	for _, key := range o.keys {
		inner, ok := o.values[key].(*object)
		if !ok {
			return records{}, false
		}
		ids = ids && identity.MatchString(key)
		for _, k := range inner.keys {
			shared[k]++
		}
	}
	alike := 0
	for _, n := range shared {
		if n == len(o.keys) {
			alike++
		}
	}
	if len(shared) == 0 || !ids && (len(o.keys) < 3 || alike*10 < len(shared)*6) {
		return records{}, false
	}
	var rows [][]field
	for _, key := range o.keys {
		inner, _ := o.values[key].(*object)
		rows = append(rows, append([]field{{"key", key}}, flatten(inner)...))
	}
	return records{rows: rows}, true
}

// flatten gives the fields of a row; objects in it become fields of their own.
func flatten(o *object) []field {
	var fields []field
	var walk func(o *object, prefix string, depth int)
	walk = func(o *object, prefix string, depth int) {
		for _, key := range o.keys {
			name := prefix + key
			if inner, ok := o.values[key].(*object); ok && depth < flattenDepth && len(inner.keys) > 0 {
				walk(inner, name+".", depth+1)
				continue
			}
			fields = append(fields, field{name, o.values[key]})
		}
	}
	walk(o, "", 1)
	return fields
}

// totalKeys are the keys under which a response states the number of all rows.
var totalKeys = map[string]bool{
	"total": true, "totalcount": true, "totalrecords": true, "totalrows": true, "totalresults": true,
	"totalitems": true, "totalelements": true, "recordsfiltered": true, "recordstotal": true,
	"numfound": true, "nbhits": true, "totalhits": true,
}

// totalHolders are the objects of a response that state things about its rows.
var totalHolders = map[string]bool{
	"meta": true, "metadata": true, "_meta": true, "pagination": true, "paging": true, "page": true, "pageinfo": true,
	"info": true, "hits": true, "data": true, "result": true, "results": true, "response": true,
}

// statedTotals finds the number of rows that a response states, at its top or
// in an object there that is about its rows; -1 for none. Where records were filtered their number counts.
func statedTotals(v any, rows int) int {
	o, ok := v.(*object)
	if !ok || rows == 0 {
		return -1
	}
	found := -1
	var look func(o *object, depth int)
	look = func(o *object, depth int) {
		for _, key := range o.keys {
			if inner, ok := o.values[key].(*object); ok && depth < 2 && totalHolders[strings.ToLower(key)] {
				look(inner, depth+1)
				continue
			}
			n, ok := o.values[key].(json.Number)
			name := strings.NewReplacer("_", "", "-", "").Replace(strings.ToLower(key))
			if !ok || !totalKeys[name] {
				continue
			}
			if i, err := strconv.Atoi(n.String()); err == nil && (found < 0 || name == "recordsfiltered") {
				found = i
			}
		}
	}
	look(o, 1)
	return found
}
