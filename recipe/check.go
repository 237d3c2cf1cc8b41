package recipe

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the names of time zones must mean the same on every machine

	yaml "go.yaml.in/yaml/v4"
)

// Load reads and checks a recipe file. The error is Mistakes when the text is
// wrong.
func Load(file string) (*Recipe, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		var path *os.PathError
		if errors.As(err, &path) {
			err = path.Err // the name is said once
		}
		return nil, fmt.Errorf("read recipe %q: %w", file, err)
	}
	return Parse(file, text)
}

// Parse checks the text of a recipe. file is used in messages and for the default
// name. The error is Mistakes, all of them at once, in the order of the file.
func Parse(file string, text []byte) (*Recipe, error) {
	root, mistakes, broken := parseYAML(file, text)
	c := &checker{file: file, lines: splitLines(text), lost: map[string]bool{}}
	r := &Recipe{
		File: file, Text: slices.Clone(text), Name: defaultName(file), Timezone: time.UTC,
		Polite: Polite{Delay: time.Second, Concurrency: 1, ObeyRobots: true, Retries: 3},
	}
	switch {
	case root != nil:
		c.recipe(value{c: c, node: resolved(root)}, r)
	case len(mistakes) == 0:
		c.add(1, 1, "", "the recipe is empty. Write urls: and tables:.")
	}
	for _, m := range c.mistakes {
		if !broken[m.Line] {
			mistakes = append(mistakes, m)
		}
	}
	if len(mistakes) > 0 {
		return nil, mistakes.sorted()
	}
	r.later = c.later.sorted()
	return r, nil
}

// Unsupported lists the keys of the recipe that are right but do nothing in this
// version yet, each at its place; empty when the whole recipe can be run.
func (r *Recipe) Unsupported() Mistakes { return slices.Clone(r.later) }

// defaultName is the name of a recipe without the key name.
func defaultName(file string) string {
	base := filepath.Base(file)
	if ext := filepath.Ext(base); ext == ".yaml" || ext == ".yml" {
		base = strings.TrimSuffix(base, ext)
	}
	return base
}

// checker gathers what is wrong in one recipe.
type checker struct {
	file     string
	lines    []string
	mistakes Mistakes
	later    Mistakes
	names    map[string]Position // tables so far
	lost     map[string]bool     // names in {season} that lack their quotes
}

// add tells a mistake. What YAML says stands behind the last line, as an empty
// document does, is told at that line.
func (c *checker) add(line, column int, key, format string, args ...any) {
	if line > len(c.lines) {
		line, column = len(c.lines), 1
	}
	c.mistakes = append(c.mistakes, Mistake{
		File: c.file, Line: max(line, 1), Column: max(column, 1),
		Key: key, Text: fmt.Sprintf(format, args...),
	})
}

// recipe checks the whole file.
func (c *checker) recipe(v value, r *Recipe) {
	if !v.isMap() {
		c.add(v.node.Line, v.node.Column, "", "a recipe is a map, and this is %s. Write urls: and tables:.", v.shape())
		return
	}
	o, ok := v.object(reflect.TypeFor[recipeKeys](), "urls: and tables:")
	if !ok {
		return
	}
	c.names = map[string]Position{}
	c.header(o, r)
	page := Page{Timeout: 30 * time.Second}
	if f, ok := o.get("pages"); ok {
		o.without("with pages, each kind of page has its own. Move it below its kind.", "urls", "with", "tables")
		r.Kinds = c.kinds(o, f, page)
	} else {
		r.Kinds = []Kind{c.kind(o, "", page, nil)}
	}
	c.follow(r.Kinds)
	if f, ok := o.get("polite"); ok {
		c.polite(f.value, &r.Polite)
	}
}

// header checks what stands beside the pages: name, times, priority.
func (c *checker) header(o object, r *Recipe) {
	if f, ok := o.get("name"); ok {
		if s, ok := f.text("a name, as nba_totals"); ok {
			if len(s) > nameBytes || !recipeName.MatchString(s) {
				f.wrong("%q is no name for a recipe. Write letters, digits, _, - and ., at most %d bytes.", s, nameBytes)
			}
			r.Name = s
		}
	} else if len(r.Name) > nameBytes || !recipeName.MatchString(r.Name) {
		c.add(o.node.Line, o.node.Column, "name", "the file's name cannot name the recipe. Write name: with letters, digits, _, - and ., at most %d bytes.", nameBytes)
	}
	if f, ok := o.get("description"); ok {
		r.Description, _ = f.text("a text")
	}
	if f, ok := o.get("timezone"); ok {
		if s, ok := f.text("a time zone, as Europe/Berlin"); ok {
			zone, err := time.LoadLocation(s)
			if err != nil || s == "Local" {
				f.wrong("%s is no time zone. Write a name as Europe/Berlin, America/New_York or UTC.", s)
			} else {
				r.Timezone = zone
			}
		}
	}
	if f, ok := o.get("priority"); ok {
		r.Priority, _ = f.number(-maxPriority, maxPriority)
	}
	if f, ok := o.get("schedule"); ok {
		r.Schedules = c.schedules(f.value, r.Timezone)
	}
}

// maxPriority bounds the priority of a recipe.
const maxPriority = 1000

var recipeName = regexp.MustCompile(`^[\pL\pN][\pL\pM\pN_.-]*$`)

// kinds checks `pages`. top is the recipe's own map: its page gives the defaults.
func (c *checker) kinds(top object, pages field, page Page) []Kind {
	fields, ok := pages.members("NAME: with urls and tables below it")
	if !ok {
		return nil
	}
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
		if !recipeName.MatchString(f.name) {
			c.add(f.key.Line, f.key.Column, "pages", "%q is no name for a kind of pages. Write letters, digits, _ and -.", f.name)
		}
	}
	var shared scope
	if f, ok := top.get("page"); ok {
		page = c.page(f.value, page, &shared)
	}
	var kinds []Kind
	known := map[string]bool{}
	for _, f := range fields {
		if o, ok := f.object(reflect.TypeFor[kindKeys](), "urls: and tables:"); ok {
			k := c.kind(o, f.name, page, names)
			for _, u := range shared.uses {
				known[u.name] = known[u.name] || k.knows(u.name)
			}
			kinds = append(kinds, k)
		}
	}
	for _, u := range shared.uses {
		if !known[u.name] {
			c.noValues(u, nil)
		}
	}
	if len(kinds) > 0 && len(c.names) == 0 && len(kinds) == len(fields) {
		c.add(pages.key.Line, pages.key.Column, "pages", "no kind of page has tables. Write tables: below one.")
	}
	return kinds
}

// kind checks one kind of pages: the recipe itself, or an entry of `pages`.
func (c *checker) kind(o object, name string, page Page, kinds []string) Kind {
	k := Kind{Name: name, Page: page}
	s := &scope{}
	if f, ok := o.get("with"); ok {
		k.With = c.variables(f.value, s, nil)
	}
	if f, ok := o.get("urls"); ok {
		k.Sources = c.sources(f.value, s, kinds)
		s.open = k.open()
	} else {
		c.add(o.node.Line, o.node.Column, o.path, "urls is missing. Write urls: https://...")
	}
	if f, ok := o.get("page"); ok && (kinds == nil || o.path != "") {
		k.Page = c.page(f.value, page, s)
	}
	if f, ok := o.get("tables"); ok {
		k.Tables = c.tables(f.value, s)
	} else if kinds == nil {
		c.add(o.node.Line, o.node.Column, o.path, "tables is missing. Write tables: and below it a name, as   leaders: {key: [player]}.")
	}
	c.partsOfFrames(k)
	c.resolve(k, s)
	return k
}

// partsOfFrames tells tables in frames whose rows page.next would lead on.
func (c *checker) partsOfFrames(k Kind) {
	if k.Page.Next == nil {
		return
	}
	for _, t := range k.Tables {
		if place, _ := SplitPlace(t.From + t.Each); place == PlaceFrame && t.Rows != "visible" {
			c.add(t.Pos.Line, t.Pos.Column, "tables."+t.Name, "page.next leads through the parts of the page itself, and a table in a frame is read once, after the last of them. Write rows: visible if that is meant, or take page.next out.")
		}
	}
}

// pos is the place of a node.
func pos(n *yaml.Node) Position { return Position{n.Line, n.Column} }

// polite checks the pace.
func (c *checker) polite(v value, p *Polite) {
	o, ok := v.object(reflect.TypeFor[politeKeys](), "rate: 15/min")
	if !ok {
		return
	}
	if f, ok := o.get("rate"); ok {
		if s, ok := f.text("a rate, as 15/min"); ok {
			if d, ok := parseRate(s); ok {
				p.Delay = d
			} else {
				f.wrong("%s is no rate. Write pages per s, min, hour or day, as 15/min, 1/s or 20/hour, or none for hosts of your own.", s)
			}
		}
	}
	if f, ok := o.get("concurrency"); ok {
		if n, ok := f.number(1, 1000); ok {
			p.Concurrency = n
		}
	}
	if f, ok := o.get("robots"); ok {
		if s, ok := f.wordOf(robotsWords); ok {
			p.ObeyRobots = s == robotsWords[0]
		}
	}
	if f, ok := o.get("retries"); ok {
		if n, ok := f.number(0, 100); ok {
			p.Retries = n
		}
	}
}

var rateForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?/ ?(s|min|hour|day)$`)

// parseRate gives the time between two page starts of 15/min; 0 for none.
func parseRate(s string) (time.Duration, bool) {
	if s == "none" {
		return 0, true
	}
	m := rateForm.FindStringSubmatch(s)
	if m == nil {
		return 0, false
	}
	var n float64
	if _, err := fmt.Sscan(m[1], &n); err != nil || n <= 0 {
		return 0, false
	}
	unit := map[string]time.Duration{"s": time.Second, "min": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[m[2]]
	d := time.Duration(float64(unit) / n)
	return d, d > 0 && d <= 1000*24*time.Hour
}
