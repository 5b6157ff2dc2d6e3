-- What polls want of a job begins where the first poll's history began. Without this note it would begin at the oldest
-- build that is held, and one old build that was picked or read back would make all between it and the history wanted.

ALTER TABLE jobs ADD COLUMN wanted_since TIMESTAMP; -- start of the oldest build that the first poll wanted; NULL: of all
UPDATE jobs SET wanted_since = (
    SELECT min(b.started_at) FROM (SELECT source, job, started_at FROM builds UNION ALL
        SELECT source, job, started_at FROM runs) b
    WHERE (b.source, b.job) = (jobs.source, jobs.job));
