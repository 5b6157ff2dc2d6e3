-- A build that lacks a part of its results is incomplete, whatever the rest is.

ALTER TABLE builds ADD COLUMN missing_results VARCHAR; -- why results are missing, such as "a.xml: is cut off after 12 tests"; NULL: none are known to be

-- What older versions only flagged. Of a total that differs, the remark has both numbers.
UPDATE builds SET missing_results = CASE
        WHEN regexp_matches(flags, '\bnot_read\b') THEN 'a test report is of a kind that is not read'
        WHEN regexp_matches(flags, '\bunreadable\b') THEN 'a report cannot be read'
        ELSE 'a report is malformed' END
    WHERE regexp_matches(flags, '\b(recovered|unreadable|not_read)\b');
UPDATE builds SET missing_results = 'more tests or failures were declared than read'
    WHERE missing_results IS NULL AND regexp_matches(flags, '\b(declared_differs|count_mismatch)\b') AND build IN (
        SELECT build FROM (
            SELECT build, regexp_extract(message, '(?:declares|counts) (\d+) (?:tests?|failures?|errors?), (none|\d+) w',
                ['declared', 'read']) AS numbers
            FROM warnings)
        GROUP BY build
        HAVING sum(coalesce(try_cast(numbers.declared AS BIGINT), 0)
            - coalesce(try_cast(numbers.read AS BIGINT), 0)) > 0);
UPDATE builds SET missing_results = 'Jenkins calls it ' || result || ', but no test that was read failed',
        flags = trim(flags || ' unexplained')
    WHERE missing_results IS NULL AND state = 'final' AND result IN ('FAILURE', 'UNSTABLE') AND total > 0 AND failed = 0
        AND build NOT IN (SELECT build FROM results WHERE status = 'failed');
