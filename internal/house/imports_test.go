package house

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/tabfarm/tabfarm"

// keepers are the packages that alone may import a dependency, and why.
var keepers = []struct {
	imported string // import path, with all below it
	by       []string
	why      string
}{
	{"github.com/chromedp", []string{"browserpool"}, "a stalled or crashed tab is healed in one place; elsewhere a tab is a call with a deadline"},
	{"github.com/jackc/pgx/v5", []string{"store", "store/localpg", "internal/pgtest", "bench/upsert"}, "SQL and its errors are translated in one place"},
	{"github.com/pressly/goose/v3", []string{"store"}, "the schema changes in one place"},
	{"github.com/spf13/viper", []string{"cmd/tabfarm"}, "it folds the case of keys and is global; packages get their own configuration"},
	{"github.com/spf13/cobra", []string{"cmd/tabfarm"}, "the command line only wires"},
	{"github.com/spf13/pflag", []string{"cmd/tabfarm"}, "the command line only wires"},
	{"github.com/vbauerster/mpb/v8", []string{"cmd/tabfarm"}, "only the command line draws on a terminal"},
	{"github.com/prometheus", []string{"web"}, "others tell what happened; how it is shown is one package's business"},
	{module + "/web", []string{"cmd/tabfarm"}, "what works does not know who looks on"},
	{module + "/store/localpg", []string{"cmd/tabfarm", "internal/pgtest", "internal/testdb", "bench/upsert", "bench/growth"}, "whose Postgres it is, is a matter of configuration"},
	{module + "/internal/demosite", []string{"cmd/tabfarm", "internal/libsite", "bench/pandas"}, "the engine knows no site"},
	{module + "/internal/libsite", nil, "it is for tests"},
	{module + "/internal/bundle", []string{"internal/libsite", "bench/site", "bench/peers"}, "the program needs no Node.js"},
	{module + "/internal/chrometest", nil, "it is for tests"},
	{module + "/internal/pgtest", nil, "it is for tests"},
	{module + "/cmd", nil, "nothing is built on the command line"},
}

// circles are the packages of ours that a package may import; others, none.
var circles = map[string]struct {
	may []string
	why string
}{
	"recipe":      {nil, "the vocabulary is a leaf, so that everything can speak it"},
	"migrations":  {nil, "SQL files alone"},
	"browserpool": {nil, "Chrome knows neither recipes, tables nor the engine"},
	"extract":     {[]string{"recipe"}, "reading is the same for every browser and database"},
	"store":       {[]string{"recipe", "migrations"}, "Postgres knows neither Chrome nor the engine"},
	"farm":        {[]string{"recipe", "extract", "browserpool", "store"}, "the engine stands on these and under the command line"},
	"web":         {[]string{"farm", "browserpool", "store"}, "it shows what these tell, and reads no page and no recipe"},
}

// barred are parts of the standard library that a package does without.
var barred = map[string]struct {
	imports []string
	why     string
}{
	"extract": {[]string{"os", "os/exec", "net", "net/http", "database/sql"}, "what was read is all it gets: no I/O"},
	"web":     {[]string{"net/http/pprof", "expvar", "os", "os/exec", "database/sql"}, "it only shows: no files, no programs, nothing of the process's memory"},
	"recipe":  {[]string{"os/exec", "net", "net/http", "database/sql"}, "what an expansion needs from outside comes through Inputs"},
}

// listed is what `go list -json` tells of a package.
type listed struct {
	ImportPath                         string
	Dir, Name                          string
	GoFiles                            []string
	Imports, TestImports, XTestImports []string
}

// short is the path below the module.
func (l listed) short() string {
	return strings.TrimPrefix(strings.TrimPrefix(l.ImportPath, module), "/")
}

// packages lists the module's packages. -e: what does not build is told by the
// compiler, not here.
func packages(t *testing.T) []listed {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,Name,GoFiles,Imports,TestImports,XTestImports", "./...")
	list.Dir = root
	list.Stderr = os.Stderr
	text, err := list.Output()
	if err != nil {
		t.Fatalf("list the packages: %v", err)
	}
	var all []listed
	for decoder := json.NewDecoder(strings.NewReader(string(text))); ; {
		var l listed
		if err := decoder.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("read the list of packages: %v", err)
		}
		all = append(all, l)
	}
	if len(all) < 8 {
		t.Fatalf("only %d packages are listed", len(all))
	}
	return all
}

// below says whether path is under or equal to an import path.
func below(path, under string) bool {
	return path == under || strings.HasPrefix(path, under+"/")
}

func TestImportsPointOneWay(t *testing.T) {
	t.Parallel()
	for _, p := range packages(t) {
		for _, fault := range faults(p) {
			t.Error(fault)
		}
	}
}

// faults are the rules that a package breaks. Tests may reach further than the
// code beside them, but the drivers have their keepers there too.
func faults(p listed) []string {
	var found []string
	tests := append(slices.Clone(p.TestImports), p.XTestImports...)
	for _, k := range keepers {
		imports := p.Imports
		if !strings.HasPrefix(k.imported, module) {
			imports = append(slices.Clone(imports), tests...)
		}
		for _, path := range imports {
			if below(path, k.imported) && !slices.Contains(k.by, p.short()) && !below(p.ImportPath, k.imported) {
				found = append(found, p.short()+" imports "+path+": "+k.why)
			}
		}
	}
	if circle, ok := circles[p.short()]; ok {
		for _, path := range p.Imports {
			if below(path, module) && !slices.Contains(circle.may, strings.TrimPrefix(path, module+"/")) {
				found = append(found, p.short()+" imports "+path+": "+circle.why)
			}
		}
	}
	for _, path := range p.Imports {
		if slices.Contains(barred[p.short()].imports, path) {
			found = append(found, p.short()+" imports "+path+": "+barred[p.short()].why)
		}
	}
	return found
}

// The rules must find what they are for.
func TestImportRulesBite(t *testing.T) {
	t.Parallel()
	for _, p := range []listed{
		{ImportPath: module + "/farm", Imports: []string{"github.com/chromedp/cdproto/page"}},
		{ImportPath: module + "/farm", XTestImports: []string{"github.com/jackc/pgx/v5/pgxpool"}},
		{ImportPath: module + "/recipe", Imports: []string{module + "/extract"}},
		{ImportPath: module + "/store", Imports: []string{module + "/browserpool"}},
		{ImportPath: module + "/browserpool", Imports: []string{module + "/store"}},
		{ImportPath: module + "/extract", Imports: []string{"net/http"}},
		{ImportPath: module + "/farm", Imports: []string{module + "/internal/demosite"}},
		{ImportPath: module + "/web", Imports: []string{"github.com/spf13/viper"}},
		{ImportPath: module + "/web", Imports: []string{module + "/extract"}},
		{ImportPath: module + "/web", Imports: []string{"net/http/pprof"}},
		{ImportPath: module + "/farm", Imports: []string{"github.com/prometheus/client_golang/prometheus"}},
		{ImportPath: module + "/farm", Imports: []string{module + "/web"}},
	} {
		if got := faults(p); len(got) == 0 {
			t.Errorf("%+v: %q", p, got)
		}
	}
	if got := faults(listed{ImportPath: module + "/browserpool", Imports: []string{"github.com/chromedp/chromedp"}, TestImports: []string{module + "/internal/chrometest"}}); got != nil {
		t.Error(got)
	}
}
