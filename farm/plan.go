package farm

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"time"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// PlanError says why the pages of a recipe cannot be told: a source that cannot
// be read, or a pace that its host does not allow.
type PlanError struct {
	Recipe string
	Err    error
}

func (e *PlanError) Error() string { return fmt.Sprintf("plan %s: %v", e.Recipe, e.Err) }

// Unwrap gives the cause.
func (e *PlanError) Unwrap() error { return e.Err }

// Submit finds the unfinished run of an unchanged recipe, or plans a new one and
// closes an older unfinished run as superseded. Errors: recipe.Mistakes for keys
// that do nothing yet, *PlanError, and those of Store.
func (f *Farm) Submit(ctx context.Context, r *recipe.Recipe, o SubmitOptions) (Submission, error) {
	if m := r.Unsupported(); len(m) > 0 {
		return Submission{}, m
	}
	if err := f.checkAccess(r); err != nil {
		return Submission{}, err
	}
	in := f.inputs(r)
	hash, err := in.fingerprint(ctx, r, o.Limit)
	if err != nil {
		return Submission{}, err
	}
	if err := f.checkTypes(ctx, r); err != nil {
		return Submission{}, err
	}
	open, unfinished, err := f.Store.OpenRun(ctx, r.Name)
	if err != nil {
		return Submission{}, err
	}
	if unfinished && !o.New && bytes.Equal(open.Hash, hash) {
		return f.goOn(ctx, open)
	}
	n, err := f.newRun(ctx, r, in, hash, o.Limit)
	if err != nil {
		return Submission{}, err
	}
	n.Supersede, n.Attached = unfinished, !o.queue
	run, err := f.Store.StartRun(ctx, n)
	if err != nil {
		return Submission{}, err
	}
	p, err := f.Store.Progress(ctx, run.ID)
	if err != nil {
		return Submission{}, err
	}
	s := Submission{RunID: run.ID, Recipe: r.Name, Total: p.Total, Planned: run.Planned}
	if unfinished {
		s.Superseded = open.ID
	}
	return s, nil
}

// Queue is Submit for the workers: nobody has to wait for the run. A stopped run
// goes on.
func (f *Farm) Queue(ctx context.Context, r *recipe.Recipe, o SubmitOptions) (Submission, error) {
	o.queue = true
	s, err := f.Submit(ctx, r, o)
	if err != nil || !s.Resumed {
		return s, err
	}
	return s, f.Store.ResumeRun(ctx, s.RunID)
}

// newRun is what a run of a recipe is made of.
func (f *Farm) newRun(ctx context.Context, r *recipe.Recipe, in *inputs, hash []byte, limit int) (store.NewRun, error) {
	file, err := filepath.Abs(r.File)
	if err != nil {
		return store.NewRun{}, fmt.Errorf("find recipe %q: %w", r.File, err)
	}
	return store.NewRun{
		Recipe: r.Name, File: file, Text: r.Text, Files: in.files, Hash: hash, Limit: limit, Priority: r.Priority,
		Tables: tableOwners(r),
		Pages:  f.newPages(ctx, r, in, limit, time.Now()),
		Hosts:  func(string) store.Pace { return paceOf(r) },
	}, nil
}

// Resume makes an older unfinished run go on.
func (f *Farm) Resume(ctx context.Context, runID int64) (Submission, error) {
	run, err := f.Store.RunByID(ctx, runID)
	if err != nil {
		return Submission{}, err
	}
	switch run.State {
	case store.RunRunning, store.RunStopped:
		return f.goOn(ctx, run)
	}
	return Submission{}, &StateError{RunID: run.ID, State: run.State}
}

// StateError says that a run is not in a state to go on.
type StateError struct {
	RunID int64
	State string
}

func (e *StateError) Error() string {
	return fmt.Sprintf("run %d is %s and does not go on", e.RunID, e.State)
}

func (f *Farm) goOn(ctx context.Context, run store.Run) (Submission, error) {
	p, err := f.Store.Progress(ctx, run.ID)
	if err != nil {
		return Submission{}, err
	}
	return Submission{RunID: run.ID, Recipe: run.Recipe, Resumed: true, Finished: p.Done + p.Failed, Total: p.Total, Planned: run.Planned}, nil
}

// Retry opens the failed pages of a run again, those with the given outcomes or
// all, and says how many they are.
func (f *Farm) Retry(ctx context.Context, runID int64, outcomes []Outcome) (Submission, int, error) {
	run, err := f.Store.RunByID(ctx, runID)
	if err != nil {
		return Submission{}, 0, err
	}
	if run.State == store.RunSuperseded {
		return Submission{}, 0, &StateError{RunID: run.ID, State: run.State}
	}
	words := make([]string, len(outcomes))
	for i, o := range outcomes {
		words[i] = string(o)
	}
	n, err := f.Store.Reopen(ctx, runID, words, mayOverlap(run))
	if err != nil {
		return Submission{}, 0, err
	}
	s, err := f.goOn(ctx, run)
	return s, n, err
}

// TryHosts lets hosts of a run that are paused be tried at once, for somebody who
// begins or goes on with it by hand.
func (f *Farm) TryHosts(ctx context.Context, runID int64) error { return f.Store.TryHosts(ctx, runID) }

// Cancel ends a run; its pages that have not ended become cancelled.
func (f *Farm) Cancel(ctx context.Context, runID int64) error { return f.Store.CancelRun(ctx, runID) }

// Plan counts the pages of a recipe by host. Offline reads no robots.txt and no
// sitemap and runs no SQL: sources of these kinds are then an error.
func (f *Farm) Plan(ctx context.Context, r *recipe.Recipe, offline bool) (Plan, error) {
	if m := r.Unsupported(); len(m) > 0 {
		return Plan{}, m
	}
	var in recipe.Inputs = f.inputs(r)
	if offline {
		in = offlineInputs{f.inputs(r)}
	}
	plan := Plan{Links: r.HasLinks()}
	at := map[string]int{}
	for p, err := range f.newPages(ctx, r, in, 0, time.Now()) {
		if err != nil {
			return Plan{}, err
		}
		i, seen := at[p.Host]
		if !seen {
			i = len(plan.Hosts)
			at[p.Host] = i
			plan.Hosts = append(plan.Hosts, HostPlan{Host: p.Host, Delay: r.Polite.Delay, Concurrency: r.Polite.Concurrency})
		}
		plan.Hosts[i].Pages++
		plan.Pages++
	}
	for i := range plan.Hosts {
		h := &plan.Hosts[i]
		if !offline && r.Polite.ObeyRobots {
			if rules, err := f.robots.rules(ctx, nil, h.Host, nil); err == nil { // an unreachable host is told when it is run
				h.Delay = max(h.Delay, rules.delay())
			}
		}
		plan.Took = max(plan.Took, time.Duration(h.Pages)*h.Delay)
	}
	return plan, nil
}

type offlineInputs struct{ *inputs }

func (offlineInputs) Sitemap(_ context.Context, u string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		yield("", fmt.Errorf("sitemap %q is not read with --offline", u))
	}
}

func (offlineInputs) Query(context.Context, string) ([]string, [][]string, error) {
	return nil, nil, fmt.Errorf("sql is not run with --offline")
}

// newPages streams the pages of a recipe, at most limit (0: all), as of a moment.
func (f *Farm) newPages(ctx context.Context, r *recipe.Recipe, in recipe.Inputs, limit int, now time.Time) iter.Seq2[store.NewPage, error] {
	return func(yield func(store.NewPage, error) bool) {
		fail := func(err error) { yield(store.NewPage{}, &PlanError{Recipe: r.Name, Err: err}) }
		paced := map[string]bool{}
		n := 0
		for i := range r.Kinds {
			for a, err := range r.Expand(ctx, &r.Kinds[i], in, now) {
				if err != nil {
					fail(err)
					return
				}
				host, err := recipe.Host(a.URL)
				if err != nil {
					fail(err)
					return
				}
				if !paced[host] {
					if err := f.checkPace(ctx, r, host); err != nil {
						fail(err)
						return
					}
					paced[host] = true
				}
				if !yield(store.NewPage{Kind: a.Kind, Host: host, URL: a.URL, Address: a.Page, Vars: a.Vars}, nil) {
					return
				}
				if n++; n == limit {
					return
				}
			}
		}
		if n == 0 {
			fail(fmt.Errorf("the recipe names no page: its sources are empty"))
		}
	}
}

// checkPace refuses `rate: none` on hosts that are not the person's own.
func (f *Farm) checkPace(ctx context.Context, r *recipe.Recipe, host string) error {
	if r.Polite.Delay > 0 {
		return nil
	}
	u, err := url.Parse(host)
	if err != nil {
		return fmt.Errorf("read host %q: %w", host, err)
	}
	if f.addresses.owns(ctx, u) {
		return nil
	}
	return fmt.Errorf("polite.rate: none is only for hosts that network.allow_private names, and %s is not among them. Give a rate such as 60/min", u.Host)
}

// owns says whether network.allow_private names a host or all its addresses.
func (a addresses) owns(ctx context.Context, u *url.URL) bool {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if a.named(u.Hostname(), port) {
		return true
	}
	ips, err := lookup(ctx, u.Hostname())
	return err == nil && len(ips) > 0 && !slices.ContainsFunc(ips, func(ip netip.Addr) bool {
		return !slices.ContainsFunc(a.prefixes, func(p netip.Prefix) bool { return p.Contains(ip.Unmap()) })
	})
}

// checkTypes holds the declared types against those of tables that are there. A
// column may become text, and an integer numeric: these lose nothing.
func (f *Farm) checkTypes(ctx context.Context, r *recipe.Recipe) error {
	for _, k := range r.Kinds {
		for _, t := range k.Tables {
			have, ok, err := f.Store.Contract(ctx, t.Name)
			if err != nil {
				return err
			}
			if !ok || have.Recipe != r.Name { // whose it is, is checked when the run starts
				continue
			}
			for _, stored := range have.Columns {
				i := slices.IndexFunc(t.Columns, func(c recipe.Column) bool { return c.Name == stored.Name })
				if i < 0 || t.Columns[i].Type == "" {
					continue
				}
				want := t.Columns[i].Type
				if want != stored.Type && want != recipe.Text && (want != recipe.Numeric || stored.Type != recipe.Integer) {
					return &PlanError{Recipe: r.Name, Err: fmt.Errorf(
						"column %s of table %s is %s and the recipe declares %s: a table keeps its types. Declare type: %s or text, choose another name for the table, or drop it",
						stored.Name, t.Name, stored.Type, want, stored.Type)}
				}
			}
		}
	}
	return nil
}

func tableOwners(r *recipe.Recipe) []store.TableOwner {
	var owners []store.TableOwner
	for _, k := range r.Kinds {
		for _, t := range k.Tables {
			owners = append(owners, store.TableOwner{Name: t.Name, Key: t.Key})
		}
	}
	return owners
}
