package extract

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// linkColumn finds in the links of a column what names the thing that each leads
// to: a parameter of the query, or the last part of the path. It is nil where
// fewer than four rows of five have a link, or where nothing in them differs.
func linkColumn(s *sheet, column int, c Column) *LinkColumn {
	var links []*url.URL
	for i := range s.rows {
		if link := linkOf(&s.rows[i], column); link != "" {
			u, err := url.Parse(link)
			if err != nil {
				return nil
			}
			links = append(links, u)
		}
	}
	if len(links) < 2 || len(links) < len(s.rows)*4/5 {
		return nil
	}
	out := &LinkColumn{Name: recipe.SQLName(c.Name + "_id"), Header: c.Header}
	if out.Header == "" {
		out.Header = c.Name
	}
	var part string // of the link, which tells it from other links of the row
	if part, out.Match = parameter(links); part == "" {
		part, out.Match = lastPart(links)
	}
	if part == "" || strings.ContainsAny(part, `'"\`) || othersHold(s, column, part) {
		return nil
	}
	out.CSS = "a[href*='" + part + "']"
	seen := map[string]bool{}
	for _, id := range linkValues(s, column, out.Match) {
		seen[id] = true
	}
	if len(seen) < 2 {
		return nil
	}
	return out
}

func linkOf(row *sheetRow, column int) string {
	hrefs := row.attrs["href"]
	if column >= len(hrefs) || hrefs[column] == nil {
		return ""
	}
	return *hrefs[column]
}

// linkValues cuts the ids out of the links of a column; "" where there is none.
func linkValues(s *sheet, column int, match string) []string {
	re := regexp.MustCompile(match)
	ids := make([]string, len(s.rows))
	for i := range s.rows {
		if m := re.FindStringSubmatch(linkOf(&s.rows[i], column)); m != nil {
			ids[i] = m[1]
		}
	}
	return ids
}

// parameter finds a parameter of the query that all links have and that differs,
// where their paths are one.
func parameter(links []*url.URL) (part, match string) {
	for _, u := range links {
		if u.Path != links[0].Path {
			return "", ""
		}
	}
	for pair := range strings.SplitSeq(links[0].RawQuery, "&") {
		name, _, _ := strings.Cut(pair, "=")
		values := map[string]bool{}
		for _, u := range links {
			if !u.Query().Has(name) {
				values = nil
				break
			}
			values[u.Query().Get(name)] = true
		}
		if name != "" && len(values) > 1 {
			return name + "=", `[?&]` + regexp.QuoteMeta(name) + `=([^&#]+)`
		}
	}
	return "", ""
}

// lastPart takes the last part of the paths, whose folder all links share.
func lastPart(links []*url.URL) (part, match string) {
	folder := links[0].EscapedPath()
	end, bare := extension(folder), true
	for _, u := range links {
		path := u.EscapedPath()
		for !strings.HasPrefix(path, folder) {
			folder = folder[:len(folder)-1]
		}
		if extension(path) != end {
			end = ""
		}
		bare = bare && u.RawQuery == "" && u.Fragment == "" && !strings.HasSuffix(path, "/")
	}
	folder = initial.ReplaceAllString(folder[:strings.LastIndexByte(folder, '/')+1], "/")
	switch {
	case strings.Trim(folder, "/") == "":
		return "", "" // any link of the site begins so
	case bare:
		return folder, `/([^/]+)` + regexp.QuoteMeta(end) + `$`
	}
	return folder, `/([^/?#]+?)` + regexp.QuoteMeta(end) + `/?(?:[?#].*)?$`
}

// initial is a folder for one letter, as in /players/j/: other pages have others.
var initial = regexp.MustCompile(`/[^/]/$`)

// extension is the .html at the end of a path.
func extension(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	if dot := strings.LastIndexByte(name, '.'); dot > 0 {
		return name[dot:]
	}
	return ""
}

// othersHold says that another column's links hold the part too: then CSS by it
// would find the wrong one.
func othersHold(s *sheet, column int, part string) bool {
	for i := range s.rows {
		for j := range s.rows[i].attrs["href"] {
			if j != column && strings.Contains(linkOf(&s.rows[i], j), part) {
				return true
			}
		}
	}
	return false
}
