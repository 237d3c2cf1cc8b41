package extract

import (
	"regexp"
	"slices"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// Proposal is how a recipe may take one table of a page: what names a row, and
// which rows are none.
type Proposal struct {
	Name     string // of the table
	Selector string // CSS that finds it; "" for cards and rows out of JSON
	Caption  string
	Cards    *recipe.Table // set where its rows are elements that repeat
	Table    Table
	Problem  *Problem // why its rows are not all there, nil when they are
	Repeated int      // header rows repeated in the body, which are left out by themselves

	// Key names columns of which no two rows have the same values and none is
	// empty; empty where no three columns do.
	Key []string
	// Link is a column of the key that is made of the links of a cell.
	Link *LinkColumn
	// Skip is CSS of the rows that have no key, "" where all have one; Skipped
	// holds the first text of each of them.
	Skip    string
	Skipped []string
}

// LinkColumn is a column that is cut out of the links of another one.
type LinkColumn struct {
	Name   string
	Header string // of the column whose cells hold the links
	CSS    string
	Match  string
}

// Propose gives a proposal for each table of a reading by LookScript that may
// hold data, in the order of the page. Tables with the same columns and a class
// that only they have are one. page names a table that no id names.
func Propose(r *Reading, page string) []Proposal {
	var out []Proposal
	for _, grids := range kin(r) {
		table, s, problem := tableFrom(r, grids, "")
		if table == nil || len(table.Rows) < 2 || len(s.columns) < 2 {
			continue
		}
		p := Proposal{Selector: grids[0].Selector, Caption: grids[0].Caption, Table: *table, Problem: problem}
		if len(grids) > 1 {
			p.Selector, p.Caption = "."+ownClass(r, grids), ""
		}
		for _, g := range grids {
			for _, row := range g.Rows {
				if row.Role == "header" {
					p.Repeated++
				}
			}
		}
		p.findKey(s, grids[0].Kind, r.Lang)
		out = append(out, p)
	}
	taken := map[string]bool{}
	for i := range out {
		out[i].Name = unique(out[i].nameOn(page, len(out) == 1), taken)
		out[i].Table.Name = out[i].Name
	}
	return out
}

// kin puts the grids of a page together that are one table in parts.
func kin(r *Reading) [][]*Grid {
	var groups [][]*Grid
	at := map[string]int{}
	for i := range r.Grids {
		g := &r.Grids[i]
		var names []string
		for _, h := range headsOf(g) {
			names = append(names, h.name)
		}
		header := g.Kind + "\x00" + strings.Join(names, "\x00")
		if n, known := at[header]; known && len(g.Header) > 0 {
			groups[n] = append(groups[n], g)
			continue
		}
		at[header] = len(groups)
		groups = append(groups, []*Grid{g})
	}
	var out [][]*Grid
	for _, grids := range groups {
		if len(grids) == 1 || ownClass(r, grids) != "" {
			out = append(out, grids)
			continue
		}
		for _, g := range grids {
			out = append(out, []*Grid{g})
		}
	}
	return out
}

// ownClass is a class that all these grids have and no other; "" for none.
func ownClass(r *Reading, grids []*Grid) string {
	for _, class := range grids[0].Classes {
		n := 0
		for i := range r.Grids {
			if slices.Contains(r.Grids[i].Classes, class) {
				n++
			}
		}
		shared := !slices.ContainsFunc(grids, func(g *Grid) bool { return !slices.Contains(g.Classes, class) })
		if shared && n == len(grids) && plainName.MatchString(class) {
			return class
		}
	}
	return ""
}

// nameOn is the name of the table: from its id; the page's where it is the only
// one; else from its caption.
func (p *Proposal) nameOn(page string, only bool) string {
	if id, found := strings.CutPrefix(p.Selector, "#"); found {
		if name := shortName(recipe.SQLName(id)); name != "" {
			return name
		}
	}
	if name := shortName(recipe.SQLName(clip(p.Caption, 40))); name != "" && !only {
		return name
	}
	return page
}

// ProposeJSON is a proposal for the rows of a response, for a page that shows no
// table; ok is false where the response holds no rows.
func ProposeJSON(source Source, name string) (p Proposal, ok bool) {
	t := &recipe.Table{Name: name, JSON: &recipe.JSONSource{}, Rows: "all", OtherColumns: "keep", Duplicates: "error"}
	s, problem := jsonSheet(&Reading{}, []Source{source}, t, nil)
	if problem != nil || len(s.rows) < 2 || len(s.columns) < 2 {
		return Proposal{}, false
	}
	table, problem := resolve(s, t, pageVars{})
	if problem != nil {
		return Proposal{}, false
	}
	table.Complete, table.Proof, table.Total = s.complete, s.proof, s.total
	p = Proposal{Name: name, Table: *table, Problem: judge(table, s, t, &Reading{Settled: true})}
	p.findKey(s, s.kind, "")
	return p, true
}

// Table is a recipe's table for the cards.
func (c *Cards) Table(name string) recipe.Table {
	t := recipe.Table{Name: name, Each: c.Selector, Rows: "all", MinRows: 1, OtherColumns: "keep", Duplicates: "error"}
	taken := map[string]bool{}
	for i, f := range c.Fields {
		t.Columns = append(t.Columns, recipe.Column{
			Name: unique(columnName(f.Name, i), taken), CSS: f.CSS, Attr: f.Attr, Optional: f.Optional,
		})
	}
	return t
}

// ProposeCards is a proposal for a table of cards, as it was read with its problem.
func ProposeCards(spec recipe.Table, table Table, problem *Problem, lang string) Proposal {
	p := Proposal{Name: spec.Name, Cards: &spec, Table: table, Problem: problem}
	p.findKey(&sheet{rows: make([]sheetRow, len(table.Rows))}, "each", lang)
	return p
}

// suffixes are ends of ids that say no more than that there is a table.
var suffixes = regexp.MustCompile(`_(stats|table|tbl|grid|list|data|wrapper|container)$`)

// shortName is a name without what says nothing, "" where nothing is left.
func shortName(name string) string {
	short := suffixes.ReplaceAllString(name, "")
	if idle.MatchString(short) {
		return ""
	}
	return short
}

// idle are names that say nothing: table_1, grid, a1.
var idle = regexp.MustCompile(`^((data)?table|tbl|grid|data|list|main|content|root|app|\pL?)_?\d*$`)

// How well a column names rows; lower is better. Ranks change with every game,
// so they name a row only where nothing else does.
const (
	fitLink = iota
	fitID
	fitText
	fitDate
	fitInteger
	fitRank
)

// candidate is a column that may be part of a key.
type candidate struct {
	name   string
	values []string // by row, "" for none
	fit    int
	link   *LinkColumn
}

const (
	// keyColumns is the most columns that a proposed key has.
	keyColumns = 3
	// keyCandidates bounds the search: 12 columns have 298 sets of up to three.
	keyCandidates = 12
	// keyText is the length in bytes, on average, beyond which a text is prose.
	keyText = 80
)

var (
	idNames   = regexp.MustCompile(`(^|_)(id|code|sku|isbn|key|slug|symbol|number|iban|vin|uuid|ticker)$`)
	dateNames = regexp.MustCompile(`(^|_)(year|season|date|month|week|day)$`)
	rankNames = regexp.MustCompile(`^(rk|rank|ranking|no|nr|row|pos|position|place|platz|rang)$`)
)

// findKey looks for the fewest and best columns that name every row.
func (p *Proposal) findKey(s *sheet, kind, lang string) {
	all := p.candidates(s, lang)
	all, skips := p.skips(s, kind, all)
	slices.SortStableFunc(all, func(a, b candidate) int { return a.fit - b.fit })
	for _, worst := range []int{fitDate, fitInteger, fitRank} {
		n := 0
		for n < len(all) && all[n].fit <= worst {
			n++
		}
		for size := 1; size <= keyColumns; size++ {
			if key := naming(all[:min(n, keyCandidates)], size, skips); key != nil {
				p.take(key, s, skips)
				return
			}
		}
	}
}

// take makes the columns the key.
func (p *Proposal) take(key []candidate, s *sheet, skips skipRule) {
	for _, c := range key {
		p.Key = append(p.Key, c.name)
		if c.link != nil {
			p.Link = c.link
		}
		if slices.Contains(c.values, "") {
			p.Skip = skips.css
		}
	}
	if p.Skip == "" {
		return
	}
	for i := range skips.rows {
		if skips.rows[i] {
			p.Skipped = append(p.Skipped, firstText(&s.rows[i]))
		}
	}
}

func firstText(row *sheetRow) string {
	for _, c := range row.cells {
		if !isEmpty(c) {
			return *c.Text
		}
	}
	return ""
}

// candidates lists the columns that may name rows, in the order of the page.
func (p *Proposal) candidates(s *sheet, lang string) []candidate {
	var out []candidate
	taken := map[string]bool{}
	for _, c := range p.Table.Columns {
		taken[c.Name] = true
	}
	for j, c := range p.Table.Columns {
		cells := make([]Cell, len(p.Table.Rows))
		values := make([]string, len(p.Table.Rows))
		length := 0
		for i, row := range p.Table.Rows {
			cells[i] = row[j]
			if !isEmpty(row[j]) && !row[j].Span {
				values[i] = *row[j].Text
				length += len(values[i])
			}
		}
		rule, known := Infer(c.Name, c.Header, lang, cells)
		if !known || length > keyText*len(values) {
			continue
		}
		if link := linkColumn(s, j, c); link != nil && j < len(s.columns) {
			link.Name = unique(link.Name, taken)
			out = append(out, candidate{name: link.Name, values: linkValues(s, j, link.Match), fit: fitLink, link: link})
		}
		if fit, may := fitOf(c.Name, rule, values); may {
			out = append(out, candidate{name: c.Name, values: values, fit: fit})
		}
	}
	return out
}

// fitOf says how well a column names rows; measures do not.
func fitOf(name string, rule Rule, values []string) (fit int, may bool) {
	switch rule.Type {
	case recipe.Integer:
		switch {
		case rankNames.MatchString(name), counts(values):
			return fitRank, true
		case idNames.MatchString(name):
			return fitID, true
		case dateNames.MatchString(name):
			return fitDate, true
		}
		return fitInteger, true
	case recipe.Text:
		if idNames.MatchString(name) {
			return fitID, true
		}
		return fitText, true
	case recipe.Date, recipe.Timestamp, recipe.Time:
		return fitDate, true
	}
	return 0, false
}

// counts says that the values are 1, 2, 3 and so on: the place of a row and no name.
func counts(values []string) bool {
	for i, v := range values {
		if v != thousandless(i+1) {
			return false
		}
	}
	return true
}

// skipRule is a way to leave out the rows that have no key.
type skipRule struct {
	css  string
	rows []bool
}

// skips keeps the candidates that every row has, or every row but a few that can
// be told from the others by CSS. There is one such rule for a table: that of
// the best candidate that needs one.
func (p *Proposal) skips(s *sheet, kind string, all []candidate) ([]candidate, skipRule) {
	var rule skipRule
	kept := all[:0:0]
	byFit := slices.Clone(all)
	slices.SortStableFunc(byFit, func(a, b candidate) int { return a.fit - b.fit })
	for _, c := range byFit {
		missing := make([]bool, len(c.values))
		n := 0
		for i, v := range c.values {
			if v == "" {
				missing[i] = true
				n++
			}
		}
		switch {
		case n == 0:
		case rule.css != "" && slices.Equal(missing, rule.rows):
		case rule.css == "" && n <= max(3, len(missing)/20):
			css := skipCSS(s, kind, missing, c.link)
			if css == "" {
				continue
			}
			rule = skipRule{css, missing}
		default:
			continue
		}
		kept = append(kept, c)
	}
	return kept, rule
}

// skipCSS finds the marked rows by a class that no other row has, or by the link
// that they lack; "" where nothing tells them apart.
func skipCSS(s *sheet, kind string, marked []bool, link *LinkColumn) string {
	var common []string
	first := true
	others := map[string]bool{}
	for i, m := range marked {
		tokens := strings.Fields(s.rows[i].class)
		switch {
		case !m:
			for _, t := range tokens {
				others[t] = true
			}
		case first:
			common, first = tokens, false
		default:
			common = slices.DeleteFunc(common, func(t string) bool { return !slices.Contains(tokens, t) })
		}
	}
	row := ""
	if kind == "html" {
		row = "tr"
	}
	for _, t := range common {
		if !others[t] && plainName.MatchString(t) {
			return row + "." + t
		}
	}
	if link != nil && kind == "html" {
		return "tr:not(:has(" + link.CSS + "))"
	}
	return ""
}

// plainName is a class that needs no escapes in CSS.
var plainName = regexp.MustCompile(`^[A-Za-z_][\w-]*$`)

// naming gives the first set of size candidates by which all rows differ.
func naming(all []candidate, size int, skips skipRule) []candidate {
	set := make([]int, size)
	var try func(at, from int) []candidate
	try = func(at, from int) []candidate {
		if at == size {
			return distinct(all, set, skips)
		}
		for i := from; i < len(all); i++ {
			set[at] = i
			if key := try(at+1, i+1); key != nil {
				return key
			}
		}
		return nil
	}
	return try(0, 0)
}

// distinct gives the candidates of a set when no two rows that stay have equal values.
func distinct(all []candidate, set []int, skips skipRule) []candidate {
	key := make([]candidate, len(set))
	skipping := false
	for i, at := range set {
		key[i] = all[at]
		skipping = skipping || slices.Contains(all[at].values, "")
	}
	seen := map[string]bool{}
	for row := range key[0].values {
		if skipping && skips.rows[row] {
			continue
		}
		var b strings.Builder
		for _, c := range key {
			b.WriteString(c.values[row])
			b.WriteByte(0)
		}
		if seen[b.String()] {
			return nil
		}
		seen[b.String()] = true
	}
	return key
}
