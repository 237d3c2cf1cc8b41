package recipe

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Link is a source of links, seen from the pages on which it looks for them.
type Link struct {
	To    string   // kind of the pages that the links lead to
	CSS   string   // of links
	Match string   // RE2; keeps URLs that match
	Hosts []string // further hosts
	// Deepest bounds links within one kind: the depth of a page is the number of
	// links from a page of its own kind that led to it, and no page deeper than
	// this is added. 0 where the links lead to another kind: there counting begins.
	Deepest int
}

// FoundLink is a link as it was read off a page.
type FoundLink struct {
	Link int    // place in Kind.Links
	URL  string // absolute
	Vars map[string]string
}

// FoundPage is a page that a link leads to.
type FoundPage struct {
	Address
	Deepest int // as in Link
}

// Seen is where links were read: the URL of the page, and the one that it ended
// up at. The time is what today means in the values of variables.
type Seen struct {
	URL, Shown string
	Now        time.Time
}

// Follow gives the pages that links of a page of kind k lead to, each address
// once, in the order of the links; where the kind that they lead to has values
// of its own (with) that it uses, a page for each combination. Links to hosts that
// are not meant, those that match does not keep, and those that lead to another
// place of the page itself are left out.
func (r *Recipe) Follow(ctx context.Context, k *Kind, in Inputs, at Seen, links []FoundLink) ([]FoundPage, error) {
	if len(links) == 0 {
		return nil, nil
	}
	var out []FoundPage
	place := map[string]int{} // in out, by address
	followers := make([]*follower, len(k.Links))
	for i := range k.Links {
		f, err := r.follower(&k.Links[i], in, at)
		if err != nil {
			return nil, err
		}
		f.yield = func(a Address) error {
			if i, twice := place[a.Page]; !twice {
				place[a.Page] = len(out)
				out = append(out, FoundPage{Address: a, Deepest: f.link.Deepest})
			} else if out[i].Kind == a.Kind && out[i].Deepest > 0 {
				out[i].Deepest = max(out[i].Deepest, f.link.Deepest)
			}
			return nil
		}
		followers[i] = f
	}
	for _, l := range links {
		if l.Link < 0 || l.Link >= len(followers) {
			return nil, fmt.Errorf("follow link %q: the kind %q has no source of links %d", l.URL, k.Name, l.Link)
		}
		if err := followers[l.Link].follow(ctx, l); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// follower makes pages of the links that one Link finds on one page.
type follower struct {
	*expansion
	link  *Link
	with  []Variable // of the kind that the links lead to, as far as it uses them
	match *regexp.Regexp
	hosts []string // without their scheme
	self  []string // URLs of the page itself, without their fragment
}

func (r *Recipe) follower(l *Link, in Inputs, at Seen) (*follower, error) {
	i := slices.IndexFunc(r.Kinds, func(k Kind) bool { return k.Name == l.To })
	if i < 0 {
		return nil, fmt.Errorf("follow links: there is no kind of pages %q", l.To)
	}
	match, err := regexp.Compile(l.Match)
	if err != nil {
		return nil, fmt.Errorf("follow links: match: %w", err)
	}
	f := &follower{expansion: r.expansion(&r.Kinds[i], in, at.Now), link: l, match: match}
	for _, x := range r.Kinds[i].With {
		if f.used[x.Name] {
			f.with = append(f.with, x)
		}
	}
	for _, raw := range []string{at.URL, at.Shown} {
		if clean, err := cleanURL(raw); err == nil {
			bare, _, _ := strings.Cut(clean, "#")
			f.self = append(f.self, bare)
		}
	}
	// The host of the URL that was asked for: a page that leads elsewhere must
	// not take the run along.
	for _, raw := range append([]string{at.URL}, urlsOf(l.Hosts)...) {
		if host, err := Host(raw); err == nil {
			f.hosts = append(f.hosts, withoutScheme(host))
		}
	}
	return f, nil
}

func urlsOf(hosts []string) []string {
	out := make([]string, len(hosts))
	for i, h := range hosts {
		out[i] = "https://" + h
	}
	return out
}

// withoutScheme leaves the name and port of a host: a link from https to http of
// one name stays on its host.
func withoutScheme(host string) string {
	_, name, _ := strings.Cut(host, "://")
	return name
}

// follow yields the pages that a link leads to, if it is followed.
func (f *follower) follow(ctx context.Context, l FoundLink) error {
	clean, yes := f.follows(l.URL)
	if !yes {
		return nil
	}
	vars := map[string]string{}
	for name, value := range l.Vars {
		if !slices.ContainsFunc(f.with, func(x Variable) bool { return x.Name == name }) { // the kind's own values go before
			vars[name] = value
		}
	}
	return f.combine(ctx, f.with, vars, func(vars map[string]string) error {
		return f.page(clean, nil, vars, "link")
	})
}

// follows says whether a link is followed, and gives its URL in one spelling.
func (f *follower) follows(raw string) (clean string, yes bool) {
	clean, err := cleanURL(raw)
	if err != nil { // mailto:, javascript: and what else no page is
		return "", false
	}
	host, err := Host(clean)
	return clean, err == nil && slices.Contains(f.hosts, withoutScheme(host)) && !f.within(clean) && f.match.MatchString(clean)
}

// within says whether a URL is another place of the page itself, as #top is. A
// fragment that is a route, #/teams or #!teams, is another page.
func (f *follower) within(clean string) bool {
	bare, fragment, found := strings.Cut(clean, "#")
	return found && !strings.HasPrefix(fragment, "/") && !strings.HasPrefix(fragment, "!") && slices.Contains(f.self, bare)
}

// HasLinks says whether pages of the recipe are found while others are read.
func (r *Recipe) HasLinks() bool {
	return slices.ContainsFunc(r.Kinds, func(k Kind) bool { return len(k.Links) > 0 })
}

// Lent says whether a variable of a page of this kind can only have come with a
// link: no with of the kind names it. A column of the page goes before it.
func (k *Kind) Lent(name string) bool {
	named := func(with []Variable) bool {
		return slices.ContainsFunc(with, func(x Variable) bool { return x.Name == name })
	}
	linked := slices.ContainsFunc(k.Sources, func(s Source) bool { return s.Kind == SourceLinks })
	return linked && !named(k.With) && !slices.ContainsFunc(k.Sources, func(s Source) bool { return named(s.With) })
}

// follow gives every kind the links that are followed on its pages, and tells
// kinds of which no page can be found.
func (c *checker) follow(kinds []Kind) {
	at := map[string]*Kind{}
	for i := range kinds {
		at[kinds[i].Name] = &kinds[i]
	}
	for i := range kinds {
		k := &kinds[i]
		for j := range k.Sources {
			s := &k.Sources[j]
			if s.Kind != SourceLinks {
				continue
			}
			if s.In == "" {
				s.In = k.Name
			}
			link := Link{To: k.Name, CSS: s.Value, Match: s.Match, Hosts: s.Hosts}
			if in := at[s.In]; in != nil && in != k {
				in.Links = append(in.Links, link)
				link.Deepest = s.Depth - 1 // a page found so has the depth 0
			} else {
				link.Deepest = s.Depth
			}
			if link.Deepest > 0 {
				k.Links = append(k.Links, link)
			}
		}
	}
	c.unreachable(kinds, at)
	if len(c.mistakes) > 0 {
		return // tables that could not be read look like none
	}
	for _, k := range kinds {
		if len(k.Tables) == 0 && len(k.Links) == 0 && len(k.Sources) > 0 {
			p := k.Sources[0].Pos
			c.add(p.Line, p.Column, "pages."+k.Name, "its pages give nothing: they have no tables, and no links are followed on them. Write tables:.")
		}
	}
}

// unreachable tells kinds whose links would be looked for on pages that nothing leads to.
func (c *checker) unreachable(kinds []Kind, at map[string]*Kind) {
	reached := map[string]bool{}
	for again := true; again; {
		again = false
		for _, k := range kinds {
			if reached[k.Name] || len(k.Sources) > 0 && !slices.ContainsFunc(k.Sources, func(s Source) bool {
				return s.Kind != SourceLinks || at[s.In] == nil || reached[s.In]
			}) {
				continue
			}
			reached[k.Name], again = true, true
		}
	}
	for _, k := range kinds {
		if reached[k.Name] {
			continue
		}
		s := k.Sources[0]
		switch {
		case k.Name == "":
			c.add(s.Pos.Line, s.Pos.Column, "urls", "there is no page to begin with: links are looked for on pages of the recipe. Write a list, with a URL before the links.")
		case s.In == k.Name:
			c.add(s.Pos.Line, s.Pos.Column, "pages."+k.Name+".urls", "there is no page to begin with: the links are looked for on pages of %s itself. Write in: with the kind whose pages hold them, or a list with a URL.", k.Name)
		default:
			c.add(s.Pos.Line, s.Pos.Column, "pages."+k.Name+".urls", "there is no page to begin with: the links are looked for on pages of %s, and nothing leads there. Give one of the kinds a URL.", s.In)
		}
	}
}
