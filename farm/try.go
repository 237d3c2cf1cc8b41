package farm

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// tryTimeout is the time for a load of a page that no recipe describes.
const tryTimeout = 30 * time.Second

// Try opens one page and gives its rows with the types that they take by
// themselves; nothing is stored. How the page ended is in Tried, the error is
// about the recipe or the browser.
func (f *Farm) Try(ctx context.Context, t TryRequest) (out Tried, err error) {
	if t.Recipe != nil {
		if err := f.checkAccess(t.Recipe); err != nil {
			return Tried{}, err
		}
	}
	kind, page, err := f.tried(ctx, t)
	if err != nil {
		return Tried{}, err
	}
	out.URL = page.URL
	known, err := f.secrets(kind)
	if err != nil {
		return out, err
	}
	defer func() { out.Message = known.hide(out.Message) }()
	all := t.Grid || t.Recipe == nil
	request, err := f.request(kind, page.URL, page.Vars, known, all)
	if err != nil {
		return out, err
	}
	request.Group, request.Turn = f.group("try"), pace(f.unasked(ctx, page.URL))
	if t.Recipe != nil {
		request.Turn = pace(t.Recipe.Polite.Delay)
		sessions, err := f.loadSessions(t.Recipe)
		if err != nil {
			return out, err
		}
		request.Cookies, request.Storage = sessions[kind.Page.Session].cookies, sessions[kind.Page.Session].storage
		if host, err := recipe.Host(page.URL); err == nil {
			request.HeaderHosts = []string{host}
		}
	}
	if t.Recipe == nil || t.Recipe.Polite.ObeyRobots {
		if end := f.tryRobots(ctx, page.URL); end != nil {
			out.end(end)
			return out, nil
		}
	}
	answer, err := f.openOnce(ctx, request)
	if ctx.Err() != nil {
		return out, context.Cause(ctx)
	}
	if all {
		return triedAll(out, answer, err, kind, request.Timeout)
	}
	rows, end := read(answer, err, kind, page.Vars, request.Timeout)
	if end == nil {
		if end, err = rows.follow(ctx, t.Recipe, f.inputs(t.Recipe), page.URL, time.Now()); err != nil {
			return out, &PlanError{Recipe: t.Recipe.Name, Err: err}
		}
		out.Links = rows.triedLinks()
	}
	if end == nil {
		end = success(rows)
	}
	out.end(end)
	for i := range rows.tables {
		typed, problem := typeTable(&rows.tables[i], rows.lang, keyOf(kind, rows.tables[i].Name))
		out.Tables = append(out.Tables, typed)
		if problem != nil && out.Outcome == OK {
			out.end(&ending{outcome: Outcome(problem.Outcome), message: problem.Message})
		}
	}
	return out, nil
}

func (t *Tried) end(e *ending) { t.Outcome, t.Message, t.Failed = e.outcome, e.message, e.failed() }

func keyOf(kind *recipe.Kind, table string) []string {
	i := slices.IndexFunc(kind.Tables, func(t recipe.Table) bool { return t.Name == table })
	if i < 0 {
		return nil
	}
	return kind.Tables[i].Key
}

// tried finds the page that is meant.
func (f *Farm) tried(ctx context.Context, t TryRequest) (*recipe.Kind, store.NewPage, error) {
	if t.Recipe == nil {
		kind := &recipe.Kind{Page: recipe.Page{Timeout: tryTimeout}}
		return kind, store.NewPage{URL: t.URL, Address: t.URL}, nil
	}
	if m := t.Recipe.Unsupported(); len(m) > 0 {
		return nil, store.NewPage{}, m
	}
	for p, err := range f.newPages(ctx, t.Recipe, f.inputs(t.Recipe), 1, time.Now()) {
		if err != nil {
			return nil, store.NewPage{}, err
		}
		kind, err := kindOf(t.Recipe, p.Kind)
		return kind, p, err
	}
	return nil, store.NewPage{}, &PlanError{Recipe: t.Recipe.Name, Err: fmt.Errorf("the recipe names no page")}
}

func (f *Farm) tryRobots(ctx context.Context, rawURL string) *ending {
	host, err := recipe.Host(rawURL)
	if err != nil {
		return &ending{outcome: RefusedAddress, message: err.Error()}
	}
	rules, err := f.robots.rules(ctx, nil, host, nil)
	if err != nil {
		return nil // the browser will say whether the host can be reached
	}
	if reason := rules.denies(rawURL); reason != "" {
		return &ending{outcome: RobotsDenied, message: reason}
	}
	return nil
}

// unasked is the delay between loads of a page that no recipe describes: that of
// a recipe which says nothing, and none at a host of one's own.
func (f *Farm) unasked(ctx context.Context, rawURL string) time.Duration {
	if u, err := url.Parse(rawURL); err == nil && f.addresses.owns(ctx, u) {
		return 0
	}
	return time.Second
}

// pace gives turns that are so far apart. It is for one page, whose opening took the
// first turn just now.
func pace(delay time.Duration) func(context.Context) error {
	next := time.Now().Add(delay)
	return func(ctx context.Context) error {
		if err := sleep(ctx, time.Until(next)); err != nil {
			return err
		}
		next = time.Now().Add(delay)
		return nil
	}
}

func (f *Farm) openOnce(ctx context.Context, r browserpool.Request) (answer browserpool.Answer, err error) {
	derr := f.Browser.Do(ctx, func(tab *browserpool.Tab) error {
		answer, err = tab.Open(ctx, r)
		return nil
	})
	if derr != nil {
		err = derr
	}
	return answer, err
}

// triedAll gives every table of a page, and its grids.
func triedAll(out Tried, a browserpool.Answer, err error, kind *recipe.Kind, limit time.Duration) (Tried, error) {
	if end := arrived(a, err, kind, limit); end != nil {
		out.end(end)
		return out, nil
	}
	reading, err := decode(a, nil)
	if err != nil {
		out.end(unreadable(err))
		return out, nil
	}
	out.Grids = reading.Grids
	tables, err := extract.Tables(reading, nil, nil, nil)
	var problem *extract.Problem
	if err != nil && !errors.As(err, &problem) {
		return out, fmt.Errorf("name the columns of %q: %w", out.URL, err)
	}
	for i := range tables {
		typed, _ := typeTable(&tables[i], reading.Lang, nil)
		out.Tables = append(out.Tables, typed)
	}
	end := &ending{outcome: OK}
	switch {
	case problem != nil:
		end = explain(problem, reading, tables, a, kind)
	case !reading.Settled:
		end = &ending{outcome: Incomplete, message: fmt.Sprintf("the page had not come to rest after %s", limit)}
	}
	out.end(end)
	return out, nil
}

// typeTable gives a table the types that its own cells take. The problem is a row
// without a value in a key column.
func typeTable(t *extract.Table, lang string, key []string) (_ TypedTable, problem *extract.Problem) {
	out := TypedTable{Name: t.Name, Complete: t.Complete, Proof: t.Proof, Total: t.Total, Rows: make([][]*string, len(t.Rows))}
	for i, col := range t.Columns {
		cells := columnCells(t, i)
		rule := extract.Declared(col, lang, cells)
		if col.Type == "" {
			var ok bool
			if rule, ok = extract.Infer(col.Name, col.Header, lang, cells); !ok {
				rule = extract.Rule{Type: recipe.Text}
			}
		}
		out.Columns = append(out.Columns, TypedColumn{Name: col.Name, Header: col.Header, Rule: rule})
		for r, cell := range cells {
			value, ok := rule.Value(cell)
			if value == nil && problem == nil && slices.Contains(key, col.Name) {
				problem = badKey(t, r, col.Name, rule, ok)
			}
			if !ok {
				out.Rejected = append(out.Rejected, fmt.Sprintf("%s: row %d has %q, which is no %s", col.Name, r+1, *cell.Text, rule.Type))
			}
			out.Rows[r] = append(out.Rows[r], value)
		}
	}
	return out, problem
}
