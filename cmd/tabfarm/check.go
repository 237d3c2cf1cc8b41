package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
)

func newCheck(a *app) *cobra.Command {
	var offline bool
	cmd := &cobra.Command{
		Use:   "check RECIPE...",
		Short: "what is wrong with recipes; else their pages, hosts and time",
		Args:  takes(1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			recipes, err := loadRecipes(files)
			if err != nil {
				return err
			}
			return a.check(cmd.Context(), recipes, offline)
		},
	}
	cmd.Flags().BoolVar(&offline, "offline", false, "read no robots.txt and no sitemap, run no SQL")
	return cmd
}

func (a *app) check(ctx context.Context, recipes []*recipe.Recipe, offline bool) error {
	if !offline && anySQL(recipes) {
		if _, err := a.openStore(ctx, looks); err != nil {
			return err
		}
	}
	f, err := a.newFarm()
	if err != nil {
		return err
	}
	worst := exitOK
	for _, r := range recipes {
		plan, err := f.Plan(ctx, r, offline)
		if err != nil {
			if explain(err).code != exitUsage || len(recipes) == 1 {
				return err
			}
			worst = max(worst, complain(a.stderr, err))
			continue
		}
		name := ""
		if len(recipes) > 1 {
			name = r.File + ": "
		}
		if _, err := fmt.Fprintln(a.stdout, name+planWords(plan)); err != nil {
			return err
		}
	}
	return exit(worst)
}

// planWords is "ok: 40 pages on 1 host, at 20/min about 2 min". The pace is
// that of the host that takes longest.
func planWords(p farm.Plan) string {
	text := fmt.Sprintf("ok: %s on %s", pagesWords(p.Pages), count(int64(len(p.Hosts)), "host", "hosts"))
	if p.Links {
		return text + ", and the links found on them" // how many, only the run can tell
	}
	var slowest farm.HostPlan
	for _, h := range p.Hosts {
		if time.Duration(h.Pages)*h.Delay > time.Duration(slowest.Pages)*slowest.Delay {
			slowest = h
		}
	}
	if slowest.Delay <= 0 {
		return text + ", without a pace"
	}
	where := ""
	if len(p.Hosts) > 1 {
		where = " on " + bareHost(slowest.Host)
	}
	return fmt.Sprintf("%s, at %s%s about %s", text, rateText(60/slowest.Delay.Seconds()), where, roughly(p.Took))
}

// anySQL says whether a recipe takes its pages from the database.
func anySQL(recipes []*recipe.Recipe) bool {
	asks := func(with []recipe.Variable) bool {
		for _, v := range with {
			if v.SQL != "" {
				return true
			}
		}
		return false
	}
	for _, r := range recipes {
		for _, k := range r.Kinds {
			if asks(k.With) {
				return true
			}
			for _, s := range k.Sources {
				if s.Kind == recipe.SourceSQL || asks(s.With) {
					return true
				}
			}
		}
	}
	return false
}
