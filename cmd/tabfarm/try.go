package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
)

// tryOptions are the flags of try.
type tryOptions struct {
	limit  int
	grid   bool
	format format
}

// rowsShown is how many rows of a table try shows people.
const rowsShown = 10

func newTry(a *app) *cobra.Command {
	var o tryOptions
	cmd := &cobra.Command{
		Use:   "try RECIPE|URL|FILE.html",
		Short: "one page, rows with their types; stores nothing, needs no Postgres",
		Long: `Opens one page and shows its rows with their types: the first page of a recipe,
or all tables of a URL or an HTML file. Nothing is stored and no Postgres is needed.

A file is served on loopback for the moment, with what lies beside and below it.
The exit code is 1 when the page's outcome is not ok.`,
		Args: takes(1, 1),
	}
	cmd.Flags().IntVar(&o.limit, "limit", 0, "rows shown of each table (default 10 in tables, all otherwise)")
	cmd.Flags().BoolVar(&o.grid, "grid", false, "all tables of the page as read, before types")
	get := formatFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var err error
		if o.format, err = get(); err != nil {
			return err
		}
		if o.limit < 0 {
			return usage("", "--limit %d is less than 0", o.limit)
		}
		if o.limit == 0 && o.format == formatTable {
			o.limit = rowsShown
		}
		return a.try(cmd.Context(), args[0], o)
	}
	return cmd
}

// try finds out what the argument is, opens the page and prints it.
func (a *app) try(ctx context.Context, what string, o tryOptions) error {
	request := farm.TryRequest{Grid: o.grid}
	var allow []string
	switch scheme, _, isURL := strings.Cut(what, "://"); {
	case isURL && (scheme == "http" || scheme == "https"):
		request.URL = what
	case isURL:
		return usage("a file is tried by its path: tabfarm try FILE.html", "%s: only http and https URLs are opened", what)
	case isPageFile(what):
		served, err := servePage(ctx, what)
		if err != nil {
			return err
		}
		a.closers = append(a.closers, served.close)
		request.URL, allow = served.url, []string{served.host}
	default:
		recipes, err := loadRecipes([]string{what})
		if err != nil {
			return err
		}
		request.Recipe = recipes[0]
		if anySQL(recipes) {
			if _, err := a.openStore(ctx, looks); err != nil {
				return err
			}
		}
	}
	if a.settings.Browser.Tabs == 0 {
		a.settings.Browser.Tabs = 1
	}
	if _, err := a.openPool(ctx); err != nil {
		return err
	}
	f, err := a.newFarm(allow...)
	if err != nil {
		return err
	}
	tried, err := f.Try(ctx, request)
	if err != nil {
		return err
	}
	return a.printTried(tried, o)
}

// isPageFile tells an HTML file from a recipe by its name.
func isPageFile(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasSuffix(lower, ".html") || strings.HasSuffix(lower, ".htm")
}

func (a *app) printTried(t farm.Tried, o tryOptions) error {
	code := exitOK
	if t.Failed {
		code = exitPages
	}
	switch {
	case o.format == formatJSON && o.grid:
		if err := printJSON(a.stdout, newGridReport(t, o.limit)); err != nil {
			return err
		}
	case o.format == formatJSON:
		return errors.Join(printJSON(a.stdout, newTryReport(t, o.limit)), exit(code))
	case o.format != formatTable && o.grid:
		return usage("", "--grid is shown as table or json")
	case o.format != formatTable:
		if len(t.Tables) > 1 {
			return usage("--format json has them all", "the page gives %d tables, and %s holds one", len(t.Tables), o.format)
		}
		for _, table := range t.Tables {
			if err := writeResult(a.stdout, o.format, tryResult(table, o.limit)); err != nil {
				return err
			}
		}
	case o.grid:
		if err := a.printGrids(t, o.limit); err != nil {
			return err
		}
	default:
		if err := a.printTables(t, o.limit); err != nil {
			return err
		}
	}
	if code != exitOK {
		return &failure{code: code, err: fmt.Errorf("%s: %s", t.Outcome, strings.TrimSuffix(t.Message, "."))}
	}
	return nil
}

// printTables shows each table as the session of the documentation does: name
// and number of rows, then names and types over the rows.
func (a *app) printTables(t farm.Tried, limit int) error {
	for _, table := range t.Tables {
		_, _ = fmt.Fprintf(a.stdout, "%s  %s, %s\n", clean(table.Name), count(int64(len(table.Rows)), "row", "rows"), completeWords(table))
		screen, err := tryResult(table, limit).screen()
		if err != nil {
			return err
		}
		for _, c := range table.Columns {
			screen.types = append(screen.types, string(c.Rule.Type))
		}
		screen.heads, screen.fit = headersLeft, a.fit()
		if len(screen.names) > 0 {
			if err := screen.write(a.stdout); err != nil {
				return err
			}
		}
		for _, rejected := range table.Rejected {
			_, _ = fmt.Fprintf(a.stdout, "NULL instead: %s\n", clean(rejected))
		}
	}
	if len(t.Links) > 0 {
		words := make([]string, len(t.Links))
		for i, l := range t.Links {
			words[i] = strings.TrimSpace(clean(l.Kind) + " " + thousands(int64(l.Pages)))
		}
		_, _ = fmt.Fprintf(a.stdout, "links: %s\n", strings.Join(words, ", "))
	}
	_, err := fmt.Fprintln(a.stdout, "Nothing was stored.")
	return err
}

// completeWords says whether the rows are all there.
func completeWords(t farm.TypedTable) string {
	switch {
	case t.Complete && t.Proof == extract.ProofSource:
		return "complete: all rows of what the page drew from"
	case t.Complete:
		return "complete"
	case t.Total != nil:
		return "incomplete: the page states " + thousands(int64(*t.Total))
	}
	return "not proven to be complete"
}

// fit is the width that tables for people are cut to.
func (a *app) fit() int {
	if f, ok := a.stdout.(*os.File); ok {
		if width := screenWidth(f); width > 0 {
			return width
		}
	}
	return 100
}

func tryResult(t farm.TypedTable, limit int) result {
	r := result{rows: rowsOf(firstRows(t.Rows, limit))}
	for _, c := range t.Columns {
		r.columns = append(r.columns, resultColumn{c.Name, kindOfType(c.Rule.Type)})
	}
	return r
}

// firstRows cuts a slice to limit entries; 0 leaves it.
func firstRows[T any](rows []T, limit int) []T {
	if limit > 0 && limit < len(rows) {
		return rows[:limit]
	}
	return rows
}

func kindOfType(t recipe.Type) kind {
	switch t {
	case recipe.Integer:
		return kindInteger
	case recipe.Numeric:
		return kindNumeric
	case recipe.Boolean:
		return kindBoolean
	case recipe.JSON:
		return kindJSON
	}
	return kindText
}

// printGrids shows what was read, before types: header rows, then rows.
func (a *app) printGrids(t farm.Tried, limit int) error {
	for _, g := range newGridReport(t, 0).Grids {
		title := g.Selector
		if g.Caption != "" {
			title += fmt.Sprintf("  %q", g.Caption)
		}
		state := "complete"
		if !g.Complete {
			state = "not proven to be complete"
		}
		_, _ = fmt.Fprintf(a.stdout, "%s  %s, %s\n", clean(title), count(int64(len(g.Rows)), "row", "rows"), state)
		if err := gridScreen(g, limit, a.fit()).write(a.stdout); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(a.stdout, "Nothing was stored.")
	return err
}

// gridScreen numbers the columns; header and foot rows stand with the others
// between lines of their own.
func gridScreen(g gridReport, limit, fit int) *screenTable {
	t := &screenTable{heads: headersLeft, fit: fit}
	add := func(mark string, rows [][]*string) {
		for _, row := range rows {
			cells := []string{mark}
			for _, c := range row {
				if c == nil {
					cells = append(cells, "")
					continue
				}
				cells = append(cells, *c)
			}
			t.rows = append(t.rows, cells)
		}
	}
	add("head", g.Header)
	add("", firstRows(g.Rows, limit))
	add("foot", g.Foot)
	width := 1
	for _, row := range t.rows {
		width = max(width, len(row))
	}
	t.names, t.right = []string{""}, make([]bool, width)
	for i := 1; i < width; i++ {
		t.names = append(t.names, fmt.Sprint(i))
	}
	for i := range t.rows {
		for len(t.rows[i]) < width {
			t.rows[i] = append(t.rows[i], "")
		}
	}
	return t
}

// tryReport is what try --json prints.
type tryReport struct {
	URL     string        `json:"url"`
	Outcome farm.Outcome  `json:"outcome"`
	Message string        `json:"message"`
	Tables  []tableReport `json:"tables"`
}

type tableReport struct {
	Name     string              `json:"name"`
	Complete bool                `json:"complete"`
	Proof    extract.Proof       `json:"proof"`
	Total    *int                `json:"total"`
	Columns  []columnReport      `json:"columns"`
	Rows     [][]json.RawMessage `json:"rows"`
}

type columnReport struct {
	Name string      `json:"name"`
	Type recipe.Type `json:"type"`
	Unit *string     `json:"unit"` // null where the values have none
}

func newTryReport(t farm.Tried, limit int) tryReport {
	report := tryReport{URL: t.URL, Outcome: t.Outcome, Message: t.Message, Tables: []tableReport{}}
	for _, table := range t.Tables {
		out := tableReport{
			Name: table.Name, Complete: table.Complete, Proof: table.Proof, Total: table.Total,
			Columns: []columnReport{}, Rows: [][]json.RawMessage{},
		}
		for _, c := range table.Columns {
			column := columnReport{Name: c.Name, Type: c.Rule.Type}
			if c.Rule.Unit != "" {
				column.Unit = &c.Rule.Unit
			}
			out.Columns = append(out.Columns, column)
		}
		for _, row := range firstRows(table.Rows, limit) {
			cells := make([]json.RawMessage, len(row))
			for i, c := range row {
				cells[i] = jsonCell(kindOfType(table.Columns[i].Rule.Type), c)
			}
			out.Rows = append(out.Rows, cells)
		}
		report.Tables = append(report.Tables, out)
	}
	return report
}

// gridsReport is what try --grid --json prints.
type gridsReport struct {
	URL     string       `json:"url"`
	Outcome farm.Outcome `json:"outcome"`
	Grids   []gridReport `json:"grids"`
}

type gridReport struct {
	Selector string        `json:"selector"`
	Caption  string        `json:"caption"`
	Complete bool          `json:"complete"`
	Proof    extract.Proof `json:"proof"`
	Total    *int          `json:"total"`
	Header   [][]*string   `json:"header"`
	Rows     [][]*string   `json:"rows"`
	Foot     [][]*string   `json:"foot"`
}

// newGridReport leaves out what is no row of data: repeated headers, section
// rows and placeholders.
func newGridReport(t farm.Tried, limit int) gridsReport {
	report := gridsReport{URL: t.URL, Outcome: t.Outcome, Grids: []gridReport{}}
	for _, g := range t.Grids {
		out := gridReport{
			Selector: g.Selector, Caption: g.Caption, Complete: g.Complete, Proof: g.Proof, Total: g.Total,
			Header: notNil(g.Header), Rows: [][]*string{}, Foot: notNil(g.Foot),
		}
		for _, row := range g.Rows {
			if row.Role == "" || row.Role == "section" {
				out.Rows = append(out.Rows, row.Cells)
			}
		}
		out.Rows = firstRows(out.Rows, limit)
		report.Grids = append(report.Grids, out)
	}
	return report
}

// notNil makes an empty list of nothing, so that JSON has [] and not null.
func notNil(rows [][]*string) [][]*string {
	if rows == nil {
		return [][]*string{}
	}
	return rows
}
