package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/tabfarm/tabfarm/browserpool"
)

// installHint is what to type to install a program, for this system.
func installHint(debian, brew string) string {
	switch system() {
	case "darwin":
		return "brew install " + brew
	case "debian", "ubuntu":
		return "sudo apt-get install " + debian
	}
	return "install " + debian + " with the package manager of this system"
}

// system is darwin, or the ID of the Linux distribution or of the one it is
// made from, as os-release(5) tells it.
func system() string {
	if runtime.GOOS != "linux" {
		return runtime.GOOS
	}
	text, err := os.ReadFile("/etc/os-release")
	if err != nil {
		return runtime.GOOS
	}
	var id, like string
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch value = strings.Trim(value, `"'`); key {
		case "ID":
			id = value
		case "ID_LIKE":
			like = value
		}
	}
	if id == "debian" || id == "ubuntu" {
		return id
	}
	for _, word := range strings.Fields(like) {
		if word == "debian" || word == "ubuntu" {
			return word
		}
	}
	return id
}

// noBrowser explains a browser that is missing or does not start. named is the
// path that the person gave, "" for none.
func noBrowser(err error, named string) *failure {
	const name = "    (or name one: --browser PATH)"
	f := &failure{code: exitMissing, err: err, hint: "tabfarm doctor looks into it" + name}
	var start *browserpool.StartError
	switch {
	case errors.As(err, &start):
		return f
	case named != "":
		f.err, f.hint = fmt.Errorf("%s is no program on this machine", named), "--browser takes the path of a Chrome or Chromium"
		return f
	}
	install := installHint("chromium-headless-shell", "--cask chromium")
	if system() == "ubuntu" {
		// Ubuntu packages Chromium as a snap only.
		install = "sudo snap install chromium"
	}
	f.err, f.hint = errors.New("no Chrome or Chromium on this machine"), install+name
	return f
}
