package extract

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tabfarm/tabfarm/recipe"
)

// maxLinks is how many links of one page are followed at most; links.js has it too.
const maxLinks = 100_000

// ErrTooManyLinks says that the selectors of links match more than is followed of one page.
var ErrTooManyLinks = errors.New("too many links on one page")

// Link is a link of a page that some source of links of the recipe matches.
type Link struct {
	Source int    `json:"s"` // place in Kind.Links
	URL    string `json:"u"` // absolute
	// Number tells the links of a page apart, in the order in which they came to
	// be seen. One link may stand in rows of several tables.
	Number int `json:"i"`
}

// countLinks refuses links that no script of ours sends, and too many of them.
func countLinks(links []Link, sum *int) error {
	*sum += len(links)
	if *sum > 2*maxLinks { // a link may stand in rows of two tables
		return ErrTooManyLinks
	}
	for _, l := range links {
		if l.Source < 0 || l.Number < 0 {
			return fmt.Errorf("link %d of source %d is not known", l.Number, l.Source)
		}
	}
	return nil
}

// rowLink is a link in a row of a table, as it stands before rows are collapsed.
type rowLink struct {
	Link
	row []Cell
}

// linksOf takes the links of a sheet's rows, which are those of the table.
func linksOf(table *Table, s *sheet) {
	for i := range s.rows {
		for _, l := range s.rows[i].links {
			table.links = append(table.links, rowLink{l, table.Rows[i]})
		}
	}
}

// Links gives the links of a page, in the order in which they were seen, with
// their variables: those of the page, and for a link in a row the row's columns,
// which go before them. Tables are those that Tables gave for the same reading.
//
// The error is a *Problem where the page has to give links, as its kind has no
// tables, and gives none, or where that is not known.
func Links(r *Reading, k *recipe.Kind, tables []Table, vars map[string]string) ([]recipe.FoundLink, error) {
	if len(k.Links) == 0 {
		return nil, nil
	}
	g := gathered{kind: k, at: map[occurrence]int{}, urls: map[string]bool{}, claimed: map[int]bool{}}
	for i := range k.Links {
		g.base = append(g.base, baseVars(k, &k.Links[i], tables, vars))
	}
	for i := range tables {
		g.table(&tables[i])
	}
	g.rest(r)
	slices.SortStableFunc(g.links, func(a, b numbered) int { return cmp.Compare(a.number, b.number) })
	links := make([]recipe.FoundLink, 0, len(g.links))
	for _, l := range g.links {
		links = append(links, l.FoundLink)
	}
	if len(k.Tables) > 0 {
		return links, nil
	}
	switch {
	case len(links) == 0:
		return nil, signed(problemf(outcomeEmpty, "nothing on the page matches links: %q.", k.Links[0].CSS), r)
	case !r.Settled:
		return links, problemf(outcomeIncomplete, "the page had not come to rest by its deadline; %d links were there and nothing proves that they are all.", len(links))
	}
	return links, nil
}

// baseVars are the variables of every link of one source: those of the page, and
// the columns of tables whose row is the page.
func baseVars(k *recipe.Kind, l *recipe.Link, tables []Table, vars map[string]string) map[string]string {
	base := map[string]string{}
	maps.Copy(base, vars)
	for i := range tables {
		if t := tableOf(k, tables[i].Name); t != nil && t.Each == "page" {
			for _, row := range tables[i].Rows {
				lend(base, tables[i].Columns, row, ownKey(k, l, t.Name))
			}
		}
	}
	return base
}

func tableOf(k *recipe.Kind, name string) *recipe.Table {
	if i := slices.IndexFunc(k.Tables, func(t recipe.Table) bool { return t.Name == name }); i >= 0 {
		return &k.Tables[i]
	}
	return nil
}

// ownKey are the columns that a row does not lend to a link within its kind: the
// page that it leads to has the same table, and its key columns are its own. With
// them a page would be another one for every row that leads to it.
func ownKey(k *recipe.Kind, l *recipe.Link, table string) []string {
	if t := tableOf(k, table); t != nil && l.To == k.Name {
		return t.Key
	}
	return nil
}

// lend makes a row's columns variables, but for some; one without a value is empty.
func lend(vars map[string]string, columns []Column, row []Cell, but []string) {
	for i, c := range columns {
		if slices.Contains(but, c.Name) {
			continue
		}
		text := ""
		if row[i].Text != nil {
			text = *row[i].Text
			if row[i].JSON {
				text = jsonText(text)
			}
		}
		vars[c.Name] = text
	}
}

// gathered are the links of a page so far.
type gathered struct {
	kind    *recipe.Kind
	base    []map[string]string // variables of every link, by its source
	links   []numbered
	at      map[occurrence]int // links in rows, by where they stand
	urls    map[string]bool    // source and URL of links in rows
	claimed map[int]bool       // numbers of links in rows
}

type numbered struct {
	recipe.FoundLink
	number int
}

// occurrence names a link in a row across the tables that read the row: a grid
// that draws its rows anew may give one element to several rows of a table.
type occurrence struct{ number, nth int }

func urlKey(l Link) string { return fmt.Sprintf("%d %s", l.Source, l.URL) }

// table adds the links in the rows of a table. One that stands in rows of
// several tables has the columns of all; the later table's go before.
func (g *gathered) table(t *Table) {
	nth := map[int]int{}
	for _, l := range t.links {
		if l.Source >= len(g.kind.Links) {
			continue
		}
		here := occurrence{l.Number, nth[l.Number]}
		nth[l.Number]++
		i, known := g.at[here]
		if !known {
			i = len(g.links)
			g.at[here], g.claimed[l.Number], g.urls[urlKey(l.Link)] = i, true, true
			g.links = append(g.links, numbered{recipe.FoundLink{Link: l.Source, URL: l.URL, Vars: maps.Clone(g.base[l.Source])}, l.Number})
		}
		lend(g.links[i].Vars, t.Columns, l.row, ownKey(g.kind, &g.kind.Links[l.Source], t.Name))
	}
}

// rest adds the links that stand in no row of a table. A row that skip leaves
// out takes its links along, and what a row links to is the row's elsewhere too.
func (g *gathered) rest(r *Reading) {
	add := func(l Link) {
		if l.Source < len(g.kind.Links) && !g.claimed[l.Number] && !g.urls[urlKey(l)] {
			g.claimed[l.Number] = true
			g.links = append(g.links, numbered{recipe.FoundLink{Link: l.Source, URL: l.URL, Vars: g.base[l.Source]}, l.Number})
		}
	}
	for i := range r.Grids {
		for _, row := range r.Grids[i].Rows {
			if row.Role != "skipped" {
				for _, l := range row.Links {
					add(l)
				}
			}
		}
	}
	for _, l := range r.Links {
		add(l)
	}
}
