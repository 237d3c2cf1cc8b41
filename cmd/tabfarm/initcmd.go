package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/extract"
	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/recipe"
)

func newInit(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "init URL",
		Short: "look at a page, write a recipe for it",
		Long: `Opens a page, says which tables it has, whether all their rows are there and what
names a row, and writes a recipe that tabfarm run accepts. robots.txt is read
first. Nothing is stored and no Postgres is needed.`,
		Args: takes(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.initRecipe(cmd.Context(), args[0], output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write (default: named after the page; - for standard output alone)")
	return cmd
}

// initRecipe looks at a page and writes the recipe. A file that is there stays.
func (a *app) initRecipe(ctx context.Context, url, output string) error {
	if scheme, _, found := strings.Cut(url, "://"); !found || scheme != "http" && scheme != "https" {
		return usage("tabfarm init https://...", "%s: a URL begins with https:// or http://", url)
	}
	if _, err := recipe.Host(url); err != nil {
		return usage("", "%w", err)
	}
	file := output
	if output == "" || output == "-" {
		file = recipe.PageName(url) + ".yaml"
	}
	if output != "-" && isThere(file) {
		return isInTheWay(url, file)
	}
	if a.settings.Browser.Tabs == 0 {
		a.settings.Browser.Tabs = 1
	}
	if _, err := a.openPool(ctx); err != nil {
		return err
	}
	f, err := a.newFarm()
	if err != nil {
		return err
	}
	look, err := f.Look(ctx, url)
	if err != nil {
		return err
	}
	if look.Failed {
		return &failure{code: exitPages, err: fmt.Errorf("%s: %s", look.Outcome, strings.TrimSuffix(look.Message, "."))}
	}
	if _, err := recipe.Parse(file, look.Recipe); err != nil {
		return err // the name of the file is no name for a recipe
	}
	if output == "-" {
		_, err := a.stdout.Write(look.Recipe)
		return err
	}
	a.printLook(look)
	return a.writeRecipe(url, file, look.Recipe)
}

func isThere(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

func isInTheWay(url, file string) error {
	return usage("tabfarm init "+url+" -o ANOTHER.yaml", "%s is there already and is left as it is", file)
}

func (a *app) writeRecipe(url, file string, text []byte) error {
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // recipes hold no secrets
	if errors.Is(err, fs.ErrExist) {
		return isInTheWay(url, file)
	}
	if err != nil {
		return usage("", "%s cannot be written: %w", file, err)
	}
	_, err = out.Write(text)
	if err := errors.Join(err, out.Close()); err != nil {
		return usage("", "%s cannot be written: %w", file, err)
	}
	a.lookLine("wrote", fmt.Sprintf("%s (%s)", file, count(int64(bytes.Count(text, []byte("\n"))), "line", "lines")))
	_, err = fmt.Fprintf(a.stdout, "Next: tabfarm try %s, or tabfarm run %s\n", file, file)
	return err
}

// lookLine is one line of what was found: what, and what about it.
func (a *app) lookLine(name, text string) {
	_, _ = fmt.Fprintf(a.stdout, "%-13s%s\n", name, clean(text))
}

// printLook says what the page has.
func (a *app) printLook(l farm.Look) {
	robots := "allowed"
	if l.Delay > 0 {
		robots += fmt.Sprintf(", asks for %s between pages", l.Delay)
	}
	a.lookLine("robots.txt", robots)
	for i, p := range l.Tables {
		title := "tables"
		if i > 0 {
			title = ""
		}
		where := p.Selector
		switch {
		case p.Cards != nil:
			where = p.Cards.Each + " (each is a row)"
		case where == "":
			where = l.Sources[p.Name].URL
		}
		if p.Caption != "" {
			where += fmt.Sprintf("  %q", p.Caption)
		}
		a.lookLine(title, fmt.Sprintf("%d  %s   %s, %s   %s", i+1, where, count(int64(len(p.Table.Rows)), "row", "rows"),
			count(int64(len(p.Table.Columns)), "column", "columns"), provenWords(p)))
	}
	for _, p := range l.Tables {
		of := ""
		if len(l.Tables) > 1 {
			of = p.Name + ": "
		}
		if left := leftOut(p); left != "" {
			a.lookLine("left out", of+left)
		}
		a.lookLine("key", of+keyWords(p))
		if s, ok := l.Sources[p.Name]; ok && p.Selector != "" {
			a.lookLine("drawn from", fmt.Sprintf("%s%s (%s, %.0f %% of the values agree)", of, s.URL, count(int64(s.Rows), "row", "rows"), 100*s.Share))
		}
	}
}

// provenWords says why the rows are all there, or that they may not be.
func provenWords(p extract.Proposal) string {
	t := p.Table
	switch {
	case p.Problem != nil:
		return "not complete: " + strings.TrimSuffix(strings.TrimPrefix(p.Problem.Message, ": "), ".")
	case t.Proof == extract.ProofTotal && t.Total != nil:
		return "complete: the page states " + thousands(int64(*t.Total))
	case t.Proof == extract.ProofSource:
		return "complete: all rows of the response"
	case t.Proof == extract.ProofEnd && p.Cards != nil:
		return "complete: scrolled to the end"
	case t.Proof == extract.ProofEnd:
		return "complete: the document ended"
	}
	return "not proven to be complete"
}

// leftOut says which rows the recipe leaves out, "" for none.
func leftOut(p extract.Proposal) string {
	var parts []string
	if n := len(p.Skipped); n > 0 {
		text := count(int64(n), "row", "rows") + " without " + p.Key[0]
		if p.Skipped[0] != "" {
			text += fmt.Sprintf(" (%q)", p.Skipped[0])
		}
		parts = append(parts, text)
	}
	if p.Repeated > 0 {
		parts = append(parts, "repeated header rows")
	}
	return strings.Join(parts, ", ")
}

func keyWords(p extract.Proposal) string {
	if len(p.Key) == 0 {
		return "none: no columns name a row, so rows belong to their page"
	}
	text := strings.Join(p.Key, ", ") + " (no two rows alike)"
	if p.Link != nil {
		text += fmt.Sprintf("; %s is from the links of %s", p.Link.Name, p.Link.Header)
	}
	return text
}
