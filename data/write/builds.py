"""Writes builds: a batch replaces whatever the lake has under the ids of its builds.

Everything of a build (results, texts, counts, raw files) is written in the transaction of the caller: a crash leaves
all of it or nothing, and reading a build again, any number of times, gives the same tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import duckdb
import pyarrow as pa

from data.lake.cursors import one_row, registered
from data.model.build_record import BuildKey, BuildRecord
from data.model.run_record import RunBuildRecord, RunRecord, StoredBuild
from data.write import arrow_tables
from data.write.first_seen import upsert_first_seen
from data.write.raw_files import insert_raw_files
from data.write.runs import update_runs


def upsert_builds(
    cursor: duckdb.DuckDBPyConnection,
    builds: Sequence[BuildRecord],
    now: datetime,
    *,
    standalone_runs: Sequence[tuple[BuildRecord, RunRecord]] = (),
    runs: Sequence[RunRecord] = (),
    run_builds: Sequence[RunBuildRecord] = (),
) -> int:
    """Replace these builds and everything below them, and update the runs that they belong to.

    `standalone_runs`: builds without an orchestrating build, each with the run that it forms or joins. `runs`:
    orchestrating builds, with the builds that they list in `run_builds`; rows already stored are kept, whether their
    build has been read or not. See `data.write.runs.update_runs`. Returns the number of result rows written.
    """
    keys = {build.key for build in builds} | {(row.source, row.job, row.number) for row in run_builds}
    stored = _stored_builds(cursor, keys)
    written = _replace(cursor, builds, stored, now)
    replaced = {build.id for build in builds}
    candidates = {key: [one for one in stored.get(key, ()) if one.build not in replaced] for key in keys}
    for build in builds:
        candidates[build.key].append(StoredBuild(build.id, build.started_at, build.release, build.environment))
    joined = [(build.id, run, RunBuildRecord(run.id, *build.key, build.module)) for build, run in standalone_runs]
    update_runs(cursor, runs, run_builds, joined, candidates)
    _insert_releases(cursor, {build.release for build in builds} | {run.release for run in runs}, now)
    return written


def _replace(
    cursor: duckdb.DuckDBPyConnection,
    builds: Sequence[BuildRecord],
    stored: dict[BuildKey, list[StoredBuild]],
    now: datetime,
) -> int:
    if not builds:
        return 0
    before = {found.build: found for candidates in stored.values() for found in candidates}
    _remove(cursor, [before[build.id] for build in builds if build.id in before],
            [build.id for build in builds if build.raw is not None])  # fmt: skip
    written = 0
    with registered(cursor, incoming_builds=arrow_tables.build_table(builds, now)):
        incoming = arrow_tables.case_table(builds)
        with registered(cursor, incoming=incoming, incoming_tests=arrow_tables.test_table(builds)):
            if len(incoming):
                written = _insert_results(cursor, incoming)
        cursor.execute("INSERT INTO builds BY NAME SELECT * FROM incoming_builds")
    for table, rows in (
        (
            "build_counts",
            arrow_tables.count_table(builds),
        ),
        ("commits", arrow_tables.commit_table(builds)),
        ("warnings", arrow_tables.warning_table(builds)),
    ):
        if len(rows):
            with registered(cursor, incoming_rows=rows):
                cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming_rows")
    insert_raw_files(cursor, [(build.id, build.started_at, file) for build in builds for file in build.raw or ()])
    return written


def _stored_builds(cursor: duckdb.DuckDBPyConnection, keys: set[BuildKey]) -> dict[BuildKey, list[StoredBuild]]:
    """The stored builds under these keys."""
    answer: dict[BuildKey, list[StoredBuild]] = {key: [] for key in keys}
    if keys:
        columns = [pa.array(column) for column in zip(*sorted(keys), strict=True)]
        with registered(cursor, wanted_keys=pa.table(columns, names=["source", "job", "number"])):
            found = cursor.execute(
                """SELECT source, job, number, build, started_at, release, environment FROM builds
                JOIN wanted_keys USING (source, job, number)"""
            ).fetchall()
        for source, job, number, *facts in found:
            answer[source, job, number].append(StoredBuild(*facts))
    return answer


def _insert_results(cursor: duckdb.DuckDBPyConnection, incoming: pa.Table) -> int:
    """Insert results, failures, tests and signatures of the registered `incoming`. Returns the result count."""
    (rows,) = one_row(
        cursor.execute(
            """INSERT INTO results BY NAME
            SELECT release, started_at, build, module, test, topology, attempt, is_final, status, kind, duration_s,
                   host, position, signature
            FROM incoming"""
        )
    )
    upsert_first_seen(
        cursor,
        "tests",
        """SELECT * FROM incoming_tests JOIN (
            SELECT test, arg_min(module, (started_at, module)) AS module, min(started_at) AS first_seen
            FROM incoming GROUP BY test) USING (test)""",
    )
    if incoming["kind"].null_count < len(incoming):
        cursor.execute(
            """INSERT INTO failures BY NAME
            SELECT release, started_at, build, module, test, topology, attempt, signature, message, trace, output
            FROM incoming WHERE status = 'failed' AND coalesce(message, trace, output) IS NOT NULL"""
        )
        upsert_first_seen(
            cursor,
            "signatures",
            """SELECT signature, any_value(pattern) AS pattern,
                arg_min(coalesce(message, trace), (started_at, test, topology, attempt)) AS example,
                min(started_at) AS first_seen
            FROM incoming WHERE signature IS NOT NULL GROUP BY signature""",
        )
    return int(rows)


def _remove(cursor: duckdb.DuckDBPyConnection, builds: Sequence[StoredBuild], with_raw: Sequence[int]) -> None:
    """Delete the rows of these builds; their raw files only for the ids in `with_raw`."""
    if not builds:
        return
    numbers = ", ".join(str(build.build) for build in builds)
    window = [min(build.started_at for build in builds), max(build.started_at for build in builds)]
    releases = sorted({build.release for build in builds})
    # The partition columns in the condition keep the files of all other months closed.
    for table in ("results", "failures", "build_counts"):
        cursor.execute(
            f"""DELETE FROM {table} WHERE list_contains(?, release) AND started_at BETWEEN ? AND ?
            AND build IN ({numbers})""",
            [releases, *window],
        )
    raw = sorted({build.build for build in builds} & set(with_raw))
    if raw:
        cursor.execute(
            f"DELETE FROM raw_files WHERE started_at BETWEEN ? AND ? AND build IN ({', '.join(map(str, raw))})", window
        )
    for table in ("commits", "warnings", "builds"):
        cursor.execute(f"DELETE FROM {table} WHERE build IN ({numbers})")


def _insert_releases(cursor: duckdb.DuckDBPyConnection, releases: set[str], now: datetime) -> None:
    cursor.execute(
        """INSERT INTO releases SELECT release, true, ? FROM (SELECT unnest(?::VARCHAR[]) AS release)
        ANTI JOIN releases USING (release) ORDER BY release""",
        [now, sorted(releases)],
    )
