package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// loadRecipes reads recipe files and tells the mistakes of all of them at once,
// keys that do nothing in this version included, as recipe.Mistakes.
func loadRecipes(files []string) ([]*recipe.Recipe, error) {
	var (
		recipes  []*recipe.Recipe
		mistakes recipe.Mistakes
	)
	names := map[string]string{}
	for _, file := range files {
		r, err := loadRecipe(file)
		var m recipe.Mistakes
		if errors.As(err, &m) {
			mistakes = append(mistakes, m...)
			continue
		}
		if err != nil {
			return nil, err
		}
		if other, taken := names[r.Name]; taken {
			return nil, usage("give one of them another name: key", "%s and %s are both named %s", other, file, r.Name)
		}
		names[r.Name] = file
		mistakes = append(mistakes, r.Unsupported()...)
		recipes = append(recipes, r)
	}
	if len(mistakes) > 0 {
		return nil, mistakes
	}
	return recipes, nil
}

// loadRecipe is recipe.Load with words for a file that cannot be read.
func loadRecipe(file string) (*recipe.Recipe, error) {
	r, err := recipe.Load(file)
	var mistakes recipe.Mistakes
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage(missingHint(file), "no recipe %s", file)
	case err != nil && !errors.As(err, &mistakes):
		return nil, usage("", "%w", err)
	}
	return r, err
}

// missingHint looks for a recipe that is named much like a missing one.
func missingHint(file string) string {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.yaml"))
	var others []string
	for _, f := range found {
		if filepath.Base(f) != "tabfarm.yaml" {
			others = append(others, f)
		}
	}
	if err != nil || len(others) == 0 {
		return "a recipe is a YAML file with urls and tables"
	}
	return "did you mean " + nearest(file, others) + "?"
}

// recipeName is the name that an argument means: that of a recipe file, or the
// word itself. A file with mistakes still has a name.
func recipeName(arg string) string {
	if !strings.HasSuffix(arg, ".yaml") && !strings.HasSuffix(arg, ".yml") {
		return arg
	}
	if r, err := recipe.Load(arg); err == nil {
		return r.Name
	}
	base := filepath.Base(arg)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// pagesAMinute is the polite pace of a recipe on one host, 0 for any.
func pagesAMinute(r *recipe.Recipe) float64 {
	if r.Polite.Delay <= 0 {
		return 0
	}
	return 60 / r.Polite.Delay.Seconds()
}
