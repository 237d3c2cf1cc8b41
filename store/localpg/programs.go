package localpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPrograms says that the PostgreSQL server programs are not installed.
type ErrNoPrograms struct {
	Looked []string // folders that were looked at
}

func (e *ErrNoPrograms) Error() string {
	return "the PostgreSQL server programs (initdb, pg_ctl, postgres) are not installed. " + install("")
}

// ErrVersion says that the cluster was made by another release than the programs
// that are installed.
type ErrVersion struct {
	Dir  string   // of the server
	Data string   // major release of the data
	Have []string // major releases of the programs
}

func (e *ErrVersion) Error() string {
	return fmt.Sprintf("the private Postgres in %s was made by PostgreSQL %s, and only %s is installed. %s, or move %s away to begin with an empty database",
		e.Dir, e.Data, strings.Join(e.Have, ", "), install(e.Data), filepath.Join(e.Dir, dataName))
}

// install says how to get the server programs, of one major release if given.
func install(major string) string {
	if runtime.GOOS == "darwin" {
		if major == "" {
			major = "17"
		}
		return "Install them: brew install postgresql@" + major
	}
	name := "postgresql"
	if major != "" {
		name += "-" + major
	}
	return "Install them: sudo apt-get install " + name
}

// programs is one installed release.
type programs struct {
	bin     string // folder of initdb, pg_ctl and postgres
	version string // 15.18
	major   string // 15
}

// oldest is the oldest major release that store works with.
const oldest = 14

// findPrograms picks the release to use: that of the data where there are some,
// else the newest.
func findPrograms(ctx context.Context, data string) (programs, error) {
	return pickPrograms(ctx, programFolders(ctx), data)
}

func pickPrograms(ctx context.Context, folders []string, data string) (programs, error) {
	var found []programs
	for _, bin := range folders {
		if p, ok := programsIn(ctx, bin); ok {
			found = append(found, p)
		}
	}
	if len(found) == 0 {
		return programs{}, &ErrNoPrograms{Looked: folders}
	}
	slices.SortStableFunc(found, func(a, b programs) int { return number(b.major) - number(a.major) })
	major, err := dataMajor(data)
	if errors.Is(err, fs.ErrNotExist) {
		return found[0], nil
	}
	if err != nil {
		return programs{}, err
	}
	e := &ErrVersion{Dir: filepath.Dir(data), Data: major}
	for _, p := range found {
		if p.major == major {
			return p, nil
		}
		if !slices.Contains(e.Have, p.major) {
			e.Have = append(e.Have, p.major)
		}
	}
	return programs{}, e
}

func number(major string) int {
	n, err := strconv.Atoi(major)
	if err != nil {
		return 0
	}
	return n
}

// programFolders are the places where distributions put server programs.
func programFolders(ctx context.Context) []string {
	var folders []string
	add := func(dirs ...string) {
		for _, d := range dirs {
			if d != "" && !slices.Contains(folders, d) {
				folders = append(folders, d)
			}
		}
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real
		}
		add(filepath.Dir(path))
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		add(strings.TrimSpace(string(out)))
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",                // Debian, Ubuntu
		"/usr/pgsql-*/bin",                         // PGDG on Red Hat
		"/usr/libexec/postgresql*",                 // Alpine
		"/opt/homebrew/opt/postgresql*/bin",        // Homebrew on Apple silicon
		"/usr/local/opt/postgresql*/bin",           // Homebrew on Intel
		"/home/linuxbrew/.linuxbrew/opt/*sql*/bin", // Homebrew on Linux
	} {
		dirs, err := filepath.Glob(pattern)
		if err == nil {
			add(dirs...)
		}
	}
	return folders
}

var versionWords = regexp.MustCompile(`\(PostgreSQL\) ((\d+)\S*)`)

// programsIn looks whether a folder holds all programs, of a release that will do.
func programsIn(ctx context.Context, bin string) (programs, bool) {
	for _, name := range []string{"initdb", "pg_ctl", "postgres"} {
		if info, err := os.Stat(filepath.Join(bin, name)); err != nil || info.IsDir() {
			return programs{}, false
		}
	}
	out, err := exec.CommandContext(ctx, filepath.Join(bin, "postgres"), "--version").Output()
	m := versionWords.FindStringSubmatch(string(out))
	if err != nil || m == nil || number(m[2]) < oldest {
		return programs{}, false
	}
	return programs{bin: bin, version: m[1], major: m[2]}, true
}

// dataMajor is the major release of a cluster.
func dataMajor(data string) (string, error) {
	text, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return "", fmt.Errorf("read release of the private Postgres: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
