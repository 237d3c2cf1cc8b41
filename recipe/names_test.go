package recipe

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestSQLName(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Player": "player", "3P%": "x3p_pct", "FG%": "fg_pct", "+/-": "plus_minus", "+/\u2212": "plus_minus",
		"#": "no", "To": "to_", "User": "user_", "Order": "order_", "W/L%": "w_l_pct", "": "", " – ": "",
		"Name (short)": "name_short", "__private": "private", "Größe": "größe", "Gro\u0308ße": "größe",
		"Город": "город", "年度": "年度", "हिन्दी": "हिन्दी", "2024": "x2024", "٣ نقاط": "x٣_نقاط",
		"Sea\u00adson": "season", "a\x00b": "a_b", "% of #": "pct_of_no", "km²": "km", "system_user": "system_user_",
		"İstanbul": "istanbul", "\u0301x": "x", "Date": "date", "Position": "position", "end.": "end_",
		strings.Repeat("ä", 40): strings.Repeat("ä", 31), strings.Repeat("a", 62) + " b": strings.Repeat("a", 62),
	} {
		if got := SQLName(text); got != want {
			t.Errorf("SQLName(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestSQLNameIsANameAndStays(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		name := SQLName(text)
		if len(name) > nameBytes || !utf8.ValidString(name) || strings.HasPrefix(name, "_") || reservedWords[name] {
			t.Fatalf("SQLName(%q) = %q", text, name)
		}
		if again := SQLName(name); again != name {
			t.Fatalf("SQLName(%q) = %q, and again %q", text, name, again)
		}
	})
}

func TestHost(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"https://Stats.Example/x":       "https://stats.example",
		"HTTPS://stats.example:443":     "https://stats.example",
		"http://stats.example:0080/a":   "http://stats.example",
		"http://stats.example:8080":     "http://stats.example:8080",
		"https://bücher.example/":       "https://xn--bcher-kva.example",
		"https://my_host.example./":     "https://my_host.example",
		"http://[::1]:9/":               "http://[::1]:9",
		"http://[0:0::1]/":              "http://[::1]",
		"http://127.0.0.1:41873/x?y#z":  "http://127.0.0.1:41873",
		"https://r3---sn.example":       "https://r3---sn.example",
		"https://user:pw@stats.example": "https://stats.example",
	} {
		got, err := Host(raw)
		if err != nil || got != want {
			t.Errorf("Host(%q) = %q, %v, want %q", raw, got, err, want)
		}
	}
	for _, raw := range []string{"", "stats.example", "file:///etc", "ftp://a", "https://", "http://a:0", "http://a:99999", "http://a b/", "://"} {
		if got, err := Host(raw); err == nil {
			t.Errorf("Host(%q) = %q, want an error", raw, got)
		}
	}
}

func TestSubstitute(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"season": "2024", "empty": ""}
	for template, want := range map[string]string{
		"NBA_{season}.html": "NBA_2024.html", "{season}{season}": "20242024", "{{season}}": "{season}", "{{season}": "{season}",
		"a{empty}b": "ab", "{other}": "{other}", "{ x }": "{ x }", "{": "{", "}": "}", "{season}}": "2024}", "": "", "{{{season}": "{2024",
		`{"a":{"b":{season}}}`: `{"a":{"b":2024}}`, "{{a:{{b}}}}": "{a:{b}}", "{season}}}": "2024}}",
	} {
		if got := Substitute(template, vars); got != want {
			t.Errorf("Substitute(%q) = %q, want %q", template, got, want)
		}
	}
}
