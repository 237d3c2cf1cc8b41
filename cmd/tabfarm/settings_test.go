package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

// load reads settings in an empty place of its own. These tests change the
// environment and the working directory, so they are not parallel.
func load(t *testing.T, files map[string]string, env map[string]string, args ...string) (settings, error) {
	t.Helper()
	home, work := t.TempDir(), t.TempDir()
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "TABFARM_") {
			t.Setenv(name, "")
		}
	}
	t.Setenv("HOME", home)
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Chdir(work)
	for name, text := range files {
		dir := work
		if name == "user" {
			dir = filepath.Join(home, ".config", "tabfarm")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, "tabfarm.yaml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, v := range env {
		t.Setenv(name, v)
	}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	flags.String("database", "", "")
	flags.String("browser", "", "")
	flags.Int("tabs", 0, "")
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	return loadSettings(flags)
}

func TestSettingsDefaults(t *testing.T) {
	s, err := load(t, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var want settings
	want.Database.Schema = "public"
	want.Browser.Sandbox = "on"
	want.Browser.PageLimit, want.Serve.Drain = 10*time.Minute, 30*time.Second
	want.Serve.Listen = "127.0.0.1:8077"
	want.Log.Level = slog.LevelWarn
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("settings differ (-want +got):\n%s", diff)
	}
}

// Flags come before the environment, this before the working directory's file,
// that before the user's, key by key.
func TestSettingsOrder(t *testing.T) {
	files := map[string]string{
		"user": "database:\n  schema: from_user\n  readers: [a, b]\nbrowser: {path: user, tabs: 1}\nlog: {level: info}\n",
		"work": "database: {schema: from_work}\nbrowser: {path: work, tabs: 2, sandbox: off}\nserve: {listen: off}\n",
	}
	env := map[string]string{"TABFARM_BROWSER_TABS": "3", "TABFARM_BROWSER_PATH": "env", "TABFARM_NETWORK_ALLOW_PRIVATE": "127.0.0.1, 10.0.0.0/8 box:80"}
	s, err := load(t, files, env, "--browser", "flag")
	if err != nil {
		t.Fatal(err)
	}
	var want settings
	want.Database.Schema = "from_work"
	want.Database.Readers = []string{"a", "b"}
	want.Browser.Path = "flag"
	want.Browser.Tabs = 3
	want.Browser.Sandbox = "off"
	want.Browser.PageLimit, want.Serve.Drain = 10*time.Minute, 30*time.Second
	want.Serve.Listen = "127.0.0.1:8077"
	want.Network.AllowPrivate = []string{"127.0.0.1", "10.0.0.0/8", "box:80"}
	want.Serve.Listen = ""
	want.Log.Level = slog.LevelInfo
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("settings differ (-want +got):\n%s", diff)
	}
}

func TestSettingsMistakes(t *testing.T) {
	files := map[string]string{"work": `databse:
  url: postgres://x
database:
  urls: postgres://x
  schema:
browser:
  tabs: many
  sandbox: maybe
log: debug
network:
  allow_private: [10.0.0.0/99]
  proxy: {a: b}
serve: {listen: 8077}
`}
	env := map[string]string{"TABFARM_BROWSER_PAGE_LIMIT": "10", "TABFARM_DATABASE_URL": "mysql://user:hunter2@host/db"}
	_, err := load(t, files, env, "--tabs", "9999")
	var mistakes settingMistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("got %v, want mistakes", err)
	}
	want := settingMistakes{
		"tabfarm.yaml:1:1: unknown key databse; did you mean database?",
		"tabfarm.yaml:4:3: unknown key database.urls; did you mean database.url?",
		"tabfarm.yaml:5:3: database.schema: has no value. Write one, or remove the line.",
		"tabfarm.yaml:9:1: log: has keys below it. Write them indented on lines of their own.",
		"tabfarm.yaml:12:3: network.proxy: takes a value and no keys.",
		"TABFARM_DATABASE_URL: is no address of a Postgres database. Write postgres://USER@HOST:5432/DATABASE.",
		`--tabs: "9999" is not a number from 1 to 512. Write one, or leave it out to have it sized from the machine.`,
		`tabfarm.yaml:8:12: browser.sandbox: "maybe" is neither on nor off. Write on or off.`,
		`TABFARM_BROWSER_PAGE_LIMIT: "10" is not a time. Write a number with its unit, as 90s or 10m.`,
		`tabfarm.yaml:11:18: network.allow_private: "10.0.0.0/99" is no range of addresses. Write one as 10.0.0.0/8, or a host, or host:port.`,
		`tabfarm.yaml:13:17: serve.listen: "8077" is no address to listen on. Write HOST:PORT, as 127.0.0.1:8077, or off.`,
	}
	if diff := cmp.Diff(want, mistakes); diff != "" {
		t.Errorf("mistakes differ (-want +got):\n%s", diff)
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Error("the password was printed")
	}
}

func TestSettingsOfNoYAML(t *testing.T) {
	_, err := load(t, map[string]string{"work": "database: [\n"}, nil)
	if err == nil || !strings.HasPrefix(err.Error(), "tabfarm.yaml: is not valid YAML: ") {
		t.Errorf("got %v", err)
	}
	if _, err := load(t, map[string]string{"work": "# nothing\n"}, nil); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestSplitPassword(t *testing.T) {
	t.Parallel()
	tests := []struct{ dsn, rest, password string }{
		{"postgres://me:hunter2@db.example:5432/stats?sslmode=require", "postgres://me@db.example:5432/stats?sslmode=require", "hunter2"},
		{"postgres:///stats?host=/run/pg&password=hunter2", "postgres:///stats?host=%2Frun%2Fpg", "hunter2"},
		{"postgres://db.example/stats", "postgres://db.example/stats", ""},
		{"host=/run/pg dbname=stats user=me password=hunter2", "host=/run/pg dbname=stats user=me", "hunter2"},
		{`host=db password = 'it\'s hunter2' user=me`, "host=db user=me", "it's hunter2"},
		{"password=hunter2 host=db", "host=db", "hunter2"},
	}
	for _, tt := range tests {
		rest, password, ok := splitPassword(tt.dsn)
		if rest != tt.rest || password != tt.password || !ok {
			t.Errorf("splitPassword(%q) = %q, %q, %v, want %q, %q", tt.dsn, rest, password, ok, tt.rest, tt.password)
		}
	}
	if got := withoutPassword("host=db sslpassword=hunter2 user=me"); got != "host=db user=me" {
		t.Errorf("the password of a key: %q", got)
	}
	if got := withoutPassword("postgres://me:hun%ter2@db.example:5432/stats"); got != "the database of database.url" {
		t.Errorf("an address that cannot be read: %q", got)
	}
}

func TestDirs(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	t.Setenv("XDG_DATA_HOME", "")
	if dir, err := dataDir(); err != nil || dir != "/home/me/.local/share/tabfarm" {
		t.Errorf("got %q, %v", dir, err)
	}
	if got := tilde("/home/me/.local/share/tabfarm"); got != "~/.local/share/tabfarm" {
		t.Errorf("got %q", got)
	}
	if got := tilde("/home/meanwhile"); got != "/home/meanwhile" {
		t.Errorf("got %q", got)
	}
	t.Setenv("XDG_DATA_HOME", "relative")
	if dir, err := dataDir(); err != nil || dir != "/home/me/.local/share/tabfarm" {
		t.Errorf("a relative XDG_DATA_HOME: got %q, %v", dir, err)
	}
	t.Setenv("XDG_DATA_HOME", "/data")
	if dir, err := dataDir(); err != nil || dir != "/data/tabfarm" {
		t.Errorf("got %q, %v", dir, err)
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_DATA_HOME", "")
	if _, err := dataDir(); !errors.Is(err, errNoHome) || explain(err).code != exitUsage {
		t.Errorf("without HOME: got %v", err)
	}
}
