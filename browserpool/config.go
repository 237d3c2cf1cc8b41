package browserpool

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// Config says how a Pool starts its browsers. The zero value works.
type Config struct {
	// Path is the browser binary, a path or a name in PATH. "" looks for
	// headless shells first, then for Chromium and Chrome.
	Path string
	// Processes and Tabs (in all) are sized from cores and memory when 0.
	Processes, Tabs int
	// Sandbox is "" or "on", or "off". As root Chrome runs as User then, because
	// it refuses to have a sandbox as root.
	Sandbox string
	// User is the unprivileged user that Chrome runs as when the program is root;
	// "" is nobody. It means nothing to other users.
	User string
	// Dir is where profile folders go; "" is tabfarm-chrome-<uid> under
	// os.TempDir. Pools of several programs may share it.
	Dir string
	// UserAgent is the whole User-Agent header; "" is Chrome's own, with Product
	// after it.
	UserAgent string
	Product   string
	// Proxy is a proxy for all requests, as Chrome's --proxy-server takes it.
	Proxy string
	// Log gets restarts and replaced tabs; nil discards.
	Log *slog.Logger

	isolated bool // each site has a process of its own, as in whole Chrome; for tests
}

func (c Config) check() error {
	switch {
	case c.Sandbox != "" && c.Sandbox != "on" && c.Sandbox != "off":
		return fmt.Errorf("sandbox is %q: write on or off", c.Sandbox)
	case c.Processes < 0 || c.Tabs < 0:
		return fmt.Errorf("processes is %d and tabs is %d: write 0 for as many as fit, or more", c.Processes, c.Tabs)
	case strings.ContainsAny(c.UserAgent+c.Product, "\r\n"):
		return errors.New("user agent has a line break")
	}
	return nil
}

// Stats counts what a pool has done since New, and what it has now.
type Stats struct {
	Tabs, TabsBusy  int   // tabs in all, and those that are lent
	Browsers        int   // browser processes that live
	Pages           int64 // Open calls that reached a tab
	TabsReplaced    int64 // tabs that could not be made whole and were made anew
	TabsRecycled    int64 // tabs that were made anew after their share of pages
	BrowserStarts   int64
	BrowserRestarts int64 // starts that followed the end of a browser
	Refused         int64 // addresses that Request.Allow refused
	Timeouts        int64
	Crashes         int64
}

// StartError says that a browser did not start.
type StartError struct {
	Path   string
	Err    error
	Output string // the end of what the browser wrote
	Hint   string // what to do about it, "" when unknown
}

// Error names the binary, the cause, the hint, and the browser's own last words.
func (e *StartError) Error() string {
	s := fmt.Sprintf("start %q: %v", e.Path, e.Err)
	if e.Hint != "" {
		s += ". " + e.Hint
	}
	if e.Output != "" {
		s += "\n" + e.Output
	}
	return s
}

// Unwrap gives ErrNoBrowser and the cause.
func (e *StartError) Unwrap() []error { return []error{ErrNoBrowser, e.Err} }
