package demosite

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

//go:embed recipes
var recipeFiles embed.FS

// placeholder is the site's address in the embedded recipes.
const placeholder = "http://demo.invalid"

// RecipeNames lists the site's recipes, without .yaml, in alphabetical order.
func RecipeNames() []string {
	files, err := fs.Glob(recipeFiles, "recipes/*.yaml")
	if err != nil {
		return nil // the pattern is well formed
	}
	names := make([]string, len(files))
	for i, file := range files {
		base := filepath.Base(file)
		names[i] = base[:len(base)-len(".yaml")]
	}
	return names
}

// WriteRecipes writes the named recipes, all where none is named, to dir and
// points them at the site at baseURL (Site.URL). It makes dir where it does not
// exist and gives the paths in the order of the names. What a recipe needs
// beside it (members-session.json) is written too.
func WriteRecipes(dir, baseURL string, names ...string) ([]string, error) {
	if len(names) == 0 {
		names = RecipeNames()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of the demo's recipes: %w", err)
	}
	if slices.Contains(names, "members") {
		if err := writeRecipe(dir, "members-session.json", baseURL); err != nil {
			return nil, err
		}
	}
	var paths []string
	for _, name := range names {
		if err := writeRecipe(dir, name+".yaml", baseURL); err != nil {
			return nil, err
		}
		paths = append(paths, filepath.Join(dir, name+".yaml"))
	}
	return paths, nil
}

func writeRecipe(dir, file, baseURL string) error {
	text, err := recipeFiles.ReadFile("recipes/" + file)
	if err != nil {
		return fmt.Errorf("find the demo's recipe %q: %w", file, err)
	}
	text = bytes.ReplaceAll(text, []byte(placeholder), []byte(baseURL))
	if err := os.WriteFile(filepath.Join(dir, file), text, 0o644); err != nil {
		return fmt.Errorf("write the demo's recipe %q: %w", file, err)
	}
	return nil
}
