"""Runs and what they list: brought up to date in memory, then written as a difference.

To read a table of the lake costs the same few milliseconds whatever it holds, and every batch of an ingest touches
runs: so all that is needed is read at once, and nothing is written that stands there already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

import duckdb
import pyarrow as pa

from data.lake.arrow_views import registered
from data.model import ids

Key = tuple[str, str, int]  # source, job, number of a build
Row = tuple[int, str, str, int]  # a run and the key of a build that it lists


@dataclass(frozen=True)
class RunRecord:
    """One regression run; for a build that stands alone, the same facts as its build's.

    A run that no build orchestrates has a `key` instead of a start: its times and state are summed up from its builds.
    """

    source: str
    job: str
    number: int
    release: str
    started_at: datetime
    version: str | None = None
    environment: str = "default"
    duration_s: float | None = None
    state: str = "final"
    result: str | None = None
    display_name: str = ""
    url: str = ""
    key: str = field(default="", compare=False)

    @cached_property
    def id(self) -> int:
        return ids.of(self.source, self.job, self.number, self.key or self.started_at.isoformat(), self.release)

    @property
    def parent(self) -> tuple[str, str, int, datetime]:
        """The orchestrating build: its runs, one for each release that it tested, share it."""
        return self.source, self.job, self.number, self.started_at


@dataclass(frozen=True)
class RunBuildRecord:
    """A run lists a module build: known by job and number before the build itself has been read."""

    run: int
    source: str
    job: str
    number: int
    module: str


@dataclass(frozen=True)
class StoredBuild:
    """A build that a listed (source, job, number) may mean."""

    build: int
    started_at: datetime
    release: str


RUN_FACTS = (
    *("source", "job", "number", "release", "started_at", "version", "environment", "duration_s", "state", "result"),
    *("display_name", "url"),
)
_OF_PARENT = ("version", "environment", "duration_s", "state", "result", "display_name")
_KEYS = pa.schema([("source", pa.string()), ("job", pa.string()), ("number", pa.int32())])
_RUNS = pa.schema(
    [("run", pa.int64()), *_KEYS]
    + [(name, pa.string()) for name in ("release", "version", "environment")]
    + [("started_at", pa.timestamp("us")), ("duration_s", pa.float64())]
    + [(name, pa.string()) for name in ("state", "result", "display_name", "url")]
)
_RUN_BUILDS = pa.schema([("run", pa.int64()), *_KEYS, ("module", pa.string()), ("build", pa.int64())])


def update_runs(
    cursor: duckdb.DuckDBPyConnection,
    runs: Sequence[RunRecord],
    listed: Sequence[RunBuildRecord],
    made: Sequence[tuple[int, RunRecord, RunBuildRecord]],
    builds: Mapping[Key, Sequence[StoredBuild]],
) -> None:
    """Bring `runs` and `run_builds` up to date.

    `runs` with what they list: orchestrating builds as they are now; what they list and what is known already stays.
    `made`: builds (id) with the run that each makes or joins by itself; runs that they were in before lose them.
    `builds`: for every key that is listed or was read, the builds that it may mean.

    A listed build that tested another release than its run moves to the run of that release of the same orchestrating
    build. Of builds that share a number, because a job was made anew, the one nearest in time to the run is meant.
    """
    incoming = {run.id: run for run in (*runs, *(run for _, run, _ in made))}
    if not incoming and not builds:
        return
    parents = {(run.source, run.job, run.number) for run in incoming.values()}
    book = _Book(cursor, parents, set(builds))
    moved = {book.runs[row[0]].parent[:3] for row, build in book.meant(builds) if book.strays(row, build)} - parents
    if moved:
        book = _Book(cursor, parents | moved, set(builds))
    for run in incoming.values():
        book.put(run, incoming)
    for build, _, row in made:
        book.give(build, row)
    book.list(listed)
    for row, build in book.meant(builds):
        book.link(row, build)
    book.drop_emptied()
    book.write()
    _sum_up(cursor, [run.id for run in incoming.values() if run.key])


class _Book:
    """The runs and rows that an update touches, as they are in the store and as they are to be."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, parents: set[Key], keys: set[Key]) -> None:
        self.cursor = cursor
        self.stored_runs: dict[int, RunRecord] = {}
        self.stored_rows: dict[Row, tuple[str, int | None]] = {}
        self.unseen: dict[int, int] = {}  # rows of a run that are not in stored_rows
        self.left: set[int] = set()  # runs that lost a build to the run that it makes itself
        self._families: dict[tuple, set[int]] = defaultdict(set)  # runs by their orchestrating build
        self._holding: dict[int | None, list[Row]] = defaultdict(list)  # rows by the build that they were given
        self.runs: dict[int, RunRecord] = {}
        self._read(parents, keys)
        self.rows = dict(self.stored_rows)

    def _read(self, parents: set[Key], keys: set[Key]) -> None:
        facts = ", ".join(f"o.{name} AS o_{name}" for name in RUN_FACTS)
        with registered(self.cursor, parent_keys=_key_table(parents), row_keys=_key_table(keys)):
            found = self.cursor.execute(
                f"""SELECT * FROM (
                    SELECT o.run, {facts}, r.source, r.job, r.number, r.module, r.build,
                        count(r.run) OVER (PARTITION BY o.run)
                    FROM runs o LEFT JOIN run_builds r USING (run))
                WHERE (o_source, o_job, o_number) IN (SELECT (source, job, number) FROM parent_keys)
                    OR (source, job, number) IN (SELECT (source, job, number) FROM row_keys)"""
            ).fetchall()
        width = len(RUN_FACTS) + 1
        for run, *columns in found:
            if run not in self.stored_runs:
                self.stored_runs[run] = RunRecord(**dict(zip(RUN_FACTS, columns[: width - 1], strict=True)))
                self._add(run, self.stored_runs[run])
            source, job, number, module, build, count = columns[width - 1 :]
            self.unseen.setdefault(run, count)
            if source is not None:
                self.stored_rows[run, source, job, number] = module, build
                self._holding[build].append((run, source, job, number))
                self.unseen[run] -= 1

    def _add(self, key: int, run: RunRecord) -> None:
        if key in self.runs:
            self._families[self.runs[key].parent].discard(key)
        self.runs[key] = run
        self._families[run.parent].add(key)

    def siblings(self, run: RunRecord) -> Iterable[int]:
        return self._families[run.parent]

    def put(self, run: RunRecord, incoming: Mapping[int, RunRecord]) -> None:
        """A run as it is now. Siblings share its facts, and what they list unread is listed where it now belongs."""
        if not run.key:
            facts = {name: getattr(run, name) for name in _OF_PARENT}
            for other in self.siblings(run):
                if other not in incoming:
                    self.runs[other] = replace(self.runs[other], **facts)
                    for row in [row for row, (_, build) in self.rows.items() if row[0] == other and build is None]:
                        self.rows.setdefault((run.id, *row[1:]), self.rows.pop(row))
        elif stored := self.stored_runs.get(run.id):
            run = replace(run, started_at=min(run.started_at, stored.started_at))
        self._add(run.id, run)

    def give(self, build: int, wanted: RunBuildRecord) -> None:
        for row in self._holding[build]:
            if row[0] != wanted.run and self.rows.pop(row, None):
                self.left.add(row[0])
        row = wanted.run, wanted.source, wanted.job, wanted.number
        self.rows[row] = wanted.module, build
        self._holding[build].append(row)

    def list(self, listed: Sequence[RunBuildRecord]) -> None:
        known = {(self.runs[row[0]].parent, row[1:]) for row in self.rows}
        for wanted in listed:
            key = wanted.source, wanted.job, wanted.number
            if (self.runs[wanted.run].parent, key) not in known:
                self.rows[wanted.run, *key] = wanted.module, None

    def meant(self, builds: Mapping[Key, Sequence[StoredBuild]]) -> list[tuple[Row, StoredBuild]]:
        """Which build each row means."""
        answer = []
        for row in self.rows:
            started_at = self.runs[row[0]].started_at
            candidates = builds.get(row[1:], ())
            if candidates:
                nearest = min(candidates, key=lambda one: (abs(one.started_at - started_at), one.build))
                answer.append((row, nearest))
        return answer

    def strays(self, row: Row, build: StoredBuild) -> bool:
        return self.runs[row[0]].release != build.release

    def link(self, row: Row, build: StoredBuild) -> None:
        module, _ = self.rows[row]
        if self.strays(row, build):
            del self.rows[row]
            other = replace(self.runs[row[0]], release=build.release)
            if other.id not in self.runs:
                self._add(other.id, other)
            row = other.id, *row[1:]
        self.rows[row] = module, build.build

    def drop_emptied(self) -> None:
        """Of the runs of one orchestrating build, one that lists nothing is none, where another does."""
        counts = dict(self.unseen)
        for row in self.rows:
            counts[row[0]] = counts.get(row[0], 0) + 1
        for run in [run for run in self.runs if not counts.get(run)]:
            if run in self.left or any(counts.get(other) for other in self.siblings(self.runs[run])):
                self._families[self.runs.pop(run).parent].discard(run)

    def write(self) -> None:
        _write(
            self.cursor,
            "runs",
            {(run,): _row(run, facts) for run, facts in self.stored_runs.items()},
            {(run,): _row(run, facts) for run, facts in self.runs.items()},
            _RUNS,
            ["run"],
        )
        names = _RUN_BUILDS.names
        _write(
            self.cursor,
            "run_builds",
            {row: dict(zip(names, (*row, *rest), strict=True)) for row, rest in self.stored_rows.items()},
            {row: dict(zip(names, (*row, *rest), strict=True)) for row, rest in self.rows.items()},
            _RUN_BUILDS,
            names[:4],
        )


def _write(
    cursor: duckdb.DuckDBPyConnection, table: str, before: dict, after: dict, schema: pa.Schema, key: list[str]
) -> None:
    changed = {name: row for name, row in after.items() if before.get(name) != row}
    gone = [before[name] for name in before if name not in after or name in changed]
    columns = ", ".join(key)
    with registered(
        cursor,
        old_rows=pa.Table.from_pylist(gone, schema),
        new_rows=pa.Table.from_pylist(list(changed.values()), schema),
    ):
        if gone:
            cursor.execute(f"DELETE FROM {table} WHERE ({columns}) IN (SELECT ({columns}) FROM old_rows)")
        if changed:
            cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM new_rows")


def _row(run: int, facts: RunRecord) -> dict:
    return {"run": run} | {name: getattr(facts, name) for name in RUN_FACTS}


def _key_table(keys: set[Key]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(_KEYS.names, key, strict=True)) for key in sorted(keys)], _KEYS)


def _sum_up(cursor: duckdb.DuckDBPyConnection, runs: Sequence[int]) -> None:
    """Times and state of runs that no build orchestrates."""
    marks = ", ".join("?" for _ in runs)
    if runs:
        cursor.execute(
            f"""UPDATE runs SET started_at = m.first, state = m.state, duration_s = epoch(m.last) - epoch(m.first)
            FROM (SELECT r.run, min(b.started_at) AS first,
                    max(b.started_at + to_microseconds((coalesce(b.duration_s, 0) * 1e6)::BIGINT)) AS last,
                    CASE WHEN bool_or(b.state = 'running') THEN 'running' ELSE 'final' END AS state
                FROM run_builds r JOIN builds b USING (build) WHERE r.run IN ({marks}) GROUP BY r.run) m
            WHERE runs.run = m.run""",
            runs,
        )
