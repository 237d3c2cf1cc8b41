package main

import (
	"net/url"
	"regexp"
	"strings"
)

// passwordWord is the password of a connection string of keywords, as libpq
// reads it: quoted with \ as escape, or up to the next space.
var passwordWord = regexp.MustCompile(`(?:^|\s)password\s*=\s*('(?:[^'\\]|\\.)*'|\S*)`)

var escaped = regexp.MustCompile(`\\(.)`)

// splitPassword takes the password out of the address of a database, which is a
// URL or a string of keywords. ok is false for an address that cannot be read.
func splitPassword(dsn string) (rest, password string, ok bool) {
	if !strings.Contains(dsn, "://") {
		for _, m := range passwordWord.FindAllStringSubmatch(dsn, -1) {
			word := m[1]
			if inner, quoted := strings.CutPrefix(word, "'"); quoted {
				word = escaped.ReplaceAllString(strings.TrimSuffix(inner, "'"), "$1")
			}
			password = word
		}
		return strings.TrimSpace(passwordWord.ReplaceAllString(dsn, "")), password, true
	}
	u, err := url.Parse(dsn)
	if err != nil {
		return "", "", false
	}
	query := u.Query()
	if query.Has("password") {
		password = query.Get("password")
		query.Del("password")
		u.RawQuery = query.Encode()
	}
	if p, has := u.User.Password(); has {
		password = p
		u.User = url.User(u.User.Username())
	}
	return u.String(), password, true
}

// keyPassword is the one that a client certificate's key is locked with.
var keyPassword = regexp.MustCompile(`[?&\s]?sslpassword\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&]*)`)

// withoutPassword shows where a database is.
func withoutPassword(dsn string) string {
	rest, _, ok := splitPassword(dsn)
	if !ok {
		return "the database of database.url"
	}
	return keyPassword.ReplaceAllString(rest, "")
}
