package browserpool

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// Browser is a browser binary.
type Browser struct {
	Path    string
	Product string // chromium-headless-shell, chromium, google-chrome
	Version string // 156.0.8078.79
}

// String is how a person is told: "chromium-headless-shell 156".
func (b Browser) String() string {
	major, _, _ := strings.Cut(b.Version, ".")
	return strings.TrimSpace(b.Product + " " + major)
}

// HeadlessShell says that the binary is the small browser without windows, which
// renders faster than Chrome's own headless mode.
func (b Browser) HeadlessShell() bool { return strings.Contains(b.Product, "headless") }

// binaries in the order they are looked for: headless shells, then whole browsers.
func binaries() []string {
	names := []string{
		"chromium-headless-shell", "chrome-headless-shell", "headless-shell", "headless_shell",
		"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
	}
	if runtime.GOOS == "darwin" {
		names = append(names,
			"/Applications/Chromium.app/Contents/MacOS/Chromium",
			"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
	}
	return names
}

var versionWords = regexp.MustCompile(`(\d+)\.\d+\.\d+\.\d+`)

// oldest is the first Chrome that blocks by URL patterns
// (Network.setBlockedURLs with urlPatterns), which Request.Block needs.
const oldest = 140

// Find names the browser binary that New would start, and its version. path is a
// binary or a name in PATH, "" looks for one. The error matches ErrNoBrowser.
func Find(path string) (Browser, error) {
	names := binaries()
	if path != "" {
		names = []string{path}
	}
	for _, name := range names {
		found, err := exec.LookPath(name)
		if err != nil && !errors.Is(err, exec.ErrDot) {
			continue
		}
		if found, err = filepath.Abs(found); err != nil {
			return Browser{}, fmt.Errorf("find %q: %w", name, err)
		}
		return version(found)
	}
	if path != "" {
		return Browser{}, fmt.Errorf("%w: %q is no program on this machine", ErrNoBrowser, path)
	}
	return Browser{}, fmt.Errorf("%w: no Chrome or Chromium on this machine", ErrNoBrowser)
}

func version(path string) (Browser, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	words := versionWords.FindStringSubmatch(string(out))
	if words == nil {
		if err == nil {
			err = errors.New("it does not tell a version")
		}
		return Browser{}, &StartError{Path: path, Err: fmt.Errorf("ask for its version: %w", err), Output: strings.TrimSpace(string(out))}
	}
	b := Browser{Path: path, Product: filepath.Base(path), Version: words[0]}
	b.Product = strings.ReplaceAll(strings.ToLower(b.Product), " ", "-")
	if len(words[1]) < 3 || (len(words[1]) == 3 && words[1] < fmt.Sprint(oldest)) {
		return b, &StartError{Path: path, Err: fmt.Errorf("version %s is too old", b.Version), Hint: fmt.Sprintf("tabfarm needs Chrome %d or newer", oldest)}
	}
	return b, nil
}
