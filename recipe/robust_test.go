package recipe

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// checkParse parses a text and holds what is true of any: no panic, mistakes that
// lie inside the file and say something, in order; a recipe when there are none.
func checkParse(t interface {
	Helper()
	Fatalf(string, ...any)
}, text string,
) {
	t.Helper()
	r, err := Parse("a.yaml", []byte(text))
	if err == nil {
		if r == nil || len(r.Kinds) == 0 || r.Timezone == nil {
			t.Fatalf("no mistakes and no recipe: %+v\n%s", r, text)
		}
		for _, k := range r.Kinds {
			if len(k.Sources) == 0 {
				t.Fatalf("a kind without sources passed:\n%s", text)
			}
		}
		return
	}
	var mistakes Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) == 0 || r != nil {
		t.Fatalf("Parse gave %v, %T %v\n%s", r, err, err, text)
	}
	lines := splitLines([]byte(text))
	for i, m := range mistakes {
		if m.Line < 1 || m.Line > len(lines) || m.Column < 1 || m.Column > utf8.RuneCountInString(lines[m.Line-1])+1 {
			t.Fatalf("mistake outside of the file: %s\n%q", m, text)
		}
		slips := func(sign string) bool { return strings.Contains(m.Text, sign) && !strings.Contains(text, sign) }
		if m.Text == "" || slips("yaml:") || slips("%!") || m.File != "a.yaml" {
			t.Fatalf("mistake badly told: %s\n%q", m, text)
		}
		if i > 0 && (mistakes[i-1].Line > m.Line || mistakes[i-1].Line == m.Line && mistakes[i-1].Column > m.Column) {
			t.Fatalf("mistakes out of order:\n%v", mistakes)
		}
	}
}

// corpus is every recipe of the tests, right or wrong.
func corpus(t testing.TB) []string {
	t.Helper()
	var texts []string
	for _, pattern := range []string{"testdata/jobs/*.yaml", "testdata/mistakes/*.yaml"} {
		matches, err := globSorted(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range matches {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
	}
	return texts
}

// TestParseTakesAnything changes recipes as hands slip: characters and lines lost,
// doubled, exchanged, and special ones put in.
func TestParseTakesAnything(t *testing.T) {
	t.Parallel()
	texts := corpus(t)
	for _, text := range texts {
		checkParse(t, text)
	}
	special := []string{"{", "}", "[", "]", "*", "&", "#", "\"", "'", ": ", "- ", "\n", "\t", "\\", "|", ">", "%", "@", "!", "~", "ü", "\x00", "\xff", "{season}", "<<: ", "? ", "---\n", "*a", "&a "}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(texts).Draw(t, "text")
		for range rapid.IntRange(1, 4).Draw(t, "slips") {
			from := rapid.IntRange(0, len(text)).Draw(t, "from")
			to := min(len(text), from+rapid.IntRange(0, 12).Draw(t, "length"))
			switch rapid.IntRange(0, 3).Draw(t, "slip") {
			case 0:
				text = text[:from] + text[to:]
			case 1:
				text = text[:to] + text[from:]
			case 2:
				text = text[:from] + rapid.SampledFrom(special).Draw(t, "special") + text[from:]
			case 3:
				lines := strings.Split(text, "\n")
				i := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
				j := rapid.IntRange(0, len(lines)-1).Draw(t, "other line")
				lines[i], lines[j] = lines[j], lines[i]
				text = strings.Join(lines, "\n")
			}
		}
		checkParse(t, text)
	})
}

// ends are texts that end where a YAML document begins: what is said of that
// one has no line of its own.
var ends = []string{"---", "--- ", "---\n---", "urls: https://a.example\n---", "urls: https://a.example\n--- ", "...", "%YAML 1.2\n---", "\ufeff---"}

func TestParseTakesEnds(t *testing.T) {
	t.Parallel()
	for _, text := range ends {
		checkParse(t, text)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range append(corpus(f), ends...) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { checkParse(t, text) })
}

// frames hold each map of the language with KEY as one of its keys.
var frames = map[string]string{
	"":                          "KEY\n",
	"page.":                     "page:\n  KEY\n",
	"tables.NAME.":              "tables:\n  t:\n    KEY\n",
	"tables.NAME.columns.NAME.": "tables:\n  t:\n    columns:\n      a:\n        KEY\n",
	"polite.":                   "polite:\n  KEY\n",
	"page.steps.":               "page:\n  steps:\n  - KEY\n",
	"page.next.":                "page:\n  next:\n    KEY\n",
	"urls.":                     "urls:\n- KEY\n",
	"with.NAME.":                "with:\n  a:\n    KEY\n",
	"schedule.":                 "schedule:\n  KEY\n",
	"tables.NAME.total.":        "tables:\n  t:\n    total:\n      KEY\n",
	"tables.NAME.json.":         "tables:\n  t:\n    json:\n      KEY\n",
	"page.headers.NAME.":        "page:\n  headers:\n    a:\n      KEY\n",
	"pages.NAME.":               "pages:\n  a:\n    KEY\n",
}

// companions are the keys without which another one is not looked at.
var companions = map[string]string{
	"urls.in": "links: a", "urls.depth": "links: a", "urls.hosts": "links: a", "urls.with": "url: https://stats.example",
	"urls.match": "sitemap: https://stats.example", "with.NAME.to": "from: 1", "with.NAME.step": "from: 1", "with.NAME.format": "from: today",
}

// TestEveryKeyIsChecked gives each key of the language a value that none takes: a
// key that the schema knows and the checker forgot would pass.
func TestEveryKeyIsChecked(t *testing.T) {
	t.Parallel()
	for _, p := range places {
		frame, ok := frames[p.path]
		if !ok {
			t.Errorf("no frame for %q", p.path)
			continue
		}
		for _, key := range keysOf(p.keys) {
			at := strings.Index(frame, "KEY")
			indent := strings.Repeat(" ", at-strings.LastIndexByte(frame[:at], '\n')-1)
			wrong := key + ": [[[x]], {y: [1]}]"
			text := strings.Replace(frame, "KEY", wrong, 1)
			if extra := companions[p.path+key]; extra != "" {
				text = strings.Replace(frame, "KEY", wrong+"\n"+indent+extra, 1)
			}
			before, _, _ := strings.Cut(text, wrong)
			line := strings.Count(before, "\n") + 1
			_, err := Parse("a.yaml", []byte(text))
			var mistakes Mistakes
			if !errors.As(err, &mistakes) {
				t.Errorf("%s%s: %v", p.path, key, err)
				continue
			}
			told := slices.ContainsFunc(mistakes, func(m Mistake) bool {
				return m.Line == line && m.Column > len(indent) && !strings.Contains(m.Text, "unknown key") && !strings.Contains(m.Text, "missing")
			})
			if !told {
				t.Errorf("nothing was said of %s%s:\n%v", p.path, key, err)
			}
		}
	}
}

// TestManyMistakes: one that hides behind another is told as well.
func TestManyMistakes(t *testing.T) {
	t.Parallel()
	text := "urls: stats.example\nschedule: */5 * * * *\ntables:\n"
	for i := range 60 {
		text += fmt.Sprintf("  t%d: {from: a[x], rows: many}\n  u%d: {rows: many}\n", i, i)
	}
	_, err := Parse("a.yaml", []byte(text))
	var mistakes Mistakes
	if !errors.As(err, &mistakes) || len(mistakes) < maxRepairs {
		t.Fatalf("%d mistakes: %v", len(mistakes), err)
	}
	checkParse(t, text)
}
