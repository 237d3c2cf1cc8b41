package demosite

import (
	"fmt"
	"net/http"
	"strconv"
)

// The session of /members: the cookie that signing in sets, and the words for it.
const (
	SessionCookie = "demo_session"
	SessionValue  = "signed-in"
	User          = "demo"
	Password      = "demo"
)

// serveStatus answers with the status that ?code= asks for.
func serveStatus(w http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.URL.Query().Get("code"))
	if err != nil || code < 200 || code > 599 {
		code = http.StatusNotFound
	}
	answer(code)(w, r)
}

// serveDenied is what a protected site shows to a robot, with status 200.
func serveDenied(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprint(w, `<!doctype html>
<html lang="en">
<title>Access denied</title>
<h1>Access denied</h1>
<p>You do not have permission to view this page. Your request looked automated.</p>
<p>Reference: demo-403</p>
</html>
`)
}

// serveLogin is a form to sign in with.
func serveLogin(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = fmt.Fprint(w, `<!doctype html>
<html lang="en">
<title>Sign in</title>
<h1>Sign in</h1>
<p>Please sign in to go on. (User and password are both “demo”.)</p>
<form method="post" action="/login">
<p><label>User <input id="user" name="user" autocomplete="username"></label></p>
<p><label>Password <input id="password" name="password" type="password" autocomplete="current-password"></label></p>
<p><button type="submit">Sign in</button></p>
</form>
</html>
`)
}

// serveSignIn sets the session's cookie and leads to /members.
func serveSignIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<16)
	if r.PostFormValue("user") != User || r.PostFormValue("password") != Password {
		http.Redirect(w, r, "/login", http.StatusSeeOther)
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: SessionCookie, Value: SessionValue, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
	http.Redirect(w, r, "/members", http.StatusSeeOther)
}

// serveMembers is a table for those who are signed in; others are led to /login.
func serveMembers(p *pages) http.HandlerFunc {
	members := p.servePage(page{Path: "/members", Name: "table", Title: "Members only"})
	return func(w http.ResponseWriter, r *http.Request) {
		if !signedIn(r) {
			http.Redirect(w, r, "/login", http.StatusFound)
			return
		}
		members(w, r)
	}
}

func signedIn(r *http.Request) bool {
	cookie, err := r.Cookie(SessionCookie)
	return err == nil && cookie.Value == SessionValue
}

// serveMembersTable is the table behind /members, for those who are signed in.
func (p *pages) serveMembersTable(w http.ResponseWriter, r *http.Request) {
	if !signedIn(r) {
		http.Error(w, `{"error":"sign in first"}`, http.StatusUnauthorized)
		return
	}
	p.serveTable(sources["planets"])(w, r)
}
