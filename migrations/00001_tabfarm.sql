-- The schemas tabfarm (documented views) and tabfarm_internal (everything else)
-- are made before the first migration, because goose's own table is in the
-- second one.

-- +goose Up

CREATE TABLE tabfarm_internal.recipe (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tabfarm_internal.recipe IS 'names of recipes; the row is the lock under which runs of a recipe begin';

CREATE TABLE tabfarm_internal.run (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipe_id   bigint NOT NULL REFERENCES tabfarm_internal.recipe,
    state       text NOT NULL CHECK (state IN ('running', 'stopped', 'done', 'cancelled', 'superseded')),
    file        text NOT NULL,
    text        bytea NOT NULL,
    hash        bytea NOT NULL,
    page_limit  integer NOT NULL DEFAULT 0,
    priority    smallint NOT NULL DEFAULT 0,
    started_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
COMMENT ON TABLE tabfarm_internal.run IS 'runs with their own copy of the recipe; running and stopped are unfinished';
COMMENT ON COLUMN tabfarm_internal.run.hash IS 'of the text, the files and the limit: an equal one goes on with the same run';
COMMENT ON COLUMN tabfarm_internal.run.finished_at IS 'when it ended or was last stopped; NULL while running';
CREATE INDEX run_recipe ON tabfarm_internal.run (recipe_id, id);
CREATE INDEX run_open ON tabfarm_internal.run (id) WHERE state IN ('running', 'stopped');

CREATE TABLE tabfarm_internal.run_file (
    run_id  bigint NOT NULL REFERENCES tabfarm_internal.run ON DELETE CASCADE,
    name    text NOT NULL,
    content bytea NOT NULL,
    PRIMARY KEY (run_id, name)
);
COMMENT ON TABLE tabfarm_internal.run_file IS 'files that the recipe of a run names, as they were when it began';

CREATE TABLE tabfarm_internal.host (
    host        text PRIMARY KEY,
    min_delay   interval NOT NULL DEFAULT '1 s',
    concurrency smallint NOT NULL DEFAULT 1 CHECK (concurrency > 0),
    next_start  timestamptz NOT NULL DEFAULT 'epoch',
    paused      boolean NOT NULL DEFAULT false
) WITH (fillfactor = 50);
COMMENT ON TABLE tabfarm_internal.host IS 'clock of a host (scheme://name:port). No index on next_start, so that reserving stays a HOT update';
COMMENT ON COLUMN tabfarm_internal.host.min_delay IS 'slowest of the unfinished runs';
COMMENT ON COLUMN tabfarm_internal.host.next_start IS 'earliest start of the next page; epoch and not -infinity, because timestamps are subtracted from it';

CREATE TABLE tabfarm_internal.run_host (
    run_id      bigint NOT NULL REFERENCES tabfarm_internal.run ON DELETE CASCADE,
    host        text NOT NULL REFERENCES tabfarm_internal.host,
    delay       interval NOT NULL,
    concurrency smallint NOT NULL CHECK (concurrency > 0),
    PRIMARY KEY (run_id, host)
);
COMMENT ON TABLE tabfarm_internal.run_host IS 'pace that a run asks of a host, robots.txt counted';
CREATE INDEX run_host_host ON tabfarm_internal.run_host (host, run_id);

CREATE SEQUENCE tabfarm_internal.worker_id AS integer CYCLE;
CREATE TABLE tabfarm_internal.worker (
    id         integer PRIMARY KEY,
    name       text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    heartbeat  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
COMMENT ON TABLE tabfarm_internal.worker IS 'living workers: each holds the session advisory lock of its id and renews its heartbeat';

CREATE TABLE tabfarm_internal.slot (
    host     text NOT NULL REFERENCES tabfarm_internal.host,
    slot     smallint NOT NULL,
    epoch    bigint NOT NULL DEFAULT 0,
    turn     bigint NOT NULL DEFAULT 0,
    queued   boolean NOT NULL DEFAULT true,
    worker   integer REFERENCES tabfarm_internal.worker,
    taken_at timestamptz NOT NULL DEFAULT 'epoch',
    PRIMARY KEY (host, slot)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
COMMENT ON TABLE tabfarm_internal.slot IS 'places for visits: as many for each host as visits may be there at once';
COMMENT ON COLUMN tabfarm_internal.slot.epoch IS 'identity of the job that hands the slot out';
COMMENT ON COLUMN tabfarm_internal.slot.turn IS 'fence: raised by each visit and by the reaper; leases and finishes under an older one change nothing';
COMMENT ON COLUMN tabfarm_internal.slot.queued IS 'the slot is to be handed out or is in hand: the host may have pending pages';
CREATE INDEX slot_idle ON tabfarm_internal.slot (taken_at) WHERE queued AND worker IS NULL;
CREATE INDEX slot_worker ON tabfarm_internal.slot (worker) WHERE worker IS NOT NULL;

CREATE TABLE tabfarm_internal.page (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id       bigint NOT NULL REFERENCES tabfarm_internal.run,
    kind         text NOT NULL,
    host         text NOT NULL,
    url          text NOT NULL,
    address      text NOT NULL,
    address_hash bytea NOT NULL,
    vars         jsonb NOT NULL DEFAULT '{}',
    priority     smallint NOT NULL DEFAULT 0,
    state        smallint NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)),
    not_before   timestamptz NOT NULL DEFAULT 'epoch',
    attempt      smallint NOT NULL DEFAULT 0,
    slot         smallint,
    turn         bigint,
    outcome      text,
    ok           boolean,
    message      text,
    proof        text,
    stated_total integer,
    rows         integer,
    seconds      double precision,
    started_at   timestamptz,
    finished_at  timestamptz,
    UNIQUE (run_id, address_hash)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
COMMENT ON TABLE tabfarm_internal.page IS 'pages of runs; state 0 pending, 1 leased to (host, slot, turn), 2 ended with an outcome';
COMMENT ON COLUMN tabfarm_internal.page.address_hash IS 'first 16 bytes of the SHA-256 of address';
CREATE INDEX page_pending ON tabfarm_internal.page (run_id, host, priority, id) WHERE state = 0;
CREATE INDEX page_leased ON tabfarm_internal.page (host, slot) WHERE state = 1;

CREATE TABLE tabfarm_internal.page_table (
    page_id    bigint NOT NULL REFERENCES tabfarm_internal.page ON DELETE CASCADE,
    run_id     bigint NOT NULL,
    table_name text NOT NULL,
    inserted   bigint NOT NULL DEFAULT 0,
    updated    bigint NOT NULL DEFAULT 0,
    unchanged  bigint NOT NULL DEFAULT 0,
    rejected   bigint NOT NULL DEFAULT 0,
    duplicates bigint NOT NULL DEFAULT 0,
    conflicts  bigint NOT NULL DEFAULT 0,
    gone       bigint NOT NULL DEFAULT 0,
    conflict   text,
    PRIMARY KEY (page_id, table_name)
);
COMMENT ON TABLE tabfarm_internal.page_table IS 'what one page did to one table; runs add these up';
COMMENT ON COLUMN tabfarm_internal.page_table.conflict IS 'one of the rows that another page of the run gave differently';
CREATE INDEX page_table_run ON tabfarm_internal.page_table (run_id, table_name);

CREATE TABLE tabfarm_internal.result_table (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    schema     text NOT NULL,
    name       text NOT NULL,
    recipe     text NOT NULL,
    key        text[] NOT NULL,
    made       boolean NOT NULL DEFAULT false,
    version    bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (schema, name)
);
COMMENT ON TABLE tabfarm_internal.result_table IS 'tables that tabfarm writes to, one recipe each; made is false until the first rows come';
COMMENT ON COLUMN tabfarm_internal.result_table.version IS 'raised whenever a column is added or changes its type';

CREATE TABLE tabfarm_internal.result_column (
    table_id bigint NOT NULL REFERENCES tabfarm_internal.result_table ON DELETE CASCADE,
    name     text NOT NULL,
    type     text NOT NULL,
    header   text NOT NULL DEFAULT '',
    unit     text NOT NULL DEFAULT '',
    rule     text NOT NULL DEFAULT '',
    declared boolean NOT NULL DEFAULT false,
    PRIMARY KEY (table_id, name)
);
COMMENT ON TABLE tabfarm_internal.result_column IS 'columns of result tables: the header as shown and the rule by which texts become values';

CREATE TABLE tabfarm_internal.rejected (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name   text NOT NULL,
    page_id      bigint NOT NULL REFERENCES tabfarm_internal.page ON DELETE CASCADE,
    run_id       bigint NOT NULL,
    address_hash bytea NOT NULL,
    key          text NOT NULL,
    "column"     text NOT NULL,
    text         text NOT NULL,
    reason       text NOT NULL,
    rejected_at  timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tabfarm_internal.rejected IS 'values that did not fit the type of their column, of the newest reading of each page';
CREATE INDEX rejected_address ON tabfarm_internal.rejected (table_name, address_hash);
CREATE INDEX rejected_run ON tabfarm_internal.rejected (run_id, table_name);
CREATE INDEX rejected_page ON tabfarm_internal.rejected (page_id);

-- +goose StatementBegin
CREATE FUNCTION tabfarm_internal.count_rows(schema text, name text) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %I.%I', schema, name) INTO n;
    RETURN n;
EXCEPTION WHEN undefined_table OR invalid_schema_name OR insufficient_privilege THEN
    RETURN NULL;
END
$$;
-- +goose StatementEnd
COMMENT ON FUNCTION tabfarm_internal.count_rows(text, text) IS 'rows of a table with the rights of who asks; NULL where it is gone or may not be read';

CREATE VIEW tabfarm.runs AS
SELECT r.id AS run, c.name AS recipe, r.state,
       p.pages, p.ok, p.failed, p.pages - p.ok - p.failed AS pending,
       r.started_at, r.finished_at
FROM tabfarm_internal.run r
JOIN tabfarm_internal.recipe c ON c.id = r.recipe_id
CROSS JOIN LATERAL (
    SELECT count(*) AS pages,
           count(*) FILTER (WHERE p.state = 2 AND p.ok) AS ok,
           count(*) FILTER (WHERE p.state = 2 AND NOT p.ok) AS failed
    FROM tabfarm_internal.page p WHERE p.run_id = r.id) p;
COMMENT ON VIEW tabfarm.runs IS 'every execution of a recipe';
COMMENT ON COLUMN tabfarm.runs.run IS 'number of the run, for tabfarm resume, cancel, pages and retry';
COMMENT ON COLUMN tabfarm.runs.recipe IS 'name of the recipe';
COMMENT ON COLUMN tabfarm.runs.state IS 'running, stopped (goes on later), done, cancelled, superseded (a changed recipe took over)';
COMMENT ON COLUMN tabfarm.runs.pages IS 'pages of the run';
COMMENT ON COLUMN tabfarm.runs.ok IS 'pages that ended well';
COMMENT ON COLUMN tabfarm.runs.failed IS 'pages that ended otherwise; tabfarm.pages says why';
COMMENT ON COLUMN tabfarm.runs.pending IS 'pages that have not ended';
COMMENT ON COLUMN tabfarm.runs.started_at IS 'when the run began';
COMMENT ON COLUMN tabfarm.runs.finished_at IS 'when it ended or was last stopped';

CREATE VIEW tabfarm.pages AS
SELECT p.run_id AS run, c.name AS recipe, p.address AS url, p.vars AS variables,
       CASE WHEN p.state = 2 THEN p.outcome END AS outcome, p.message, p.rows, p.proof, p.stated_total,
       p.attempt::integer AS attempts, p.seconds, p.started_at, p.finished_at
FROM tabfarm_internal.page p
JOIN tabfarm_internal.run r ON r.id = p.run_id
JOIN tabfarm_internal.recipe c ON c.id = r.recipe_id;
COMMENT ON VIEW tabfarm.pages IS 'every page of every run, with how it ended';
COMMENT ON COLUMN tabfarm.pages.run IS 'number of the run';
COMMENT ON COLUMN tabfarm.pages.recipe IS 'name of the recipe';
COMMENT ON COLUMN tabfarm.pages.url IS 'address of the page: its URL, and as fragment #~name=value variables that do not stand in it; _url of its rows';
COMMENT ON COLUMN tabfarm.pages.variables IS 'variables of the page, by name';
COMMENT ON COLUMN tabfarm.pages.outcome IS 'how the page ended, ok or why not; NULL while it has not';
COMMENT ON COLUMN tabfarm.pages.message IS 'what went wrong and what to do; while the page waits, what went wrong last';
COMMENT ON COLUMN tabfarm.pages.rows IS 'rows read of the page, all tables together';
COMMENT ON COLUMN tabfarm.pages.proof IS 'why the rows are all there: total, source, end or none';
COMMENT ON COLUMN tabfarm.pages.stated_total IS 'number of rows that the page states, if it does';
COMMENT ON COLUMN tabfarm.pages.attempts IS 'how often the page was tried';
COMMENT ON COLUMN tabfarm.pages.seconds IS 'time of the last try';
COMMENT ON COLUMN tabfarm.pages.started_at IS 'begin of the last try';
COMMENT ON COLUMN tabfarm.pages.finished_at IS 'when the page ended';

CREATE VIEW tabfarm.tables AS
SELECT CASE WHEN count(*) OVER (PARTITION BY t.name) = 1 THEN t.name ELSE t.schema || '.' || t.name END AS name,
       t.recipe, t.key, tabfarm_internal.count_rows(t.schema, t.name) AS rows,
       good.id AS last_ok_run, good.finished_at AS last_ok_at
FROM tabfarm_internal.result_table t
LEFT JOIN LATERAL (
    SELECT r.id, r.finished_at
    FROM tabfarm_internal.run r
    JOIN tabfarm_internal.recipe c ON c.id = r.recipe_id
    WHERE c.name = t.recipe AND r.state = 'done'
      AND NOT EXISTS (SELECT FROM tabfarm_internal.page p WHERE p.run_id = r.id AND p.ok IS NOT TRUE)
    ORDER BY r.id DESC LIMIT 1) good ON true
WHERE t.made;
COMMENT ON VIEW tabfarm.tables IS 'tables that recipes made';
COMMENT ON COLUMN tabfarm.tables.name IS 'name of the table, as in the recipe and in tabfarm.rejected; with its schema where two schemas have one of it';
COMMENT ON COLUMN tabfarm.tables.recipe IS 'the one recipe that writes to it';
COMMENT ON COLUMN tabfarm.tables.key IS 'columns of its primary key';
COMMENT ON COLUMN tabfarm.tables.rows IS 'rows now, counted; NULL where the table is gone or may not be read';
COMMENT ON COLUMN tabfarm.tables.last_ok_run IS 'newest run all of whose pages ended well';
COMMENT ON COLUMN tabfarm.tables.last_ok_at IS 'when that run ended';

CREATE VIEW tabfarm.problems AS
SELECT p.run_id AS run, c.name AS recipe, p.address AS url, p.vars AS variables, p.outcome, p.message,
       p.rows, p.proof, p.stated_total, p.attempt::integer AS attempts, p.seconds, p.started_at, p.finished_at
FROM tabfarm_internal.recipe c
CROSS JOIN LATERAL (
    SELECT r.id FROM tabfarm_internal.run r WHERE r.recipe_id = c.id ORDER BY r.id DESC LIMIT 1) newest
JOIN tabfarm_internal.page p ON p.run_id = newest.id
WHERE p.state = 2 AND NOT p.ok;
COMMENT ON VIEW tabfarm.problems IS 'failed pages of the newest run of each recipe; the columns are those of tabfarm.pages';
COMMENT ON COLUMN tabfarm.problems.run IS 'number of the run';
COMMENT ON COLUMN tabfarm.problems.recipe IS 'name of the recipe';
COMMENT ON COLUMN tabfarm.problems.url IS 'address of the page';
COMMENT ON COLUMN tabfarm.problems.variables IS 'variables of the page, by name';
COMMENT ON COLUMN tabfarm.problems.outcome IS 'why the page failed';
COMMENT ON COLUMN tabfarm.problems.message IS 'what went wrong and what to do';
COMMENT ON COLUMN tabfarm.problems.rows IS 'rows read of the page';
COMMENT ON COLUMN tabfarm.problems.proof IS 'why the rows would be all there: total, source, end or none';
COMMENT ON COLUMN tabfarm.problems.stated_total IS 'number of rows that the page states, if it does';
COMMENT ON COLUMN tabfarm.problems.attempts IS 'how often the page was tried';
COMMENT ON COLUMN tabfarm.problems.seconds IS 'time of the last try';
COMMENT ON COLUMN tabfarm.problems.started_at IS 'begin of the last try';
COMMENT ON COLUMN tabfarm.problems.finished_at IS 'when the page failed';

CREATE VIEW tabfarm.rejected AS
SELECT j.table_name AS "table", j.key, j."column", j.text, j.reason, p.address AS page
FROM tabfarm_internal.rejected j
JOIN tabfarm_internal.page p ON p.id = j.page_id;
COMMENT ON VIEW tabfarm.rejected IS 'values that did not fit the type of their column and are NULL in the table, of the newest reading of each page';
COMMENT ON COLUMN tabfarm.rejected."table" IS 'name of the table';
COMMENT ON COLUMN tabfarm.rejected.key IS 'key of the row, as name=value';
COMMENT ON COLUMN tabfarm.rejected."column" IS 'column that is NULL in the row';
COMMENT ON COLUMN tabfarm.rejected.text IS 'what the page showed';
COMMENT ON COLUMN tabfarm.rejected.reason IS 'why it did not fit';
COMMENT ON COLUMN tabfarm.rejected.page IS 'address of the page, _url of its rows';

-- +goose Down
DROP VIEW tabfarm.rejected, tabfarm.problems, tabfarm.tables, tabfarm.pages, tabfarm.runs;
DROP FUNCTION tabfarm_internal.count_rows(text, text);
DROP TABLE tabfarm_internal.rejected, tabfarm_internal.result_column, tabfarm_internal.result_table,
    tabfarm_internal.page_table, tabfarm_internal.page, tabfarm_internal.slot, tabfarm_internal.worker,
    tabfarm_internal.run_host, tabfarm_internal.host, tabfarm_internal.run_file, tabfarm_internal.run,
    tabfarm_internal.recipe;
DROP SEQUENCE tabfarm_internal.worker_id;
