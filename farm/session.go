package farm

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tabfarm/tabfarm/browserpool"
	"github.com/tabfarm/tabfarm/recipe"
)

// session is a sign-in that was kept: cookies, and localStorage by origin.
type session struct {
	cookies []browserpool.Cookie
	storage map[string][]browserpool.StorageItem
}

// SessionError says which session file cannot be used and why.
type SessionError struct {
	Path string
	Err  error
}

func (e *SessionError) Error() string { return fmt.Sprintf("read session %q: %v", e.Path, e.Err) }

// Unwrap gives the cause.
func (e *SessionError) Unwrap() error { return e.Err }

// loadSessions reads the session files of a recipe, by the name that the recipe gives them.
func (f *Farm) loadSessions(r *recipe.Recipe) (map[string]session, error) {
	sessions := map[string]session{}
	for _, k := range r.Kinds {
		name := k.Page.Session
		if _, done := sessions[name]; done || name == "" {
			continue
		}
		path := name
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(r.File), path)
		}
		s, err := readSession(path)
		if err != nil {
			return nil, &SessionError{Path: path, Err: err}
		}
		sessions[name] = s
	}
	return sessions, nil
}

// checkAccess tells before a run begins which session or secret is missing.
func (f *Farm) checkAccess(r *recipe.Recipe) error {
	if _, err := f.loadSessions(r); err != nil {
		return err
	}
	for _, k := range r.Kinds {
		if _, err := f.secrets(&k); err != nil {
			return &PlanError{Recipe: r.Name, Err: err}
		}
	}
	return nil
}

// readSession reads a storage state file as Playwright writes it: cookies with
// expires in Unix seconds (-1: until the browser closes), origins with localStorage.
func readSession(path string) (session, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return session{}, err
	}
	var file struct {
		Cookies []struct {
			Name, Value, Domain, Path string
			Expires                   float64
			HTTPOnly                  bool `json:"httpOnly"`
			Secure                    bool
			SameSite                  string `json:"sameSite"`
		}
		Origins []struct {
			Origin       string
			LocalStorage []browserpool.StorageItem `json:"localStorage"`
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return session{}, fmt.Errorf("no storage state (JSON with cookies and origins): %w", err)
	}
	s := session{storage: map[string][]browserpool.StorageItem{}}
	for _, c := range file.Cookies {
		cookie := browserpool.Cookie{
			Name: c.Name, Value: c.Value, Domain: c.Domain, Path: c.Path,
			Secure: c.Secure, HTTPOnly: c.HTTPOnly, SameSite: c.SameSite,
		}
		if c.Expires > 0 {
			cookie.Expires = time.Unix(0, int64(c.Expires*float64(time.Second)))
		}
		s.cookies = append(s.cookies, cookie)
	}
	for _, o := range file.Origins {
		s.storage[o.Origin] = append(s.storage[o.Origin], o.LocalStorage...)
	}
	return s, nil
}
