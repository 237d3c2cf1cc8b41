package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"
)

// servedPage is an HTML file that is served on loopback while it is tried.
type servedPage struct {
	url   string
	host  string // host:port, to be allowed
	close func() error
}

// servePage serves a file and what lies beside and below it, which a page needs
// for its scripts and styles. The page's scripts could read all that is served,
// so names that begin with a dot, links that lead outside and requests under
// another host name are refused.
func servePage(ctx context.Context, file string) (*servedPage, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage("", "no file %s", file)
	case err != nil:
		return nil, usage("", "%s cannot be read: %w", file, err)
	case info.IsDir():
		return nil, usage("", "%s is a directory", file)
	}
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return nil, fmt.Errorf("open directory of %q: %w", file, err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listen on loopback: %w", err), root.Close())
	}
	host := listener.Addr().String()
	server := &http.Server{Handler: filesOnly(host, root), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	return &servedPage{
		url:  "http://" + host + "/" + url.PathEscape(filepath.Base(file)),
		host: host,
		close: func() error {
			err := server.Close()
			<-ended // http.ErrServerClosed
			return errors.Join(err, root.Close())
		},
	}, nil
}

// filesOnly answers with files, and refuses directories, dot files and foreign
// host names.
func filesOnly(host string, root *os.Root) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := filepath.FromSlash(strings.TrimPrefix(r.URL.Path, "/"))
		if r.Host != host {
			http.Error(w, "wrong host", http.StatusMisdirectedRequest)
			return
		}
		info, err := root.Stat(name)
		if err != nil || !info.Mode().IsRegular() || strings.Contains(r.URL.Path, "/.") {
			http.NotFound(w, r)
			return
		}
		text, err := root.ReadFile(name)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if isPageFile(name) {
			// A page without a declared encoding would be read as windows-1252.
			// One that is no UTF-8 has to declare its own.
			w.Header().Set("Content-Type", "text/html")
			if utf8.Valid(text) {
				w.Header().Set("Content-Type", "text/html; charset=utf-8")
			}
		}
		http.ServeContent(w, r, name, info.ModTime(), bytes.NewReader(text))
	})
}
