package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

func newResume(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "resume RUN",
		Short: "go on with an older run",
		Args:  takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseRun(args[0])
			if err != nil {
				return err
			}
			f, err := a.openEngine(cmd.Context())
			if err != nil {
				return err
			}
			run, err := runByID(cmd.Context(), a.store, id)
			if err != nil {
				return err
			}
			s, err := f.Resume(cmd.Context(), id)
			if err != nil {
				return stateHint(err)
			}
			a.notice("run %d goes on at %d of %s", s.RunID, s.Finished, pagesWords(s.Total))
			return a.workAgain(cmd.Context(), f, run, s, asJSON)
		},
	}
	cmd.Flags().Int("tabs", 0, "tabs that work at once (default: sized from the machine)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object at the end")
	return cmd
}

func newRetry(a *app) *cobra.Command {
	var (
		words  []string
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "retry [RECIPE|RUN]",
		Short: "the failed pages of a run again (default: the newest run)",
		Args:  takes(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			outcomes, err := parseOutcomes(words)
			if err != nil {
				return err
			}
			f, err := a.openEngine(cmd.Context())
			if err != nil {
				return err
			}
			run, err := findRun(cmd.Context(), a.store, args)
			if err != nil {
				return err
			}
			s, n, err := f.Retry(cmd.Context(), run.ID, outcomes)
			if err != nil {
				return stateHint(err)
			}
			if n == 0 && s.Finished == s.Total {
				a.notice("run %d of %s has no failed page to retry", run.ID, run.Recipe)
				return nil
			}
			a.notice("run %d of %s: %s again", run.ID, run.Recipe, count(int64(n), "failed page", "failed pages"))
			return a.workAgain(cmd.Context(), f, run, s, asJSON)
		},
	}
	cmd.Flags().StringSliceVar(&words, "outcome", nil, "only pages with these outcomes")
	cmd.Flags().Int("tabs", 0, "tabs that work at once (default: sized from the machine)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object at the end")
	return cmd
}

// workAgain works on a run that exists. Its own copy of the recipe gives the pace.
func (a *app) workAgain(ctx context.Context, f *farm.Farm, run store.Run, s farm.Submission, asJSON bool) error {
	j := job{submission: s, json: asJSON}
	if r, err := recipe.Parse(run.File, run.Text); err == nil {
		j.pace = pagesAMinute(r)
	}
	newest, ok, err := a.store.NewestRun(ctx, "")
	if err != nil {
		return err
	}
	j.newest = ok && newest.ID == run.ID
	code, err := a.work(ctx, f, j)
	if err != nil {
		return err
	}
	return exit(code)
}

func newCancel(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "cancel RUN",
		Short: "end a run; its pages that have not ended are cancelled",
		Args:  takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := parseRun(args[0])
			if err != nil {
				return err
			}
			s, err := a.openStore(cmd.Context(), writes)
			if err != nil {
				return err
			}
			run, err := runByID(cmd.Context(), s, id)
			if err != nil {
				return err
			}
			if run.State != store.RunRunning && run.State != store.RunStopped {
				return usage("", "run %d is %s already", id, run.State)
			}
			f, err := a.newFarm()
			if err != nil {
				return err
			}
			if err := f.Cancel(cmd.Context(), id); err != nil {
				return err
			}
			p, err := s.Progress(cmd.Context(), id)
			if err != nil {
				return err
			}
			cancelled := p.ByOutcome[string(farm.Cancelled)]
			_, err = fmt.Fprintf(a.stdout, "run %d of %s is cancelled at %d of %s\n", id, run.Recipe, p.Total-cancelled-p.Pending-p.Leased, pagesWords(p.Total))
			return err
		},
	}
}

// runByID finds a run, or says that there is none of this number.
func runByID(ctx context.Context, s *store.Store, id int64) (store.Run, error) {
	run, err := s.RunByID(ctx, id)
	if errors.Is(err, store.ErrNoRun) {
		return run, usage("tabfarm runs lists them", "no run %d", id)
	}
	return run, err
}

// stateHint says what to do about a run that does not go on.
func stateHint(err error) error {
	var state *farm.StateError
	if !errors.As(err, &state) {
		return err
	}
	hint := "tabfarm run RECIPE begins a new one"
	if state.State == store.RunDone {
		hint = fmt.Sprintf("tabfarm retry %d fetches its failed pages again", state.RunID)
	}
	return &failure{code: exitUsage, err: err, hint: hint}
}
