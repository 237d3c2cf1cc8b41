-- Hosts that only fail are paused, robots.txt is kept, and runs take turns at a host.

-- +goose Up
ALTER TABLE tabfarm_internal.host
    ADD COLUMN failures integer NOT NULL DEFAULT 0,
    ADD COLUMN reason text,
    ADD COLUMN pauses smallint NOT NULL DEFAULT 0,
    ADD COLUMN paused_until timestamptz NOT NULL DEFAULT 'epoch',
    ADD COLUMN pushes smallint NOT NULL DEFAULT 0,
    ADD COLUMN pushed_until timestamptz NOT NULL DEFAULT 'epoch';
COMMENT ON COLUMN tabfarm_internal.host.paused IS 'by a person, until that person says otherwise';
COMMENT ON COLUMN tabfarm_internal.host.failures IS 'tries in a row that the host failed; an answer ends the row';
COMMENT ON COLUMN tabfarm_internal.host.reason IS 'how the last of them failed';
COMMENT ON COLUMN tabfarm_internal.host.pauses IS 'pauses in a row; while it is not 0 one page at a time probes the host';
COMMENT ON COLUMN tabfarm_internal.host.paused_until IS 'end of the last pause; next_start is behind it, so that all who look at the clock alone keep away';
COMMENT ON COLUMN tabfarm_internal.host.pushes IS 'times in a row that the host asked to be left alone';
COMMENT ON COLUMN tabfarm_internal.host.pushed_until IS 'until when it asked to be; next_start is not before it';

ALTER TABLE tabfarm_internal.run_host ADD COLUMN claimed_at timestamptz NOT NULL DEFAULT 'epoch';
ALTER TABLE tabfarm_internal.run_host SET (fillfactor = 50);
COMMENT ON COLUMN tabfarm_internal.run_host.claimed_at IS 'when pages of the run were last claimed here beside those of other runs; no index, so that it stays a HOT update';

ALTER TABLE tabfarm_internal.page ADD COLUMN pushed smallint NOT NULL DEFAULT 0;
COMMENT ON COLUMN tabfarm_internal.page.pushed IS 'times that its host asked to be left alone when the page was tried; they are not in attempt';

CREATE TABLE tabfarm_internal.robots (
    host        text PRIMARY KEY,
    status      smallint NOT NULL DEFAULT 0,
    body        bytea NOT NULL DEFAULT '',
    failure     text NOT NULL DEFAULT '',
    fresh_until timestamptz NOT NULL DEFAULT 'epoch',
    asked_until timestamptz NOT NULL DEFAULT 'epoch'
);
COMMENT ON TABLE tabfarm_internal.robots IS 'robots.txt of hosts, so that a farm of workers asks once';
COMMENT ON COLUMN tabfarm_internal.robots.failure IS 'why the host gave no answer; status is 0 then';
COMMENT ON COLUMN tabfarm_internal.robots.asked_until IS 'somebody is asking for it and has until then; no lock is held meanwhile';

CREATE VIEW tabfarm.hosts AS
SELECT h.host, w.pages AS pages_waiting, h.min_delay AS delay, h.concurrency::integer AS concurrency,
       CASE WHEN h.next_start > clock_timestamp() THEN h.next_start END AS next_start,
       h.failures, h.reason,
       CASE WHEN h.paused THEN 'infinity' WHEN h.paused_until > clock_timestamp() THEN h.paused_until END AS paused_until
FROM tabfarm_internal.host h
CROSS JOIN LATERAL (
    SELECT count(*) AS pages
    FROM tabfarm_internal.run_host rh
    JOIN tabfarm_internal.run r ON r.id = rh.run_id AND r.state IN ('running', 'stopped')
    JOIN tabfarm_internal.page p ON p.run_id = rh.run_id AND p.host = rh.host AND p.state = 0
    WHERE rh.host = h.host) w;
COMMENT ON VIEW tabfarm.hosts IS 'every host, its pace and how it fares';
COMMENT ON COLUMN tabfarm.hosts.host IS 'scheme, name and port';
COMMENT ON COLUMN tabfarm.hosts.pages_waiting IS 'pages of unfinished runs that have not begun';
COMMENT ON COLUMN tabfarm.hosts.delay IS 'time between two page starts: the slowest that the unfinished runs and robots.txt ask for';
COMMENT ON COLUMN tabfarm.hosts.concurrency IS 'workers that may be at it at once';
COMMENT ON COLUMN tabfarm.hosts.next_start IS 'no page begins before; NULL: one may begin now';
COMMENT ON COLUMN tabfarm.hosts.failures IS 'tries in a row that got no answer, HTTP 5xx or HTTP 429';
COMMENT ON COLUMN tabfarm.hosts.reason IS 'outcome of the last of them; NULL when the host answers';
COMMENT ON COLUMN tabfarm.hosts.paused_until IS 'the host is paused until then, because it only fails; infinity: by a person; NULL: it is not paused';

-- +goose Down
DROP VIEW tabfarm.hosts;
DROP TABLE tabfarm_internal.robots;
ALTER TABLE tabfarm_internal.page DROP COLUMN pushed;
ALTER TABLE tabfarm_internal.run_host RESET (fillfactor);
ALTER TABLE tabfarm_internal.run_host DROP COLUMN claimed_at;
ALTER TABLE tabfarm_internal.host DROP COLUMN failures, DROP COLUMN reason, DROP COLUMN pauses, DROP COLUMN paused_until,
    DROP COLUMN pushes, DROP COLUMN pushed_until;
