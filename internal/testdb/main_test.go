package main

import (
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// These tests set the environment of the whole binary and so run one after the other.

func TestRunGivesAServer(t *testing.T) {
	t.Setenv(variable, "")
	said := filepath.Join(t.TempDir(), "said")
	code, err := run(t.Context(), []string{"sh", "-c", `echo "$` + variable + `" >` + said + `; exit 7`})
	if err != nil || code != 7 {
		t.Fatalf("exit %d, %v", code, err)
	}
	text, err := os.ReadFile(said)
	if err != nil {
		t.Fatal(err)
	}
	server, err := url.Parse(strings.TrimSpace(string(text)))
	if err != nil || server.Scheme != "postgres" {
		t.Fatalf("the command saw %q, %v", text, err)
	}
	// The server has gone, and its folder with it.
	if _, err := os.Stat(server.Query().Get("host")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", server.Query().Get("host"), err)
	}
}

func TestRunTakesAGivenServer(t *testing.T) {
	t.Setenv(variable, "postgres://given.invalid/x")
	if code, err := run(t.Context(), []string{"sh", "-c", `test "$` + variable + `" = postgres://given.invalid/x`}); code != 0 || err != nil {
		t.Errorf("exit %d, %v", code, err)
	}
	if code, err := run(t.Context(), []string{"sh", "-c", "kill -9 $$"}); code != 1 || err == nil {
		t.Errorf("a killed command: exit %d, %v", code, err)
	}
	if code, err := run(t.Context(), []string{"/nothing/here"}); code != 3 || err == nil {
		t.Errorf("no command: exit %d, %v", code, err)
	}
}
