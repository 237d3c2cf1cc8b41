-- Recipes that run by themselves.

-- +goose Up
CREATE TABLE tabfarm_internal.schedule (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipe     text NOT NULL UNIQUE,
    file       text NOT NULL,
    text       bytea NOT NULL,
    hash       bytea NOT NULL,
    rule       text NOT NULL,
    timezone   text NOT NULL,
    next_at    timestamptz,
    last_at    timestamptz,
    last_run   bigint REFERENCES tabfarm_internal.run ON DELETE SET NULL,
    note       text,
    enabled_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE tabfarm_internal.schedule IS 'recipes that run by themselves, with their own copy as runs have one';
COMMENT ON COLUMN tabfarm_internal.schedule.hash IS 'of the text and the files: scheduling an equal one again changes nothing';
COMMENT ON COLUMN tabfarm_internal.schedule.next_at IS 'fence: whoever starts the recipe for this time moves it on in the same transaction; NULL when no time is left';
CREATE INDEX schedule_next ON tabfarm_internal.schedule (next_at);

CREATE TABLE tabfarm_internal.schedule_file (
    schedule_id bigint NOT NULL REFERENCES tabfarm_internal.schedule ON DELETE CASCADE,
    name        text NOT NULL,
    content     bytea NOT NULL,
    PRIMARY KEY (schedule_id, name)
);
COMMENT ON TABLE tabfarm_internal.schedule_file IS 'files that a scheduled recipe names, as they were when it was scheduled';

CREATE VIEW tabfarm.schedules AS
SELECT s.recipe, s.rule, s.timezone, s.next_at, s.last_at, s.last_run, r.state AS last_state, s.note, s.file, s.enabled_at
FROM tabfarm_internal.schedule s
LEFT JOIN tabfarm_internal.run r ON r.id = s.last_run;
COMMENT ON VIEW tabfarm.schedules IS 'recipes that run by themselves while a tabfarm serve runs';
COMMENT ON COLUMN tabfarm.schedules.recipe IS 'name of the recipe';
COMMENT ON COLUMN tabfarm.schedules.rule IS 'when it runs, as in the recipe; several rules are divided by ;';
COMMENT ON COLUMN tabfarm.schedules.timezone IS 'time zone of the rule';
COMMENT ON COLUMN tabfarm.schedules.next_at IS 'when it is due next; NULL when no time is left';
COMMENT ON COLUMN tabfarm.schedules.last_at IS 'when it was last started by its schedule';
COMMENT ON COLUMN tabfarm.schedules.last_run IS 'number of the run that was started then';
COMMENT ON COLUMN tabfarm.schedules.last_state IS 'state of that run';
COMMENT ON COLUMN tabfarm.schedules.note IS 'why the last due time started no run; NULL when it did';
COMMENT ON COLUMN tabfarm.schedules.file IS 'file that the recipe was read from';
COMMENT ON COLUMN tabfarm.schedules.enabled_at IS 'when the recipe was scheduled, as it is now';

COMMENT ON COLUMN tabfarm.runs.state IS 'running, stopped (goes on later), done, cancelled, superseded (a later run took over)';

-- +goose Down
COMMENT ON COLUMN tabfarm.runs.state IS 'running, stopped (goes on later), done, cancelled, superseded (a changed recipe took over)';
DROP VIEW tabfarm.schedules;
DROP TABLE tabfarm_internal.schedule_file, tabfarm_internal.schedule;
