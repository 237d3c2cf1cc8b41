package recipe

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"
)

// nameBytes is the longest name that Postgres keeps whole (NAMEDATALEN - 1).
const nameBytes = 63

// reservedWords are the words that Postgres takes for a column name only when
// quoted: its key words of category R and T (pg_get_keywords), and
// system_user, which release 16 added.
var reservedWords = wordSet(`
	all analyse analyze and any array as asc asymmetric authorization binary
	both case cast check collate collation column concurrently constraint
	create cross current_catalog current_date current_role current_schema
	current_time current_timestamp current_user default deferrable desc
	distinct do else end except false fetch for foreign freeze from full grant
	group having ilike in initially inner intersect into is isnull join lateral
	leading left like limit localtime localtimestamp natural not notnull null
	offset on only or order outer overlaps placing primary references returning
	right select session_user similar some symmetric system_user table
	tablesample then to trailing true union unique user using variadic verbose
	when where window with`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// signs are the signs that have a word of their own in a name. The minus may be
// the ASCII one or U+2212.
var signs = strings.NewReplacer("+/-", " plus_minus ", "+/\u2212", " plus_minus ", "%", " pct ", "#", " no ")

// SQLName folds a header text to a name that can be typed unquoted in SQL:
// lower case; letters and digits of any script stay, a run of anything else is
// one _; % is pct, +/- plus_minus, # no; a leading digit gets x, a reserved word
// a trailing _; never a leading or (but for reserved words) trailing _; at most
// 63 bytes, cut at a rune. A text without letters and digits gives "": the caller
// finds a name.
func SQLName(text string) string {
	var b strings.Builder
	gap := false
	for _, r := range strings.ToLower(norm.NFC.String(signs.Replace(text))) {
		switch {
		case unicode.Is(unicode.Cf, r): // soft hyphens and zero-width marks are no gap
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r) && b.Len() > 0 && !gap:
			if gap && b.Len() > 0 {
				b.WriteByte('_')
			}
			gap = false
			b.WriteRune(r)
		default:
			gap = true
		}
	}
	name := norm.NFC.String(b.String())
	if first, _ := utf8.DecodeRuneInString(name); unicode.IsDigit(first) {
		name = "x" + name
	}
	if reservedWords[name] {
		return name + "_"
	}
	return strings.TrimRight(cutBytes(name, nameBytes), "_")
}

// cutBytes cuts s to at most n bytes, at the beginning of a rune.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// hostNames maps names of hosts as browsers do (UTS 46, not transitional); it
// leaves underscores and hyphens alone, since the web uses both.
var hostNames = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false))

// Host gives the scheme://name:port of an http or https URL, the unit of pace:
// lower case, international names in their ASCII form, no default port.
func Host(rawURL string) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("read URL %q: %w", rawURL, err)
	}
	scheme := strings.ToLower(u.Scheme)
	if scheme != "http" && scheme != "https" {
		return "", fmt.Errorf("read URL %q: a URL begins with https:// or http://", rawURL)
	}
	name, err := hostName(u.Hostname())
	if err != nil {
		return "", fmt.Errorf("read URL %q: %w", rawURL, err)
	}
	port := u.Port()
	if port == "" {
		return scheme + "://" + name, nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("read URL %q: %q is no port", rawURL, port)
	}
	if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
		return scheme + "://" + name, nil
	}
	return scheme + "://" + name + ":" + strconv.FormatUint(n, 10), nil
}

// hostName is one name for all spellings of a host name or IP address.
func hostName(name string) (string, error) {
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Is6() {
			return "[" + addr.String() + "]", nil
		}
		return addr.String(), nil
	}
	ascii, err := hostNames.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil {
		return "", fmt.Errorf("%q is no host name: %w", name, err)
	}
	if ascii == "" {
		return "", fmt.Errorf("the host is missing")
	}
	return ascii, nil
}
