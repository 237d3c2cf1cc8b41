package recipe

import (
	"net/url"
	"reflect"
	"slices"
	"strings"
)

// sources checks `urls`: a URL, a source, or a list of both. kinds names the
// kinds of pages, nil where there are none.
func (c *checker) sources(v value, s *scope, kinds []string) []Source {
	entries := []value{v}
	if v.isList() {
		list, ok := v.items("urls: https://...")
		if !ok {
			return nil
		}
		entries = list
	}
	outer := slices.Clone(s.with)
	var out []Source
	for _, e := range entries {
		if !e.isMap() || e.bracketed() {
			if text, ok := e.text("a URL: https://..."); ok {
				out = append(out, Source{Kind: SourceURL, Value: text, Pos: pos(e.node)})
				c.template(e, text, s)
			}
			continue
		}
		if source, ok := c.source(e, s, outer, kinds); ok {
			out = append(out, source)
		}
	}
	return out
}

// sourceKinds are the keys that say what a source is; exactly one stands in it.
var sourceKinds = []string{"url", "file", "sitemap", "sql", "links"}

func (c *checker) source(v value, s *scope, outer []declared, kinds []string) (Source, bool) {
	o, ok := v.object(reflect.TypeFor[sourceKeys](), "url: https://...")
	if !ok {
		return Source{}, false
	}
	o.exclusive("a source is one of them", sourceKinds...)
	out := Source{Pos: pos(v.node)}
	for _, kind := range sourceKinds {
		if f, ok := o.get(kind); ok {
			out.Kind = SourceKind(kind)
			if w, ok := o.get("with"); ok && out.Kind == SourceURL {
				out.With = c.variables(w.value, s, outer)
			}
			out.Value = c.sourceValue(f, out, s)
			break
		}
	}
	if out.Kind == "" {
		v.wrong("names no source. Write one of %s.", strings.Join(sourceKinds, ", "))
		return out, false
	}
	if out.Kind != SourceURL {
		o.without("with goes with url in a source. Move it below urls.", "with")
	}
	if f, ok := o.get("match"); ok {
		if out.Kind != SourceSitemap && out.Kind != SourceLinks {
			o.without("match goes with sitemap and links.", "match")
		}
		out.Match = f.regex()
	}
	if out.Kind != SourceLinks {
		o.without("goes with links.", "in", "depth", "hosts")
		return out, true
	}
	c.links(o, &out, kinds)
	return out, true
}

// sourceValue is the value of url, file, sitemap, sql or links.
func (c *checker) sourceValue(f field, out Source, s *scope) string {
	switch out.Kind {
	case SourceURL:
		text, ok := f.text("a URL: https://...")
		if ok {
			c.template(f.value, text, s, out.With...)
		}
		return text
	case SourceSitemap:
		text, ok := f.text("the URL of a sitemap: https://...")
		if ok {
			s.plain(f.value, text)
			f.checkURL(text)
		}
		return text
	case SourceLinks:
		return f.css(s, cssPlain)
	case SourceSQL:
		text, _ := f.text(`a query with a column url: "select url from ..."`)
		s.plain(f.value, text)
		return text
	}
	text, _ := f.text("a file, as urls.txt")
	s.plain(f.value, text)
	return text
}

func (c *checker) links(o object, out *Source, kinds []string) {
	if f, ok := o.get("in"); ok {
		if out.In, ok = f.text("a kind of pages"); ok && !slices.Contains(kinds, out.In) {
			if kinds == nil {
				f.wrong("goes with pages, and this recipe has one kind of page. Take it out.")
			} else {
				f.wrong("there is no kind of pages %s%s Kinds: %s.", out.In, didYouMean(out.In, kinds), strings.Join(kinds, ", "))
			}
		}
	}
	out.Depth = 1
	if f, ok := o.get("depth"); ok {
		if n, ok := f.number(1, 1000); ok {
			out.Depth = n
		}
	}
	if f, ok := o.get("hosts"); ok {
		entries, _ := f.items("[cdn.example]")
		for _, e := range entries {
			if host, ok := e.text("a host, as cdn.example"); ok {
				if _, err := Host("https://" + host); err != nil || strings.ContainsAny(host, "/?#@") {
					e.wrong("%s is no host. Write a name, as cdn.example or cdn.example:8080.", host)
				}
				out.Hosts = append(out.Hosts, host)
			}
		}
	}
}

// template checks a URL in which variables may stand.
func (c *checker) template(v value, text string, s *scope, own ...Variable) {
	s.template(v, text, own...)
	if parts, bad := parseTemplate(text); len(bad) == 0 {
		v.checkURL(fillURL(parts, func(string) string { return "x" }))
	}
}

// checkURL tells what is wrong with a URL.
func (v value) checkURL(text string) {
	lower := strings.ToLower(text)
	if !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") {
		v.wrong("a URL begins with https:// or http://.")
		return
	}
	if strings.ContainsAny(text, " \t\r\n") {
		v.wrong("a URL holds no white space. Write %%20, or a list with one URL a line.")
		return
	}
	u, err := url.Parse(text)
	if err == nil && u.User != nil {
		v.wrong("a URL with a name and password is not taken. Write page.headers with Authorization: {secret: NAME}.")
		return
	}
	if err == nil {
		_, err = Host(text)
	}
	if err != nil {
		v.wrong("is no URL that can be opened: %v. Write it as the browser shows it; a %% that is meant itself is %%25.", reason(err))
	}
}

// reason is the innermost cause of an error: the outer ones repeat the URL.
func reason(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok || u.Unwrap() == nil {
			return err
		}
		err = u.Unwrap()
	}
}
