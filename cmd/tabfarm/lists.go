package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/farm"
	"github.com/tabfarm/tabfarm/store"
)

func newRuns(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "runs", Short: "runs, the newest first", Args: takes(0, 0)}
	get := formatFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f, err := get()
		if err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), looks)
		if err != nil {
			return err
		}
		runs, err := s.Runs(cmd.Context())
		if err != nil {
			return err
		}
		return writeResult(a.stdout, f, list(runs, runColumns(), true))
	}
	return cmd
}

func newPages(a *app) *cobra.Command {
	var outcomes []string
	cmd := &cobra.Command{
		Use:   "pages [RECIPE|RUN]",
		Short: "pages of a run with their outcomes (default: the newest run)",
		Args:  takes(0, 1),
	}
	cmd.Flags().StringSliceVar(&outcomes, "outcome", nil, "only pages with these outcomes")
	get := formatFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := get()
		if err != nil {
			return err
		}
		if _, err := parseOutcomes(outcomes); err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), looks)
		if err != nil {
			return err
		}
		run, err := findRun(cmd.Context(), s, args)
		if err != nil {
			return err
		}
		pages, err := s.Pages(cmd.Context(), store.PageFilter{RunID: run.ID, Outcomes: outcomes})
		if err != nil {
			return err
		}
		return writeResult(a.stdout, f, list(pages, pageColumns(), f != formatTable))
	}
	return cmd
}

func newTables(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "tables", Short: "tables that recipes made", Args: takes(0, 0)}
	get := formatFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		f, err := get()
		if err != nil {
			return err
		}
		s, err := a.openStore(cmd.Context(), looks)
		if err != nil {
			return err
		}
		tables, err := s.Tables(cmd.Context())
		if err != nil {
			return err
		}
		return writeResult(a.stdout, f, list(tables, tableColumns(), true))
	}
	return cmd
}

// parseOutcomes checks outcome words.
func parseOutcomes(words []string) ([]farm.Outcome, error) {
	var (
		known []string
		found []farm.Outcome
	)
	for _, o := range farm.Outcomes() {
		known = append(known, string(o))
	}
next:
	for _, w := range words {
		for _, k := range known {
			if w == k {
				found = append(found, farm.Outcome(w))
				continue next
			}
		}
		return nil, usage("outcomes are "+strings.Join(known, ", "), "outcome %q is not known; did you mean %s?", w, nearest(w, known))
	}
	return found, nil
}

// findRun is the run that an argument means: its number, or the newest of a
// recipe's name or file, or the newest of all.
func findRun(ctx context.Context, s *store.Store, args []string) (store.Run, error) {
	if len(args) == 0 {
		run, ok, err := s.NewestRun(ctx, "")
		if err == nil && !ok {
			err = usage("tabfarm run RECIPE makes one", "there is no run yet")
		}
		return run, err
	}
	if id, err := strconv.ParseInt(args[0], 10, 64); err == nil {
		return runByID(ctx, s, id)
	}
	name := recipeName(args[0])
	run, ok, err := s.NewestRun(ctx, name)
	if err == nil && !ok {
		err = usage("tabfarm runs lists them", "no run of a recipe named %s", name)
	}
	return run, err
}

// parseRun reads the number of a run.
func parseRun(arg string) (int64, error) {
	id, err := strconv.ParseInt(arg, 10, 64)
	if err != nil || id < 1 {
		return 0, usage("tabfarm runs lists them", "%q is no number of a run", arg)
	}
	return id, nil
}

// cells of lists.

func textCell(s string) *string { return &s }

// filled is NULL for the empty text.
func filled(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func numberCell[N int | int64](n N) *string { return textCell(fmt.Sprint(n)) }

// optional is NULL for nil.
func optional[N int | int64](n *N) *string {
	if n == nil {
		return nil
	}
	return numberCell(*n)
}

// timeCell is RFC 3339 in UTC, to the second; NULL for no time.
func timeCell(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return textCell(t.UTC().Format(time.RFC3339))
}

func secondsCell(s float64) *string { return textCell(strconv.FormatFloat(s, 'f', 1, 64)) }

// listColumn is one column of a list: its name, kind and the value of an entry.
type listColumn[T any] struct {
	name string
	kind kind
	of   func(T) *string
	// long is left out where people look: it is wide or seldom asked for.
	long bool
}

// list makes a result of entries; all says whether long columns are in it.
func list[T any](entries []T, columns []listColumn[T], all bool) result {
	var r result
	var shown []listColumn[T]
	for _, c := range columns {
		if all || !c.long {
			shown = append(shown, c)
			r.columns = append(r.columns, resultColumn{c.name, c.kind})
		}
	}
	rows := make([][]*string, len(entries))
	for i, e := range entries {
		for _, c := range shown {
			rows[i] = append(rows[i], c.of(e))
		}
	}
	r.rows = rowsOf(rows)
	return r
}

func runColumns() []listColumn[store.RunInfo] {
	type info = store.RunInfo
	return []listColumn[info]{
		{"run", kindInteger, func(r info) *string { return numberCell(r.ID) }, false},
		{"recipe", kindText, func(r info) *string { return &r.Recipe }, false},
		{"state", kindText, func(r info) *string { return &r.State }, false},
		{"pages", kindInteger, func(r info) *string { return numberCell(r.Pages) }, false},
		{"ok", kindInteger, func(r info) *string { return numberCell(r.OK) }, false},
		{"failed", kindInteger, func(r info) *string { return numberCell(r.Failed) }, false},
		{"pending", kindInteger, func(r info) *string { return numberCell(r.Pending) }, false},
		{"started_at", kindText, func(r info) *string { return timeCell(r.StartedAt) }, false},
		{"finished_at", kindText, func(r info) *string { return timeCell(r.FinishedAt) }, false},
	}
}

// pageColumns has the columns of the view tabfarm.pages under their names.
func pageColumns() []listColumn[store.PageInfo] {
	type info = store.PageInfo
	return []listColumn[info]{
		{"run", kindInteger, func(p info) *string { return numberCell(p.RunID) }, true},
		{"recipe", kindText, func(p info) *string { return &p.Recipe }, true},
		{"url", kindText, func(p info) *string { return &p.URL }, false},
		{"variables", kindJSON, func(p info) *string { return textCell(string(jsonOf(p.Vars))) }, true},
		{"outcome", kindText, func(p info) *string { return filled(p.Outcome) }, false},
		{"rows", kindInteger, func(p info) *string { return optional(p.Rows) }, false},
		{"proof", kindText, func(p info) *string { return filled(p.Proof) }, false},
		{"stated_total", kindInteger, func(p info) *string { return optional(p.StatedTotal) }, true},
		{"attempts", kindInteger, func(p info) *string { return numberCell(p.Attempts) }, false},
		{"seconds", kindFloat, func(p info) *string { return secondsCell(p.Seconds) }, false},
		{"started_at", kindText, func(p info) *string { return timeCell(p.StartedAt) }, true},
		{"finished_at", kindText, func(p info) *string { return timeCell(p.FinishedAt) }, true},
		{"message", kindText, func(p info) *string { return filled(p.Message) }, false},
	}
}

func tableColumns() []listColumn[store.TableInfo] {
	type info = store.TableInfo
	return []listColumn[info]{
		{"name", kindText, func(t info) *string { return &t.Name }, false},
		{"recipe", kindText, func(t info) *string { return &t.Recipe }, false},
		{"key", kindText, func(t info) *string { return textCell(strings.Join(t.Key, ", ")) }, false},
		{"rows", kindInteger, func(t info) *string { return optional(t.Rows) }, false},
		{"last_ok_run", kindInteger, func(t info) *string {
			if t.LastOKRun == 0 {
				return nil
			}
			return numberCell(t.LastOKRun)
		}, false},
		{"last_ok_at", kindText, func(t info) *string { return timeCell(t.LastOKAt) }, false},
	}
}
