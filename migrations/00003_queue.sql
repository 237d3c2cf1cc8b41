-- Slots are handed out by jobs of River, whose tables are made beside these.

-- +goose Up
ALTER TABLE tabfarm_internal.run
    ADD COLUMN planned boolean NOT NULL DEFAULT true,
    ADD COLUMN plan_epoch bigint NOT NULL DEFAULT 0,
    ADD COLUMN planner integer REFERENCES tabfarm_internal.worker,
    ADD COLUMN problem text,
    ADD COLUMN attached boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN tabfarm_internal.run.planned IS 'false while pages of its sources are still to be added';
COMMENT ON COLUMN tabfarm_internal.run.plan_epoch IS 'identity of the job that adds them, and its fence';
COMMENT ON COLUMN tabfarm_internal.run.planner IS 'worker that adds them now';
COMMENT ON COLUMN tabfarm_internal.run.problem IS 'why the sources could not be read to their end';
COMMENT ON COLUMN tabfarm_internal.run.attached IS 'a tabfarm run came with it, which may ask hosts that other workers may not';
CREATE INDEX run_planner ON tabfarm_internal.run (planner) WHERE planner IS NOT NULL;

-- No slot has a job yet; what has pages is queued again by the next worker.
UPDATE tabfarm_internal.slot SET queued = false WHERE queued;
ALTER TABLE tabfarm_internal.slot ALTER COLUMN queued SET DEFAULT false;
DROP INDEX tabfarm_internal.slot_idle;
COMMENT ON COLUMN tabfarm_internal.slot.epoch IS 'identity of the job that hands the slot out; raised when its worker dies';
COMMENT ON COLUMN tabfarm_internal.slot.queued IS 'a job for the slot waits or is worked on: the host may have pending pages';
COMMENT ON COLUMN tabfarm_internal.slot.worker IS 'who had the job last; kept while the job waits, until it is known to wait';

CREATE OR REPLACE VIEW tabfarm.runs AS
SELECT r.id AS run, c.name AS recipe, r.state,
       p.pages, p.ok, p.failed, p.pages - p.ok - p.failed AS pending,
       r.started_at, r.finished_at, r.planned, r.problem
FROM tabfarm_internal.run r
JOIN tabfarm_internal.recipe c ON c.id = r.recipe_id
CROSS JOIN LATERAL (
    SELECT count(*) AS pages,
           count(*) FILTER (WHERE p.state = 2 AND p.ok) AS ok,
           count(*) FILTER (WHERE p.state = 2 AND NOT p.ok) AS failed
    FROM tabfarm_internal.page p WHERE p.run_id = r.id) p;
COMMENT ON COLUMN tabfarm.runs.pages IS 'pages of the run; it grows while planned is false, and where links lead to more';
COMMENT ON COLUMN tabfarm.runs.planned IS 'false while the sources of the recipe are still read';
COMMENT ON COLUMN tabfarm.runs.problem IS 'why the sources could not be read to their end; NULL where they were';

-- +goose Down
DROP VIEW tabfarm.runs;
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
CREATE INDEX slot_idle ON tabfarm_internal.slot (taken_at) WHERE queued AND worker IS NULL;
ALTER TABLE tabfarm_internal.slot ALTER COLUMN queued SET DEFAULT true;
UPDATE tabfarm_internal.slot SET queued = true;
ALTER TABLE tabfarm_internal.run DROP COLUMN planned, DROP COLUMN plan_epoch, DROP COLUMN planner, DROP COLUMN problem,
    DROP COLUMN attached;
