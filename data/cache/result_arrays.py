"""The results of the newest builds as NumPy arrays in memory: the input of verdicts, storms, hosts and grids.

The results of a build change only when it is ingested again, so each build is read once, and a new run costs no more
than its own builds. A row takes 13 bytes; mostly 5, because builds of one job run the same tests and equal arrays are
shared.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple, Protocol
from weakref import WeakValueDictionary

import duckdb
import numpy as np

from data.answers.base import Status
from data.cache.value_index import ValueIndex, by_stretch
from data.model.filter_sql import partitions
from data.model.sql_values import SqlParameters

MAX_ROWS = 20_000_000  # kept per process
BUILDS_PER_QUERY = 2_000

# Bits of the flag of a row. A result that neither passed nor failed was skipped. RERUN: not the first attempt;
# ERROR, FAILURE: the kind of a failed result.
FAILED, PASSED, FINAL, RERUN, ERROR, FAILURE = 1, 2, 4, 8, 16, 32


class ResultSource(Protocol):
    """What this cache reads results from: the store."""

    def cursor(self) -> duckdb.DuckDBPyConnection: ...
    def table_source(
        self, table: str, releases: Collection[str] | None = None, times: Sequence[datetime | None] = ()
    ) -> str: ...


class BuildVersion(Protocol):
    """The facts of a build that its results are found by."""

    @property
    def build(self) -> int: ...
    @property
    def release(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def ingested_at(self) -> datetime: ...


class ResultGroup(NamedTuple):
    """What neighboring results share."""

    module: str
    topology: str
    host: str | None


class BuildArrays(NamedTuple):
    """The results of one build, one element per row unless noted."""

    tests: np.ndarray  # numbers of tests
    groups: np.ndarray  # numbers of groups
    flags: np.ndarray
    seconds: np.ndarray  # NaN: not reported
    failed: np.ndarray  # the row numbers of failed attempts
    skipped: np.ndarray  # the row numbers of those that neither passed nor failed
    signatures: np.ndarray  # one per element of `failed`; -1: none
    attempts: np.ndarray


class StoredResult(NamedTuple):
    """One row of `results`. `build` is the index among the requested builds."""

    build: int
    module: str
    topology: str
    host: str | None
    status: Status
    kind: Literal["failure", "error"] | None
    attempt: int
    duration_s: float | None
    signature: int | None


@dataclass(frozen=True)
class ResultRows:
    """The results of some builds, one row per attempt; the rows of a build are adjacent, builds in the requested order.

    `test` and `group` are indexes into `tests` (ids) and `groups`, which all ResultRows of a process share; `build` is
    the index among the requested builds.
    """

    builds: list[BuildArrays]
    tests: np.ndarray
    groups: list[ResultGroup]

    @cached_property
    def lengths(self) -> np.ndarray:
        """The number of rows of each build."""
        return np.array([len(build.flags) for build in self.builds], dtype=np.int64)

    @cached_property
    def ends(self) -> np.ndarray:
        """The end of the rows of each build."""
        return np.cumsum(self.lengths)

    @cached_property
    def build(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.builds), dtype=np.int32), self.lengths)

    @cached_property
    def test(self) -> np.ndarray:
        return _concatenated([build.tests for build in self.builds], np.int32)

    @cached_property
    def group(self) -> np.ndarray:
        return _concatenated([build.groups for build in self.builds], np.int32)

    @cached_property
    def flag(self) -> np.ndarray:
        return _concatenated([build.flags for build in self.builds], np.uint8)

    def of_tests(self, wanted: Collection[int]) -> ResultRows:
        """The rows of these tests (ids) alone, without their durations, failure patterns and attempts."""
        chosen = np.isin(self.tests, list(wanted))
        rows_in: dict[int, np.ndarray] = {}  # by array of tests, which builds share
        found = []
        for build in self.builds:
            rows = rows_in.get(id(build.tests))
            if rows is None:
                rows = rows_in[id(build.tests)] = np.flatnonzero(chosen[build.tests])
            found.append(_rows_of_build(build, rows) if len(rows) else _NO_RESULTS)
        return ResultRows(found, self.tests, self.groups)

    def group_mask(self, module: str | None, topology: str | None) -> np.ndarray:
        """For each of `groups`, whether it is of this module and topology (None: any)."""
        matches = [module in (None, group.module) and topology in (None, group.topology) for group in self.groups]
        return np.array(matches, dtype=bool)

    @cached_property
    def failed(self) -> np.ndarray:
        """The rows of failed attempts."""
        failures = [len(build.failed) for build in self.builds]
        starts = self.ends - self.lengths
        return _concatenated([build.failed for build in self.builds], np.int64) + np.repeat(starts, failures)

    @cached_property
    def signature(self) -> np.ndarray:
        """The signature of each of `failed`; -1: none."""
        return _concatenated([build.signatures for build in self.builds], np.int64)

    @cached_property
    def seconds(self) -> np.ndarray:
        """The duration of each row; NaN: not reported."""
        return _concatenated([build.seconds for build in self.builds], np.float32)

    def rows_of(self, build: int) -> slice:
        """The rows of a build, given its index."""
        return slice(int(self.ends[build - 1]) if build else 0, int(self.ends[build]))


class ResultArrays:
    """A thread-safe LRU cache of the results of builds."""

    def __init__(self) -> None:
        self._builds: OrderedDict[Hashable, BuildArrays] = OrderedDict()
        self._rows = 0
        self._shared_arrays: WeakValueDictionary[bytes, np.ndarray] = WeakValueDictionary()
        self._tests = ValueIndex(np.int64)
        self._group_hashes = ValueIndex(np.uint64)
        self._groups: list[ResultGroup] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """The number of builds in the cache."""
        return len(self._builds)

    def rows(self, store: ResultSource, builds: Sequence[BuildVersion], rebuilt: int) -> ResultRows:
        """The results of these builds. `rebuilt` is the snapshot of the last rebuild, which may have changed them."""
        keys = [results_key(build.build, build.ingested_at, rebuilt) for build in builds]
        with self._lock:
            missing = {key: build for key, build in zip(keys, builds, strict=True) if key not in self._builds}
            by_time = sorted(missing.items(), key=lambda item: item[1].started_at)
            for first in range(0, len(by_time), BUILDS_PER_QUERY):
                self._read(store, dict(by_time[first : first + BUILDS_PER_QUERY]))
            found = [self._builds[key] for key in keys]
            for key in keys:
                self._builds.move_to_end(key)
            while self._rows > MAX_ROWS:
                self._rows -= len(self._builds.popitem(last=False)[1].flags)
            tests, groups = self._tests.values, self._groups
        return ResultRows(found, tests, groups)

    def test_results(
        self, keys: Sequence[Hashable], test: int, topology: str | None, below: str | None, limit: int
    ) -> list[StoredResult] | None:
        """The first `limit` final results of a test in these builds (`results_key`).

        Builds come in the given order, topologies in descending order; of the first build only topologies before
        `below`. None if a needed build is not in the cache.
        """
        known = np.flatnonzero(self._tests.values == test)
        if not len(known):  # checked again after the builds: a build in the cache has its tests in the index
            return [] if all(key in self._builds for key in keys) and test not in self._tests.values else None
        rows_in: dict[int, list[int]] = {}  # by array of tests, which builds share
        found: list[StoredResult] = []
        for number, key in enumerate(keys):
            arrays = self._builds.get(key)  # without the lock, which a reader may hold for long
            if arrays is None:
                return None
            rows = rows_in.get(id(arrays.tests))
            if rows is None:
                rows = rows_in[id(arrays.tests)] = np.flatnonzero(arrays.tests == known[0]).tolist()
            if rows:
                results = [self._result(number, arrays, row) for row in rows if arrays.flags[row] & FINAL]
                results = [result for result in results if topology in (None, result.topology)]
                if number == 0 and below is not None:
                    results = [result for result in results if result.topology < below]
                found += sorted(results, key=lambda result: result.topology, reverse=True)
                if len(found) >= limit:
                    break
        return found[:limit]

    def _result(self, number: int, arrays: BuildArrays, row: int) -> StoredResult:
        flag, seconds = int(arrays.flags[row]), float(arrays.seconds[row])
        signature = int(arrays.signatures[np.searchsorted(arrays.failed, row)]) if flag & FAILED else -1
        group = self._groups[int(arrays.groups[row])]
        return StoredResult(
            number,
            group.module,
            group.topology,
            group.host,
            "failed" if flag & FAILED else "passed" if flag & PASSED else "skipped",
            "error" if flag & ERROR else "failure" if flag & FAILURE else None,
            int(arrays.attempts[row]),
            None if np.isnan(seconds) else seconds,
            None if signature == -1 else signature,
        )

    def _read(self, store: ResultSource, missing: Mapping[Hashable, BuildVersion]) -> None:
        """Read the results of these builds by one query."""
        releases = {build.release for build in missing.values()}
        times = [build.started_at for build in missing.values()]
        where = partitions(releases, times)
        ids = [build.build for build in missing.values()]
        modules = (
            store.cursor()
            .execute(
                "SELECT DISTINCT module FROM build_counts WHERE build IN (SELECT unnest($ids::BIGINT[]))", {"ids": ids}
            )
            .fetchall()
        )
        if len(modules) == 1:  # skips the row groups of other modules
            where.equal("r", module=modules[0][0])
        parameters = where.parameters | {"build": ids, "number": list(range(len(ids)))}
        from_builds = f"""FROM {store.table_source("results", releases, times)} r JOIN (
            SELECT unnest($build::BIGINT[]) AS build, unnest($number::SMALLINT[]) AS number) w USING (build)
            WHERE {where}"""
        columns = (
            store.cursor()
            .execute(
                f"""SELECT w.number, r.test, hash(r.module, r.topology, r.host) AS group_hash,
                ((r.status = 'failed')::UTINYINT * {FAILED} + (r.status = 'passed')::UTINYINT * {PASSED}
                    + r.is_final::UTINYINT * {FINAL} + (r.attempt > 1)::UTINYINT * {RERUN}
                    + coalesce(r.kind = 'error', false)::UTINYINT * {ERROR}
                    + coalesce(r.kind = 'failure', false)::UTINYINT * {FAILURE})::UTINYINT AS flag, r.attempt,
                coalesce(r.signature, -1) AS signature, coalesce(r.duration_s, 'nan')::FLOAT AS seconds
                {from_builds}""",
                parameters,
            )
            .fetchnumpy()
        )
        found = {name: np.asarray(column) for name, column in columns.items()}
        # Neighboring rows mostly share test and group: each stretch of equal values is looked up once.
        tests = by_stretch(found["test"], self._tests.numbers)
        groups = by_stretch(
            found["group_hash"], lambda hashes: self._group_numbers(store, hashes, from_builds, parameters)
        )
        numbers = found["number"]
        order = np.argsort(numbers, kind="stable")
        numbers, tests, groups = numbers[order], tests[order], groups[order]
        flags, signatures, seconds, attempts = (
            found[name][order] for name in ("flag", "signature", "seconds", "attempt")
        )
        edges = np.searchsorted(numbers, np.arange(len(ids) + 1))
        for number, key in enumerate(missing):
            rows = slice(edges[number], edges[number + 1])
            failed = np.flatnonzero(flags[rows] & FAILED).astype(np.int32)
            self._builds[key] = BuildArrays(
                self._shared(tests[rows]),
                self._shared(groups[rows]),
                flags[rows].copy(),
                seconds[rows].copy(),
                failed,
                np.flatnonzero(flags[rows] & (FAILED | PASSED) == 0).astype(np.int32),
                signatures[rows][failed],
                self._shared(attempts[rows]),
            )
            self._rows += int(edges[number + 1] - edges[number])

    def _group_numbers(
        self, store: ResultSource, hashes: np.ndarray, from_builds: str, parameters: SqlParameters
    ) -> np.ndarray:
        """The numbers of groups by their hash; unknown groups are read first."""
        unknown = self._group_hashes.unknown(hashes)
        if len(unknown):
            rows = store.cursor().execute(
                f"""SELECT hash(r.module, r.topology, r.host) AS group_hash, any_value(r.module), any_value(r.topology),
                    any_value(r.host) {from_builds} GROUP BY group_hash""",
                parameters,
            )
            by_hash = {group_hash: ResultGroup(*row) for group_hash, *row in rows.fetchall()}
            self._groups = [*self._groups, *(by_hash[group_hash] for group_hash in unknown.tolist())]
        return self._group_hashes.numbers(hashes)

    def _shared(self, values: np.ndarray) -> np.ndarray:
        """An array equal to `values` that all builds share."""
        digest = hashlib.blake2b(values.tobytes(), digest_size=16).digest()
        shared = self._shared_arrays.get(digest)
        if shared is None:
            shared = self._shared_arrays[digest] = values.copy()
        return shared


def results_key(build: int, ingested_at: datetime, rebuilt: int) -> Hashable:
    """The cache key of the results of a build: they change only when it is ingested or rebuilt again."""
    return build, ingested_at, rebuilt


def _concatenated(arrays: list[np.ndarray], kind: type[np.generic]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)


def _rows_of_build(build: BuildArrays, rows: np.ndarray) -> BuildArrays:
    """These rows of a build: tests, groups, flags, and which failed."""
    flags = build.flags[rows]
    failed = np.flatnonzero(flags & FAILED)
    return _NO_RESULTS._replace(tests=build.tests[rows], groups=build.groups[rows], flags=flags, failed=failed)


_NO_RESULTS = BuildArrays(
    tests=np.empty(0, dtype=np.int32),
    groups=np.empty(0, dtype=np.int32),
    flags=np.empty(0, dtype=np.uint8),
    seconds=np.empty(0, dtype=np.float32),
    failed=np.empty(0, dtype=np.int32),
    skipped=np.empty(0, dtype=np.int32),
    signatures=np.empty(0, dtype=np.int64),
    attempts=np.empty(0, dtype=np.uint8),
)
