package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// errNoHome says that no directory for tabfarm's own files can be found.
var errNoHome = errors.New("HOME is not set, so there is no place for tabfarm's own files")

// dataDir is where the private Postgres and the demo's recipes live.
func dataDir() (string, error) {
	return userDir("XDG_DATA_HOME", ".local/share")
}

// configDir is where the user's tabfarm.yaml is looked for.
func configDir() (string, error) {
	return userDir("XDG_CONFIG_HOME", ".config")
}

// userDir follows the XDG Base Directory Specification: a relative path in the
// variable is not valid and is ignored.
func userDir(variable, below string) (string, error) {
	if dir := os.Getenv(variable); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tabfarm"), nil
	}
	home := os.Getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", &failure{
			code: exitUsage, err: errNoHome,
			hint: "set HOME or " + variable + " to a directory",
		}
	}
	return filepath.Join(home, filepath.FromSlash(below), "tabfarm"), nil
}

// tilde shortens a path under the home directory for the screen.
func tilde(path string) string {
	home := os.Getenv("HOME")
	if home == "" || home == "/" {
		return path
	}
	if rest, ok := strings.CutPrefix(path, strings.TrimRight(home, "/")+"/"); ok {
		return "~/" + rest
	}
	return path
}
