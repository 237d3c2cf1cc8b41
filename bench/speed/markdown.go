//go:build linux

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// figures are what came of all rounds of a driver with a kind of pages.
type figures struct {
	driver         string
	rate           float64 // pages/s, the median
	least, most    float64 // of the rounds
	cpu            float64 // seconds a page, the median
	pss, pssAll    int64   // bytes, the most of all rounds
	rows, expected int     // of all rounds
	problems       []string
}

// figures of the drivers with a kind of pages, tabfarm first, the others from the
// slowest to the fastest; who has no figure comes last.
func (r *Result) figures(kind string) []figures {
	drivers := map[string]*figures{}
	rates, cpus := map[string][]float64{}, map[string][]float64{}
	for _, m := range r.Measurements {
		if m.Kind != kind {
			continue
		}
		f := drivers[m.Driver]
		if f == nil {
			f = &figures{driver: m.Driver}
			drivers[m.Driver] = f
		}
		f.rows += m.Rows
		f.expected += m.Expected
		f.pss, f.pssAll = max(f.pss, m.PSS), max(f.pssAll, m.PSSAll)
		if m.Problem != "" {
			f.problems = append(f.problems, fmt.Sprintf("%s, round %d: %s", m.Driver, m.Round, oneLine(m.Problem)))
		}
		if m.rate() > 0 && m.Round != memoryRound {
			rates[m.Driver] = append(rates[m.Driver], m.rate())
			cpus[m.Driver] = append(cpus[m.Driver], m.cpuPerPage())
		}
	}
	var all []figures
	for _, name := range slices.Sorted(maps.Keys(drivers)) {
		f := drivers[name]
		if list := rates[name]; len(list) > 0 {
			f.rate, f.least, f.most, f.cpu = median(list), slices.Min(list), slices.Max(list), median(cpus[name])
		}
		all = append(all, *f)
	}
	slices.SortStableFunc(all, func(a, b figures) int { return rank(a) - rank(b) })
	return all
}

// rank orders drivers: tabfarm, those with a figure by it, those without.
func rank(f figures) int {
	switch {
	case f.driver == tabfarm:
		return 0
	case f.rate > 0:
		return 1 + int(f.rate*1000)
	}
	return 1 << 30
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// markdown is the whole result to be read.
func (r *Result) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Speed

Made by `+"`make bench`"+` on %s: %d processors, %d MB of memory,
%s. %d pages of each kind for each driver in
each of %d rounds, %d at once, the drivers in turn, each with the same browser program
and a new profile.

The clock runs from the first page that is asked for to the last that is read; for
tabfarm to the end of its run in the database, so that its figures have the rows
proven to be complete, typed and stored, and CPU time and memory with Postgres.
The peers count the rows and throw them away. Pages/s is the median of the rounds
and their range; CPU time is of the driver, its browser and all below them; memory
is the most seen of their PSS, in a round of its own before the others, for to look
at it costs time. Rows read are of all rounds. The last column is tabfarm's pages/s
divided by the driver's.

What a driver loads is as its documentation advises: Crawlee by its blockRequests,
the others without pictures, fonts and style sheets where they can leave them out,
tabfarm's recipe without pictures and fonts.

Versions: %s.
`, r.Date.Format("2006-01-02"), r.Machine.Cores, r.Machine.Memory>>20, r.Browser, r.Pages, r.Rounds, r.Workers, r.versions())
	for _, k := range r.Kinds {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n", k.Name, k.words())
		b.WriteString("| driver | pages/s | min–max | CPU s/page | peak memory, MB | rows read | tabfarm is |\n|---|---|---|---|---|---|---|\n")
		all := r.figures(k.Name)
		own := rateOf(all, tabfarm)
		for _, f := range all {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(f.cells(own), " | "))
		}
		var problems []string
		for _, f := range all {
			problems = append(problems, f.problems...)
		}
		if len(problems) > 0 {
			fmt.Fprintf(&b, "\n- %s\n", strings.Join(problems, "\n- "))
		}
	}
	return b.String()
}

func (r *Result) versions() string {
	var words []string
	for _, name := range slices.Sorted(maps.Keys(r.Versions)) {
		words = append(words, name+" "+r.Versions[name])
	}
	return strings.Join(words, ", ")
}

// words say what a page has.
func (k Kind) words() string {
	if k.Drawn < k.Rows {
		return fmt.Sprintf("A page has %d rows, of which about %d stand in its document at once: who reads the document gets no more.", k.Rows, k.Drawn)
	}
	return fmt.Sprintf("A page has %d rows, all in its document.", k.Rows)
}

func rateOf(all []figures, driver string) float64 {
	for _, f := range all {
		if f.driver == driver {
			return f.rate
		}
	}
	return 0
}

// cells are the line of a driver; own is tabfarm's pages/s.
func (f figures) cells(own float64) []string {
	rows := fmt.Sprintf("%d of %d", f.rows, f.expected)
	if f.rate == 0 {
		return []string{f.driver, "none", "", "", "", rows, ""}
	}
	memory := fmt.Sprintf("%d", f.pssAll>>20)
	if f.pss != f.pssAll {
		memory += fmt.Sprintf(" (%d without Postgres)", f.pss>>20)
	}
	return []string{
		f.driver, fmt.Sprintf("%.1f", f.rate), fmt.Sprintf("%.1f–%.1f", f.least, f.most),
		fmt.Sprintf("%.3f", f.cpu), memory, rows, f.times(own),
	}
}

// times is how many times as fast tabfarm is.
func (f figures) times(own float64) string {
	if f.driver == tabfarm || own == 0 || f.rate == 0 {
		return ""
	}
	return fmt.Sprintf("%.2fx", own/f.rate)
}

// short is the table of the README: what tabfarm does, and how many times as fast
// that is. Who reads less than all rows is told.
func (r *Result) short() string {
	var b strings.Builder
	lines := [][]string{{""}, nil, {"tabfarm, pages/s"}} // the second is the rule
	var names []string
	for _, k := range r.Kinds {
		all := r.figures(k.Name)
		lines[0] = append(lines[0], k.Name)
		lines[2] = append(lines[2], pagesPerSecond(rateOf(all, tabfarm)))
		for _, f := range all {
			if f.driver != tabfarm && !slices.Contains(names, f.driver) {
				names = append(names, f.driver)
			}
		}
	}
	for _, name := range names {
		line := []string{"against " + name}
		for _, k := range r.Kinds {
			line = append(line, r.against(k.Name, name))
		}
		lines = append(lines, line)
	}
	for i, line := range lines {
		if i == 1 {
			b.WriteString(strings.Repeat("|---", len(lines[0])) + "|\n")
			continue
		}
		b.WriteString("| " + strings.Join(line, " | ") + " |\n")
	}
	return b.String()
}

// against is what the README says of a driver and a kind of pages.
func (r *Result) against(kind, driver string) string {
	all := r.figures(kind)
	i := slices.IndexFunc(all, func(f figures) bool { return f.driver == driver })
	if i < 0 {
		return ""
	}
	cell := all[i].times(rateOf(all, tabfarm))
	if f := all[i]; f.rows < f.expected && cell != "" {
		cell += fmt.Sprintf(", %d %% of the rows", f.rows*100/f.expected)
	}
	return cell
}

// pagesPerSecond is nothing where nothing was measured.
func pagesPerSecond(rate float64) string {
	if rate == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", rate)
}

// The marks in the README between which the table stands.
const (
	beginMark = "<!-- speed: written by make bench -->\n"
	endMark   = "<!-- /speed -->\n"
)

// between puts a text between the marks, in the place of what stood there.
func between(text, table string) (string, error) {
	before, rest, begins := strings.Cut(text, beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return "", errors.New("it lacks the marks")
	}
	return before + beginMark + table + endMark + after, nil
}
