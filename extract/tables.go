package extract

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tabfarm/tabfarm/recipe"
)

// The outcomes that a Problem may have, in the words of the design.
const (
	outcomeEmpty      = "empty"
	outcomeIncomplete = "incomplete"
	outcomeMissing    = "selector_missing"
	outcomeBadValue   = "bad_value"
	outcomeDuplicate  = "duplicate_key"
	outcomeTooLarge   = "too_large"
	outcomeSignedOut  = "signed_out"
	outcomeBlocked    = "blocked"
	outcomeTimeout    = "timeout"
	outcomeScript     = "script_error"
)

// Tables gives the rows of each recipe table, in the order of the recipe: its
// columns named and found, variables as columns, keys checked on the page. With
// a nil kind every grid of the reading is a table of its own.
//
// The error is the first *Problem met; the tables are returned beside it as far
// as they were read. All tables of a page must be fine, or the page is not.
func Tables(r *Reading, sources []Source, k *recipe.Kind, vars map[string]string) ([]Table, error) {
	if r.Stopped != nil {
		return nil, refusal(r)
	}
	if k == nil {
		return everyTable(r)
	}
	var tables []Table
	var first *Problem
	for i := range k.Tables {
		t := &k.Tables[i]
		table, problem := oneTable(r, sources, t, pageVars{vars, k.Lent})
		if problem != nil {
			problem.Table = t.Name
			problem.Message = t.Name + ": " + problem.Message
			if first == nil {
				first = problem
			}
		}
		if table != nil {
			tables = append(tables, *table)
		}
	}
	if first != nil {
		return tables, first
	}
	return tables, nil
}

// The signs of a page that is not the one meant.
const (
	signPassword = "password"
	signCaptcha  = "captcha"
	signDenied   = "denied"
	signConsent  = "consent"
	signSpinner  = "spinner"
)

// refusal is why the steps stopped, with what the page says of it. A password field
// says nothing: the steps may have come to fill it.
func refusal(r *Reading) *Problem {
	if p := blocked(r.Stopped, r); p != nil {
		return p
	}
	return r.Stopped
}

// blocked is a problem whose reason is that the site does not let the page be
// read; nil where the page shows no sign of that.
func blocked(p *Problem, r *Reading) *Problem {
	words := map[string]string{
		signCaptcha: "the page asks to solve a captcha",
		signDenied:  "the site refuses the page",
		signConsent: "the page asks for consent to cookies first",
	}
	for _, sign := range r.Signs {
		word, ok := words[sign]
		if !ok {
			continue
		}
		advice := ""
		if sign == signConsent {
			advice = ". Set page.session to one where it was given"
			if r.Accept != "" {
				advice = fmt.Sprintf(". Give it with a step: page: {steps: [{click: %q, optional: true}]}", r.Accept)
			}
		}
		return problemf(outcomeBlocked, "%s (title %q)%s; %s", word, r.Title, advice, p.Message)
	}
	return nil
}

// problemf is a Problem of a table whose name is put in front by Tables.
func problemf(outcome, format string, args ...any) *Problem {
	return &Problem{Outcome: outcome, Message: fmt.Sprintf(format, args...)}
}

// oneTable reads one table of the recipe. The table is nil when nothing of it was found.
func oneTable(r *Reading, sources []Source, t *recipe.Table, vars pageVars) (*Table, *Problem) {
	var s *sheet
	var problem *Problem
	if t.JSON != nil {
		s, problem = jsonSheet(r, sources, t, vars.values)
	} else {
		var grids []*Grid
		if grids, problem = gridsOf(r, t); problem == nil && grids != nil {
			s, problem = sheetOf(grids)
		}
	}
	if problem == nil && s != nil {
		problem = r.inFrames(r.complete(s, t), t)
	}
	switch {
	case problem != nil && (problem.Outcome != outcomeMissing || !t.Optional):
		return nil, signed(problem, r)
	case s == nil:
		return &Table{Name: t.Name, Complete: true, Proof: ProofEnd}, nil // optional and absent
	}
	table, problem := resolve(s, t, vars)
	if problem != nil {
		if len(s.rows) == 0 {
			problem = signed(problem, r)
		}
		return table, r.inFrames(problem, t)
	}
	table.Complete, table.Proof, table.Total = s.complete, s.proof, s.total
	linksOf(table, s)
	if problem := checkKeys(table, s, t); problem != nil {
		return table, problem
	}
	return table, judge(table, s, t, r)
}

// signed turns "not found" into what the page itself says of the reason.
func signed(p *Problem, r *Reading) *Problem {
	if slices.Contains(r.Signs, signPassword) && !slices.Contains(r.Signs, signCaptcha) && !slices.Contains(r.Signs, signDenied) {
		return problemf(outcomeSignedOut, "the page asks for a password (title %q). Set page.session; %s", r.Title, p.Message)
	}
	if b := blocked(p, r); b != nil {
		return b
	}
	return p
}

// judge says whether the rows are as many as they must be.
func judge(table *Table, s *sheet, t *recipe.Table, r *Reading) *Problem {
	n := len(table.Rows)
	proven := s.proof == ProofTotal
	switch {
	case t.Rows != "visible" && !s.complete && s.total != nil:
		return problemf(outcomeIncomplete, "have %s of %s rows%s. Where other URLs show the rest, set rows: visible.",
			thousands(s.counted), thousands(*s.total), because(s.note))
	case t.Rows != "visible" && !s.complete && r.Short != "":
		return problemf(outcomeIncomplete, "%s read, and not all parts of the page: %s.", rowsRead(n), r.Short)
	case inFrames(t) && !proven && r.late() != "":
		return problemf(outcomeIncomplete, "%s read, and nothing proves that they are all, for frames of the page were not read to their end: %s.", rowsRead(n), r.late())
	case !r.Settled && !proven && t.JSON == nil:
		return problemf(outcomeIncomplete, "the page had not come to rest by its deadline; %s read and nothing proves that they are all.", rowsRead(n))
	case t.Rows != "visible" && !s.complete:
		return problemf(outcomeIncomplete, "%s read and nothing proves that they are all%s. Name the number that the page states with total, or set rows: visible.",
			rowsRead(n), because(s.note))
	case n == 0 && t.MinRows > 0:
		return signed(problemf(outcomeEmpty, "the table has no rows. If that is fine, set min_rows: 0."), r)
	case n < t.MinRows:
		return problemf(outcomeIncomplete, "%s, fewer than min_rows: %d.", rowsWord(n), t.MinRows)
	}
	return nil
}

func because(note string) string {
	if note == "" {
		return ""
	}
	return " (" + note + ")"
}

func rowsWord(n int) string {
	if n == 1 {
		return "1 row"
	}
	return thousands(n) + " rows"
}

// rowsRead says how many rows were read.
func rowsRead(n int) string {
	if n == 1 {
		return "1 row was"
	}
	return thousands(n) + " rows were"
}

// thousands writes a number for a message.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// gridsOf finds the grids that a recipe table is read from. Both results are
// nil where an optional table is absent.
func gridsOf(r *Reading, t *recipe.Table) ([]*Grid, *Problem) {
	var grids []*Grid
	for i := range r.Grids {
		if r.Grids[i].Table == t.Name {
			grids = append(grids, &r.Grids[i])
		}
	}
	if t.Each != "" {
		grids = withRows(grids)
		if len(grids) == 0 || len(grids[0].Rows) == 0 && !t.Optional && t.MinRows > 0 {
			if inFrames(t) {
				return nil, problemf(outcomeMissing, "nothing in a frame of the page matches each: %q. %s", t.Each, r.looked())
			}
			return nil, problemf(outcomeMissing, "nothing on the page matches each: %q.%s", t.Each, r.advice(t.Name, "each", t.Each))
		}
		return grids, nil
	}
	switch {
	case len(grids) > 0:
	case inFrames(t):
		return nil, problemf(outcomeMissing, "no table in a frame of the page matches from: %q. %s", t.From, r.looked())
	case t.From != "":
		return nil, problemf(outcomeMissing, "no table on the page matches from: %q.%s", t.From, r.advice(t.Name, "from", t.From))
	default:
		return nil, problemf(outcomeMissing, "the page has no table.%s", r.advice(t.Name, "from", ""))
	}
	if t.From != "" {
		return grids, nil
	}
	return largest(grids)
}

// withRows leaves out the grids of frames that hold none of the elements, but not all.
func withRows(grids []*Grid) []*Grid {
	full := slices.DeleteFunc(slices.Clone(grids), func(g *Grid) bool { return len(g.Rows) == 0 })
	if len(full) == 0 {
		return grids[:min(len(grids), 1)]
	}
	return full
}

// largest finds the largest of all tables of the page; two of one size are a question to the recipe.
func largest(grids []*Grid) ([]*Grid, *Problem) {
	size := func(g *Grid) int {
		rows := len(g.Rows)
		if g.Total != nil {
			rows = max(rows, *g.Total)
		}
		return rows * width(g)
	}
	most := -1
	var best []*Grid
	for _, g := range grids {
		switch n := size(g); {
		case n > most:
			most, best = n, []*Grid{g}
		case n == most:
			best = append(best, g)
		}
	}
	if len(best) == 1 || most == 0 {
		return best[:1], nil
	}
	var names []string
	for _, g := range best {
		name := fmt.Sprintf("%q", g.Selector)
		if g.Caption != "" {
			name += fmt.Sprintf(" (%s)", clip(g.Caption, 60))
		}
		names = append(names, name)
	}
	return nil, problemf(outcomeMissing, "%d tables of the page are equally large (%s, %d columns): %s. Name one with from.",
		len(best), rowsWord(len(best[0].Rows)), width(best[0]), strings.Join(names, ", "))
}

// everyTable makes each grid of a reading a table named by its id, caption or place.
func everyTable(r *Reading) ([]Table, error) {
	var tables []Table
	var first *Problem
	taken := map[string]bool{}
	for i := range r.Grids {
		table, _, problem := tableFrom(r, []*Grid{&r.Grids[i]}, gridName(&r.Grids[i], i, taken))
		if table != nil {
			tables = append(tables, *table)
		}
		if first == nil {
			first = problem
		}
	}
	if len(r.Grids) == 0 {
		first = signed(problemf(outcomeMissing, "the page has no table.%s", r.advice("", "from", "")), r)
	}
	if first != nil {
		return tables, first
	}
	return tables, nil
}

// gridName names the table that a grid becomes: by its id, its caption or its place.
func gridName(g *Grid, place int, taken map[string]bool) string {
	name := ""
	if id, found := strings.CutPrefix(g.Selector, "#"); found {
		name = recipe.SQLName(id)
	}
	if name == "" {
		name = recipe.SQLName(clip(g.Caption, 40))
	}
	if name == "" {
		name = fmt.Sprintf("table_%d", place+1)
	}
	return unique(name, taken)
}

// tableFrom makes one table of grids that no recipe describes. The problem may
// stand beside a table.
func tableFrom(r *Reading, grids []*Grid, name string) (*Table, *sheet, *Problem) {
	t := &recipe.Table{Name: name, Rows: "all", OtherColumns: "keep", Duplicates: "error"}
	s, problem := sheetOf(grids)
	var table *Table
	if problem == nil {
		if table, problem = resolve(s, t, pageVars{}); table != nil {
			table.Complete, table.Proof, table.Total = s.complete, s.proof, s.total
		}
	}
	if problem == nil {
		problem = judge(table, s, t, r)
	}
	if problem != nil {
		problem.Table, problem.Message = name, name+": "+problem.Message
	}
	return table, s, problem
}

// unique gives a name that is not taken, with _2, _3 behind it if need be, and takes it.
func unique(name string, taken map[string]bool) string {
	result := name
	for n := 2; taken[result]; n++ {
		suffix := "_" + strconv.Itoa(n)
		result = clip(name, 63-len(suffix)) + suffix
	}
	taken[result] = true
	return result
}

// statedTotal reads the number out of what `total` found.
func statedTotal(text string, l *recipe.Locator) (int, error) {
	if l.Match != "" {
		found, ok, err := matched(text, l.Match)
		if err != nil {
			return 0, err
		}
		if !ok {
			return 0, errors.New("match does not fit")
		}
		text = found
	}
	number := wholeNumber.FindString(text)
	var b strings.Builder
	for _, c := range number {
		if c >= '0' && c <= '9' {
			b.WriteRune(c)
		}
	}
	return strconv.Atoi(b.String())
}

// wholeNumber is a whole number as pages write it.
var wholeNumber = regexp.MustCompile(`\d{1,3}(?:[.,'’\s]\d{3})+|\d+`)

// matched applies a match of the recipe: its first group, or the whole match.
func matched(text, expression string) (found string, ok bool, err error) {
	re, err := regexp.Compile(expression)
	if err != nil {
		return "", false, fmt.Errorf("compile match %q: %w", expression, err)
	}
	m := re.FindStringSubmatch(text)
	switch {
	case m == nil:
		return "", false, nil
	case len(m) > 1:
		return m[1], true, nil
	}
	return m[0], true, nil
}
