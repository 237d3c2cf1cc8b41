package farm

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// follow finds the pages that the links of a page lead to; url is the page's
// own. The ending is not nil where a page has nothing to give but links, and
// none of those that it has is followed. The error is that of a source of values.
func (rows *pageRows) follow(ctx context.Context, r *recipe.Recipe, in recipe.Inputs, url string, now time.Time) (_ *ending, err error) {
	rows.found, err = r.Follow(ctx, rows.kind, in, recipe.Seen{URL: url, Shown: rows.shown, Now: now}, rows.links)
	if err != nil || len(rows.found) > 0 || len(rows.kind.Tables) > 0 {
		return nil, err
	}
	return &ending{outcome: Empty, message: fmt.Sprintf(
		"none of the %d links that links: %q matches is followed: they lead to other hosts (name them in hosts), to the page itself, or match does not keep them",
		len(rows.links), rows.kind.Links[0].CSS)}, nil
}

// triedLinks counts the pages that the links lead to by kind.
func (rows *pageRows) triedLinks() []TriedLinks {
	var out []TriedLinks
	for _, l := range rows.kind.Links {
		i := slices.IndexFunc(out, func(t TriedLinks) bool { return t.Kind == l.To })
		if i < 0 {
			out = append(out, TriedLinks{Kind: l.To})
		}
	}
	for _, p := range rows.found {
		out[slices.IndexFunc(out, func(t TriedLinks) bool { return t.Kind == p.Kind })].Pages++
	}
	return out
}

// found is what is to be stored with the end of a page: the pages that its links
// lead to, and their number, nil where no links are looked for.
func (w *work) found(rows *pageRows) (store.Found, *int, error) {
	if rows == nil || len(rows.kind.Links) == 0 {
		return store.Found{}, nil, nil
	}
	f := store.Found{Hosts: func(string) store.Pace { return paceOf(w.recipe) }}
	for _, p := range rows.found {
		host, err := recipe.Host(p.URL)
		if err != nil {
			return store.Found{}, nil, err
		}
		f.Pages = append(f.Pages, store.FoundPage{
			NewPage: store.NewPage{Kind: p.Kind, Host: host, URL: p.URL, Address: p.Page, Vars: p.Vars}, Deepest: p.Deepest,
		})
	}
	n := len(f.Pages)
	return f, &n, nil
}

func paceOf(r *recipe.Recipe) store.Pace {
	return store.Pace{Delay: r.Polite.Delay, Concurrency: r.Polite.Concurrency}
}

// paced refuses a page on a host that may not be asked without a pace. Hosts of
// pages that the recipe names were checked before the run; links lead to others.
func (w *work) paced(ctx context.Context, host string) *ending {
	if w.recipe.Polite.Delay > 0 {
		return nil
	}
	if _, done := w.owned.Load(host); done {
		return nil
	}
	if err := w.farm.checkPace(ctx, w.recipe, host); err != nil {
		return &ending{outcome: RefusedAddress, message: err.Error()}
	}
	w.owned.Store(host, true)
	return nil
}

// drift says where a run found no links although it looked for some: a site that
// has changed its pages would else end a crawl early and well.
func (f *Farm) drift(ctx context.Context, run store.Run, r *recipe.Recipe) ([]string, error) {
	if !r.HasLinks() {
		return nil, nil
	}
	stats, err := f.Store.Links(ctx, run.ID)
	if err != nil {
		return nil, err
	}
	pages := 0
	of := map[string]store.KindLinks{}
	for _, s := range stats {
		of[s.Kind] = s
		pages += s.Pages
	}
	var out []string
	for i := range r.Kinds {
		k := &r.Kinds[i]
		looked := of[k.Name].Looked
		if looked == 0 {
			continue
		}
		for _, l := range k.Links {
			none := of[k.Name].Links == 0
			// Where other links were found the kind itself must be missing.
			missing := l.To != k.Name && of[l.To].Pages == 0 && (run.Limit == 0 || pages < run.Limit)
			if none || missing {
				out = append(out, fmt.Sprintf("links: %q led nowhere on %s. Does it still match? Other hosts must be named in hosts", l.CSS, pagesRead(k.Name, looked)))
			}
		}
	}
	return slices.Compact(out), nil
}

// pagesRead is "any of the 24 pages of search".
func pagesRead(kind string, n int) string {
	of := ""
	if kind != "" {
		of = " of " + kind
	}
	if n == 1 {
		return "the one page" + of + " that was read"
	}
	return fmt.Sprintf("any of the %d pages%s that were read", n, of)
}
