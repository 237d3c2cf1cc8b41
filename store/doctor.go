package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// States of a Check.
const (
	CheckOK   = "ok"
	CheckWarn = "warn" // works, but less well
	CheckFail = "fail" // a run would not work
)

// Check is one finding of Doctor.
type Check struct {
	Name  string // server, pooler, rights, schema, reader, role, encoding, clock
	State string // ok, warn or fail
	Text  string // what was found
	Fix   string // what to do, SQL where SQL does it; "" when ok
}

// Doctor looks at everything that tabfarm needs of the database. The error is
// only one of asking; what is wrong is in the checks.
func (s *Store) Doctor(ctx context.Context) ([]Check, error) {
	var checks []Check
	for _, look := range []func(context.Context) (Check, error){
		s.checkServer, s.checkPooler, s.checkRights, s.checkSchema, s.checkReader, s.checkReaders, s.checkRole, s.checkClock,
	} {
		c, err := look(ctx)
		if err != nil {
			return checks, translate("look at the database", err)
		}
		if c.Name != "" {
			checks = append(checks, c)
		}
	}
	return checks, nil
}

func (s *Store) checkServer(ctx context.Context) (Check, error) {
	var version, encoding string
	err := s.pool.QueryRow(ctx, "SELECT current_setting('server_version'), current_setting('server_encoding')").Scan(&version, &encoding)
	c := Check{Name: "server", State: CheckOK, Text: "PostgreSQL " + version + ", " + encoding}
	if encoding != "UTF8" {
		c.State = CheckFail
		c.Fix = "CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0: pages hold letters that " + encoding + " does not"
	}
	return c, err
}

func (s *Store) checkPooler(context.Context) (Check, error) {
	if s.pooler {
		return Check{
			Name: "pooler", State: CheckFail, Text: "a connection pooler in transaction mode (such as PgBouncer) stands before the server: locks and prepared statements do not live there",
			Fix: "set database.url to the server itself, or to a pool with pool_mode = session",
		}, nil
	}
	return Check{Name: "pooler", State: CheckOK, Text: "none in transaction mode"}, nil
}

// rights is what the role may do, and under which names.
type rights struct {
	role, database           string
	createSchema             bool // in the database
	temp                     bool
	hasPublic, hasInternal   bool // the schemas of tabfarm exist
	createPublic, createInt  bool // may create in them
	hasResults, createResult bool
}

func (s *Store) rights(ctx context.Context) (r rights, err error) {
	err = s.pool.QueryRow(ctx, `
SELECT current_user, current_database(),
       has_database_privilege(current_database(), 'CREATE'), has_database_privilege(current_database(), 'TEMP'),
       p.oid IS NOT NULL, i.oid IS NOT NULL, n.oid IS NOT NULL,
       coalesce(has_schema_privilege(p.oid, 'CREATE') AND has_schema_privilege(p.oid, 'USAGE'), false),
       coalesce(has_schema_privilege(i.oid, 'CREATE') AND has_schema_privilege(i.oid, 'USAGE'), false),
       coalesce(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'), false)
FROM (SELECT) one
LEFT JOIN pg_catalog.pg_namespace p ON p.nspname = 'tabfarm'
LEFT JOIN pg_catalog.pg_namespace i ON i.nspname = 'tabfarm_internal'
LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = $1`, s.cfg.Schema).Scan(
		&r.role, &r.database, &r.createSchema, &r.temp, &r.hasPublic, &r.hasInternal, &r.hasResults,
		&r.createPublic, &r.createInt, &r.createResult)
	return r, translate("look at the rights of the role", err)
}

// needRights is an *ErrRights with everything that is missing at once, nil when
// nothing is.
func (s *Store) needRights(ctx context.Context) error {
	r, err := s.rights(ctx)
	if err != nil {
		return err
	}
	if e := r.missing(s.cfg.Schema); len(e.Missing) > 0 {
		return e
	}
	return nil
}

func (r rights) missing(results string) *ErrRights {
	e := &ErrRights{}
	role := quote(r.role)
	lacks := func(what, grant string) {
		e.Missing = append(e.Missing, what)
		e.Grants = append(e.Grants, grant)
	}
	if (!r.hasPublic || !r.hasInternal || !r.hasResults) && !r.createSchema {
		lacks("CREATE on database "+r.database, fmt.Sprintf("GRANT CREATE ON DATABASE %s TO %s;", quote(r.database), role))
	}
	if !r.temp {
		lacks("TEMPORARY on database "+r.database, fmt.Sprintf("GRANT TEMPORARY ON DATABASE %s TO %s;", quote(r.database), role))
	}
	for _, c := range []struct {
		schema      string
		has, create bool
	}{{"tabfarm", r.hasPublic, r.createPublic}, {"tabfarm_internal", r.hasInternal, r.createInt}, {results, r.hasResults, r.createResult}} {
		if c.has && !c.create {
			lacks("USAGE and CREATE on schema "+c.schema, fmt.Sprintf("GRANT USAGE, CREATE ON SCHEMA %s TO %s;", quote(c.schema), role))
		}
	}
	return e
}

func (s *Store) checkRights(ctx context.Context) (Check, error) {
	r, err := s.rights(ctx)
	if err != nil {
		return Check{}, err
	}
	if e := r.missing(s.cfg.Schema); len(e.Missing) > 0 {
		return Check{Name: "rights", State: CheckFail, Text: "role " + r.role + " lacks " + strings.Join(e.Missing, ", "), Fix: strings.Join(e.Grants, "\n")}, nil
	}
	return Check{Name: "rights", State: CheckOK, Text: "role " + r.role + " may make tables in schema " + s.cfg.Schema}, nil
}

func (s *Store) checkSchema(ctx context.Context) (Check, error) {
	latest, err := latestMigration()
	if err != nil {
		return Check{}, err
	}
	have, err := s.migration(ctx)
	var rights *ErrRights
	switch {
	case errors.As(err, &rights):
		return Check{
			Name: "schema", State: CheckFail, Text: "another role set tabfarm up here, and this one may not read it",
			Fix: "connect as the role that owns schema tabfarm_internal",
		}, nil
	case err != nil:
		return Check{}, err
	case have == 0:
		return Check{Name: "schema", State: CheckWarn, Text: "nothing of tabfarm is in the database yet", Fix: "tabfarm db migrate, or the first run"}, nil
	case have < latest:
		return Check{Name: "schema", State: CheckWarn, Text: fmt.Sprintf("migration %d of %d", have, latest), Fix: "tabfarm db migrate, or the next run"}, nil
	case have > latest:
		return Check{Name: "schema", State: CheckFail, Text: fmt.Sprintf("a newer tabfarm set it up: migration %d, this one knows %d", have, latest), Fix: "upgrade tabfarm"}, nil
	}
	return Check{Name: "schema", State: CheckOK, Text: fmt.Sprintf("migration %d", have)}, nil
}

func (s *Store) checkReader(ctx context.Context) (Check, error) {
	var there, member bool
	var role string
	err := s.pool.QueryRow(ctx, `
SELECT current_user, count(*) > 0, coalesce(bool_or(pg_has_role(current_user, oid, `+takeOn+`)), false)
FROM pg_catalog.pg_roles WHERE rolname = $1`, readerRole).Scan(&role, &there, &member)
	c := Check{Name: "reader", State: CheckOK, Text: "queries run as role " + readerRole}
	grant := fmt.Sprintf("GRANT %s TO %s;", readerRole, quote(role))
	switch {
	case !there:
		c.State, c.Text = CheckWarn, "role "+readerRole+" does not exist: queries run with the rights of "+role+", in read-only transactions"
		c.Fix = "CREATE ROLE " + readerRole + " NOLOGIN;\n" + grant
	case !member:
		c.State, c.Text = CheckWarn, role+" may not take on role "+readerRole+": queries run with the rights of "+role+", in read-only transactions"
		c.Fix = grant
	}
	return c, err
}

func (s *Store) checkReaders(ctx context.Context) (Check, error) {
	if len(s.cfg.Readers) == 0 {
		return Check{}, nil
	}
	var missing []string
	err := s.pool.QueryRow(ctx, `SELECT coalesce(array_agg(name ORDER BY name), '{}') FROM unnest($1::text[]) AS n(name)
WHERE name NOT IN (SELECT rolname FROM pg_catalog.pg_roles)`, s.cfg.Readers).Scan(&missing)
	if len(missing) == 0 {
		return Check{Name: "readers", State: CheckOK, Text: strings.Join(s.cfg.Readers, ", ") + " may read every table"}, err
	}
	fixes := make([]string, len(missing))
	for i, name := range missing {
		fixes[i] = "CREATE ROLE " + quote(name) + ";"
	}
	return Check{Name: "readers", State: CheckWarn, Text: "database.readers names roles that do not exist: " + strings.Join(missing, ", "), Fix: strings.Join(fixes, "\n")}, err
}

// checkRole warns of superusers: a query can take its own role off again by
// calling functions, and would then be let do anything on the server.
func (s *Store) checkRole(ctx context.Context) (Check, error) {
	var role string
	var super bool
	err := s.pool.QueryRow(ctx, "SELECT rolname, rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user").Scan(&role, &super)
	if super {
		return Check{
			Name: "role", State: CheckWarn, Text: role + " is a superuser; recipes with sql: from others could reach the server's files",
			Fix: "CREATE ROLE tabfarm LOGIN PASSWORD '...'; CREATE DATABASE tabfarm OWNER tabfarm; and connect as that role",
		}, err
	}
	return Check{Name: "role", State: CheckOK, Text: role + " is no superuser"}, err
}

// clockDrift is how far the clocks of server and machine may be apart before
// times in messages and in tables contradict each other visibly.
const clockDrift = 2 * time.Second

func (s *Store) checkClock(ctx context.Context) (Check, error) {
	before := time.Now()
	var server time.Time
	if err := s.pool.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&server); err != nil {
		return Check{}, err
	}
	after := time.Now()
	drift := time.Duration(0)
	switch {
	case server.Before(before):
		drift = before.Sub(server)
	case server.After(after):
		drift = server.Sub(after)
	}
	if drift > clockDrift {
		return Check{
			Name: "clock", State: CheckWarn, Text: fmt.Sprintf("the server's clock and this machine's are %s apart", drift.Round(time.Second)),
			Fix: "set both by NTP; the pace of hosts goes by the server's clock alone",
		}, nil
	}
	return Check{Name: "clock", State: CheckOK, Text: "the server's and this machine's agree"}, nil
}
