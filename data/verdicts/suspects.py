"""Which commit broke a test: every stored build of the lane is an observation, nothing is rerun.

The suspects are the commits that Jenkins lists for the builds between the last good and the first bad one; where the
history is long enough for a change point, between the ends of its 99 % range. A commit weighs more at the outset when
its message names what the test is about.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts import evidence
from data.verdicts.disturbances import analyse_lanes, releases
from data.verdicts.evidence.failure_history import bounds, tail
from data.verdicts.histories import histories
from data.verdicts.verdicts import Judged, judge, test_names, window_runs

NAMED = 4.0  # how many times likelier a commit is beforehand whose message shares a word with the test
_WORD = re.compile(r"[a-z]+")
_COMMON = {"and", "for", "from", "module", "not", "the", "test", "tests", "when", "with"}


@cached_query
def suspects(store: Store, test: str, flt: Filter) -> list[dict[str, Any]]:
    """For every lane of the filter in which the test (id) fails now: {"release", "environment", "test", "after",
    "until" (run numbers: exclusive, inclusive), "suspects": [commit facts with "probability" and "build"], likeliest
    first, "none": the chance that it is none of them, "sentence", "evidence"}.

    Empty where it does not fail, or never passed: then there is nothing between good and bad.
    """
    number = ids.number(test)
    answer = []
    for release in releases(store, flt):
        lane = replace(flt, release=release)
        for verdict in judge(store, lane)[1]:
            if verdict.line.test == number and tail(verdict.letters):
                answer += _of_verdict(store, lane, verdict)
    return answer


def _of_verdict(store: Store, flt: Filter, verdict: Judged) -> list[dict[str, Any]]:
    line = verdict.line
    history = histories(store, flt, [line], window_runs(store, flt))[line.test, line.lane]
    ends = bounds(history.statuses, store.settings.measures.change_point_l)
    if ends is None:
        return []
    first, after, until = ends
    around = analyse_lanes(store, flt, window_runs(store, flt))
    release, environment = around.window.lanes[line.lane]
    jobs = {part.job for part in line.parts if part.tripped}
    began = _began(store, release, jobs)
    runs = [began.get(run.run) for run in history.runs]
    commits = _commits(store, release, jobs, runs[after], runs[until])
    test = test_names(store, [line.test])[line.test]
    places = (job.rpartition("/")[2] for job in jobs)
    subject = _words(line.module, *places, test["file"], test["class"], test["name"])
    told = {
        "rule": "suspects",
        **history.told(),
        "first": first,
        "after": after,
        "until": until,
        "included": [sum(commit["started_at"] <= start for commit in commits) if start else None for start in runs],
        "commits": [commit["revision"] for commit in commits],
        "weights": [NAMED if _words(commit["message"]) & subject else 1.0 for commit in commits],
    }
    judged = evidence.judge(told)
    found = [
        {
            "revision": commits[place]["revision"],
            "author": commits[place]["author"],
            "message": commits[place]["message"],
            "committed_at": iso(commits[place]["committed_at"]),
            "url": commits[place]["url"],
            "probability": judged["probabilities"][place],
            "build": {
                "id": ids.text(commits[place]["build"]),
                "number": commits[place]["number"],
                "job": commits[place]["job"],
            },
        }
        for place in judged["ranked"]
    ]
    return [
        {
            "release": release,
            "environment": environment,
            "test": ids.text(line.test),
            "after": history.runs[after].number,
            "until": history.runs[until].number,
            "suspects": found,
            "none": judged["none"],
            "sentence": evidence.sentence(told),
            "evidence": told,
        }
    ]


def _began(store: Store, release: str, jobs: Iterable[str]) -> dict[int, datetime]:
    """By run: when the build of these jobs that it listed began; it may be one that an earlier run had made."""
    rows = store.cursor().execute(
        """SELECT rb.run, max(b.started_at) FROM run_builds rb JOIN builds b USING (build)
        WHERE b.release = $release AND b.job IN (SELECT unnest($jobs::VARCHAR[])) GROUP BY rb.run""",
        {"release": release, "jobs": sorted(jobs)},
    )
    return dict(rows.fetchall())


def _commits(
    store: Store, release: str, jobs: Iterable[str], good: datetime | None, bad: datetime | None
) -> list[dict[str, Any]]:
    """The commits that were new in builds of these jobs begun after the good one and up to the bad one, oldest first,
    each with the first build that had it. Builds of other environments count: Jenkins names a commit only once."""
    rows = store.rows(
        f"""SELECT b.build, b.job, b.number, b.started_at, c.revision, c.author, c.message, c.committed_at, c.url
        FROM builds b JOIN {store.table_source("commits")} c USING (build)
        WHERE b.release = $release AND b.job IN (SELECT unnest($jobs::VARCHAR[]))
            AND b.started_at > $good AND b.started_at <= $bad ORDER BY b.started_at, b.build, c.position""",
        {"release": release, "jobs": sorted(jobs), "good": good, "bad": bad},
    )
    first: dict[str, dict[str, Any]] = {}
    for row in rows:
        first.setdefault(row["revision"], row)
    return list(first.values())


def _words(*texts: str) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text.lower()) if len(word) > 2} - _COMMON
