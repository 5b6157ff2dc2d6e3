-- The environment becomes part of a run's identity, and of that of a build that was imported or uploaded. Before, two
-- environments with one build number were one run, and two imports of one second overwrote each other. All runs get new
-- ids; a run that holds builds of two environments is split. The old ids stay known in `id_aliases`.

CREATE TABLE id_aliases (        -- one row per id that has changed; addresses with the old one lead to the new one
    kind VARCHAR,                -- run | build | test
    old BIGINT,
    new BIGINT
);
ALTER TABLE runs ADD COLUMN key VARCHAR; -- of a run that a parameter or an import names: NAME=VALUE; empty for other runs

-- The ids of data/model/ids.py.
CREATE TEMP MACRO id_of(text) AS (md5_number_lower(text) >> 1)::BIGINT;
CREATE TEMP MACRO iso_of(moment) AS CASE WHEN epoch_us(moment) % 1000000 = 0
    THEN strftime(moment, '%Y-%m-%dT%H:%M:%S') ELSE strftime(moment, '%Y-%m-%dT%H:%M:%S.%f') END;

-- The job of an import names its environment, unless it is the default one.
CREATE TEMP TABLE moved_builds AS
SELECT build AS old, id_of(concat_ws('::', source, new_job, number, iso_of(started_at))) AS new, new_job
FROM (SELECT *, concat(job, '/', environment) AS new_job FROM builds
    WHERE source IN ('import', 'upload') AND environment NOT IN ('', 'default'));
UPDATE builds SET build = m.new, job = m.new_job FROM moved_builds m WHERE builds.build = m.old;
UPDATE run_builds SET build = m.new, job = m.new_job FROM moved_builds m WHERE run_builds.build = m.old;
UPDATE build_counts SET build = m.new FROM moved_builds m WHERE build_counts.build = m.old;
UPDATE results SET build = m.new FROM moved_builds m WHERE results.build = m.old;
UPDATE failures SET build = m.new FROM moved_builds m WHERE failures.build = m.old;
UPDATE commits SET build = m.new FROM moved_builds m WHERE commits.build = m.old;
UPDATE warnings SET build = m.new FROM moved_builds m WHERE warnings.build = m.old;
UPDATE raw_files SET build = m.new FROM moved_builds m WHERE raw_files.build = m.old;
INSERT INTO id_aliases SELECT 'build', old, new FROM moved_builds;

-- The key of a run, by which key its old id was made.
CREATE TEMP TABLE old_runs AS
WITH named AS (
    SELECT r.run, 'run=' || r.display_name AS key FROM runs r WHERE r.source IN ('import', 'upload')
    UNION
    SELECT r.run, p.name || '=' || r.display_name FROM runs r JOIN run_builds USING (run) JOIN builds b USING (build),
        LATERAL (SELECT unnest(json_keys(b.parameters)) AS name) p
    WHERE r.display_name <> '' AND b.source NOT IN ('import', 'upload')),
keys AS (
    SELECT run, min(named.key) AS key FROM named JOIN runs r USING (run)
    WHERE id_of(concat_ws('::', r.source, r.job, r.number, named.key, r.release)) = run GROUP BY run)
SELECT r.* EXCLUDE (key), coalesce(k.key, '') AS key FROM runs r LEFT JOIN keys k USING (run);

-- Which builds a run lists, with the environment of each; also imported builds that lost their place to another
-- environment of the same number.
CREATE TEMP TABLE old_rows AS
SELECT rb.*, coalesce(b.environment, r.environment) AS environment
FROM run_builds rb JOIN old_runs r USING (run) LEFT JOIN builds b USING (build)
UNION ALL
SELECT r.run, b.source, b.job, b.number, b.module, b.build, b.environment
FROM builds b JOIN old_runs r ON r.source = b.source AND r.release = b.release AND r.key = 'run=' || b.number
WHERE b.source IN ('import', 'upload') AND b.build NOT IN (SELECT build FROM run_builds WHERE build IS NOT NULL);

-- Each run, once for each environment of its builds; a run without builds keeps its own.
CREATE TEMP TABLE new_runs AS
SELECT r.run AS old, e.environment,
    id_of(CASE WHEN r.key <> '' THEN concat_ws('::', r.source, r.job, r.key, r.release, e.environment)
        ELSE concat_ws('::', r.source, r.job, r.number, iso_of(r.started_at), r.release, e.environment) END) AS run
FROM old_runs r JOIN (
    SELECT DISTINCT run, environment FROM old_rows UNION
    SELECT run, environment FROM old_runs WHERE run NOT IN (SELECT run FROM old_rows)) e USING (run);

DELETE FROM runs;
INSERT INTO runs BY NAME
SELECT n.run, any_value(r.source) AS source, any_value(r.job) AS job, min(r.number) AS number,
    any_value(r.release) AS release, arg_max(coalesce(b.version, r.version), r.started_at) AS version, n.environment,
    coalesce(min(b.first), min(r.started_at)) AS started_at,
    coalesce(epoch(max(b.last)) - epoch(min(b.first)), max(r.duration_s)) AS duration_s,
    coalesce(max(b.state), max(r.state)) AS state, arg_max(coalesce(b.result, r.result), r.started_at) AS result,
    arg_max(r.display_name, r.started_at) AS display_name, arg_max(coalesce(b.url, r.url), r.started_at) AS url,
    any_value(r.key) AS key
FROM new_runs n JOIN old_runs r ON r.run = n.old
LEFT JOIN (
    -- A run with a key has the facts of its builds, as data/write/runs.py computes them.
    SELECT o.run, o.environment, min(b.started_at) AS first, max(b.state) AS state,
        max(b.started_at + to_microseconds((coalesce(b.duration_s, 0) * 1e6)::BIGINT)) AS last,
        arg_max(b.version, b.ingested_at) AS version, arg_max(b.result, b.ingested_at) AS result,
        arg_max(b.url, b.ingested_at) AS url
    FROM old_rows o JOIN builds b USING (build) JOIN old_runs r USING (run) WHERE r.key <> '' GROUP BY ALL
) b ON b.run = n.old AND b.environment = n.environment
GROUP BY n.run, n.environment;

DELETE FROM run_builds;
INSERT INTO run_builds BY NAME
SELECT n.run, o.source, o.job, o.number, any_value(o.module) AS module, max(o.build) AS build
FROM old_rows o JOIN new_runs n ON n.old = o.run AND n.environment = o.environment GROUP BY ALL;

-- An old id leads to the run of the environment that the run showed, if that has a build.
INSERT INTO id_aliases
SELECT 'run', n.old, arg_min(n.run, (n.environment <> r.environment, n.environment))
FROM new_runs n JOIN old_runs r ON r.run = n.old GROUP BY n.old HAVING count(*) > 0;

DROP TABLE moved_builds;
DROP TABLE old_runs;
DROP TABLE old_rows;
DROP TABLE new_runs;
DROP MACRO id_of;
DROP MACRO iso_of;
