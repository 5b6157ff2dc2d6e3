"""Writes runs and the builds that they list: updated in memory, then written as a difference.

Reading a table of the lake costs a few milliseconds whatever its size, and every batch of an ingest touches runs. So
everything needed is read by one query, and only changed rows are written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import duckdb
import pyarrow as pa

from data.lake.cursors import registered
from data.model.build_record import BuildKey
from data.model.run_record import RUN_FACTS, RunBuildRecord, RunRecord, StoredBuild
from data.model.sql_values import SqlScalar
from data.write.arrow_tables import KEY_COLUMNS, key_table
from data.write.named_runs import separate_generations

RowKey = tuple[int, str, str, int]  # a run and the key of a build that it lists
Row = dict[str, SqlScalar]

# Facts of the orchestrating build, which all its runs share.
_PARENT_FACTS = ("version", "duration_s", "state", "result", "display_name")
_RUN_COLUMNS: dict[str, pa.DataType] = {
    "run": pa.int64(),
    **KEY_COLUMNS,
    "release": pa.string(),
    "version": pa.string(),
    "environment": pa.string(),
    "started_at": pa.timestamp("us"),
    "duration_s": pa.float64(),
    "state": pa.string(),
    "result": pa.string(),
    "display_name": pa.string(),
    "url": pa.string(),
    "key": pa.string(),
}
_RUN_BUILD_COLUMNS: dict[str, pa.DataType] = {
    "run": pa.int64(),
    **KEY_COLUMNS,
    "module": pa.string(),
    "build": pa.int64(),
}
_RUNS, _RUN_BUILDS = (pa.schema(columns) for columns in (_RUN_COLUMNS, _RUN_BUILD_COLUMNS))


def update_runs(
    cursor: duckdb.DuckDBPyConnection,
    runs: Sequence[RunRecord],
    run_builds: Sequence[RunBuildRecord],
    joined: Sequence[tuple[int, RunRecord, RunBuildRecord]],
    candidates: Mapping[BuildKey, Sequence[StoredBuild]],
) -> None:
    """Update the tables `runs` and `run_builds`.

    `runs`: orchestrating builds as they are now, with what they list in `run_builds`; stored rows are kept.
    `joined`: builds (id) without an orchestrating build, each with the run that it forms or joins; any other run that
    had the build loses it. Named runs are separated by `data.write.named_runs`.
    `candidates`: for every key that is listed or was read, the stored builds that it may mean.

    A listed build that tested another release or environment than its run moves to the run of its own, of the same
    orchestrating build. Where several builds share a number, because a job was recreated, the one nearest in time to
    the run counts.
    """
    joined = separate_generations(cursor, joined)
    incoming = {run.id: run for run in (*runs, *(run for _, run, _ in joined))}
    if not incoming and not candidates:
        return
    parents = {run.parent_key for run in incoming.values()}
    update = _Update(cursor, set(incoming), parents, set(candidates))
    moved = {
        update.runs[row[0]].parent_key for row, build in update.matches(candidates) if update.misplaced(row, build)
    }
    if moved - parents:
        update = _Update(cursor, set(incoming), parents | moved, set(candidates))
    for run in incoming.values():
        update.add_run(run, incoming)
    for build_id, _, run_build in joined:
        update.assign(build_id, run_build)
    update.add_run_builds(run_builds)
    for row, build in update.matches(candidates):
        update.link(row, build)
    update.drop_empty_runs()
    update.write()
    changed = {run.id for run in incoming.values()} | update.left
    _summarise_standalone(cursor, [run for run in changed if run in update.runs and update.runs[run].key])


class _Update:
    """The runs and run builds that an update touches: as stored, and as they should be."""

    def __init__(
        self, cursor: duckdb.DuckDBPyConnection, runs: set[int], parents: set[BuildKey], keys: set[BuildKey]
    ) -> None:
        self.cursor = cursor
        self.stored_runs: dict[int, RunRecord] = {}
        self.stored_rows: dict[RowKey, tuple[str, int | None]] = {}
        self.unread: dict[int, int] = {}  # per run, its rows that are not in stored_rows
        self.left: set[int] = set()  # runs that lost a build to the run that the build forms or joins
        self._families: dict[tuple[Any, ...], set[int]] = defaultdict(set)  # runs by their orchestrating build
        self._rows_of_build: dict[int | None, list[RowKey]] = defaultdict(list)
        self.runs: dict[int, RunRecord] = {}
        self._read(runs, parents, keys)
        self.rows = dict(self.stored_rows)

    def _read(self, runs: set[int], parents: set[BuildKey], keys: set[BuildKey]) -> None:
        facts = ", ".join(f"o.{name} AS o_{name}" for name in RUN_FACTS)
        with registered(self.cursor, parent_keys=key_table(parents), row_keys=key_table(keys)):
            found = self.cursor.execute(
                f"""SELECT * FROM (
                    SELECT o.run, {facts}, r.source, r.job, r.number, r.module, r.build,
                        count(r.run) OVER (PARTITION BY o.run)
                    FROM runs o LEFT JOIN run_builds r USING (run))
                WHERE (o_source, o_job, o_number) IN (SELECT (source, job, number) FROM parent_keys)
                    OR (source, job, number) IN (SELECT (source, job, number) FROM row_keys)
                    OR run IN (SELECT unnest(?::BIGINT[]))""",
                [sorted(runs)],
            ).fetchall()
        width = len(RUN_FACTS) + 1
        for run, *columns in found:
            if run not in self.stored_runs:
                self.stored_runs[run] = RunRecord(**dict(zip(RUN_FACTS, columns[: width - 1], strict=True)))
                self._add(run, self.stored_runs[run])
            source, job, number, module, build, count = columns[width - 1 :]
            self.unread.setdefault(run, count)
            if source is not None:
                self.stored_rows[run, source, job, number] = module, build
                self._rows_of_build[build].append((run, source, job, number))
                self.unread[run] -= 1

    def _add(self, run_id: int, run: RunRecord) -> None:
        if run_id in self.runs:
            self._families[self.runs[run_id].parent].discard(run_id)
        self.runs[run_id] = run
        self._families[run.parent].add(run_id)

    def siblings(self, run: RunRecord) -> Iterable[int]:
        return self._families[run.parent]

    def add_run(self, run: RunRecord, incoming: Mapping[int, RunRecord]) -> None:
        """Add a run as it is now. Its siblings take its facts; their builds that are not read yet move to it."""
        if not run.key:
            facts = {name: getattr(run, name) for name in _PARENT_FACTS}
            for other in self.siblings(run):
                if other not in incoming:
                    self.runs[other] = replace(self.runs[other], **facts)
                    for row in [row for row, (_, build) in self.rows.items() if row[0] == other and build is None]:
                        self.rows.setdefault((run.id, *row[1:]), self.rows.pop(row))
        elif stored := self.stored_runs.get(run.id):
            run = replace(run, number=stored.number, started_at=min(run.started_at, stored.started_at))
        self._add(run.id, run)

    def assign(self, build: int, wanted: RunBuildRecord) -> None:
        """Give a build to the run that it forms or joins, and take it from any other."""
        for row in self._rows_of_build[build]:
            if row[0] != wanted.run and row in self.rows:
                del self.rows[row]
                self.left.add(row[0])
        row = wanted.run, wanted.source, wanted.job, wanted.number
        self.rows[row] = wanted.module, build
        self._rows_of_build[build].append(row)

    def add_run_builds(self, run_builds: Sequence[RunBuildRecord]) -> None:
        """Add what runs list, except builds that the same orchestrating build already lists."""
        present = {(self.runs[row[0]].parent, row[1:]) for row in self.rows}
        for wanted in run_builds:
            key = wanted.source, wanted.job, wanted.number
            if (self.runs[wanted.run].parent, key) not in present:
                self.rows[wanted.run, *key] = wanted.module, None

    def matches(self, candidates: Mapping[BuildKey, Sequence[StoredBuild]]) -> list[tuple[RowKey, StoredBuild]]:
        """The build that each row means: of its candidates the one nearest in time to the run."""
        answer = []
        for row, (_, build) in self.rows.items():
            started_at = self.runs[row[0]].started_at
            found = candidates.get(row[1:], ())
            if found and not (build and self.runs[row[0]].key):
                answer.append((row, min(found, key=lambda one: (abs(one.started_at - started_at), one.build))))
        return answer

    def misplaced(self, row: RowKey, build: StoredBuild) -> bool:
        """Whether the build tested another release or environment than the run that lists it."""
        run = self.runs[row[0]]
        return (run.release, run.environment) != (build.release, build.environment)

    def link(self, row: RowKey, build: StoredBuild) -> None:
        """Note the build of a row; a misplaced one moves to the run of its release and environment."""
        module, _ = self.rows[row]
        if self.misplaced(row, build):
            del self.rows[row]
            other = replace(self.runs[row[0]], release=build.release, environment=build.environment)
            if other.id not in self.runs:
                self._add(other.id, other)
            row = other.id, *row[1:]
        self.rows[row] = module, build.build

    def drop_empty_runs(self) -> None:
        """Drop runs without builds whose builds went elsewhere: to a sibling, or to a run of their own."""
        counts = dict(self.unread)
        for row in self.rows:
            counts[row[0]] = counts.get(row[0], 0) + 1
        for run in [run for run in self.runs if not counts.get(run)]:
            if run in self.left or any(counts.get(other) for other in self.siblings(self.runs[run])):
                self._families[self.runs.pop(run).parent].discard(run)

    def write(self) -> None:
        """Write the difference between the rows as stored and as they should be."""
        _write_changes(
            self.cursor,
            "runs",
            {(run,): _run_row(run, facts) for run, facts in self.stored_runs.items()},
            {(run,): _run_row(run, facts) for run, facts in self.runs.items()},
            _RUNS,
            ["run"],
        )
        names = _RUN_BUILDS.names
        _write_changes(
            self.cursor,
            "run_builds",
            {row: dict(zip(names, (*row, *rest), strict=True)) for row, rest in self.stored_rows.items()},
            {row: dict(zip(names, (*row, *rest), strict=True)) for row, rest in self.rows.items()},
            _RUN_BUILDS,
            names[:4],
        )


def _write_changes(
    cursor: duckdb.DuckDBPyConnection,
    table: str,
    before: Mapping[tuple[Any, ...], Row],
    after: Mapping[tuple[Any, ...], Row],
    schema: pa.Schema,
    key: list[str],
) -> None:
    changed = {name: row for name, row in after.items() if before.get(name) != row}
    removed = [before[name] for name in before if name not in after or name in changed]
    columns = ", ".join(key)
    with registered(
        cursor,
        old_rows=pa.Table.from_pylist(removed, schema),
        new_rows=pa.Table.from_pylist(list(changed.values()), schema),
    ):
        if removed:
            cursor.execute(f"DELETE FROM {table} WHERE ({columns}) IN (SELECT ({columns}) FROM old_rows)")
        if changed:
            cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM new_rows")


def _run_row(run: int, facts: RunRecord) -> Row:
    return {"run": run} | {name: getattr(facts, name) for name in RUN_FACTS}


def _summarise_standalone(cursor: duckdb.DuckDBPyConnection, runs: Sequence[int]) -> None:
    """Compute times, state and other facts of named runs from their builds; the build read last counts."""
    marks = ", ".join("?" for _ in runs)
    if runs:
        cursor.execute(
            f"""UPDATE runs SET started_at = m.first, state = m.state, duration_s = epoch(m.last) - epoch(m.first),
                version = m.version, result = m.result, url = m.url
            FROM (SELECT r.run, min(b.started_at) AS first,
                    max(b.started_at + to_microseconds((coalesce(b.duration_s, 0) * 1e6)::BIGINT)) AS last,
                    CASE WHEN bool_or(b.state = 'running') THEN 'running' ELSE 'final' END AS state,
                    arg_max(b.version, (b.ingested_at, b.started_at)) AS version,
                    arg_max(b.result, (b.ingested_at, b.started_at)) AS result,
                    arg_max(b.url, (b.ingested_at, b.started_at)) AS url
                FROM run_builds r JOIN builds b USING (build) WHERE r.run IN ({marks}) GROUP BY r.run) m
            WHERE runs.run = m.run""",
            runs,
        )
