"""The results of the newest builds in this process's memory: what verdicts, storms, hosts and grids are judged from.

A build's results stay as they are unless it is ingested again, so each build is read once, and a new run costs no more
than its own builds. A row takes 13 bytes; mostly 5, as builds of one job run the same tests and share what is equal.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, Protocol
from weakref import WeakValueDictionary

import numpy as np

from data.model.filter_sql import partitions

if TYPE_CHECKING:
    from data.lake.store import Store

MOST_ROWS = 20_000_000  # kept a process
AT_ONCE = 2_000  # builds read by one query

# Bits of a row's flag; a result that neither passed nor failed was skipped.
# AGAIN: not the first attempt; ERROR, FAILURE: of this kind
FAILED, PASSED, FINAL, RERUN, ERROR, FAILURE = 1, 2, 4, 8, 16, 32


class BuildVersion(Protocol):
    """What must be known of a build to read its results."""

    @property
    def build(self) -> int: ...
    @property
    def release(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def ingested_at(self) -> datetime: ...


class ResultGroup(NamedTuple):
    module: str
    topology: str
    host: str | None


class _Held(NamedTuple):
    tests: np.ndarray
    groups: np.ndarray
    flags: np.ndarray
    seconds: np.ndarray  # NaN where the report told none
    failed: np.ndarray  # rows of this build
    signatures: np.ndarray  # of those; -1 for none
    attempts: np.ndarray


class Result(NamedTuple):
    """One result of a test as `results` has it; `build` is the place among the builds asked for."""

    build: int
    module: str
    topology: str
    host: str | None
    status: str
    kind: str | None
    attempt: int
    duration_s: float | None
    signature: int | None


@dataclass(frozen=True)
class ResultRows:
    """The results of some builds, every attempt one row; a build's rows stand together, in the order asked for.

    `test` and `group` are places in `tests` (ids) and `groups`; `build` is the place among the builds asked for.
    """

    build: np.ndarray
    test: np.ndarray
    group: np.ndarray
    flag: np.ndarray
    ends: np.ndarray  # where the rows of each build end
    tests: np.ndarray
    groups: list[ResultGroup]
    held: list[_Held]

    def part(self, module: str | None, topology: str | None) -> np.ndarray:
        """Which `groups` are of this module and topology (None: any)."""
        its = [module in (None, group.module) and topology in (None, group.topology) for group in self.groups]
        return np.array(its, dtype=bool)

    @cached_property
    def failed(self) -> np.ndarray:
        """The rows of failed attempts."""
        starts = np.concatenate([[0], self.ends[:-1]])
        failures = [len(build.failed) for build in self.held]
        return _joined([build.failed for build in self.held], np.int64) + np.repeat(starts[: len(failures)], failures)

    @cached_property
    def signature(self) -> np.ndarray:
        """The signatures of `failed`, -1 for none."""
        return _joined([build.signatures for build in self.held], np.int64)

    @cached_property
    def seconds(self) -> np.ndarray:
        """What each row took, NaN where that is not known."""
        return _joined([build.seconds for build in self.held], np.float32)

    def of(self, build: int) -> slice:
        return slice(int(self.ends[build - 1]) if build else 0, int(self.ends[build]))


class ResultArrays:
    """Threads share it; builds are dropped that nobody has asked for the longest."""

    def __init__(self) -> None:
        self._held: OrderedDict[Hashable, _Held] = OrderedDict()
        self._rows = 0
        self._equal: WeakValueDictionary[bytes, np.ndarray] = WeakValueDictionary()
        self._tests = _Index(np.int64)
        self._hashes = _Index(np.uint64)
        self._groups: list[ResultGroup] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many builds are kept."""
        return len(self._held)

    def rows(self, store: Store, builds: Sequence[BuildVersion], rebuilt: int) -> ResultRows:
        """The results of these builds; `rebuilt` is the snapshot since which a rebuild may have changed them."""
        keys = [key_of(build.build, build.ingested_at, rebuilt) for build in builds]
        with self._lock:
            missing = {key: build for key, build in zip(keys, builds, strict=True) if key not in self._held}
            by_time = sorted(missing.items(), key=lambda item: item[1].started_at)
            for first in range(0, len(by_time), AT_ONCE):
                self._read(store, dict(by_time[first : first + AT_ONCE]))
            held = [self._held[key] for key in keys]
            for key in keys:
                self._held.move_to_end(key)
            while self._rows > MOST_ROWS:
                self._rows -= len(self._held.popitem(last=False)[1].flags)
            tests, groups = self._tests.values, self._groups
        lengths = np.array([len(build.flags) for build in held], dtype=np.int64)
        ends = np.cumsum(lengths)
        return ResultRows(
            np.repeat(np.arange(len(held), dtype=np.int32), lengths),
            _joined([build.tests for build in held], np.int32),
            _joined([build.groups for build in held], np.int32),
            _joined([build.flags for build in held], np.uint8),
            ends,
            tests,
            groups,
            held,
        )

    def of_test(
        self, keys: Sequence[Hashable], test: int, topology: str | None, below: str | None, wanted: int
    ) -> list[Result] | None:
        """The first `wanted` final results of a test in these builds (`key_of`), the builds in this order, topologies
        backwards; of the first build only topologies before `below`. None where a build is needed that is not kept."""
        known = np.flatnonzero(self._tests.values == test)
        if not len(known):  # after all are seen to be kept: what is kept has its tests in there
            return [] if all(key in self._held for key in keys) and test not in self._tests.values else None
        where: dict[int, list[int]] = {}  # builds share their tests
        found: list[Result] = []
        for number, key in enumerate(keys):
            held = self._held.get(key)  # without the lock, which a reader keeps for long
            if held is None:
                return None
            at = where.get(id(held.tests))
            if at is None:
                at = where[id(held.tests)] = np.flatnonzero(held.tests == known[0]).tolist()
            if at:
                its = [self._result(number, held, row) for row in at if held.flags[row] & FINAL]
                its = [result for result in its if topology in (None, result.topology)]
                if number == 0 and below is not None:
                    its = [result for result in its if result.topology < below]
                found += sorted(its, key=lambda result: result.topology, reverse=True)
                if len(found) >= wanted:
                    break
        return found[:wanted]

    def _result(self, number: int, held: _Held, row: int) -> Result:
        flag, seconds = int(held.flags[row]), float(held.seconds[row])
        signature = int(held.signatures[np.searchsorted(held.failed, row)]) if flag & FAILED else -1
        return Result(
            number,
            *self._groups[held.groups[row]],
            "failed" if flag & FAILED else "passed" if flag & PASSED else "skipped",
            "error" if flag & ERROR else "failure" if flag & FAILURE else None,
            int(held.attempts[row]),
            None if np.isnan(seconds) else seconds,
            None if signature == -1 else signature,
        )

    def _read(self, store: Store, missing: dict[Hashable, BuildVersion]) -> None:
        lies = {b.release for b in missing.values()}, [b.started_at for b in missing.values()]
        where, parameters = partitions(*lies)
        ids = [build.build for build in missing.values()]
        modules = [
            row["module"]
            for row in store.rows(
                "SELECT DISTINCT module FROM build_counts WHERE build IN (SELECT unnest($ids::BIGINT[]))", {"ids": ids}
            )
        ]
        if len(modules) == 1:  # row groups of others are left out
            where += " AND r.module = $module"
            parameters["module"] = modules[0]
        parameters |= {"build": ids, "place": list(range(len(ids)))}
        of_builds = f"""FROM {store.table_source("results", *lies)} r JOIN (
            SELECT unnest($build::BIGINT[]) AS build, unnest($place::SMALLINT[]) AS place) w USING (build)
            WHERE {where}"""
        found = (
            store.cursor()
            .execute(
                f"""SELECT w.place, r.test, hash(r.module, r.topology, r.host) AS of_group,
                ((r.status = 'failed')::UTINYINT * {FAILED} + (r.status = 'passed')::UTINYINT * {PASSED}
                    + r.is_final::UTINYINT * {FINAL} + (r.attempt > 1)::UTINYINT * {RERUN}
                    + coalesce(r.kind = 'error', false)::UTINYINT * {ERROR}
                    + coalesce(r.kind = 'failure', false)::UTINYINT * {FAILURE})::UTINYINT AS flag, r.attempt,
                coalesce(r.signature, -1) AS signature, coalesce(r.duration_s, 'nan')::FLOAT AS seconds {of_builds}""",
                parameters,
            )
            .fetchnumpy()
        )
        # Neighbours are mostly of one test and group: each stretch is looked up once.
        tests = _by_stretch(found["test"], self._tests.places)
        groups = _by_stretch(found["of_group"], lambda hashes: self._codes(store, hashes, of_builds, parameters))
        place = found["place"]
        order = np.argsort(place, kind="stable")
        place, tests, groups = place[order], tests[order], groups[order]
        flags, signatures, seconds, attempts = (
            found[name][order] for name in ("flag", "signature", "seconds", "attempt")
        )
        edges = np.searchsorted(place, np.arange(len(ids) + 1))
        for at, key in enumerate(missing):
            part = slice(edges[at], edges[at + 1])
            failed = np.flatnonzero(flags[part] & FAILED).astype(np.int32)
            self._held[key] = _Held(
                self._shared(tests[part]),
                self._shared(groups[part]),
                flags[part].copy(),
                seconds[part].copy(),
                failed,
                signatures[part][failed],
                self._shared(attempts[part]),
            )
            self._rows += int(edges[at + 1] - edges[at])

    def _codes(self, store: Store, hashes: np.ndarray, of_builds: str, parameters: dict) -> np.ndarray:
        unknown = self._hashes.unknown(hashes)
        if len(unknown):
            rows = store.cursor().execute(
                f"""SELECT hash(r.module, r.topology, r.host) AS of_group, any_value(r.module), any_value(r.topology),
                    any_value(r.host) {of_builds} GROUP BY of_group""",
                parameters,
            )
            told = {of_group: ResultGroup(*row) for of_group, *row in rows.fetchall()}
            self._groups = [*self._groups, *(told[of_group] for of_group in unknown.tolist())]
        return self._hashes.places(hashes)

    def _shared(self, values: np.ndarray) -> np.ndarray:
        digest = hashlib.blake2b(values.tobytes(), digest_size=16).digest()
        known = self._equal.get(digest)
        if known is None:
            known = self._equal[digest] = values.copy()
        return known


def key_of(build: int, ingested_at: datetime, rebuilt: int) -> Hashable:
    """What the results of a build are kept under: they change only where it is ingested again, or derived again."""
    return build, ingested_at, rebuilt


class _Index:
    """Distinct values in the order in which they were first met, and the place of each."""

    def __init__(self, kind: type[np.generic]) -> None:
        self.values = np.empty(0, dtype=kind)
        self._order = np.empty(0, dtype=np.int64)

    def unknown(self, values: np.ndarray) -> np.ndarray:
        return np.setdiff1d(values, self.values)

    def places(self, values: np.ndarray) -> np.ndarray:
        new = self.unknown(values)
        if len(new):
            self.values = np.concatenate([self.values, new])
            self._order = np.argsort(self.values)
        return self._order[np.searchsorted(self.values, values, sorter=self._order)].astype(np.int32)


def _by_stretch(values: np.ndarray, look_up) -> np.ndarray:
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else np.empty(0, int)
    return np.repeat(look_up(values[starts]), np.diff(np.append(starts, len(values))))


def _joined(arrays: list[np.ndarray], kind: type[np.generic]) -> np.ndarray:
    return np.concatenate(arrays) if arrays else np.empty(0, dtype=kind)
