"""Mass failures (storms): columns of a lane window in which most results, or one message, failed.

The thresholds are in `data/verdicts/statistics/storms.py`. A column is one owning module in one build, or the whole
build.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from data.cache.dependencies import nothing
from data.cache.result_arrays import FINAL
from data.lake.store import Store
from data.model.filters import JudgingOptions
from data.verdicts.lanes import LaneWindow, ModuleCounts, load_module_counts
from data.verdicts.statistics.storms import (
    COLUMN_SHARE,
    COLUMN_TESTS,
    MESSAGE_OF_ALL,
    MESSAGE_TESTS,
    StormKind,
    short_stretches,
    storm_kinds,
)
from data.verdicts.status_masks import Columns

KINDS = {StormKind.COLUMN: "column", StormKind.MESSAGE: "message"}

ColumnKey = tuple[int, int, int, str, str | None]  # build, lane, age, job, module (None: the whole build)


class StormCandidate(NamedTuple):
    """A column that is a storm unless it lasts for too many runs."""

    kind: StormKind
    total: int
    failed: int
    signature: int | None  # the most frequent message among its failures
    top: int  # how many failures have it


@dataclass(frozen=True)
class StormHit:
    """A column that is a storm; `stretch` counts the job's consecutive columns that look like one."""

    build: int
    lane: int
    age: int
    job: str
    module: str | None
    kind: str  # column | message
    total: int
    failed: int
    signature: int | None  # the most frequent message among its failures
    top: int  # how many failures have it
    stretch: int


def storms_in_window(store: Store, window: LaneWindow) -> tuple[list[ModuleCounts], list[StormHit]]:
    """The columns of a window, and the storms among them and among whole builds."""

    def find() -> tuple[list[ModuleCounts], list[StormHit]]:
        counts = load_module_counts(store, window)
        return counts, drop_persistent(*storm_candidates(store, window, counts))

    return store.cached(("storms", window.key), find, lambda found: 150 * len(found[0]), nothing)


def storm_columns(store: Store, flt: JudgingOptions, window: LaneWindow) -> Columns:
    """The (build, module) columns of a window that storms hit; empty if the filter includes storms."""
    return set() if flt.include_storms else columns_in_storms(*storms_in_window(store, window))


def columns_in_storms(counts: Iterable[ModuleCounts], storms: Iterable[StormHit]) -> Columns:
    """Those of the columns `counts` that are in one of these storms."""
    whole_builds = {storm.build for storm in storms if storm.module is None}
    columns = {(storm.build, storm.module) for storm in storms}
    return {(c.build, c.module) for c in counts if c.build in whole_builds or (c.build, c.module) in columns}


def storm_candidates(
    store: Store, window: LaneWindow, counts: Sequence[ModuleCounts]
) -> tuple[list[ColumnKey], dict[ColumnKey, StormCandidate]]:
    """The keys of all columns (modules and whole builds), and the candidates among them."""
    columns = _columns(counts)
    # Messages are read only for columns that may be storms.
    suspicious = [
        (key, total, failed)
        for key, total, failed in columns
        if (total >= COLUMN_TESTS and failed >= COLUMN_SHARE * total)
        or (failed >= MESSAGE_TESTS and failed >= MESSAGE_OF_ALL * total)
    ]
    top_messages = _top_messages(store, window, {key[0] for key, _, _ in suspicious}) if suspicious else {}
    candidates = {}
    for key, total, failed in suspicious:
        signature, top = top_messages.get((key[0], key[4]), (None, 0))
        kind = StormKind(int(storm_kinds(total, failed, min(top, failed))))
        if kind:
            candidates[key] = StormCandidate(kind, total, failed, signature, top)
    return [key for key, _, _ in columns], candidates


def _columns(counts: Sequence[ModuleCounts]) -> list[tuple[ColumnKey, int, int]]:
    """(key, total, failed) of every build as a whole, then of the modules of builds that have more than one."""
    builds: dict[tuple[int, int, int, str], list[int]] = {}
    for column in counts:
        sums = builds.setdefault((column.build, column.lane, column.age, column.job), [0, 0, 0])
        sums[0] += column.total
        sums[1] += column.failed
        sums[2] += 1
    columns: list[tuple[ColumnKey, int, int]] = [
        ((build, lane, age, job, None), sums[0], sums[1]) for (build, lane, age, job), sums in builds.items()
    ]
    columns += [
        ((c.build, c.lane, c.age, c.job, c.module), c.total, c.failed)
        for c in counts
        if builds[c.build, c.lane, c.age, c.job][2] > 1
    ]
    return columns


def _top_messages(
    store: Store, window: LaneWindow, build_ids: set[int]
) -> dict[tuple[int, str | None], tuple[int, int]]:
    """(build, module) and (build, None) -> the most frequent signature of its final failures, and its count."""
    builds = list({build.build: build for build in window.builds if build.build in build_ids}.values())
    rows = store.result_arrays.rows(store, builds, window.rebuilt)
    with_message = (rows.flag[rows.failed] & FINAL > 0) & (rows.signature >= 0)
    at, signatures = rows.failed[with_message], rows.signature[with_message].tolist()
    counts: dict[tuple[int, str | None], Counter[int]] = {}
    for build, group, signature in zip(rows.build[at].tolist(), rows.group[at].tolist(), signatures, strict=True):
        for module in (rows.groups[group].module, None):
            counts.setdefault((builds[build].build, module), Counter())[signature] += 1
    return {key: max(found.items(), key=lambda item: (item[1], -item[0])) for key, found in counts.items()}


def drop_persistent(keys: Iterable[ColumnKey], candidates: dict[ColumnKey, StormCandidate]) -> list[StormHit]:
    """The storms among the candidates: those that do not last for too many of the job's (and module's) columns, and
    are not part of a storm of their whole build. `keys` are all columns."""
    storms = []
    by_line = sorted(keys, key=lambda key: (key[1], key[3], key[4] or "", -key[2]))
    for _, line in groupby(by_line, key=lambda key: (key[1], key[3], key[4])):
        line_keys = list(line)
        flags = [key in candidates for key in line_keys]
        lengths = [length for _, stretch in groupby(flags) for length in [len(list(stretch))] for _ in range(length)]
        for key, short, length in zip(line_keys, short_stretches(flags), lengths, strict=True):
            if short:
                candidate = candidates[key]
                storms.append(StormHit(*key, KINDS[candidate.kind], *candidate[1:], length))
    whole_builds = {(storm.build, storm.age) for storm in storms if storm.module is None}
    return [storm for storm in storms if storm.module is None or (storm.build, storm.age) not in whole_builds]
