"""The longer history of a few tests, for what needs more runs than a window has: where a failure rate changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data import ids
from data.cache import question
from data.filters import Filter
from data.queries.disturbances import find_storms, stormy_columns
from data.queries.windows import Column, LaneRun, Line, Window, columns, span, window
from data.store import Store

LONGEST = 300  # runs of a lane


@dataclass(frozen=True)
class History:
    """A test's letters (P K F, runs in which it did not run left out) and the runs they are of, oldest first."""

    statuses: str
    runs: list[LaneRun]

    def told(self) -> dict[str, Any]:
        return {
            "statuses": self.statuses,
            "runs": [ids.text(run.run) for run in self.runs],
            "numbers": [run.number for run in self.runs],
        }


@question
def calm(store: Store, flt: Filter) -> tuple[Window, list[Column]]:
    """The newest 300 runs of each lane of the filter, and the columns that no storm broke."""
    view = window(store, flt, LONGEST)
    return view, store.answers.get(("calm", flt, view.key), lambda: _calm(store, flt, view))


def _calm(store: Store, flt: Filter, view: Window) -> list[Column]:
    of = columns(store, view)
    if flt.include_storms:
        return of
    stormy = stormy_columns(of, find_storms(store, view, of))
    return [column for column in of if (column.build, column.module) not in stormy]


def histories(store: Store, flt: Filter, lines: Sequence[Line], known: int) -> dict[tuple[int, int], History]:
    """(test, lane) -> its history. The newest `known` runs are those of the lines, what they leave out left out."""
    if not lines:
        return {}
    view, of = calm(store, Filter(flt.release, flt.version, flt.environment, include_storms=flt.include_storms))
    tests, lanes = {line.test for line in lines}, {line.lane for line in lines}
    jobs, modules = {part.job for line in lines for part in line.parts}, {line.module for line in lines}
    older = [
        column
        for column in of
        if column.age >= known and column.lane in lanes and column.module in modules and column.job in jobs
    ]
    before = _before(store, view, older, tests, flt.topology)
    answer = {}
    for line in lines:
        runs = view.runs[line.lane]
        letters = before.get((line.test, line.lane), {}) | {
            age: letter for age, letter in enumerate(reversed(line.letters(min(known, len(runs))))) if letter != "S"
        }
        ages = sorted(letters, reverse=True)
        answer[line.test, line.lane] = History("".join(letters[age] for age in ages), [runs[age] for age in ages])
    return answer


def _before(
    store: Store, view: Window, older: Sequence[Column], tests: set[int], topology: str | None
) -> dict[tuple[int, int], dict[int, str]]:
    builds = {column.build for column in older}
    where, parameters = span([build for build in view.builds if build.build in builds])
    # By value: a few modules leave out most of a file.
    modules = {f"module_{place}": name for place, name in enumerate(sorted({column.module for column in older}))}
    where += f" AND r.module IN ({', '.join(f'${name}' for name in modules)})" if modules else ""
    if topology is not None:
        where += " AND r.topology = $topology"
        parameters["topology"] = topology
    rows = store.cursor().execute(
        f"""WITH w AS (
            SELECT unnest($build::BIGINT[]) AS build, unnest($owner::VARCHAR[]) AS module,
                unnest($lane::INTEGER[]) AS lane, unnest($age::INTEGER[]) AS age),
        theirs AS MATERIALIZED (
            SELECT r.build, r.module, r.test, r.status, r.attempt FROM results r
            WHERE {where} AND r.test IN (SELECT unnest($tests::BIGINT[])) AND r.is_final AND r.status <> 'skipped')
        SELECT r.test, w.lane, w.age, min(r.status) = 'failed', bool_or(r.attempt > 1)
        FROM theirs r JOIN w USING (build, module) GROUP BY r.test, w.lane, w.age""",
        parameters
        | modules
        | {
            "build": [column.build for column in older],
            "owner": [column.module for column in older],
            "lane": [column.lane for column in older],
            "age": [column.age for column in older],
            "tests": sorted(tests),
        },
    )
    found: dict[tuple[int, int], dict[int, str]] = {}
    for test, lane, age, failed, rescued in rows.fetchall():
        found.setdefault((test, lane), {})[age] = "F" if failed else "K" if rescued else "P"
    return found
