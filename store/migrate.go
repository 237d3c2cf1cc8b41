package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/tabfarm/tabfarm/migrations"
)

const (
	versionTable = "tabfarm_internal.goose_db_version"
	// setupLock is the advisory lock under which schemas and the reader role are
	// made, and gooseLock the one of the migrations: two numbers of our own.
	setupLock = 7449354180012
	gooseLock = 7449354180013
)

// Migrate brings the database up to this version: schemas, migrations, the role
// tabfarm_reader where it can be made, and the grants. It changes nothing where
// nothing is missing, and may run in several processes at once. Errors:
// *ErrRights with the statements that give what is missing; *ErrVersion when a
// newer tabfarm made the database; ErrPooler.
func (s *Store) Migrate(ctx context.Context) error {
	if err := s.direct(); err != nil {
		return err
	}
	latest, err := latestMigration()
	if err != nil {
		return err
	}
	have, err := s.migration(ctx)
	if err != nil {
		return err
	}
	queue, err := s.queueReady(ctx)
	if err != nil {
		return err
	}
	switch {
	case have > latest:
		return &ErrVersion{Text: fmt.Sprintf("a newer tabfarm set this database up (migration %d; this one knows %d). Upgrade tabfarm", have, latest)}
	case have < latest || !queue:
		if err := s.needRights(ctx); err != nil {
			return err
		}
		if err := s.makeSchemas(ctx); err != nil {
			return err
		}
		if err := s.goose(ctx); err != nil {
			return err
		}
		if err := s.migrateQueue(ctx); err != nil {
			return err
		}
	default:
		if err := s.makeResults(ctx); err != nil {
			return err
		}
	}
	return s.makeReaders(ctx)
}

// makeResults makes the schema of the results where database.schema has come to
// name another one since the set-up.
func (s *Store) makeResults(ctx context.Context) error {
	r, err := s.rights(ctx)
	if err != nil || r.hasResults {
		return err
	}
	if err := s.needRights(ctx); err != nil {
		return err
	}
	return s.makeSchemas(ctx)
}

// latestMigration is the number of the newest embedded migration.
func latestMigration() (int64, error) {
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(names) == 0 {
		return 0, fmt.Errorf("list migrations: %d found: %w", len(names), err)
	}
	return migrationNumber(names[len(names)-1])
}

func migrationNumber(name string) (int64, error) {
	digits, _, _ := strings.Cut(name, "_")
	return strconv.ParseInt(digits, 10, 64)
}

// migration is the number of the newest migration in the database, 0 for none.
func (s *Store) migration(ctx context.Context) (version int64, err error) {
	err = s.pool.QueryRow(ctx, "SELECT coalesce(max(version_id), 0) FROM "+versionTable+" WHERE is_applied").Scan(&version)
	if hasCode(err, codeNoTable, "3F000") { // no table, no schema
		return 0, nil
	}
	return version, translate("read version of the database", err)
}

// makeSchemas makes what goose needs to begin. CREATE SCHEMA IF NOT EXISTS would
// ask for the right to create even where nothing is to be made.
func (s *Store) makeSchemas(ctx context.Context) error {
	return s.transact(ctx, "make schemas", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", setupLock); err != nil {
			return err
		}
		for _, c := range []struct{ schema, comment string }{
			{"tabfarm", "what tabfarm did: runs, pages, tables, problems, rejected, schedules, hosts"},
			{"tabfarm_internal", "working tables of tabfarm; they change without notice"},
			{s.cfg.Schema, ""},
		} {
			var there bool
			if err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = $1)", c.schema).Scan(&there); err != nil {
				return err
			}
			if there {
				continue
			}
			sql := "CREATE SCHEMA " + quote(c.schema)
			if c.comment != "" {
				sql += "; COMMENT ON SCHEMA " + quote(c.schema) + " IS " + literal(c.comment)
			}
			if err := script(ctx, tx, sql); err != nil {
				return err
			}
		}
		return nil
	})
}

// script runs several statements that take no parameters.
func script(ctx context.Context, tx pgx.Tx, sql string) error {
	_, err := tx.Conn().PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// goose runs the migrations on connections of its own, without the time limits
// of short statements. Its session lock keeps other processes out meanwhile.
func (s *Store) goose(ctx context.Context) (err error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockID(gooseLock), lock.WithLockTimeout(1, 600))
	if err != nil {
		return fmt.Errorf("make lock of migrations: %w", err)
	}
	conf := s.pool.Config().ConnConfig
	conf.AfterConnect = func(ctx context.Context, c *pgconn.PgConn) error {
		_, err := c.Exec(ctx, settings+"; SET statement_timeout TO 0; SET lock_timeout TO '30s'").ReadAll()
		return err
	}
	db := stdlib.OpenDB(*conf)
	defer func() { err = errors.Join(err, db.Close()) }()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS,
		goose.WithTableName(versionTable), goose.WithSessionLocker(locker),
		goose.WithDisableGlobalRegistry(true), goose.WithSlog(s.cfg.Log))
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return translate("set up the database", err)
	}
	return nil
}

// riverMigrator makes River's tables.
func (s *Store) riverMigrator() (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(s.pool), &rivermigrate.Config{Schema: riverSchema, Logger: quieter(s.cfg.Log)})
}

// queueReady says whether River's tables are of this version.
func (s *Store) queueReady(ctx context.Context) (bool, error) {
	m, err := s.riverMigrator()
	if err != nil {
		return false, fmt.Errorf("read migrations of the queue: %w", err)
	}
	var have int
	err = s.pool.QueryRow(ctx, "SELECT count(*) FROM "+riverSchema+".river_migration WHERE line = 'main'").Scan(&have)
	if hasCode(err, codeNoTable, codeNoColumn, "3F000") {
		return false, nil
	}
	return have >= len(m.AllVersions()), translate("read version of the queue", err)
}

// migrateQueue brings River's tables up to this version. Each of its migrations
// is a transaction of its own, for the next ones use what it made; the one around
// them only keeps other processes out.
func (s *Store) migrateQueue(ctx context.Context) error {
	m, err := s.riverMigrator()
	if err != nil {
		return fmt.Errorf("read migrations of the queue: %w", err)
	}
	return s.transact(ctx, "set up the queue", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", setupLock); err != nil {
			return err
		}
		_, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
}

// makeReaders makes the role tabfarm_reader where that is allowed, and grants it
// and the configured readers what they may read. What cannot be had is left to
// Doctor: tabfarm works without.
func (s *Store) makeReaders(ctx context.Context) error {
	ready, err := s.readersReady(ctx)
	if err != nil || ready {
		return err
	}
	if err := s.makeReaderRole(ctx); err != nil {
		return err
	}
	return s.transact(ctx, "grant rights to readers", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1)", setupLock); err != nil {
			return err
		}
		roles, err := s.readers(ctx, tx)
		if err != nil {
			return err
		}
		tables, err := s.madeTables(ctx, tx)
		if err != nil {
			return err
		}
		for _, role := range roles {
			grants := []string{
				"GRANT USAGE ON SCHEMA tabfarm TO " + role,
				"GRANT SELECT ON ALL TABLES IN SCHEMA tabfarm TO " + role,
				"GRANT USAGE ON SCHEMA " + quote(s.cfg.Schema) + " TO " + role,
			}
			for _, t := range tables {
				grants = append(grants, "GRANT SELECT ON TABLE "+t+" TO "+role)
			}
			for _, g := range grants {
				if err := s.tryStatement(ctx, tx, g); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// takeOn is the privilege on a role that SET ROLE needs: since release 16 a
// member may lack it, such as whoever made the role.
const takeOn = "CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END"

// readersReady says whether every reader has its rights, so that a command that
// only looks does not touch the catalogs.
func (s *Store) readersReady(ctx context.Context) (ready bool, err error) {
	err = s.pool.QueryRow(ctx, `
SELECT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = $1)
   AND pg_catalog.pg_has_role(current_user, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1), `+takeOn+`)
   AND NOT EXISTS (
       SELECT FROM pg_catalog.pg_roles r
       WHERE r.rolname = ANY ($2) AND NOT (
             pg_catalog.has_schema_privilege(r.oid, 'tabfarm', 'USAGE')
         AND pg_catalog.has_schema_privilege(r.oid, $3, 'USAGE')
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = 'tabfarm'::regnamespace
                         AND c.relkind = 'v' AND NOT pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT'))
         AND NOT EXISTS (SELECT FROM tabfarm_internal.result_table t WHERE t.made AND t.schema = $3
                         AND NOT coalesce(pg_catalog.has_table_privilege(r.oid, to_regclass(format('%I.%I', t.schema, t.name)), 'SELECT'), true))))`,
		readerRole, append([]string{readerRole}, s.cfg.Readers...), s.cfg.Schema).Scan(&ready)
	if hasCode(err, codeNoRight) {
		return true, nil // not ours to grant
	}
	return ready, translate("look at the rights of readers", err)
}

// makeReaderRole makes the role and lets the own role take it on. Roles belong
// to the whole cluster, so another database's tabfarm may make it at the same
// moment: each attempt is let fail on its own.
func (s *Store) makeReaderRole(ctx context.Context) error {
	for _, sql := range []string{
		"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '" + readerRole + "') THEN CREATE ROLE " + readerRole + " NOLOGIN; END IF; END $$",
		"DO $$ BEGIN IF NOT pg_catalog.pg_has_role(current_user, '" + readerRole + "', " + takeOn + ") THEN GRANT " + readerRole + " TO CURRENT_USER; END IF; END $$",
	} {
		_, err := s.pool.Exec(ctx, sql)
		if err != nil && !hasCode(err, codeNoRight, codeUniqueViolation, codeObjectExists, codeInternal, "42704") {
			return translate("make role "+readerRole, err)
		}
	}
	return nil
}

// readers are the roles that exist of those that may read, quoted.
func (s *Store) readers(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname = ANY ($1) ORDER BY rolname", append([]string{readerRole}, s.cfg.Readers...))
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var name string
		err := row.Scan(&name)
		return quote(name), err
	})
}

// madeTables are the result tables that are there, quoted.
func (s *Store) madeTables(ctx context.Context, tx pgx.Tx) ([]string, error) {
	rows, err := tx.Query(ctx, `SELECT name FROM tabfarm_internal.result_table
WHERE made AND schema = $1 AND to_regclass(format('%I.%I', schema, name)) IS NOT NULL ORDER BY name`, s.cfg.Schema)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) {
		var name string
		err := row.Scan(&name)
		return quote(s.cfg.Schema, name), err
	})
}

// tryStatement runs a statement that may be refused for want of rights.
func (s *Store) tryStatement(ctx context.Context, tx pgx.Tx, sql string) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return script(ctx, tx, sql) })
	if hasCode(err, codeNoRight) {
		s.cfg.Log.Debug("right not granted", "statement", sql, "cause", err)
		return nil
	}
	return err
}

// MigrationSQL writes the whole set-up as SQL for an administrator to run by
// hand, with what goose notes down, so that Migrate finds it done.
func MigrationSQL(w io.Writer) error {
	names, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil {
		return fmt.Errorf("list migrations: %w", err)
	}
	var b bytes.Buffer
	b.WriteString(`-- Everything that tabfarm keeps for itself. Run it in an empty database as the
-- role that tabfarm connects with, or after SET ROLE to it: that role owns it all.
BEGIN;
CREATE SCHEMA tabfarm;
CREATE SCHEMA tabfarm_internal;
CREATE TABLE ` + versionTable + ` (
    id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    version_id bigint NOT NULL,
    is_applied boolean NOT NULL,
    tstamp timestamp NOT NULL DEFAULT now()
);
INSERT INTO ` + versionTable + ` (version_id, is_applied) VALUES (0, true);
`)
	for _, name := range names {
		text, err := fs.ReadFile(migrations.FS, name)
		if err != nil {
			return fmt.Errorf("read migration %q: %w", name, err)
		}
		number, err := migrationNumber(name)
		if err != nil {
			return fmt.Errorf("read migration %q: %w", name, err)
		}
		fmt.Fprintf(&b, "\n-- %s\n%s\nINSERT INTO %s (version_id, is_applied) VALUES (%d, true);\n", name, upPart(string(text)), versionTable, number)
	}
	b.WriteString("COMMIT;\n")
	if err := queueSQL(&b); err != nil {
		return err
	}
	fmt.Fprintf(&b, `
-- Optional, as an administrator: queries then run with a reader's rights.
-- CREATE ROLE %[1]s NOLOGIN;
-- GRANT %[1]s TO the_role_of_tabfarm;
`, readerRole)
	_, err = w.Write(b.Bytes())
	return err
}

// queueSQL writes River's tables, with what River notes down of them.
func queueSQL(b *bytes.Buffer) error {
	m, err := rivermigrate.New(riverpgxv5.New(nil), &rivermigrate.Config{Schema: riverSchema})
	if err != nil {
		return fmt.Errorf("read migrations of the queue: %w", err)
	}
	for _, v := range m.AllVersions() {
		sql := strings.ReplaceAll(v.SQLUp, "/* TEMPLATE: schema */", riverSchema+".")
		fmt.Fprintf(b, "\n-- River %d: %s\nBEGIN;\n%s\nCOMMIT;\n", v.Version, v.Name, strings.TrimSpace(sql))
	}
	for _, v := range m.AllVersions() {
		fmt.Fprintf(b, "INSERT INTO %s.river_migration (line, version) VALUES ('main', %d);\n", riverSchema, v.Version)
	}
	return nil
}

// upPart is the part of a migration between its Up and Down marks, without
// goose's own lines.
func upPart(text string) string {
	var out []string
	up := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		mark, isMark := strings.CutPrefix(line, "-- +goose ")
		switch {
		case isMark && mark == "Up":
			up = true
		case isMark && mark == "Down":
			up = false
		case up && !isMark:
			out = append(out, line)
		}
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}
