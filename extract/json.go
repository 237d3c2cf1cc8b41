package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/itchyny/gojq"

	"github.com/tabfarm/tabfarm/recipe"
)

// Source is one captured response of the page, with a status of 2xx.
type Source struct {
	URL, Method, PostData, MIMEType string
	Body                            []byte
	TooLarge                        bool // the body was left out
	Lost                            bool // the browser no longer had the body
}

// maxJQ bounds the time that a jq program takes for one page.
const maxJQ = 10 * time.Second

// urlForms are the forms in which a part of a URL may stand once its variables
// are filled: as they are, and percent-encoded.
func urlForms(template string, vars map[string]string) []string {
	forms := []string{recipe.Substitute(template, vars)}
	for _, escape := range []func(string) string{url.PathEscape, url.QueryEscape} {
		escaped := map[string]string{}
		for name, value := range vars {
			escaped[name] = escape(value)
		}
		if form := recipe.Substitute(template, escaped); !slices.Contains(forms, form) {
			forms = append(forms, form)
		}
	}
	return forms
}

// holdsPart says that text contains the pattern, in which * stands for anything.
func holdsPart(text, pattern string) bool {
	for _, piece := range strings.Split(pattern, "*") {
		_, after, found := strings.Cut(text, piece)
		if !found {
			return false
		}
		text = after
	}
	return true
}

// matching gives the responses that hold a table's rows: those whose URL and
// body match, equal bodies once, in their order.
func matching(sources []Source, t *recipe.Table, vars map[string]string) []Source {
	var found []Source
	forms := urlForms(t.JSON.URL, vars)
	bodies := urlForms(t.JSON.Body, vars)
	for _, s := range sources {
		if !slices.ContainsFunc(forms, func(form string) bool { return holdsPart(s.URL, form) }) ||
			!slices.ContainsFunc(bodies, func(form string) bool { return holdsPart(s.PostData, form) }) {
			continue
		}
		same := func(other Source) bool {
			return !s.TooLarge && !other.TooLarge && !s.Lost && !other.Lost && bytes.Equal(s.Body, other.Body)
		}
		if !slices.ContainsFunc(found, same) {
			found = append(found, s)
		}
	}
	return found
}

// jsonSheet reads the rows of a table out of the responses that match. The
// sheet is nil where an optional table has none.
func jsonSheet(r *Reading, sources []Source, t *recipe.Table, vars map[string]string) (*sheet, *Problem) {
	if inPage(t.JSON) {
		sources = r.Embedded
	}
	found := matching(sources, t, vars)
	if len(found) == 0 {
		return nil, noResponse(sources, t)
	}
	s := &sheet{kind: "json", complete: true, proof: ProofSource}
	total := -1
	for _, source := range found {
		if source.Lost {
			return nil, problemf(outcomeIncomplete, "the browser lost the response of %s: the page was left while it came.", source.URL)
		}
		if source.TooLarge {
			return nil, problemf(outcomeTooLarge, "the response of %s is too large.", source.URL)
		}
		v, err := decodeJSON(source.Body)
		if err != nil {
			return nil, problemf(outcomeBadValue, "the response of %s is no JSON: %v.", source.URL, err)
		}
		rows := findRows(v)
		if t.JQ != "" {
			if rows, err = runJQ(t.JQ, v, vars); err != nil {
				return nil, problemf(outcomeBadValue, "jq on the response of %s: %v.", source.URL, err)
			}
		} else if stated := statedTotals(v, len(rows.rows)); stated > total {
			total = stated
		}
		if err := s.addRecords(rows); err != nil {
			return nil, problemf(outcomeTooLarge, "the responses hold too many values: %v.", err)
		}
	}
	s.counted = len(s.rows)
	if total >= 0 {
		s.total = &total
		s.complete = s.counted >= total
		s.note = "the response states how many there are"
		if !s.complete {
			s.proof = ProofNone
		}
	}
	if r.Short != "" && (total < 0 || !s.complete) {
		s.complete, s.proof, s.note = false, ProofNone, r.Short
	}
	return s, nil
}

// noResponse says which responses came instead.
func noResponse(sources []Source, t *recipe.Table) *Problem {
	asked := fmt.Sprintf("json: %q", t.JSON.URL)
	if inPage(t.JSON) && len(sources) == 0 {
		return problemf(outcomeMissing, "the page holds no JSON in itself, so nothing matched %s.", asked)
	}
	if t.JSON.Body != "" {
		asked += fmt.Sprintf(" with body: %q", t.JSON.Body)
	}
	if len(sources) == 0 {
		return problemf(outcomeMissing, "no response of the page matched %s.", asked)
	}
	var urls []string
	for _, s := range sources {
		urls = append(urls, clip(s.URL, 200))
	}
	slices.Sort(urls)
	urls = slices.Compact(urls)
	if len(urls) > 5 {
		urls = append(urls[:5:5], fmt.Sprintf("and %d more", len(urls)-5))
	}
	return problemf(outcomeMissing, "no response of the page matched %s. There were: %s.", asked, strings.Join(urls, ", "))
}

// addRecords adds rows of JSON to the sheet: columns in the order of their first appearance.
func (s *sheet) addRecords(records records) error {
	at := map[string]int{}
	taken := map[string]bool{}
	for i, h := range s.columns {
		at[h.shown] = i
		taken[h.name] = true
	}
	for _, row := range records.rows {
		r := sheetRow{cells: make([]Cell, len(s.columns), len(s.columns)+len(row))}
		for _, f := range row {
			i, known := at[f.name]
			if !known {
				i = len(s.columns)
				if i >= maxColumns {
					return fmt.Errorf("%d columns", i)
				}
				at[f.name] = i
				last := f.name[strings.LastIndexByte(f.name, '.')+1:]
				s.columns = append(s.columns, head{
					shown: f.name, last: last, json: true, name: unique(columnName(f.name, i), taken),
				})
			}
			for len(r.cells) <= i {
				r.cells = append(r.cells, Cell{})
			}
			text := encodeJSON(f.value)
			if text != "null" {
				r.cells[i] = Cell{Text: &text, JSON: true}
			}
		}
		s.rows = append(s.rows, r)
		if s.tooLarge(0) {
			return fmt.Errorf("%d rows of %d columns", len(s.rows), len(s.columns))
		}
	}
	return nil
}

// jsonp finds the call around a JSONP body.
var jsonp = regexp.MustCompile(`^(?:/\*.*?\*/)?\s*[\w$.\[\]'"]+\s*\(`)

// stripPrefix takes off what servers put around JSON against misuse: )]}',
// endless loops, and the call of JSONP.
func stripPrefix(body []byte) []byte {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")))
	for _, prefix := range []string{")]}',", ")]}'", "while(1);", "while (1);", "for(;;);", "for (;;);", "{}&&"} {
		if rest, found := bytes.CutPrefix(body, []byte(prefix)); found {
			return bytes.TrimSpace(rest)
		}
	}
	if len(body) == 0 || bytes.IndexByte([]byte("{[\"-0123456789"), body[0]) >= 0 {
		return body
	}
	if head := jsonp.Find(body); head != nil {
		inner := bytes.TrimRight(body[len(head):], "; \t\r\n")
		if inner, found := bytes.CutSuffix(inner, []byte(")")); found {
			return bytes.TrimSpace(inner)
		}
	}
	return body
}

// runJQ runs the recipe's jq program on one response. Objects that it gives are
// rows, as are the elements of arrays; every variable is a string $name.
func runJQ(program string, v any, vars map[string]string) (records, error) {
	query, err := gojq.Parse(program)
	if err != nil {
		return records{}, fmt.Errorf("parse: %w", err)
	}
	names := slices.Sorted(maps.Keys(vars))
	values := make([]any, len(names))
	for i, name := range names {
		values[i] = vars[name]
		names[i] = "$" + name
	}
	code, err := gojq.Compile(query, gojq.WithVariables(names))
	if err != nil {
		return records{}, fmt.Errorf("compile: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxJQ)
	defer cancel()
	var out records
	outputs := code.RunWithContext(ctx, plainValue(v), values...)
	for {
		result, more := outputs.Next()
		if !more {
			return out, nil
		}
		if err, failed := result.(error); failed {
			var halt *gojq.HaltError
			if errors.As(err, &halt) && halt.Value() == nil {
				return out, nil
			}
			if ctx.Err() != nil {
				return records{}, fmt.Errorf("it took more than %s", maxJQ)
			}
			return records{}, err
		}
		if err := out.addResult(result); err != nil {
			return records{}, err
		}
	}
}

// addResult adds one output of jq.
func (r *records) addResult(result any) error {
	ordered := orderedValue(result)
	switch v := ordered.(type) {
	case nil:
		return nil
	case *object:
		r.rows = append(r.rows, flatten(v))
	case []any:
		if rows, ok := rowsOfArray(v); ok {
			r.rows = append(r.rows, rows.rows...)
		} else if len(v) > 0 {
			return fmt.Errorf("it gave an array of %s, rows are objects", wordFor(v[0]))
		}
	default:
		return fmt.Errorf("it gave %s, rows are objects", wordFor(ordered))
	}
	if len(r.rows) > maxRows {
		return fmt.Errorf("it gave more than %d rows", maxRows)
	}
	return nil
}

func wordFor(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a text"
	case bool:
		return "true or false"
	case []any:
		return "an array"
	case *object:
		return "an object"
	}
	return "a number"
}
