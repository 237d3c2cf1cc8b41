package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/tabfarm/tabfarm/store"
	"github.com/tabfarm/tabfarm/store/localpg"
)

func newDB(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "db url|psql|stop|migrate",
		Short: "the private Postgres: how to reach it, psql, stop it; migrations",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			words := []string{"url", "psql", "stop", "migrate"}
			if len(args) == 0 {
				return usage("tabfarm db url|psql|stop|migrate", "db needs a word")
			}
			return usage("tabfarm db "+nearest(args[0], words), "unknown command \"db %s\"", args[0])
		},
	}
	cmd.AddCommand(newDBURL(a), newDBPsql(a), newDBStop(a), newDBMigrate(a))
	return cmd
}

func newDBURL(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "url",
		Short: "how to reach the private Postgres with any SQL client, password included",
		Args:  takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.settings.Database.URL != "" {
				// Its password is the owner's; it is known to whoever set it.
				_, err := fmt.Fprintln(a.stdout, withoutPassword(a.settings.Database.URL))
				return err
			}
			if _, err := a.openStore(cmd.Context(), looks); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.stdout, a.local.URL)
			return err
		},
	}
}

func newDBPsql(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "psql [-- ARGUMENT...]",
		Short: "psql on the database",
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.psql(cmd.Context(), args)
		},
	}
}

// psql starts the client. The password goes through the environment, because
// everybody on the machine sees the arguments of a program.
func (a *app) psql(ctx context.Context, args []string) error {
	program, err := exec.LookPath("psql")
	if err != nil {
		return &failure{code: exitMissing, err: errors.New("no psql on this machine"), hint: installHint("postgresql-client", "libpq")}
	}
	if _, err := a.openStore(ctx, looks); err != nil {
		return err
	}
	address := a.settings.Database.URL
	if a.local != nil {
		address = a.local.URL
	}
	address, password, ok := splitPassword(address)
	if !ok {
		return usage("", "database.url cannot be read")
	}
	env := os.Environ()
	if password != "" {
		env = append(env, "PGPASSWORD="+password)
	}
	a.signals.leave()
	client := exec.CommandContext(context.WithoutCancel(ctx), program, append([]string{"-d", address}, args...)...)
	client.Env, client.Stdin, client.Stdout, client.Stderr = env, a.stdin, a.stdout, os.Stderr
	err = client.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return &failure{code: exitPages}
	}
	return err
}

func newDBStop(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "stop",
		Short: "stop the private Postgres; its data stays",
		Args:  takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := dataDir()
			if err != nil {
				return err
			}
			state, err := localpg.Status(cmd.Context(), dir)
			if err != nil {
				return err
			}
			words := "the private Postgres does not run"
			if state.Running {
				words = "stopped; the data stays in " + placeOf(state.Dir)
			}
			if err := localpg.Stop(cmd.Context(), dir); err != nil {
				return err
			}
			_, err = fmt.Fprintln(a.stdout, words)
			return err
		},
	}
}

func newDBMigrate(a *app) *cobra.Command {
	var print bool
	cmd := &cobra.Command{
		Use:   "migrate",
		Short: "bring the database up to this version",
		Long: `Brings the database up to this version; commands that store something do so by
themselves. --print writes the statements instead, for a database whose rights are
with somebody else.`,
		Args: takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if print {
				return store.MigrationSQL(a.stdout)
			}
			if _, err := a.openStore(cmd.Context(), writes); err != nil {
				return err
			}
			_, err := fmt.Fprintln(a.stdout, "the database is up to date")
			return err
		},
	}
	cmd.Flags().BoolVar(&print, "print", false, "print the SQL and change nothing")
	return cmd
}
