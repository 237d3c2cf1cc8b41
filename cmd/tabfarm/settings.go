package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/tabfarm/tabfarm/web"
)

// settings is the configuration of one command, decoded once. Flags come before
// TABFARM_* variables, these before tabfarm.yaml in the working directory, that
// before the one in the user's configuration directory, key by key.
//
// Recipes never pass through here: viper folds the case of keys.
type settings struct {
	Database struct {
		URL     string // "" is the private Postgres
		Schema  string
		Readers []string
	}
	Browser struct {
		Path      string // "" looks for one
		Tabs      int    // 0 is sized from the machine
		Processes int    // 0 is sized from the machine
		Sandbox   string // on or off
		PageLimit time.Duration
	}
	Network struct {
		AllowPrivate []string // hosts, host:port, addresses and CIDR ranges
		Proxy        string
	}
	Session struct{ Dir string }
	Serve   struct {
		Listen string        // host:port, "" where it is off
		Drain  time.Duration // longest time to finish the pages in flight
	}
	Log struct{ Level slog.Level }
}

// option is one key of the configuration.
type option struct {
	key  string
	def  any
	flag string // name of the flag that sets it, "" for none
	// set checks a value and stores it. Its error says what was expected.
	set func(s *settings, v value) error
}

// options lists all keys. A key is the same in tabfarm.yaml (nested) and, in
// capitals with _ for the dot, behind TABFARM_ in the environment.
func options() []option {
	return []option{
		{"database.url", "", "database", func(s *settings, v value) error { return setDatabaseURL(&s.Database.URL, v) }},
		{"database.schema", "public", "", func(s *settings, v value) error { return setSchema(&s.Database.Schema, v) }},
		{"database.readers", "", "", func(s *settings, v value) error { return v.list(&s.Database.Readers) }},
		{"browser.path", "", "browser", func(s *settings, v value) error { return v.text(&s.Browser.Path) }},
		{"browser.tabs", 0, "tabs", func(s *settings, v value) error { return v.number(&s.Browser.Tabs, 512) }},
		{"browser.processes", 0, "", func(s *settings, v value) error { return v.number(&s.Browser.Processes, 64) }},
		{"browser.sandbox", "on", "", func(s *settings, v value) error { return v.onOff(&s.Browser.Sandbox) }},
		{"browser.page_limit", "10m", "", func(s *settings, v value) error { return v.duration(&s.Browser.PageLimit) }},
		{"network.allow_private", "", "", func(s *settings, v value) error { return setAllow(&s.Network.AllowPrivate, v) }},
		{"network.proxy", "", "", func(s *settings, v value) error { return setProxy(&s.Network.Proxy, v) }},
		{"session.dir", "", "", func(s *settings, v value) error { return v.text(&s.Session.Dir) }},
		{"serve.listen", fmt.Sprintf("127.0.0.1:%d", web.Port), "", func(s *settings, v value) error { return setListen(&s.Serve.Listen, v) }},
		{"serve.drain", "30s", "", func(s *settings, v value) error { return v.duration(&s.Serve.Drain) }},
		{"log.level", "warn", "", func(s *settings, v value) error { return setLevel(&s.Log.Level, v) }},
	}
}

// settingMistakes are wrong keys and values of the configuration, one a line.
type settingMistakes []string

func (m settingMistakes) Error() string { return strings.Join(m, "\n") }

// loadSettings reads the configuration of a command with these flags. All that
// is wrong is told at once, as settingMistakes.
func loadSettings(flags *pflag.FlagSet) (settings, error) {
	v := viper.NewWithOptions(viper.KeyDelimiter("."))
	var mistakes settingMistakes
	places := map[string]string{}
	for _, file := range settingFiles() {
		text, err := os.ReadFile(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			mistakes = append(mistakes, fmt.Sprintf("%s: cannot be read: %v", file, err))
			continue
		}
		f := readSettingFile(file, text)
		mistakes = append(mistakes, f.mistakes...)
		for key, place := range f.places {
			places[key] = place
		}
		if err := v.MergeConfigMap(f.values); err != nil {
			mistakes = append(mistakes, fmt.Sprintf("%s: %v", file, err))
		}
	}
	var s settings
	for _, o := range options() {
		variable := envName(o.key)
		v.SetDefault(o.key, o.def)
		if err := v.BindEnv(o.key, variable); err != nil {
			return s, fmt.Errorf("bind %s: %w", variable, err)
		}
		place := places[o.key]
		if os.Getenv(variable) != "" {
			place = variable
		}
		if f := flags.Lookup(o.flag); f != nil && o.flag != "" {
			if err := v.BindPFlag(o.key, f); err != nil {
				return s, fmt.Errorf("bind --%s: %w", o.flag, err)
			}
			if f.Changed {
				place = "--" + o.flag
			}
		}
		if err := o.set(&s, value{v.Get(o.key)}); err != nil {
			mistakes = append(mistakes, mistakeAt(place, o.key, err))
		}
	}
	if len(mistakes) > 0 {
		return s, mistakes
	}
	return s, nil
}

// mistakeAt words a wrong value: a place in a file is followed by the key, a
// flag and a variable say it themselves.
func mistakeAt(place, key string, err error) string {
	if strings.HasPrefix(place, "--") || strings.HasPrefix(place, "TABFARM_") {
		return fmt.Sprintf("%s: %v.", place, err)
	}
	return fmt.Sprintf("%s: %s: %v.", place, key, err)
}

// envName is the environment variable of a key.
func envName(key string) string {
	return "TABFARM_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// settingFiles lists where tabfarm.yaml may be, the weaker one first.
func settingFiles() []string {
	var files []string
	if dir, err := configDir(); err == nil {
		files = append(files, filepath.Join(dir, "tabfarm.yaml"))
	}
	return append(files, "tabfarm.yaml")
}

// value is a raw value: text from a flag or the environment, anything from YAML.
type value struct{ raw any }

func (v value) String() string { return strings.TrimSpace(fmt.Sprint(v.raw)) }

func (v value) text(to *string) error {
	switch v.raw.(type) {
	case string, int, int64, uint64, float64, bool:
		*to = v.String()
		return nil
	}
	return errors.New("is a list. Write one value")
}

// list takes a YAML list, or a text with commas or spaces between its parts.
func (v value) list(to *[]string) error {
	*to = nil
	switch raw := v.raw.(type) {
	case []any:
		for _, x := range raw {
			*to = append(*to, value{x}.String())
		}
		return nil
	case []string:
		*to = append(*to, raw...)
		return nil
	}
	parts := strings.FieldsFunc(v.String(), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
	*to = append(*to, parts...)
	return nil
}

func (v value) number(to *int, most int) error {
	n, err := strconv.Atoi(v.String())
	if err != nil || n < 0 || n > most {
		return fmt.Errorf("%q is not a number from 1 to %d. Write one, or leave it out to have it sized from the machine", v.String(), most)
	}
	*to = n
	return nil
}

func (v value) duration(to *time.Duration) error {
	d, err := time.ParseDuration(v.String())
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is not a time. Write a number with its unit, as 90s or 10m", v.String())
	}
	*to = d
	return nil
}

func (v value) onOff(to *string) error {
	switch strings.ToLower(v.String()) {
	case "on", "true":
		*to = "on"
	case "off", "false":
		*to = "off"
	default:
		return fmt.Errorf("%q is neither on nor off. Write on or off", v.String())
	}
	return nil
}

// setDatabaseURL never repeats the value: it may hold a password.
func setDatabaseURL(to *string, v value) error {
	s := v.String()
	scheme, _, isURL := strings.Cut(s, "://")
	switch {
	case s == "", isURL && (scheme == "postgres" || scheme == "postgresql"), !isURL && strings.Contains(s, "="):
		*to = s
		return nil
	}
	return errors.New("is no address of a Postgres database. Write postgres://USER@HOST:5432/DATABASE")
}

// maxName is the length in bytes at which Postgres cuts names.
const maxName = 63

func setSchema(to *string, v value) error {
	s := v.String()
	if s == "" || len(s) > maxName || strings.HasPrefix(s, "pg_") || s == "tabfarm" || s == "tabfarm_internal" {
		return fmt.Errorf("%q is no schema for results. Write a name of 1 to %d bytes that is not tabfarm's own, as public", s, maxName)
	}
	*to = s
	return nil
}

func setAllow(to *[]string, v value) error {
	if err := v.list(to); err != nil {
		return err
	}
	for _, entry := range *to {
		_, prefixErr := netip.ParsePrefix(entry)
		_, addrErr := netip.ParseAddr(entry)
		switch {
		case strings.Contains(entry, "://"):
			return fmt.Errorf("%q is a URL. Write the host alone, or host:port", entry)
		case strings.Contains(entry, "/") && prefixErr != nil:
			return fmt.Errorf("%q is no range of addresses. Write one as 10.0.0.0/8, or a host, or host:port", entry)
		case strings.Count(entry, ":") > 1 && prefixErr != nil && addrErr != nil && !strings.HasPrefix(entry, "["):
			return fmt.Errorf("%q is no host. Write a host, host:port, or a range as 10.0.0.0/8", entry)
		}
	}
	return nil
}

func setProxy(to *string, v value) error {
	s := v.String()
	if s == "" {
		*to = ""
		return nil
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5") {
		return errors.New("is no proxy. Write http://HOST:PORT or socks5://HOST:PORT")
	}
	*to = s
	return nil
}

func setListen(to *string, v value) error {
	s := v.String()
	if s == "off" || s == "false" { // YAML 1.1 files say no with off
		*to = ""
		return nil
	}
	_, port, err := net.SplitHostPort(s)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		return fmt.Errorf("%q is no address to listen on. Write HOST:PORT, as 127.0.0.1:%d, or off", s, web.Port)
	}
	*to = s
	return nil
}

func setLevel(to *slog.Level, v value) error {
	switch strings.ToLower(v.String()) {
	case "debug":
		*to = slog.LevelDebug
	case "info":
		*to = slog.LevelInfo
	case "warn", "warning":
		*to = slog.LevelWarn
	case "error":
		*to = slog.LevelError
	default:
		return fmt.Errorf("%q is no level. Write debug, info, warn or error", v.String())
	}
	return nil
}
