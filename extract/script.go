package extract

import (
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tabfarm/tabfarm/recipe"
)

//go:embed *.js
var sources embed.FS

// parts are the files of the reading script, in the order they are joined.
var parts = []string{
	"dom.js", "shadow.js", "comments.js", "hidden.js", "text.js", "table.js", "aria.js", "grid.js", "wanted.js", "fields.js",
	"total.js", "signs.js", "cards.js", "embedded.js", "links.js", "draw.js", "settle.js", "act.js", "steps.js", "collect.js",
	"pages.js", "scroll.js", "rowkeys.js", "grow.js", "source.js", "next.js", "frames.js", "main.js",
}

// secret is the name of the events by which the script in the page's world and
// the reading script talk. Pages cannot know it, so they cannot answer for it.
var secret = sync.OnceValue(func() string { return "tabfarm-" + strings.ToLower(rand.Text()) })

// source is the joined text of the reading script, without its job.
var source = sync.OnceValue(func() string {
	var b strings.Builder
	for _, name := range parts {
		text, err := sources.ReadFile(name)
		if err != nil {
			panic("extract: embedded " + name + " is missing") // the binary is broken
		}
		b.Write(text)
		b.WriteByte('\n')
	}
	return b.String()
})

// job is what the script is told, as JSON.
type job struct {
	Ready    string     `json:"ready,omitempty"`
	Timeout  int64      `json:"timeout"` // for each load, in ms
	Tables   []jobTable `json:"tables"`
	Values   []jobValue `json:"values,omitempty"`
	Links    []string   `json:"links"`              // CSS, by place in Kind.Links
	NoRows   bool       `json:"noRows,omitempty"`   // neither rows nor links are those of this document
	Look     bool       `json:"look,omitempty"`     // classes and elements that repeat come too
	Comments bool       `json:"comments,omitempty"` // something is looked for in comments
	Frames   bool       `json:"frames,omitempty"`   // something is looked for in frames
	Frame    bool       `json:"frame,omitempty"`    // this is the job of a frame
	Embedded bool       `json:"embedded,omitempty"` // so does JSON that the document holds
	Steps    []jobStep  `json:"steps,omitempty"`
	// Vars are the page's variables, where a step is JavaScript.
	Vars map[string]string `json:"vars,omitempty"`
	Next *jobNext          `json:"next,omitempty"`
}

type jobNext struct {
	Click string `json:"click"`
	Max   int    `json:"max,omitempty"` // clicks
}

type jobStep struct {
	Verb     string  `json:"verb"`
	Target   string  `json:"target"`
	Value    string  `json:"value,omitempty"`
	Secret   bool    `json:"secret,omitempty"` // value is one, and stands in no message
	Optional bool    `json:"optional,omitempty"`
	Key      *jobKey `json:"key,omitempty"`
	// Fresh says that responses count only from here on.
	Fresh bool `json:"fresh,omitempty"`
}

type jobKey struct {
	Key     string `json:"key"`
	Code    string `json:"code"`
	KeyCode int    `json:"keyCode"`
	Char    string `json:"char,omitempty"`
}

type jobTable struct {
	Name string `json:"name"`
	// Mode is "from", "each", "page", "largest", "all", or "none" for rows out of JSON.
	Mode     string     `json:"mode"`
	CSS      string     `json:"css,omitempty"`
	Comments bool       `json:"comments,omitempty"` // CSS looks in comments
	Rows     string     `json:"rows"`
	Skip     string     `json:"skip,omitempty"`
	Total    *jobTotal  `json:"total,omitempty"`
	Optional bool       `json:"optional,omitempty"`
	Fields   []jobField `json:"fields"`
	Attrs    []string   `json:"attrs,omitempty"` // wanted of the cells
}

type jobTotal struct {
	CSS      string `json:"css"`
	Comments bool   `json:"comments,omitempty"`
	Match    string `json:"match,omitempty"`
}

type jobField struct {
	Name  string `json:"name"`
	CSS   string `json:"css,omitempty"`
	Attr  string `json:"attr,omitempty"`
	Above string `json:"above,omitempty"`
	// One value for all rows, from the page or from its comments.
	Page     bool `json:"page,omitempty"`
	Comments bool `json:"comments,omitempty"`
}

// Script is the source of the reading script for a kind of pages, its job
// inlined. vars fill the {name} in from, each (escaped for CSS) and the values of
// steps; secrets are those values that the recipe only names. all reads every
// table of the page in document order instead of the recipe's. k may be nil then.
func Script(k *recipe.Kind, vars, secrets map[string]string, all bool) (string, error) {
	j := job{Timeout: 30_000, Tables: []jobTable{}, Links: []string{}}
	if k != nil {
		j.Ready = k.Page.Ready
		if k.Page.Timeout > 0 {
			j.Timeout = k.Page.Timeout.Milliseconds()
		}
		if n := k.Page.Next; n != nil {
			j.Next = &jobNext{Click: n.Click, Max: n.Max}
		}
		if err := j.addSteps(k.Page.Steps, vars, secrets); err != nil {
			return "", err
		}
	}
	if all || k == nil {
		j.Tables = []jobTable{{Mode: "all", Rows: "all", Fields: []jobField{}}}
	} else {
		for _, l := range k.Links {
			j.Links = append(j.Links, l.CSS)
		}
		j.NoRows = len(j.Links) == 0
		for i := range k.Tables {
			t := &k.Tables[i]
			j.NoRows = j.NoRows && (t.JSON != nil || inFrames(t))
			j.Embedded = j.Embedded || inPage(t.JSON)
			j.Frames = j.Frames || usesPlace(t, recipe.PlaceFrame)
			j.Comments = j.Comments || usesPlace(t, recipe.PlaceComments)
			j.Values = append(j.Values, pageValues(t)...)
			if !inFrames(t) {
				j.Tables = append(j.Tables, tableJob(t, vars))
			}
		}
	}
	return script(j)
}

// FrameScript is the source of the reading script for the frames of a page, which
// is the same in each; "" where the recipe looks in none. all is as for Script.
func FrameScript(k *recipe.Kind, vars map[string]string, all bool) (string, error) {
	if !LooksInFrames(k) {
		return "", nil
	}
	j := job{Timeout: 30_000, Tables: []jobTable{}, Links: []string{}, Frames: true, Frame: true}
	if k.Page.Timeout > 0 {
		j.Timeout = k.Page.Timeout.Milliseconds()
	}
	if all {
		j.Tables = []jobTable{{Mode: "all", Rows: "all", Fields: []jobField{}}}
		return script(j)
	}
	for i := range k.Tables {
		t := &k.Tables[i]
		j.Values = append(j.Values, frameValues(t)...)
		if inFrames(t) {
			j.Comments = j.Comments || usesPlace(t, recipe.PlaceComments)
			j.Tables = append(j.Tables, tableJob(t, vars))
		}
	}
	j.NoRows = len(j.Tables) == 0
	return script(j)
}

// LookScript is the source of the reading script that reads every table of a
// page with the links in its cells, for who writes a recipe for it. timeout is
// for each load.
func LookScript(timeout time.Duration) (string, error) {
	return script(job{
		Timeout: timeout.Milliseconds(), Look: true, Embedded: true,
		Tables: []jobTable{{Mode: "all", Rows: "all", Fields: []jobField{}, Attrs: []string{"href"}}}, Links: []string{},
	})
}

// script is the reading script with a job.
func script(j job) (string, error) {
	inlined, err := inlineJSON(j)
	if err != nil {
		return "", fmt.Errorf("write job of script: %w", err)
	}
	name, err := inlineJSON(secret())
	if err != nil {
		return "", fmt.Errorf("write job of script: %w", err)
	}
	return "(() => {\n'use strict';\nconst job = " + inlined + ";\nconst SECRET = " + name + ";\n" + source() + "})();\n", nil
}

// addSteps adds the steps of a page. Those of its responses count that come of the
// last step which may bring the rows: none that only waits or scrolls, and none
// that may be left out.
func (j *job) addSteps(steps []recipe.Step, vars, secrets map[string]string) error {
	last := -1
	for i, s := range steps {
		step := jobStep{Verb: s.Verb, Target: s.Target, Optional: s.Optional, Value: recipe.Substitute(s.Value, vars)}
		switch {
		case s.Secret != "":
			value, ok := secrets[s.Secret]
			if !ok {
				return fmt.Errorf("write step %d: secret %q is not given", i+1, s.Secret)
			}
			step.Value, step.Secret = value, true
		case s.Verb == "js":
			j.Vars = vars
		case s.Verb == "press":
			k, ok := recipe.KeyOf(s.Target)
			if !ok {
				return fmt.Errorf("write step %d: key %q is not known", i+1, s.Target)
			}
			step.Key = &jobKey{Key: k.Name, Code: k.Code, KeyCode: k.ID, Char: k.Text}
		}
		if !s.Optional && !slices.Contains([]string{"wait", "wait_gone", "scroll"}, s.Verb) {
			last = i
		}
		j.Steps = append(j.Steps, step)
	}
	if last >= 0 {
		j.Steps[last].Fresh = true
	}
	return nil
}

// inlineJSON is JSON that may stand in a script: HTML and line ends are escaped.
func inlineJSON(v any) (string, error) {
	text, err := json.Marshal(v)
	return string(text), err
}

func tableJob(t *recipe.Table, vars map[string]string) jobTable {
	j := jobTable{Name: t.Name, Rows: t.Rows, Skip: t.Skip, Optional: t.Optional, Fields: []jobField{}}
	if j.Rows == "" {
		j.Rows = "all"
	}
	if t.Total != nil && totalPlace(t) == rowsPlace(t) {
		place, css := recipe.SplitPlace(t.Total.CSS)
		j.Total = &jobTotal{CSS: css, Comments: place == recipe.PlaceComments, Match: t.Total.Match}
	}
	place, css := recipe.SplitPlace(t.From + t.Each)
	j.CSS, j.Comments = fillCSS(css, vars), place == recipe.PlaceComments
	switch {
	case t.JSON != nil:
		j.Mode = "none"
	case t.Each == "page":
		j.Mode, j.CSS = "page", ""
	case t.Each != "":
		j.Mode = "each"
	case t.From != "":
		j.Mode = "from"
	default:
		j.Mode = "largest"
	}
	for _, c := range t.Columns {
		if ofCell(c) && !slices.Contains(j.Attrs, c.Attr) {
			j.Attrs = append(j.Attrs, c.Attr)
		}
		if isField(c) && !isValue(t, c) {
			place, css := recipe.SplitPlace(c.CSS)
			j.Fields = append(j.Fields, jobField{
				Name: c.Name, CSS: css, Attr: c.Attr, Above: c.Above,
				Page: place == recipe.PlacePage, Comments: place == recipe.PlaceComments,
			})
		}
	}
	if len(j.Fields) == 0 && (j.Mode == "each" || j.Mode == "page") {
		j.Fields = append(j.Fields, jobField{Name: textColumn})
	}
	return j
}

// textColumn is the column of an `each` table whose recipe names none: the text of the element.
const textColumn = "text"

// isField says that a column is looked for beside the header.
func isField(c recipe.Column) bool {
	return c.CSS != "" || c.Attr != "" && c.Header == "" || c.Above != ""
}

// ofCell says that a column is an attribute of what stands under a header.
func ofCell(c recipe.Column) bool { return c.Attr != "" && c.Header != "" }

// fillCSS fills the variables of a selector, escaped so that a value is always
// one word of it or part of a quoted string.
func fillCSS(template string, vars map[string]string) string {
	escaped := map[string]string{}
	for name, value := range vars {
		escaped[name] = escapeCSS(value)
		if value != "" && value[0] >= '0' && value[0] <= '9' {
			// A class or id does not begin with a digit.
			escaped[name+"__word"] = fmt.Sprintf("\\%x %s", value[0], escapeCSS(value[1:]))
			for _, before := range []string{"#", "."} {
				template = strings.ReplaceAll(template, before+"{"+name+"}", before+"{"+name+"__word}")
			}
		}
	}
	return recipe.Substitute(template, escaped)
}

func escapeCSS(value string) string {
	var b strings.Builder
	for _, c := range value {
		switch {
		case c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c > 0x7f:
			b.WriteRune(c)
		default:
			fmt.Fprintf(&b, "\\%x ", c)
		}
	}
	return b.String()
}

// PageScript is the script for the page's own world, which must run before the
// page's scripts. It counts what the page has set up and not yet run.
func PageScript() string {
	text, err := sources.ReadFile("page.js")
	if err != nil {
		panic("extract: embedded page.js is missing") // the binary is broken
	}
	return strings.Replace(string(text), "SECRET", `"`+secret()+`"`, 1)
}

// inPage says that JSON is meant that the document holds itself: #NAME.
func inPage(j *recipe.JSONSource) bool { return j != nil && strings.HasPrefix(j.URL, "#") }

// Capture lists the parts of URLs whose responses the tables need, without repetition.
func Capture(k *recipe.Kind, vars map[string]string) []string {
	var urls []string
	seen := map[string]bool{}
	if k == nil {
		return nil
	}
	for _, t := range k.Tables {
		if t.JSON == nil || inPage(t.JSON) {
			continue
		}
		for _, form := range urlForms(t.JSON.URL, vars) {
			if !seen[form] {
				seen[form] = true
				urls = append(urls, form)
			}
		}
	}
	return urls
}
