package farm

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
)

// Look is what a first look at a page gave, for who writes a recipe for it.
type Look struct {
	URL     string
	Outcome Outcome
	Message string
	Failed  bool          // there is nothing to write a recipe for
	Delay   time.Duration // crawl-delay that robots.txt asks for, 0 for none
	Name    string        // of the recipe, from the URL
	Tables  []extract.Proposal
	// Sources are the responses that hold what a table shows, by its name.
	Sources map[string]extract.Found
	Recipe  []byte // the recipe, nil when Failed
}

// Look opens a page, proposes for each of its tables what names a row, and
// writes a recipe that Run accepts. It reads robots.txt first and stores nothing.
// How the page ended is in the Look; the error is about the browser.
func (f *Farm) Look(ctx context.Context, rawURL string) (Look, error) {
	out := Look{URL: rawURL, Name: recipe.PageName(rawURL), Sources: map[string]extract.Found{}}
	if end := f.tryRobots(ctx, rawURL); end != nil {
		out.Outcome, out.Message, out.Failed = end.outcome, end.message, true
		return out, nil
	}
	if host, err := recipe.Host(rawURL); err == nil {
		if rules, err := f.robots.rules(ctx, nil, host, nil); err == nil {
			out.Delay = rules.delay()
		}
	}
	script, err := extract.LookScript(tryTimeout)
	if err != nil {
		return out, fmt.Errorf("write reading script for %q: %w", rawURL, err)
	}
	kind := &recipe.Kind{Page: recipe.Page{Timeout: tryTimeout}}
	answer, reading, end, err := f.lookAt(ctx, &out, kind, script)
	if err == nil && end == nil {
		if err = f.propose(ctx, &out, reading, answer); len(out.Tables) == 0 {
			end = nothing(reading, answer, kind)
		}
	}
	if err != nil {
		return out, err
	}
	if end != nil {
		out.Outcome, out.Message, out.Failed = end.outcome, end.message, true
		return out, nil
	}
	out.Outcome, out.Recipe = OK, out.draft().Text()
	return out, nil
}

// lookAt opens the page with a reading script and keeps all JSON that it fetches.
// The ending says why there is no reading.
func (f *Farm) lookAt(ctx context.Context, l *Look, kind *recipe.Kind, script string) (browserpool.Answer, *extract.Reading, *ending, error) {
	request, err := f.request(kind, l.URL, nil, nil, false)
	if err != nil {
		return browserpool.Answer{}, nil, nil, err
	}
	request.Script, request.Capture, request.Group = script, []string{"*"}, f.group("look")
	request.Ask, request.Turn = f.asker(l.URL), pace(max(l.Delay, f.unasked(ctx, l.URL)))
	answer, err := f.openOnce(ctx, request)
	if ctx.Err() != nil {
		return answer, nil, nil, context.Cause(ctx)
	}
	if end := arrived(answer, err, kind, tryTimeout); end != nil {
		return answer, nil, end, nil
	}
	reading, err := extract.Decode(answer.Payload)
	if err != nil {
		return answer, nil, unreadable(err), nil
	}
	return answer, reading, nil, nil
}

// propose fills in what a recipe may say, from what was read and what the page
// fetched: tables first, then elements that repeat, then rows out of JSON.
func (f *Farm) propose(ctx context.Context, l *Look, r *extract.Reading, a browserpool.Answer) error {
	responses := append(sources(a.Responses), r.Embedded...)
	l.Tables = extract.Propose(r, l.Name)
	for i := range l.Tables {
		if found, ok := extract.SourceOf(&l.Tables[i].Table, responses); ok {
			l.Sources[l.Tables[i].Name] = found
		}
	}
	if len(l.Tables) > 0 {
		return nil
	}
	if r.Cards != nil {
		if err := f.proposeCards(ctx, l, r.Cards); err != nil {
			return err
		}
	}
	if len(l.Tables) == 0 || l.Tables[0].Problem != nil {
		l.proposeJSON(responses)
	}
	return nil
}

// proposeCards opens the page again, at its host's pace, to read the cards as a
// recipe would.
func (f *Farm) proposeCards(ctx context.Context, l *Look, cards *extract.Cards) error {
	if err := sleep(ctx, max(l.Delay, f.unasked(ctx, l.URL))); err != nil {
		return err
	}
	spec := cards.Table(l.Name)
	kind := &recipe.Kind{Page: recipe.Page{Timeout: tryTimeout}, Tables: []recipe.Table{spec}}
	script, err := extract.Script(kind, nil, nil, false)
	if err != nil {
		return fmt.Errorf("write reading script for %q: %w", l.URL, err)
	}
	_, reading, end, err := f.lookAt(ctx, l, kind, script)
	if err != nil || end != nil {
		return err
	}
	tables, err := extract.Tables(reading, nil, kind, nil)
	var problem *extract.Problem
	errors.As(err, &problem)
	if len(tables) == 1 && len(tables[0].Rows) > 1 {
		l.Tables = []extract.Proposal{extract.ProposeCards(spec, tables[0], problem, reading.Lang)}
	}
	return nil
}

// nothing says why there is nothing to write a recipe for.
func nothing(r *extract.Reading, a browserpool.Answer, kind *recipe.Kind) *ending {
	_, err := extract.Tables(r, nil, nil, nil)
	var problem *extract.Problem
	if !errors.As(err, &problem) {
		problem = &extract.Problem{Outcome: string(SelectorMissing), Message: "the page has no table of two rows and two columns. For rows that are no table write each: with the CSS of one row."}
	}
	return explain(problem, r, nil, a, kind)
}

// proposeJSON takes the response with the most values, where nothing that is
// shown is complete.
func (l *Look) proposeJSON(responses []extract.Source) {
	most := 0
	for _, r := range responses {
		p, ok := extract.ProposeJSON(r, l.Name)
		size := len(p.Table.Rows) * len(p.Table.Columns)
		if !ok || size <= most || len(l.Tables) > 0 && l.Tables[0].Cards != nil && p.Problem != nil {
			continue
		}
		most = size
		l.Tables = []extract.Proposal{p}
		l.Sources[l.Name] = extract.Found{URL: r.URL, Rows: len(p.Table.Rows), Share: 1}
	}
}

// draft is the recipe. The largest table must be there on every page, the
// others may be absent.
func (l *Look) draft() recipe.Draft {
	d := recipe.Draft{URL: l.URL}
	largest := 0
	size := func(i int) int { return len(l.Tables[i].Table.Rows) * len(l.Tables[i].Table.Columns) }
	for i := range l.Tables {
		if size(i) > size(largest) {
			largest = i
		}
	}
	for i := range l.Tables {
		p := &l.Tables[i]
		t := recipe.DraftTable{Name: p.Name, From: p.Selector, Key: p.Key, Skip: p.Skip, Optional: i != largest}
		switch {
		case p.Cards != nil:
			t.Each, t.Columns = p.Cards.Each, p.Cards.Columns
		case p.Selector == "":
			t.JSON = pathOf(l.Sources[p.Name].URL)
		}
		if p.Caption != "" {
			t.Comments = append(t.Comments, p.Caption)
		}
		if len(p.Key) == 0 {
			t.Comments = append(t.Comments, "no columns name a row, so rows belong to their page; key: [...] makes them one across pages")
		}
		if s, ok := l.Sources[p.Name]; ok && p.Selector != "" {
			t.Comments = append(t.Comments, fmt.Sprintf("the page draws it from JSON, which json: %q would read", pathOf(s.URL)))
		}
		if p.Link != nil {
			t.Columns = []recipe.Column{{Name: p.Link.Name, CSS: p.Link.CSS, Attr: "href", Match: p.Link.Match}}
		}
		d.Tables = append(d.Tables, t)
	}
	return d
}

// pathOf is the path of a URL, by which json: finds it whatever its query says.
func pathOf(raw string) string {
	if strings.HasPrefix(raw, "#") {
		return raw // JSON in the page itself
	}
	u, err := url.Parse(raw)
	if err != nil || u.Path == "" || u.Path == "/" {
		return raw
	}
	return u.EscapedPath()
}
