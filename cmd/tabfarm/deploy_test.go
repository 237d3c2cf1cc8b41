package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// deployed are the files by which containers run tabfarm.
var deployed = []string{"docker-compose.yml", "deploy/kubernetes.yaml", "Dockerfile", "docs/operations.md"}

func readDeployed(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// What containers run are commands that there are.
func TestDeployedCommands(t *testing.T) {
	t.Parallel()
	var lines [][]string
	for _, name := range deployed[:2] {
		for decoder := yaml.NewDecoder(bytes.NewReader(readDeployed(t, name))); ; {
			var document any
			if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, commandsIn(document)...)
		}
	}
	if len(lines) != 5 {
		t.Errorf("found %d commands: %q", len(lines), lines)
	}
	for _, line := range lines {
		cmd, rest, err := newRoot(&app{}).Find(line)
		if err != nil || !cmd.HasParent() || len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			t.Errorf("tabfarm has no command %q: %v, %q", line, err, rest)
		}
	}
}

// commandsIn are the arguments of tabfarm in a document: command, args and healthcheck.
func commandsIn(node any) (lines [][]string) {
	switch node := node.(type) {
	case []any:
		for _, below := range node {
			lines = append(lines, commandsIn(below)...)
		}
	case map[string]any:
		for key, below := range node {
			list, _ := below.([]any)
			var words []string
			for _, word := range list {
				if s, ok := word.(string); ok {
					words = append(words, s)
				}
			}
			switch {
			case key == "command" || key == "args":
				lines = append(lines, words)
			case key == "test" && len(words) > 2 && words[1] == "tabfarm":
				lines = append(lines, words[2:])
			default:
				lines = append(lines, commandsIn(below)...)
			}
		}
	}
	return lines
}

// Settings that the files name are settings that there are.
func TestDeployedSettings(t *testing.T) {
	t.Parallel()
	known := []string{"TABFARM_SECRET_", "TABFARM_POSTGRES_PASSWORD", "TABFARM_POSTGRES_PORT"} // the last two are the compose file's own
	for _, o := range options() {
		known = append(known, envName(o.key))
	}
	for _, name := range deployed {
		found := regexp.MustCompile(`TABFARM_[A-Z_]+`).FindAllString(string(readDeployed(t, name)), -1)
		if len(found) == 0 {
			t.Errorf("%s names no setting", name)
		}
		for _, variable := range found {
			if !slices.Contains(known, variable) {
				t.Errorf("%s names %s, which is no setting", name, variable)
			}
		}
	}
}
