// Command tabfarm reads tables from JavaScript pages into Postgres.
//
// It owns the command line: flags, configuration, what is printed, and the exit
// codes. It only wires: pages are the business of farm, Chrome of browserpool,
// Postgres of store. It is the only place that knows viper and cobra.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for the exit.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	return guard(stderr, func() int {
		ctx, signals, stop := watchInterrupts(ctx)
		defer stop()
		a := &app{args: args, stdin: stdin, stdout: stdout, stderr: stderr, signals: signals}
		defer func() { _ = a.close() }() // after a panic; else it was closed below
		root := newRoot(a)
		root.SetArgs(args)
		root.SetIn(stdin)
		root.SetOut(stdout)
		root.SetErr(stderr)
		err := root.ExecuteContext(ctx)
		err = errors.Join(err, a.close())
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = context.Cause(ctx)
		}
		return complain(stderr, err)
	})
}

// firstScreen is what tabfarm alone prints: the commands that a person needs first.
const firstScreen = `tabfarm reads tables from JavaScript pages into Postgres.

  tabfarm demo                 see it work, about 30 seconds
  tabfarm init URL             write a recipe for a page of yours
  tabfarm run RECIPE           fetch its rows
  tabfarm query "select ..."   look at them

More: tabfarm help
`

// newRoot puts the commands together.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "tabfarm",
		Short:         "reads tables from JavaScript pages into Postgres",
		Long:          "tabfarm reads tables from JavaScript pages into Postgres.",
		SilenceErrors: true,
		SilenceUsage:  true,
		// Unknown commands come here: cobra's own check would give an error
		// that can only be told by its text.
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			_, err := io.WriteString(a.stdout, firstScreen)
			return err
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Parent() == nil || !needsSettings(cmd) {
				return nil
			}
			return a.configure(cmd.Flags())
		},
	}
	flags := root.PersistentFlags()
	flags.String("database", "", "address of the Postgres database (default: a private one)")
	flags.String("browser", "", "path of the Chrome or Chromium to start")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress and no notices")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log what is done")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if errors.Is(err, pflag.ErrHelp) {
			return err
		}
		if cmd.Parent() == nil {
			// A flag of a command that does not exist: the command is the mistake.
			for _, arg := range a.args {
				if !strings.HasPrefix(arg, "-") {
					return unknownCommand(cmd, arg)
				}
			}
		}
		return usage(cmd.CommandPath()+" --help shows its flags", "%w", err)
	})
	root.AddCommand(
		newDemo(a), newInit(a), newTry(a), newCheck(a), newRun(a), newResume(a), newCancel(a), newQuery(a), newRuns(a),
		newPages(a), newTables(a), newRetry(a), newSubmit(a), newSchedule(a), newUnschedule(a), newSchedules(a), newServe(a),
		newDoctor(a), newHealth(a), newDB(a), newVersion(a),
	)
	return root
}

// needsSettings is false for commands that only print: a broken tabfarm.yaml
// must not be in their way.
func needsSettings(cmd *cobra.Command) bool {
	for c := cmd; c != nil; c = c.Parent() {
		switch c.Name() {
		case "version", "help", "completion", cobra.ShellCompRequestCmd, cobra.ShellCompNoDescRequestCmd:
			return false
		}
	}
	return true
}

// unknownCommand says what to type instead of a word that is no command.
func unknownCommand(root *cobra.Command, word string) error {
	switch {
	case strings.HasPrefix(word, "http://"), strings.HasPrefix(word, "https://"):
		return usage("tabfarm init "+word, "a URL is no command")
	case strings.HasSuffix(word, ".yaml"), strings.HasSuffix(word, ".yml"):
		return usage("tabfarm run "+word, "a recipe is no command")
	case strings.HasSuffix(word, ".html"), strings.HasSuffix(word, ".htm"):
		return usage("tabfarm try "+word, "a page is no command")
	}
	hint := "tabfarm help lists the commands"
	root.SuggestionsMinimumDistance = 2
	if near := root.SuggestionsFor(word); len(near) > 0 {
		hint = "tabfarm " + nearest(word, near)
	}
	return usage(hint, "unknown command %q", word)
}

// takes checks the number of arguments of a command; most < 0 is any number.
func takes(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		line := strings.TrimSuffix(cmd.UseLine(), " [flags]")
		switch {
		case len(args) < least && len(args) == 0:
			return usage(line, "%s needs an argument", cmd.Name())
		case len(args) < least:
			return usage(line, "%s needs %d arguments and has %d", cmd.Name(), least, len(args))
		case most == 0 && len(args) > 0:
			return usage(line, "%s takes no argument, but has %q", cmd.Name(), args[0])
		case most > 0 && len(args) > most:
			return usage(line, "%s takes %s, and %q is one more", cmd.Name(), count(int64(most), "argument", "arguments"), args[most])
		}
		return nil
	}
}

// formatFlags adds --format and --json to a command.
func formatFlags(cmd *cobra.Command) func() (format, error) {
	name := cmd.Flags().String("format", string(formatTable), "table, csv, json or jsonl")
	asJSON := cmd.Flags().Bool("json", false, "short for --format json")
	return func() (format, error) {
		if *asJSON {
			if cmd.Flags().Changed("format") && *name != string(formatJSON) {
				return "", usage("", "--json and --format %s contradict each other", *name)
			}
			return formatJSON, nil
		}
		return parseFormat(*name)
	}
}

// notice prints a line for people on standard error, unless -q.
func (a *app) notice(form string, args ...any) {
	if !a.quiet {
		_, _ = fmt.Fprintf(a.stderr, form+"\n", args...)
	}
}
