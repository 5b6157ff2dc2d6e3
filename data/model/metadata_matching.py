"""SQL that finds the tests that a row of metadata or a bug is about: by file, class and name without parameters.

File and class together are exact. With one of them, or a bare name, a row is about a test only if no test of another
file or class fits as well; otherwise it is ambiguous and about none.
"""

from __future__ import annotations

# Snapshots older than the columns have none of them.
METADATA_ROWS = """(FROM test_metadata
    UNION ALL BY NAME SELECT NULL::VARCHAR AS file, NULL::VARCHAR AS class WHERE false)"""
# The one file and class of what a row gives; whatever has several is left out.
_ONE_LOCATION = "HAVING min(file) = max(file) AND min(class) = max(class)"
_OF_ROWS = "FROM tests WHERE base_name IN (SELECT base_name FROM rows WHERE {given}) GROUP BY base_name"

# One row per test and row of metadata about it. `rank`: of several the highest counts; a release's own row comes before
# the global one, then the one that gives more.
MATCHED_METADATA = f"""
    WITH rows AS {METADATA_ROWS},
    placed AS (
        SELECT *, 2 AS given FROM rows WHERE file IS NOT NULL AND class IS NOT NULL
        UNION ALL BY NAME
        SELECT rows.* EXCLUDE (class), p.class, 1 AS given FROM rows JOIN (
            SELECT base_name, file, min(class) AS class
            {_OF_ROWS.format(given="file IS NOT NULL AND class IS NULL")}, file {_ONE_LOCATION}
        ) p USING (base_name, file) WHERE rows.class IS NULL
        UNION ALL BY NAME
        SELECT rows.* EXCLUDE (file), p.file, 1 AS given FROM rows JOIN (
            SELECT base_name, class, min(file) AS file
            {_OF_ROWS.format(given="file IS NULL AND class IS NOT NULL")}, class {_ONE_LOCATION}
        ) p USING (base_name, class) WHERE rows.file IS NULL
        UNION ALL BY NAME
        SELECT rows.* EXCLUDE (file, class), p.file, p.class, 0 AS given FROM rows JOIN (
            SELECT base_name, min(file) AS file, min(class) AS class
            {_OF_ROWS.format(given="file IS NULL AND class IS NULL")} {_ONE_LOCATION}
        ) p USING (base_name) WHERE rows.file IS NULL AND rows.class IS NULL)
    SELECT t.test, m.release, m.priority, m.owner, m.removed, m.case_id, m.testrail_id, m.component, m.topology,
        m.state, 3 * (m.release IS NOT NULL)::INTEGER + m.given AS rank
    FROM placed m JOIN tests t USING (base_name, file, class)"""

# One row per ambiguous row of metadata, with the number of tests that fit it.
AMBIGUOUS_METADATA = f"""
    SELECT m.base_name, m.file, m.class, m.release, any_value(m.case_id) AS case_id,
        any_value(m.testrail_id) AS testrail_id, count(*) AS tests
    FROM {METADATA_ROWS} m JOIN tests t ON t.base_name = m.base_name
        AND (m.file IS NULL OR t.file = m.file) AND (m.class IS NULL OR t.class = m.class)
    WHERE m.file IS NULL OR m.class IS NULL
    GROUP BY m.base_name, m.file, m.class, m.release
    HAVING min(t.file) <> max(t.file) OR min(t.class) <> max(t.class)"""

# One row per row of metadata that no test fits.
UNMATCHED_METADATA = f"""
    SELECT m.base_name, m.file, m.class, m.release FROM {METADATA_ROWS} m ANTI JOIN tests t
        ON t.base_name = m.base_name AND (m.file IS NULL OR t.file = m.file)
            AND (m.class IS NULL OR t.class = m.class)"""

# The same for the tests that bugs name by key: file::class::name is exact, file::name, class::name and ::name are not.
_NAMED = """FROM (
        SELECT bug, case_id, string_split(split_part(case_id, '[', 1), '::') AS parts
        FROM bug_cases WHERE contains(case_id, '::')) c
    JOIN tests t ON t.base_name = c.parts[-1] AND CASE WHEN len(c.parts) > 2
        THEN t.file = c.parts[1] AND t.class = array_to_string(c.parts[2:-2], '::')
        ELSE c.parts[1] IN ('', t.file, t.class) END"""
NAMED_BY_BUGS = f"""
    SELECT c.bug, c.case_id, t.test {_NAMED}
    QUALIFY len(c.parts) > 2 OR min((t.file, t.class)) OVER (PARTITION BY c.bug, c.case_id)
        = max((t.file, t.class)) OVER (PARTITION BY c.bug, c.case_id)"""
AMBIGUOUSLY_NAMED_BY_BUGS = f"""
    SELECT c.bug, c.case_id, any_value(t.base_name) AS base_name, count(*) AS tests {_NAMED}
    WHERE len(c.parts) = 2 GROUP BY c.bug, c.case_id
    HAVING min(t.file) <> max(t.file) OR min(t.class) <> max(t.class)"""
