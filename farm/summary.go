package farm

import (
	"context"

	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

// maxFailures is how many failed pages a Summary names; the rest is in tabfarm.pages.
const maxFailures = 20

// Summary tells how a run stands.
func (f *Farm) Summary(ctx context.Context, runID int64) (Summary, error) {
	run, err := f.Store.RunByID(ctx, runID)
	if err != nil {
		return Summary{}, err
	}
	r, err := recipe.Parse(run.File, run.Text)
	if err != nil {
		return Summary{}, err
	}
	p, err := f.Store.Progress(ctx, runID)
	if err != nil {
		return Summary{}, err
	}
	s := Summary{
		RunID: run.ID, Recipe: run.Recipe, State: run.State,
		Total: p.Total, Done: p.Done, Failed: p.Failed, Pending: p.Pending + p.Leased,
		ByOutcome: map[Outcome]int{}, Problem: run.Problem,
	}
	if run.FinishedAt.After(run.StartedAt) { // it is zero while others still work at the run
		s.Seconds = run.FinishedAt.Sub(run.StartedAt).Seconds()
	}
	for _, o := range Outcomes() {
		s.ByOutcome[o] = p.ByOutcome[string(o)]
	}
	for _, owner := range tableOwners(r) {
		c := p.Tables[owner.Name]
		t := TableSummary{
			Name: owner.Name, Inserted: c.Inserted, Updated: c.Updated, Unchanged: c.Unchanged, Rejected: c.Rejected,
			Duplicates: c.Duplicates, Conflicts: c.Conflicts, Gone: c.Gone,
			Rejections: c.Rejections, Conflict: c.Conflict,
		}
		s.Tables = append(s.Tables, t)
	}
	if s.Warnings, err = f.drift(ctx, run, r); err != nil {
		return Summary{}, err
	}
	failed, err := f.Store.Pages(ctx, store.PageFilter{RunID: runID, Failed: true, Limit: maxFailures})
	if err != nil {
		return Summary{}, err
	}
	for _, page := range failed {
		s.Failures = append(s.Failures, Failure{Address: page.URL, Outcome: Outcome(page.Outcome), Message: page.Message})
	}
	return s, nil
}
