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
		return writeResult(a.stdout, f, runsResult(runs))
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
		return writeResult(a.stdout, f, pagesResult(pages))
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
		return writeResult(a.stdout, f, tablesResult(tables))
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

// timeCell is RFC 3339 in UTC, to the second; NULL for no time.
func timeCell(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return textCell(t.UTC().Format(time.RFC3339))
}

func secondsCell(s float64) *string { return textCell(strconv.FormatFloat(s, 'f', 1, 64)) }

func runsResult(runs []store.RunInfo) result {
	r := result{columns: []resultColumn{
		{"run", kindInteger}, {"recipe", kindText}, {"state", kindText}, {"pages", kindInteger}, {"ok", kindInteger},
		{"failed", kindInteger}, {"started_at", kindText}, {"finished_at", kindText},
	}}
	var rows [][]*string
	for _, x := range runs {
		rows = append(rows, []*string{
			numberCell(x.ID), textCell(x.Recipe), textCell(x.State), numberCell(x.Pages), numberCell(x.OK),
			numberCell(x.Failed), timeCell(x.StartedAt), timeCell(x.FinishedAt),
		})
	}
	r.rows = rowsOf(rows)
	return r
}

func pagesResult(pages []store.PageInfo) result {
	r := result{columns: []resultColumn{
		{"run", kindInteger}, {"recipe", kindText}, {"url", kindText}, {"outcome", kindText}, {"rows", kindInteger},
		{"proof", kindText}, {"attempts", kindInteger}, {"seconds", kindNumeric}, {"message", kindText},
	}}
	var rows [][]*string
	for _, p := range pages {
		rows = append(rows, []*string{
			numberCell(p.Run), textCell(p.Recipe), textCell(p.URL), filled(p.Outcome), numberCell(p.Rows),
			filled(p.Proof), numberCell(p.Attempts), secondsCell(p.Seconds), filled(p.Message),
		})
	}
	r.rows = rowsOf(rows)
	return r
}

func tablesResult(tables []store.TableInfo) result {
	r := result{columns: []resultColumn{
		{"table", kindText}, {"recipe", kindText}, {"key", kindText}, {"rows", kindInteger},
		{"last_ok_run", kindInteger}, {"last_ok_at", kindText},
	}}
	var rows [][]*string
	for _, t := range tables {
		var run *string
		if t.LastOKRun != 0 {
			run = numberCell(t.LastOKRun)
		}
		rows = append(rows, []*string{
			textCell(t.Name), textCell(t.Recipe), textCell(strings.Join(t.Key, ", ")), numberCell(t.Rows), run, timeCell(t.LastOKAt),
		})
	}
	r.rows = rowsOf(rows)
	return r
}
