"""The flaky table: which tests disturb most, how sure that is, what it costs, and whether they have recovered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from data import evidence, ids
from data.cache import question
from data.filters import Filter
from data.measures import iso
from data.queries.disturbances import LONG, Seen, releases, seen
from data.queries.verdicts import names
from data.queries.windows import Line, disagreements, span
from data.stats.words import FLAKY, words
from data.store import Store


@question
def flaky(store: Store, flt: Filter, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """The tests that were flaky in the newest `flt.runs` (60, at most 62) runs of each lane: those that disturb most
    first, by the lower end of the interval of their flip score; the recovered last. Storms and sick hosts are left out.

    `time_lost_s` is what failed attempts and reruns took in the runs that the test disturbed.
    """
    depth = flt.runs or LONG
    found = []
    for release in releases(store, flt):
        around = seen(store, replace(flt, release=release), depth)
        disagreeing = disagreements(around.window, around.lines)
        for line in around.lines:
            letters = line.letters(len(around.window.runs[line.lane]))
            told = _told(around, line, letters, disagreeing.get((line.test, line.lane), 0))
            if told is not None:
                found.append((around, line, told, evidence.judge(told)))
    found.sort(
        key=lambda item: (item[3]["recovered"], -item[3]["score_interval_95"][0], -item[3]["score"], item[1].test)
    )
    found = found[offset : offset + limit]
    named = names(store, [line.test for _, line, _, _ in found])
    lost = _time_lost(store, flt, [(around, line, told) for around, line, told, _ in found])
    return [
        _row(around, line, told, judged, named[line.test], lost.get((around.window.key, line.test, line.lane), 0.0))
        for around, line, told, judged in found
    ]


def _told(around: Seen, line: Line, letters: str, flags: int) -> dict[str, Any] | None:
    """The evidence of a test that was flaky in this window; None of one that was not."""
    runs = around.window.runs[line.lane]
    ages = [age for age in range(len(runs) - 1, -1, -1) if letters[len(runs) - 1 - age] != "S"]
    statuses = letters.replace("S", "")
    disagreed = tuple(bool(flags >> age & 1) for age in ages)
    if FLAKY not in words(statuses, disagreed=disagreed, window=max(len(statuses), 1)):
        return None
    return {
        "rule": "flaky",
        "statuses": statuses,
        "disagreed": [place for place, flag in enumerate(disagreed) if flag],
        "runs": [ids.text(runs[age].run) for age in ages],
        "numbers": [runs[age].number for age in ages],
        "days_ago": [
            round((runs[ages[-1]].started_at - runs[age].started_at).total_seconds() / 86400, 3) for age in ages
        ],
    }


def _row(
    around: Seen, line: Line, told: dict[str, Any], judged: dict[str, Any], test: dict[str, Any], lost: float
) -> dict[str, Any]:
    release, environment = around.window.lanes[line.lane]
    by_id = {ids.text(run.run): run for run in around.window.runs[line.lane]}
    last = by_id[told["runs"][judged["disturbed"][-1]]]
    return {
        "test": ids.text(line.test),
        "key": f"{test['file']}::{test['class']}::{test['name']}",
        "name": test["name"],
        "module": line.module,
        "release": release,
        "environment": environment,
        **{name: judged[name] for name in judged if name != "disturbed"},
        "disturbed_runs": len(judged["disturbed"]),
        "time_lost_s": round(lost, 3),
        "last_disturbed": {"run": ids.text(last.run), "number": last.number, "started_at": iso(last.started_at)},
        "strip": told["statuses"],
        "sentence": evidence.sentence(told),
        "evidence": told,
    }


def _time_lost(
    store: Store, flt: Filter, of: Sequence[tuple[Seen, Line, dict[str, Any]]]
) -> dict[tuple[str, int, int], float]:
    """Seconds by window, test and lane."""
    lost: dict[tuple[str, int, int], float] = {}
    for key, around in {around.window.key: around for around, _, _ in of}.items():
        disturbed = {
            (line.test, line.lane): {told["runs"][place] for place in evidence.judge(told)["disturbed"]}
            for window, line, told in of
            if window is around
        }
        for test, lane, age, seconds in _seconds(store, flt, around, {test for test, _ in disturbed}):
            if ids.text(around.window.runs[lane][age].run) in disturbed.get((test, lane), ()):
                lost[key, test, lane] = lost.get((key, test, lane), 0.0) + seconds
    return lost


def _seconds(store: Store, flt: Filter, around: Seen, tests: Iterable[int]) -> list[tuple[int, int, int, float]]:
    """(test, lane, age, seconds of its failed attempts and reruns)."""
    builds = around.window.builds
    where, parameters = span(builds)
    if flt.topology is not None:
        where += " AND r.topology = $topology"
        parameters["topology"] = flt.topology
    rows = store.cursor().execute(
        f"""WITH w AS (SELECT unnest($build) AS build, unnest($lane) AS lane, unnest($age) AS age),
        theirs AS MATERIALIZED (
            SELECT r.test, r.build, r.duration_s FROM results r
            WHERE {where} AND (r.status = 'failed' OR r.attempt > 1) AND r.test IN (SELECT unnest($tests::BIGINT[])))
        SELECT t.test, w.lane, w.age, coalesce(sum(t.duration_s), 0) FROM theirs t JOIN w USING (build) GROUP BY ALL""",
        parameters
        | {
            "build": [build.build for build in builds],
            "lane": [build.lane for build in builds],
            "age": [build.age for build in builds],
            "tests": sorted(tests),
        },
    )
    return rows.fetchall()
