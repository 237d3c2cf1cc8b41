package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
	"github.com/tabfarm/tabfarm/store"
)

func newSchedule(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "schedule RECIPE...",
		Short: "let recipes run by themselves, as their schedule says",
		Long: `Hands the recipes over to the database, with the files that they name, to be
started whenever they are due. A recipe that is scheduled already is replaced where
it has changed; its next time then counts from now.`,
		Args: takes(1, -1),
		RunE: func(cmd *cobra.Command, files []string) error {
			recipes, err := loadRecipes(files)
			if err != nil {
				return err
			}
			for _, r := range recipes {
				if len(r.Schedules) == 0 {
					hint := fmt.Sprintf("add the line   schedule: \"30 6 * * *\"   (every day at 06:30, timezone %s)", r.Timezone)
					return usage(hint, "%s has no schedule", r.File)
				}
			}
			if _, err := a.openStore(cmd.Context(), writes); err != nil {
				return err
			}
			f, err := a.newFarm()
			if err != nil {
				return err
			}
			if err := a.scheduleRecipes(cmd.Context(), f, recipes); err != nil {
				return err
			}
			return a.tellWhoRuns(cmd.Context())
		},
	}
}

func newUnschedule(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "unschedule NAME",
		Short: "end the schedule of a recipe; a run of it goes on",
		Args:  takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := recipeName(args[0])
			s, err := a.openStore(cmd.Context(), writes)
			if err != nil {
				return err
			}
			f, err := a.newFarm()
			if err != nil {
				return err
			}
			there, err := f.Unschedule(cmd.Context(), name)
			if err != nil {
				return err
			}
			if !there {
				return noSchedule(cmd.Context(), s, name)
			}
			_, err = fmt.Fprintf(a.stdout, "%s  is scheduled no more\n", clean(name))
			return err
		},
	}
}

func newSchedules(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "schedules", Short: "recipes that run by themselves, the next one first", Args: takes(0, 0)}
	get := formatFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f, err := get()
		if err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), looks)
		if err != nil {
			return err
		}
		schedules, err := s.Schedules(cmd.Context())
		if err != nil {
			return err
		}
		if err := writeResult(a.stdout, f, list(schedules, scheduleColumns(), f != formatTable)); err != nil || len(schedules) == 0 {
			return err
		}
		return a.tellWhoRuns(cmd.Context())
	}
	return cmd
}

// scheduleServed schedules the recipes of files and folders, for `tabfarm serve`. One
// without a schedule is only told, and nothing is taken off the schedule.
func (a *app) scheduleServed(ctx context.Context, f *farm.Farm, args []string) error {
	files, err := recipeFiles(args)
	if err != nil {
		return err
	}
	recipes, err := loadRecipes(files)
	if err != nil {
		return err
	}
	recipes = slices.DeleteFunc(recipes, func(r *recipe.Recipe) bool {
		if len(r.Schedules) == 0 {
			a.notice("%s has no schedule", r.File)
		}
		return len(r.Schedules) == 0
	})
	return a.scheduleRecipes(ctx, f, recipes)
}

// recipeFiles are the recipes that arguments name: files themselves, and those of
// folders. tabfarm.yaml is none.
func recipeFiles(args []string) ([]string, error) {
	var files []string
	for _, arg := range args {
		info, err := os.Stat(arg)
		if err != nil || !info.IsDir() {
			files = append(files, arg) // what is not there is told when it is loaded
			continue
		}
		entries, err := os.ReadDir(arg)
		if err != nil {
			return nil, fmt.Errorf("look for recipes: %w", err)
		}
		before := len(files)
		for _, e := range entries {
			ext := filepath.Ext(e.Name())
			if !e.IsDir() && (ext == ".yaml" || ext == ".yml") && e.Name() != "tabfarm.yaml" {
				files = append(files, filepath.Join(arg, e.Name()))
			}
		}
		if len(files) == before {
			return nil, usage("recipes are its files *.yaml and *.yml", "no recipe in %s", arg)
		}
	}
	return files, nil
}

// scheduleRecipes schedules recipes and prints when they are due. One that cannot be
// is told and does not keep the others from it.
func (a *app) scheduleRecipes(ctx context.Context, f *farm.Farm, recipes []*recipe.Recipe) error {
	width := 0
	for _, r := range recipes {
		width = max(width, len([]rune(r.Name)))
	}
	worst := exitOK
	for _, r := range recipes {
		next, err := f.Schedule(ctx, r)
		if err != nil {
			if explain(err).code != exitUsage || len(recipes) == 1 {
				return err
			}
			worst = max(worst, complain(a.stderr, err))
			continue
		}
		if _, err := fmt.Fprintf(a.stdout, "%-*s  %s\n", width, r.Name, nextWords(next, r.Timezone, time.Now())); err != nil {
			return err
		}
	}
	return exit(worst)
}

// nextWords is "next at 2026-11-24 06:30 EST (in 9 h 12 min)".
func nextWords(next time.Time, zone *time.Location, now time.Time) string {
	if next.IsZero() {
		return "has no time left: all are before now, or after until"
	}
	at := next.In(zone).Format("2006-01-02 15:04 MST")
	if !next.After(now) {
		return "due since " + at
	}
	return fmt.Sprintf("next at %s (in %s)", at, roughly(next.Sub(now)))
}

// tellWhoRuns says that a schedule alone does nothing, where no worker lives.
func (a *app) tellWhoRuns(ctx context.Context) error {
	there, err := a.store.AnyWorker(ctx)
	if err == nil && !there {
		a.notice("Schedules run only while a `tabfarm serve` runs.")
	}
	return err
}

// noSchedule says that a recipe is not scheduled, and which one may be meant.
func noSchedule(ctx context.Context, s *store.Store, name string) error {
	all, err := s.Schedules(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(all))
	for i, one := range all {
		names[i] = one.Recipe
	}
	hint := "tabfarm schedule RECIPE schedules one"
	if near := nearest(name, names); near != "" {
		hint = fmt.Sprintf("did you mean %s? tabfarm schedules lists them", near)
	}
	return usage(hint, "no recipe named %s is scheduled", name)
}

// scheduleColumns has the columns of the view tabfarm.schedules under their names.
func scheduleColumns() []listColumn[store.ScheduleInfo] {
	type info = store.ScheduleInfo
	return []listColumn[info]{
		{"recipe", kindText, func(s info) *string { return &s.Recipe }, false},
		{"rule", kindText, func(s info) *string { return &s.Rule }, false},
		{"timezone", kindText, func(s info) *string { return &s.Timezone }, false},
		{"next_at", kindText, func(s info) *string { return timeCell(s.NextAt) }, false},
		{"last_at", kindText, func(s info) *string { return timeCell(s.LastAt) }, false},
		{"last_run", kindInteger, func(s info) *string {
			if s.LastRun == 0 {
				return nil
			}
			return numberCell(s.LastRun)
		}, false},
		{"last_state", kindText, func(s info) *string { return filled(s.LastState) }, false},
		{"note", kindText, func(s info) *string { return filled(s.Note) }, false},
		{"file", kindText, func(s info) *string { return &s.File }, true},
		{"enabled_at", kindText, func(s info) *string { return timeCell(s.EnabledAt) }, true},
	}
}
