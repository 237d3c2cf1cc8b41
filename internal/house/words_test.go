package house

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Every package says in one comment what it owns.
func TestEveryPackageSaysWhatItIs(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		var comments []string
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Error(err)
				continue
			}
			if file.Doc != nil {
				comments = append(comments, file.Doc.Text())
			}
		}
		if len(comments) != 1 {
			t.Errorf("%s has %d package comments, want one", p.ImportPath, len(comments))
			continue
		}
		begins := "Package " + p.Name + " "
		if p.Name == "main" {
			begins = "Command " + filepath.Base(p.Dir) + " "
		}
		if !strings.HasPrefix(comments[0], begins) || len(comments[0]) < 60 {
			t.Errorf("%s: the package comment must begin with %q and say what it owns and refuses: %q", p.ImportPath, begins, comments[0])
		}
	}
}

// unwanted is what no file of the repository holds. The words are put together
// here so that this file does not hold them either.
var unwanted = []struct {
	text *regexp.Regexp
	why  string
}{
	{regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X)\b`), "unfinished work belongs to an issue"},
	{regexp.MustCompile(`(^|[^\w.])/(ro` + `ot|Use` + `rs|wo` + `rk)/\w`), "a path of one person's machine"},
	{regexp.MustCompile(`BEGIN (RSA |EC |OPENSSH )?PRIV` + `ATE KEY`), "a secret"},
	{regexp.MustCompile(`^(<{7}|>{7}) `), "an unfinished merge"},
}

func TestFilesHoldNothingUnwanted(t *testing.T) {
	t.Parallel()
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if slices.Contains([]string{".git", ".cache", "bin", "node_modules"}, entry.Name()) {
				return fs.SkipDir
			}
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil || !utf8.Valid(text) {
			return err
		}
		files++
		for number, line := range strings.Split(string(text), "\n") {
			for _, u := range unwanted {
				if match := u.text.FindString(line); match != "" {
					t.Errorf("%s:%d: %q: %s", path, number+1, match, u.why)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if files < 50 {
		t.Errorf("only %d files were looked at", files)
	}
}
