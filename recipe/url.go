package recipe

import (
	"fmt"
	"net/url"
	"sort"
	"strings"
)

// urlPlace is a part of a URL with its own rule of what is encoded.
type urlPlace int

const (
	placeHost urlPlace = iota
	placePath
	placeQuery
	placeFragment
)

// fillURL puts values into the parts of a URL template, percent-encoded for the
// place where each stands.
func fillURL(parts []part, value func(name string) string) string {
	var b strings.Builder
	where := placeHost
	rest := ""
	for _, p := range parts {
		if p.name != "" {
			b.WriteString(encodeFor(where, value(p.name)))
			continue
		}
		b.WriteString(p.text)
		rest += p.text
		where = placeAt(rest)
	}
	return b.String()
}

// placeAt is the place at the end of the literal text of a URL so far.
func placeAt(text string) urlPlace {
	if strings.Contains(text, "#") {
		return placeFragment
	}
	if strings.Contains(text, "?") {
		return placeQuery
	}
	if _, rest, ok := strings.Cut(text, "://"); ok && strings.Contains(rest, "/") {
		return placePath
	}
	return placeHost
}

// encodeFor percent-encodes a value: in a path all but the characters of a path
// segment (RFC 3986, pchar), in a query and a fragment all but unreserved ones,
// so that it cannot end the parameter or route that it stands in. A host has no
// percent-encoding; what cannot stand in it is found when the URL is checked.
func encodeFor(where urlPlace, value string) string {
	keep := "-._~"
	switch where {
	case placeHost:
		keep = value
	case placePath:
		keep = "-._~!$&'()*+,;=:@"
	}
	return percentEncode(value, keep)
}

const upperHex = "0123456789ABCDEF"

// percentEncode encodes every byte but ASCII letters, digits and those of keep.
func percentEncode(s, keep string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte(keep, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String()
}

// cleanURL checks a URL and gives it one spelling: scheme and host in lower case,
// no default port, a path of at least /. Path, query and fragment stay as written.
func cleanURL(raw string) (string, error) {
	lower := strings.ToLower(raw)
	if !strings.HasPrefix(lower, "https://") && !strings.HasPrefix(lower, "http://") {
		return "", fmt.Errorf("%q is no URL: a URL begins with https:// or http://", raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("%q is no URL: %w", raw, reason(err))
	}
	if u.User != nil {
		return "", fmt.Errorf("a URL with a name and password is not taken (host %s): use page.headers with a secret", u.Host)
	}
	host, err := Host(raw)
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(raw, "://")
	if i := strings.IndexAny(rest, "/?#"); i < 0 {
		rest = "/"
	} else if rest = rest[i:]; rest[0] != '/' {
		rest = "/" + rest
	}
	return host + rest, nil
}

// pageAddress is a page's address: its URL, and as fragment #~name=value, sorted
// by name and percent-encoded, the variables that are used but do not stand in the
// URL. A fragment of the URL itself stays before it.
func pageAddress(pageURL string, vars map[string]string, beside []string) string {
	if len(beside) == 0 {
		return pageURL
	}
	pairs := make([]string, len(beside))
	for i, name := range beside {
		pairs[i] = name + "=" + percentEncode(vars[name], "-._~")
	}
	sort.Strings(pairs)
	return pageURL + "#~" + strings.Join(pairs, "&")
}
