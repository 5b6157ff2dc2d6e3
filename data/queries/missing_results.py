"""What an incomplete run lacks: its builds that are missing, partial or were aborted, and the modules that these
usually test.

A build that is missing cannot say which owning modules it would have tested. Its job's other builds do: of the five
nearest builds with results (of the same release and environment first, earlier ones first), each module's median.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import TypedDict

from data.cache.dependencies import WHOLE_STORE, depend_on
from data.lake.cached_query import cached_query, of_runs
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.model.measures import BUILDS

LACKING = ("missing", "aborted", "partial")  # why a build lacks results for good, or until it can be read
NEAREST = 5  # builds of a job that say what it usually tests


@dataclass(frozen=True)
class LackingBuild:
    """A listed build whose results are not all there. `why`: missing | aborted | partial | waiting | running, `reason`:
    a text with details, if any are known. `results` are how many the build lacks, by owning module; None where other
    builds of its job do not say."""

    job: str
    number: int
    build: str | None
    why: str
    reason: str | None
    results: dict[str, int | None]


class _Gap(TypedDict):
    """A row of `gaps`, with the release and environment of its run."""

    run: int
    source: str
    job: str
    number: int
    module: str
    build: int | None
    gap: str
    why: str | None
    release: str
    environment: str


class _Nearest(TypedDict):
    """Results of a module in one of the nearest builds; `at` is the index of the gap, `own`: of its lane."""

    at: int
    build: int
    own: bool
    module: str
    total: int


@cached_query(of_runs("runs"))
def gaps(store: Store, runs: tuple[str, ...], flt: Filter = EVERYTHING) -> dict[str, list[LackingBuild]]:
    """Run id -> the gaps of the run, for those of these runs that have any."""
    found = store.rows(
        f"""SELECT g.*, r.release, r.environment FROM {store.derived_table("gaps")} g JOIN runs r USING (run)
        WHERE g.run IN (SELECT unnest($runs::BIGINT[])) ORDER BY g.run, g.job, g.number""",
        {"runs": [ids.number(run) for run in runs]},
        _Gap,
    )
    if not found:
        return {}
    usual = _usual_results(store, found)
    read = _results_read(store, [row["build"] for row in found if row["build"] is not None])
    answer: dict[str, list[LackingBuild]] = defaultdict(list)
    for index, row in enumerate(found):
        got = read.get(row["build"] or 0, {})
        expected = usual.get(index)
        lacks: dict[str, int | None] = {
            module: None if expected is None else max(expected.get(module, 0) - got.get(module, 0), 0)
            for module in (expected or {}).keys() | got.keys()
        }
        answer[ids.text(row["run"])].append(
            LackingBuild(
                row["job"],
                row["number"],
                None if row["build"] is None else ids.text(row["build"]),
                row["gap"],
                row["why"],
                lacks or {row["module"]: None},
            )
        )
    return dict(answer)


def lacking_modules(gaps_of_run: Sequence[LackingBuild]) -> dict[str, int | None]:
    """Owning module -> about how many results it lacks; None if unknown."""
    lacks: dict[str, int | None] = {}
    for gap in gaps_of_run:
        for module, count in gap.results.items():
            before = lacks.get(module, 0)
            lacks[module] = None if count is None or before is None else before + count
    return lacks


def expected_total(total: int, lacks: int | None) -> int | None:
    """About how many results there would be without the gap; None if unknown."""
    return total + lacks if lacks else None


def _usual_results(store: Store, found: Sequence[_Gap]) -> dict[int, dict[str, int]]:
    """Index of the gap -> owning module -> the median number of results in the nearest builds of its job."""
    rows = store.rows(
        f"""WITH g AS (
            SELECT unnest($at::INTEGER[]) AS at, unnest($source::VARCHAR[]) AS source, unnest($job::VARCHAR[]) AS job,
                unnest($number::INTEGER[]) AS number, unnest($release::VARCHAR[]) AS release,
                unnest($environment::VARCHAR[]) AS environment),
        nearest AS (
            SELECT g.at, b.build, (b.release, b.environment) IS NOT DISTINCT FROM (g.release, g.environment) AS own
            FROM g JOIN {BUILDS} b USING (source, job)
            WHERE b.state = 'final' AND b.total > 0 AND b.missing_results IS NULL AND b.number <> g.number
            QUALIFY row_number() OVER (PARTITION BY g.at ORDER BY
                (b.release, b.environment) IS DISTINCT FROM (g.release, g.environment), b.number > g.number,
                abs(b.number - g.number), b.build) <= $nearest)
        SELECT n.at, n.build, n.own, c.module, sum(c.total)::INTEGER AS total
        FROM nearest n JOIN build_counts c USING (build) GROUP BY ALL""",
        {
            "source": [row["source"] for row in found],
            "job": [row["job"] for row in found],
            "number": [row["number"] for row in found],
            "release": [row["release"] for row in found],
            "environment": [row["environment"] for row in found],
            "at": list(range(len(found))),
            "nearest": NEAREST,
        },
        _Nearest,
    )
    builds: dict[int, set[int]] = defaultdict(set)
    totals: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        builds[row["at"]].add(row["build"])
        totals[row["at"]][row["module"]].append(row["total"])
    own = {(row["at"], row["build"]) for row in rows if row["own"]}
    if len(own) < NEAREST * len(found):  # a build of another release may be one of the nearest
        depend_on([WHOLE_STORE])
    usual: dict[int, dict[str, int]] = {}
    for at, modules in totals.items():
        medians = {
            module: round(median([*counts, *[0] * (len(builds[at]) - len(counts))]))
            for module, counts in modules.items()
        }
        usual[at] = {module: count for module, count in medians.items() if count}
    return usual


def _results_read(store: Store, builds: Sequence[int]) -> dict[int, dict[str, int]]:
    """Build -> owning module -> the results that it has."""
    rows = store.cursor().execute(
        """SELECT build, module, sum(total)::INTEGER AS total FROM build_counts
        WHERE build IN (SELECT unnest($builds::BIGINT[])) GROUP BY ALL""",
        {"builds": builds},
    )
    read: dict[int, dict[str, int]] = defaultdict(dict)
    for build, module, total in rows.fetchall():
        read[build][module] = total
    return read
