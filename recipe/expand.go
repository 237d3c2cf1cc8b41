package recipe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Inputs gives what an expansion needs from outside.
type Inputs interface {
	// ReadFile reads a file; a relative name is relative to the recipe.
	ReadFile(ctx context.Context, name string) ([]byte, error)
	// Sitemap streams the page URLs of a sitemap; indexes are followed.
	Sitemap(ctx context.Context, url string) iter.Seq2[string, error]
	// Query runs a read-only query.
	Query(ctx context.Context, sql string) (columns []string, rows [][]string, err error)
}

// errStop ends an expansion whose reader wants no more.
var errStop = errors.New("stopped")

// Expand streams the pages of a kind in the order of its sources, each address
// once; of several variables the last varies fastest. now is the time that today
// means, in the recipe's time zone. An error ends the stream; it names file and
// line where there are any. Sources of links give nothing here: their pages are
// found while other pages are read.
func (r *Recipe) Expand(ctx context.Context, k *Kind, in Inputs, now time.Time) iter.Seq2[Address, error] {
	return func(yield func(Address, error) bool) {
		e := r.expansion(k, in, now)
		e.yield = func(a Address) error {
			if !yield(a, nil) {
				return errStop
			}
			return nil
		}
		for _, s := range k.Sources {
			err := ctx.Err()
			if err == nil {
				err = e.source(ctx, s)
			}
			if errors.Is(err, errStop) {
				return
			}
			if err != nil {
				yield(Address{}, err)
				return
			}
		}
	}
}

// expansion is one walk through the pages of a kind.
type expansion struct {
	recipe *Recipe
	kind   *Kind
	in     Inputs
	now    time.Time
	used   map[string]bool
	seen   map[[16]byte]struct{} // hashes of addresses: 16 bytes of SHA-256 a page
	read   map[string][]string   // values of variables from files and SQL
	yield  func(Address) error
}

func (r *Recipe) expansion(k *Kind, in Inputs, now time.Time) *expansion {
	zone := r.Timezone
	if zone == nil {
		zone = time.UTC
	}
	return &expansion{
		recipe: r, kind: k, in: in, now: now.In(zone), used: usedVariables(k),
		seen: map[[16]byte]struct{}{}, read: map[string][]string{},
	}
}

func (e *expansion) source(ctx context.Context, s Source) error {
	with := slices.Concat(e.kind.With, s.With)
	switch s.Kind {
	case SourceURL:
		parts, _ := parseTemplate(s.Value)
		return e.combine(ctx, with, map[string]string{}, func(vars map[string]string) error {
			raw := fillURL(parts, func(name string) string { return vars[name] })
			return e.page(raw, templateNames(s.Value), vars, e.at(s.Pos))
		})
	case SourceFile:
		return e.file(ctx, s, with)
	case SourceSitemap:
		return e.sitemap(ctx, s, with)
	case SourceSQL:
		return e.query(ctx, s, with)
	}
	return nil
}

// at is FILE:LINE:COL of a place in the recipe.
func (e *expansion) at(p Position) string {
	return fmt.Sprintf("%s:%d:%d", e.recipe.File, p.Line, p.Column)
}

// page yields one page unless it was yielded before. inURL names the variables
// that stand in the URL.
func (e *expansion) page(raw string, inURL []string, vars map[string]string, where string) error {
	pageURL, err := cleanURL(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", where, err)
	}
	var beside []string
	own := maps.Clone(vars)
	for name := range vars {
		switch {
		case slices.Contains(inURL, name):
		case e.used[name]:
			beside = append(beside, name)
		default: // it stands in another URL of the recipe only
			delete(own, name)
		}
	}
	a := Address{Kind: e.kind.Name, URL: pageURL, Vars: own, Page: pageAddress(pageURL, vars, beside)}
	sum := sha256.Sum256([]byte(a.Page))
	hash := [16]byte(sum[:16])
	if _, twice := e.seen[hash]; twice {
		return nil
	}
	e.seen[hash] = struct{}{}
	return e.yield(a)
}

// combine calls f with every combination of the values of with, beside vars. The
// map is f's until it returns.
func (e *expansion) combine(ctx context.Context, with []Variable, vars map[string]string, f func(map[string]string) error) error {
	if len(with) == 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		return f(vars)
	}
	x := with[0]
	if _, twice := vars[x.Name]; twice {
		return fmt.Errorf("%s: %s is a variable of with and a column of the source: rename one", e.at(x.Pos), x.Name)
	}
	values, err := e.values(ctx, x)
	if err != nil {
		return err
	}
	defer delete(vars, x.Name)
	for value := range values {
		vars[x.Name] = value
		if err := e.combine(ctx, with[1:], vars, f); err != nil {
			return err
		}
	}
	return nil
}

// values gives the values of a variable; files and queries are read once.
func (e *expansion) values(ctx context.Context, x Variable) (iter.Seq[string], error) {
	if x.Range != nil {
		values, err := x.Range.values(e.now)
		if err != nil {
			return nil, fmt.Errorf("%s: with.%s: %w", e.at(x.Pos), x.Name, err)
		}
		return values, nil
	}
	if x.File == "" && x.SQL == "" {
		return slices.Values(x.Values), nil
	}
	if values, ok := e.read[x.Name]; ok {
		return slices.Values(values), nil
	}
	var values []string
	if x.File != "" {
		lines, err := e.lines(ctx, x.File, x.Pos)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			values = append(values, l.text)
		}
	} else {
		columns, rows, err := e.in.Query(ctx, x.SQL)
		if err != nil {
			return nil, fmt.Errorf("%s: with.%s: run sql: %w", e.at(x.Pos), x.Name, err)
		}
		if len(columns) == 0 {
			return nil, fmt.Errorf("%s: with.%s: the query gives no column", e.at(x.Pos), x.Name)
		}
		for _, row := range rows {
			values = append(values, row[0])
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("%s: with.%s: no values in %s", e.at(x.Pos), x.Name, x.File+x.SQL)
	}
	e.read[x.Name] = values
	return slices.Values(values), nil
}

// line is a line of a file that is not blank, without white space around it.
type line struct {
	number int
	text   string
}

// text reads a file of the recipe.
func (e *expansion) text(ctx context.Context, name string, at Position) (string, error) {
	text, err := e.in.ReadFile(ctx, name)
	if err != nil {
		return "", fmt.Errorf("%s: read %q: %w", e.at(at), name, err)
	}
	if !utf8.Valid(text) {
		return "", fmt.Errorf("%s: %q is not UTF-8; save it as UTF-8", e.at(at), name)
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

func (e *expansion) lines(ctx context.Context, name string, at Position) ([]line, error) {
	text, err := e.text(ctx, name, at)
	if err != nil {
		return nil, err
	}
	var lines []line
	number := 0
	for s := range strings.Lines(text) {
		number++
		if s = strings.TrimSpace(s); s != "" {
			lines = append(lines, line{number, s})
		}
	}
	return lines, nil
}

func isCSV(name string) bool { return strings.EqualFold(filepath.Ext(name), ".csv") }

// file yields the pages of a file: one URL a line, or a CSV.
func (e *expansion) file(ctx context.Context, s Source, with []Variable) error {
	if isCSV(s.Value) {
		return e.csv(ctx, s, with)
	}
	lines, err := e.lines(ctx, s.Value, s.Pos)
	if err != nil {
		return err
	}
	for _, l := range lines {
		if strings.HasPrefix(l.text, "#") { // a remark; no URL begins so
			continue
		}
		err := e.combine(ctx, with, map[string]string{}, func(vars map[string]string) error {
			return e.page(l.text, nil, vars, fmt.Sprintf("%s:%d", s.Value, l.number))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// csv yields the pages of a CSV with a header and a column url; its other columns
// are variables under their SQL names.
func (e *expansion) csv(ctx context.Context, s Source, with []Variable) error {
	text, err := e.text(ctx, s.Value, s.Pos)
	if err != nil {
		return err
	}
	reader := csv.NewReader(bytes.NewReader([]byte(text)))
	reader.Comma = separator(text)
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: %q is empty; its first line names the columns, one of them url", e.at(s.Pos), s.Value)
	}
	if err != nil {
		return csvError(s.Value, err)
	}
	names, err := columnNames(header, s.Value+":1")
	if err != nil {
		return err
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return csvError(s.Value, err)
		}
		number, _ := reader.FieldPos(0)
		if err := e.row(ctx, names, row, with, fmt.Sprintf("%s:%d", s.Value, number)); err != nil {
			return err
		}
	}
}

// separator is the sign between the columns of a CSV: the one of , ; and tab that
// its first line has most of.
func separator(text string) rune {
	first, _, _ := strings.Cut(text, "\n")
	best := ','
	for _, r := range ";\t" {
		if strings.Count(first, string(r)) > strings.Count(first, string(best)) {
			best = r
		}
	}
	return best
}

func csvError(name string, err error) error {
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return fmt.Errorf("read %q: %w", name, err)
	}
	if errors.Is(parse.Err, csv.ErrFieldCount) {
		return fmt.Errorf("%s:%d: this line has not as many columns as the first", name, parse.Line)
	}
	return fmt.Errorf("%s:%d: read CSV: %w", name, parse.Line, parse.Err)
}

// columnNames are the variables of a CSV's or query's columns; one is url.
func columnNames(header []string, where string) ([]string, error) {
	names := make([]string, len(header))
	for i, h := range header {
		names[i] = SQLName(strings.TrimSpace(h))
		if names[i] != "" && slices.Contains(names[:i], names[i]) {
			return nil, fmt.Errorf("%s: two columns are named %s", where, names[i])
		}
	}
	if !slices.Contains(names, "url") {
		return nil, fmt.Errorf("%s: there is no column url; the columns are %s", where, strings.Join(header, ", "))
	}
	return names, nil
}

// row yields the pages of one row of a CSV or query.
func (e *expansion) row(ctx context.Context, names, row []string, with []Variable, where string) error {
	vars := map[string]string{}
	raw := ""
	for i, name := range names {
		switch name {
		case "url":
			raw = strings.TrimSpace(row[i])
		case "":
		default:
			vars[name] = row[i]
		}
	}
	return e.combine(ctx, with, vars, func(vars map[string]string) error {
		return e.page(raw, nil, vars, where)
	})
}

// sitemap yields the pages of a sitemap that match.
func (e *expansion) sitemap(ctx context.Context, s Source, with []Variable) error {
	match, err := regexp.Compile(s.Match)
	if err != nil {
		return fmt.Errorf("%s: match: %w", e.at(s.Pos), err)
	}
	for raw, err := range e.in.Sitemap(ctx, s.Value) {
		if err != nil {
			return fmt.Errorf("%s: read sitemap %s: %w", e.at(s.Pos), s.Value, err)
		}
		if raw = strings.TrimSpace(raw); !match.MatchString(raw) {
			continue
		}
		err := e.combine(ctx, with, map[string]string{}, func(vars map[string]string) error {
			return e.page(raw, nil, vars, "sitemap "+s.Value)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// query yields the pages of a query with a column url.
func (e *expansion) query(ctx context.Context, s Source, with []Variable) error {
	columns, rows, err := e.in.Query(ctx, s.Value)
	if err != nil {
		return fmt.Errorf("%s: run sql: %w", e.at(s.Pos), err)
	}
	names, err := columnNames(columns, e.at(s.Pos))
	if err != nil {
		return err
	}
	for i, row := range rows {
		if err := e.row(ctx, names, row, with, fmt.Sprintf("%s: row %d of the query", e.at(s.Pos), i+1)); err != nil {
			return err
		}
	}
	return nil
}
