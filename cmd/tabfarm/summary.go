package main

import (
	"bytes"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/tabfarm/tabfarm/farm"
)

// runReport is what run --json prints. Every outcome and every count is there,
// zero included, so that a script may ask for any of them.
type runReport struct {
	Recipe  string                `json:"recipe"`
	Run     int64                 `json:"run"`
	State   string                `json:"state"`
	Exit    int                   `json:"exit"`
	Pages   pagesReport           `json:"pages"`
	Tables  map[string]rowsReport `json:"tables"`
	Seconds float64               `json:"seconds"`
	Profile *profileReport        `json:"profile,omitempty"` // with --profile alone
}

type pagesReport struct {
	Total     int                  `json:"total"`
	OK        int                  `json:"ok"`
	Failed    int                  `json:"failed"`
	ByOutcome map[farm.Outcome]int `json:"by_outcome"`
}

type rowsReport struct {
	Inserted   int64 `json:"inserted"`
	Updated    int64 `json:"updated"`
	Unchanged  int64 `json:"unchanged"`
	Rejected   int64 `json:"rejected"`
	Duplicates int64 `json:"duplicates"`
	Conflicts  int64 `json:"conflicts"`
	Gone       int64 `json:"gone"`
}

func newRunReport(s farm.Summary, code int) runReport {
	r := runReport{
		Recipe: s.Recipe, Run: s.RunID, State: s.State, Exit: code, Seconds: s.Seconds,
		Pages:  pagesReport{Total: s.Total, OK: s.Done, Failed: s.Failed, ByOutcome: map[farm.Outcome]int{}},
		Tables: map[string]rowsReport{},
	}
	for _, o := range farm.Outcomes() {
		r.Pages.ByOutcome[o] = s.ByOutcome[o]
	}
	for _, t := range s.Tables {
		r.Tables[t.Name] = rowsReport{t.Inserted, t.Updated, t.Unchanged, t.Rejected, t.Duplicates, t.Conflicts, t.Gone}
	}
	return r
}

// printSummary tells people how a run ended. newest says that hints need not
// name the recipe.
func printSummary(w io.Writer, s farm.Summary, newest bool) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s  %d of %s ok\n", clean(s.Recipe), s.Done, pagesWords(s.Total))
	writeTables(&b, s.Tables)
	for _, warning := range s.Warnings {
		fmt.Fprintf(&b, "  warning: %s\n", clean(warning))
	}
	if s.Problem != "" {
		fmt.Fprintf(&b, "  more pages could not be found: %s\n", clean(s.Problem))
	}
	writeFailures(&b, s)
	if failed := failedOutcomes(s); len(failed) > 0 {
		words := make([]string, len(failed))
		for i, f := range failed {
			words[i] = string(f.outcome)
		}
		name := ""
		if !newest {
			name = " " + s.Recipe
		}
		fmt.Fprintf(&b, "  Look: tabfarm pages%s --outcome %s    Again: tabfarm retry%s\n", name, strings.Join(words, ","), name)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// writeTables writes the counts of each table, numbers below each other, and
// below them what of the rows needs an eye.
func writeTables(b *bytes.Buffer, tables []farm.TableSummary) {
	name, inserted, updated, unchanged := 8, 8, 1, 1
	for _, t := range tables {
		name = max(name, len([]rune(t.Name)))
		inserted = max(inserted, len(thousands(t.Inserted)))
		updated = max(updated, len(thousands(t.Updated)))
		unchanged = max(unchanged, len(thousands(t.Unchanged)))
	}
	for _, t := range tables {
		fmt.Fprintf(b, "  %-*s %*s inserted   %*s updated   %*s unchanged\n", name, t.Name,
			inserted, thousands(t.Inserted), updated, thousands(t.Updated), unchanged, thousands(t.Unchanged))
	}
	for _, t := range tables {
		if t.Duplicates > 0 {
			fmt.Fprintf(b, "  %s: %s equal in all columns, kept once\n", t.Name, count(t.Duplicates, "row was", "rows were"))
		}
		if t.Rejected > 0 {
			fmt.Fprintf(b, "  %s: %s not fit the column's type: NULL in the row, kept in tabfarm.rejected\n", t.Name, count(t.Rejected, "value did", "values did"))
			for _, example := range t.Rejections {
				fmt.Fprintf(b, "    %s\n", clean(example))
			}
			b.WriteString("    If they are right: declare type: text and run --new\n")
		}
		if t.Conflicts > 0 {
			fmt.Fprintf(b, "  %s: %s by two pages with other values; the later one was kept\n", t.Name, count(t.Conflicts, "row was given", "rows were given"))
			if t.Conflict != "" {
				fmt.Fprintf(b, "    %s\n", clean(t.Conflict))
			}
			b.WriteString("    Take a longer key, or say that this is right: duplicates: last\n")
		}
	}
}

// failedCount is one outcome with its number of failed pages.
type failedCount struct {
	outcome farm.Outcome
	n       int
}

// failedOutcomes lists the outcomes of failed pages, the most frequent first.
// An empty page may be an accepted one: what the others leave is failed.
func failedOutcomes(s farm.Summary) []failedCount {
	var list []failedCount
	rest := s.Failed
	for _, o := range farm.Outcomes() {
		if n := s.ByOutcome[o]; n > 0 && o != farm.OK && o != farm.Empty {
			list = append(list, failedCount{o, n})
			rest -= n
		}
	}
	if rest > 0 {
		list = append(list, failedCount{farm.Empty, rest})
	}
	slices.SortStableFunc(list, func(x, y failedCount) int { return y.n - x.n })
	return list
}

// examples is how many pages of one outcome the summary names.
const examples = 5

func writeFailures(b *bytes.Buffer, s farm.Summary) {
	for _, f := range failedOutcomes(s) {
		fmt.Fprintf(b, "  %s failed: %s\n", thousands(int64(f.n)), f.outcome)
		shown := 0
		for _, page := range s.Failures {
			if page.Outcome == f.outcome && shown < examples {
				fmt.Fprintf(b, "    %s  %s\n", clean(shorten(page.Address)), clean(page.Message))
				shown++
			}
		}
		if left := f.n - shown; left > 0 && shown > 0 {
			fmt.Fprintf(b, "    and %s\n", thousands(int64(left))+" more")
		}
	}
}

// shorten leaves the last part of an address, as …/NBA_1999_totals.html, which
// is enough to tell the pages of one recipe apart.
func shorten(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	last := path.Base(u.EscapedPath())
	if last == "/" || last == "." {
		last = ""
	}
	if strings.HasSuffix(u.Path, "/") && last != "" {
		last += "/"
	}
	if u.RawQuery != "" {
		last += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		last += "#" + u.EscapedFragment()
	}
	if last == "" {
		return address
	}
	return "…/" + last
}
