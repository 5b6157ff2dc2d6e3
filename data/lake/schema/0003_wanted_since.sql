-- Polls read a job from where the history of the first poll began. Without this column they would read it from the oldest
-- stored build, and a single old build read on request would cause all builds since then to be read.

ALTER TABLE jobs ADD COLUMN wanted_since TIMESTAMP; -- start of the oldest build that the first poll wanted; NULL: all builds
UPDATE jobs SET wanted_since = (
    SELECT min(b.started_at) FROM (SELECT source, job, started_at FROM builds UNION ALL
        SELECT source, job, started_at FROM runs) b
    WHERE (b.source, b.job) = (jobs.source, jobs.job));
