package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
)

func newSubmit(a *app) *cobra.Command {
	var o farm.SubmitOptions
	cmd := &cobra.Command{
		Use:   "submit RECIPE...",
		Short: "queue recipes for the workers and return",
		Long: `Queues a run of each recipe for the workers (tabfarm serve) and returns. An
unfinished run of the unchanged recipe goes on. No browser is needed here; a
worker needs the sessions and secrets that the recipe names.`,
		Args: takes(1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if o.Limit < 0 {
				return usage("", "--limit %d is less than 0", o.Limit)
			}
			recipes, err := loadRecipes(files)
			if err != nil {
				return err
			}
			if _, err := a.openStore(cmd.Context(), writes); err != nil {
				return err
			}
			f, err := a.newFarm()
			if err != nil {
				return err
			}
			return a.submit(cmd.Context(), f, recipes, o)
		},
	}
	cmd.Flags().BoolVar(&o.New, "new", false, "start over although an unfinished run exists")
	cmd.Flags().IntVar(&o.Limit, "limit", 0, "only the first N pages")
	return cmd
}

// submit queues one recipe after the other. One that cannot begin is told and
// does not keep the others from it.
func (a *app) submit(ctx context.Context, f *farm.Farm, recipes []*recipe.Recipe, o farm.SubmitOptions) error {
	worst := exitOK
	for _, r := range recipes {
		s, err := f.Queue(ctx, r, o)
		if err != nil {
			if explain(err).code != exitUsage || len(recipes) == 1 {
				return err
			}
			worst = max(worst, complain(a.stderr, err))
			continue
		}
		a.tellSubmission(s, o.New)
		pages := pagesWords(s.Total - s.Finished)
		if !s.Planned {
			pages = "more than " + pages
		}
		if _, err := fmt.Fprintf(a.stdout, "%s  run %d is queued, %s\n", r.Name, s.RunID, pages); err != nil {
			return err
		}
	}
	there, err := a.store.AnyWorker(ctx)
	if err != nil {
		return err
	}
	if !there {
		a.notice("No worker runs now: tabfarm serve does the work.")
	}
	return exit(worst)
}
