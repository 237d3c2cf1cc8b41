package recipe

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// followed gives the addresses of what links of the kind's pages lead to, each
// behind its kind and, within a kind, how deep it may be.
func followed(t *testing.T, text, kind, page string, links ...FoundLink) []string {
	t.Helper()
	r, err := Parse("f.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Kinds, func(k Kind) bool { return k.Name == kind })
	in := &given{files: map[string]string{"tabs.txt": "x\ny\n"}}
	found, err := r.Follow(context.Background(), &r.Kinds[i], in, Seen{URL: page, Shown: page + "?shown=1", Now: time.Now()}, links)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, p := range found {
		line := p.Kind + " "
		if p.Deepest > 0 {
			line += fmt.Sprintf("%d ", p.Deepest)
		}
		out = append(out, line+p.Page)
	}
	return out
}

func TestFollow(t *testing.T) {
	t.Parallel()
	link := func(url string) FoundLink { return FoundLink{URL: url} }
	const tables = "\ntables: {t: {key: [_url]}}\n"
	tests := map[string]struct {
		source string
		page   string
		links  []string
		want   []string
	}{
		"the page's host": {
			"links: a", "https://a.example/x",
			[]string{"https://a.example/1", "http://A.example:80/2", "https://b.example/3", "https://www.a.example/4", "https://a.example:8443/5", "https://a.example"},
			[]string{"1 https://a.example/1", "1 http://a.example/2", "1 https://a.example/"},
		},
		"further hosts": {
			"links: a, hosts: [b.example, 'c.example:8080']", "https://a.example/x",
			[]string{"https://a.example/1", "http://b.example/3", "https://c.example/4", "http://c.example:8080/5"},
			[]string{"1 https://a.example/1", "1 http://b.example/3", "1 http://c.example:8080/5"},
		},
		"no pages": {
			"links: a", "https://a.example/x",
			[]string{"mailto:a@a.example", "javascript:void(0)", "ftp://a.example/", "https://me:secret@a.example/", "https://a.example/%zz", "", "https://"},
			nil,
		},
		"fragments": {
			"links: a", "https://a.example/x",
			[]string{"https://a.example/x#top", "https://a.example/x#", "https://a.example/x?shown=1#top", "https://a.example/x#/route", "https://a.example/x#!route", "https://a.example/y#part", "https://a.example/x"},
			[]string{"1 https://a.example/x#/route", "1 https://a.example/x#!route", "1 https://a.example/y#part", "1 https://a.example/x"},
		},
		"match and depth": {
			"links: a, match: '/p/\\d+$', depth: 3", "https://a.example/",
			[]string{"https://a.example/p/1", "https://a.example/p/1/more", "https://a.example/q", "https://a.example/p/1"},
			[]string{"3 https://a.example/p/1"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var links []FoundLink
			for _, u := range test.links {
				links = append(links, link(u))
			}
			got := followed(t, "urls: [https://a.example/, {"+test.source+"}]"+tables, "", test.page, links...)
			for i := range got {
				got[i] = strings.TrimPrefix(got[i], " ")
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// Of the variables that come with a link those go on that the other kind uses.
func TestFollowWithVariables(t *testing.T) {
	t.Parallel()
	const text = `
pages:
  search:
    urls: https://a.example/
    tables: {found: {key: [number]}}
  company:
    urls:
      - links: "td a"
        in: search
        depth: 2
      - links: "nav a"
    with: {tab: {file: tabs.txt}}
    tables:
      details: {each: page, key: [number, tab]}
`
	row := func(url, number, name string) FoundLink {
		return FoundLink{URL: url, Vars: map[string]string{"number": number, "name": name, "tab": "a column too"}}
	}
	got := followed(t, text, "search", "https://a.example/",
		row("https://a.example/c", "1", "A"), row("https://a.example/c", "1", "B"), row("https://a.example/c", "2/3", "C"))
	want := []string{
		"company https://a.example/c#~number=1&tab=x", "company https://a.example/c#~number=1&tab=y",
		"company https://a.example/c#~number=2%2F3&tab=x", "company https://a.example/c#~number=2%2F3&tab=y",
	}
	if !slices.Equal(got, want) {
		t.Errorf("from the search\n%s", strings.Join(got, "\n"))
	}
	// On pages of company both sources look: td a for the second link, nav a for the first.
	got = followed(t, text, "company", "https://a.example/c",
		FoundLink{Link: 0, URL: "https://a.example/d"}, FoundLink{Link: 1, URL: "https://a.example/e"})
	want = []string{
		"company 1 https://a.example/d#~tab=x", "company 1 https://a.example/d#~tab=y",
		"company 1 https://a.example/e#~tab=x", "company 1 https://a.example/e#~tab=y",
	}
	if !slices.Equal(got, want) {
		t.Errorf("from a company\n%s", strings.Join(got, "\n"))
	}
}
