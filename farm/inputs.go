package farm

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/tabfarm/tabfarm/recipe"
)

// inputs gives a recipe's expansion what it needs from outside, and keeps the
// files that it read, so that a run has its own copy.
type inputs struct {
	farm  *Farm
	dir   string // of the recipe; file names are relative to it
	files map[string][]byte
}

func (f *Farm) inputs(r *recipe.Recipe) *inputs {
	return &inputs{farm: f, dir: filepath.Dir(r.File), files: map[string][]byte{}}
}

// ReadFile reads a file that the recipe names, once.
func (in *inputs) ReadFile(_ context.Context, name string) ([]byte, error) {
	if text, ok := in.files[name]; ok {
		return text, nil
	}
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(in.dir, path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	in.files[name] = text
	return text, nil
}

// Sitemap streams the pages of a sitemap.
func (in *inputs) Sitemap(ctx context.Context, url string) iter.Seq2[string, error] {
	return in.farm.sitemap(ctx, url)
}

// Query runs the SQL of a source or a variable with a reader's rights.
func (in *inputs) Query(ctx context.Context, sql string) ([]string, [][]string, error) {
	if in.farm.Store == nil {
		return nil, nil, fmt.Errorf("sql needs a database, and none is open")
	}
	rows, err := in.farm.Store.Query(ctx, sql)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	columns := make([]string, 0, len(rows.Columns))
	for _, c := range rows.Columns {
		columns = append(columns, c.Name)
	}
	var out [][]string
	for rows.Next() {
		row := make([]string, len(columns))
		for i, v := range rows.Values() {
			if v != nil {
				row[i] = *v
			}
		}
		out = append(out, row)
	}
	return columns, out, rows.Err()
}

// fingerprint is the same as long as the recipe, the files that it names and the
// limit are the same. SQL and sitemaps are read anew by each run and do not count.
func (in *inputs) fingerprint(ctx context.Context, r *recipe.Recipe, limit int) ([]byte, error) {
	for i := range r.Kinds {
		for _, name := range fileNames(&r.Kinds[i]) {
			if _, err := in.ReadFile(ctx, name); err != nil {
				return nil, &PlanError{Recipe: r.Name, Err: fmt.Errorf("read file %q that the recipe names: %w", name, err)}
			}
		}
	}
	h := sha256.New()
	part := func(b []byte) {
		_ = binary.Write(h, binary.BigEndian, int64(len(b))) // a hash takes every write
		h.Write(b)
	}
	part(r.Text)
	for _, name := range slices.Sorted(maps.Keys(in.files)) {
		part([]byte(name))
		part(in.files[name])
	}
	_ = binary.Write(h, binary.BigEndian, int64(limit))
	return h.Sum(nil), nil
}

func fileNames(k *recipe.Kind) []string {
	var names []string
	variables := func(with []recipe.Variable) {
		for _, v := range with {
			if v.File != "" {
				names = append(names, v.File)
			}
		}
	}
	variables(k.With)
	for _, s := range k.Sources {
		if s.Kind == recipe.SourceFile {
			names = append(names, s.Value)
		}
		variables(s.With)
	}
	return names
}
