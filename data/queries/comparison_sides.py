"""One side of a comparison: the results of a set of builds, test by test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data.answers.evidence import ComparedSide
from data.cache.result_arrays import FAILED, FINAL, PASSED, ResultRows
from data.lake.store import Store
from data.model import ids
from data.model.filters import TestScope
from data.verdicts.evidence import comparison
from data.verdicts.lanes import LaneBuild
from data.verdicts.priorities import rows_in_filter

STATUSES = comparison.STATUSES  # a test's status is the first that it has
ABSENT = len(STATUSES)


def _class_of(before: int, after: int) -> int:
    """The index in CLASSES of a test with these statuses on the two sides; -1 for none."""
    before_status, after_status = (None if status == ABSENT else STATUSES[status] for status in (before, after))
    found = comparison.status_class(before_status, after_status)
    return -1 if found is None else comparison.CLASSES.index(found)


_CLASSES = np.array([[_class_of(before, after) for after in range(ABSENT + 1)] for before in range(ABSENT + 1)])


class Lacking(NamedTuple):
    """What a run has of its builds: the jobs whose results are not all there, those whose are, and the modules whose
    are."""

    jobs: frozenset[str]
    complete_jobs: frozenset[str]
    complete_modules: frozenset[str]


@dataclass(frozen=True)
class ComparisonSide:
    """The tests that have results. `keys` are environment and test as one number, ascending; `counts` and `worst` are
    parallel to them."""

    rows: ResultRows
    builds: Sequence[LaneBuild]
    keys: np.ndarray
    counts: np.ndarray  # tests x STATUSES: final results
    worst: np.ndarray  # the row of a worst result

    def status(self, keys: np.ndarray) -> np.ndarray:
        """The status of each of these keys."""
        if not len(self.keys):
            return np.full(len(keys), ABSENT)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[at] == keys, (self.counts[at] > 0).argmax(axis=1), ABSENT)

    def evidence(self, key: int, name: str) -> ComparedSide:
        """One test's side of the evidence of a comparison."""
        at = int(np.searchsorted(self.keys, key))
        if at == len(self.keys) or self.keys[at] != key:
            return {"of": name, "passed": 0, "failed": 0, "skipped": 0}
        failed, passed, skipped = self.counts[at].tolist()
        row = int(self.worst[at])
        index = int(np.searchsorted(self.rows.failed, row))
        has_signature = (
            index < len(self.rows.failed) and self.rows.failed[index] == row and self.rows.signature[index] >= 0
        )
        return {
            "of": name,
            "passed": passed,
            "failed": failed,
            "skipped": skipped,
            "build": ids.text(self.builds[self.rows.build[row]].build),
            "topology": self.rows.groups[self.rows.group[row]].topology,
            "signature": ids.text(int(self.rows.signature[index])) if has_signature else None,
        }

    def lacking_on(self, other: Lacking, keys: np.ndarray) -> np.ndarray:
        """Which of these tests of this side the other side lacks together with their build: its job's build has no or
        not all results there; or its job is not there, and the module has no or not all results."""
        job_lacks = np.array([build.job in other.jobs for build in self.builds], dtype=bool)
        job_complete = np.array([build.job in other.complete_jobs for build in self.builds], dtype=bool)
        module_lacks = np.array([group.module not in other.complete_modules for group in self.rows.groups], dtype=bool)
        rows = self.worst[np.searchsorted(self.keys, keys)]
        build, group = self.rows.build[rows], self.rows.group[rows]
        return job_lacks[build] | (~job_complete[build] & module_lacks[group])

    def module(self, key: int) -> str | None:
        at = int(np.searchsorted(self.keys, key))
        if at == len(self.keys) or self.keys[at] != key:
            return None
        return self.rows.groups[self.rows.group[self.worst[at]]].module


def read_side(
    store: Store, builds: Sequence[LaneBuild], rebuilt: int, environments: Sequence[int], flt: TestScope
) -> ComparisonSide:
    """The final results of each test in each environment (a number per build), from the newest run (by `age`) that
    contains the test. The filter's module and topology apply."""
    rows = store.result_arrays.rows(store, builds, rebuilt)
    at = np.flatnonzero((rows.flag & FINAL > 0) & rows_in_filter(store, flt, rows, builds))
    build_index = rows.build[at]
    key = (np.array(environments, dtype=np.int64)[build_index] << 32) + rows.test[at]
    flag = rows.flag[at]
    status = np.where(flag & FAILED > 0, 0, np.where(flag & PASSED > 0, 1, 2))
    age = np.array([build.age for build in builds], dtype=np.int64)[build_index]
    order = np.lexsort((status, age, key))
    at, key, status, age = at[order], key[order], status[order], age[order]
    first = np.diff(key, prepend=-1) != 0
    group = np.cumsum(first) - 1
    newest = age == age[first][group]
    counts = np.bincount(group[newest] * ABSENT + status[newest], minlength=int(first.sum()) * ABSENT)
    return ComparisonSide(rows, builds, key[first], counts.reshape(-1, ABSENT), at[first])


def classify_pairs(base: ComparisonSide, candidate: ComparisonSide) -> tuple[np.ndarray, np.ndarray]:
    """The keys of the tests in a class, and the index of that class in CLASSES."""
    keys = np.union1d(base.keys, candidate.keys)
    found = _CLASSES[base.status(keys), candidate.status(keys)]
    return keys[found >= 0], found[found >= 0]


NOT_COMPARED = comparison.CLASSES.index("not_compared")


def mark_not_compared(
    sides: Sequence[ComparisonSide], lacking: Sequence[Lacking], keys: np.ndarray, found: np.ndarray
) -> np.ndarray:
    """The classes `found` of these tests, with NOT_COMPARED for those of builds that one side lacks."""
    found = found.copy()
    for this, other, lacks in ((sides[0], sides[1], lacking[1]), (sides[1], sides[0], lacking[0])):
        at = np.flatnonzero(other.status(keys) == ABSENT)
        if len(at):
            found[at[this.lacking_on(lacks, keys[at])]] = NOT_COMPARED
    return found


def split_keys(side: ComparisonSide, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The environments and test ids of keys. All sides number tests alike; the side read last has all of them."""
    return keys >> 32, side.rows.tests[keys & 0xFFFFFFFF]
