"""Which commit broke a test. Every stored build of the lane is an observation; nothing is rerun.

The suspects are the commits that Jenkins lists for the builds between the last good and the first bad one or, if the
history is long enough for a change point, in its 99 % range. A commit has a higher prior if its message shares a word
with the test.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from data.answers.evidence import SuspectsEvidence
from data.answers.statistics import SuspectCommit, Suspects
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts.evidence.failure_history import (
    breakage_bounds,
    judge_suspects,
    suspects_sentence,
    trailing_failures,
)
from data.verdicts.histories import histories
from data.verdicts.lane_analysis import analyse_lanes, verdict_reach
from data.verdicts.lanes import filtered_releases
from data.verdicts.verdicts import LaneVerdict, judge_tests, test_names

NAMED_WEIGHT = 4.0  # prior weight of a commit whose message shares a word with the test; others have 1
_WORD = re.compile(r"[a-z]+")
_COMMON = {"and", "for", "from", "module", "not", "the", "test", "tests", "when", "with"}


class _Commit(TypedDict):
    """A commit, with the build that had it first and the rank of that in the order of builds."""

    build: int
    job: str
    number: int
    rank: int
    revision: str | None
    author: str | None
    message: str | None
    committed_at: datetime | None
    url: str | None


@cached_query(of_release)
def suspects(store: Store, test: str, flt: Filter) -> list[Suspects]:
    """One row per lane of the filter in which the test (id) fails now: {"release", "environment", "test", "after",
    "until" (run numbers: exclusive, inclusive), "suspects": [commit facts with "probability" and "build"], likeliest
    first, "none": the probability that it is none of them, "sentence", "evidence"}.

    Empty if the test does not fail now, or never passed: then there is no last good run.
    """
    number = ids.number(test)
    rows: list[Suspects] = []
    for release in filtered_releases(store, flt):
        lane = replace(flt, release=release)
        for verdict in judge_tests(store, lane)[1]:
            if verdict.test_lane.test == number and trailing_failures(verdict.statuses):
                rows += _suspects_of(store, lane, verdict)
    return rows


def _suspects_of(store: Store, flt: Filter, verdict: LaneVerdict) -> list[Suspects]:
    """The row of one verdict; empty if its history has no good run before the failures."""
    test_lane = verdict.test_lane
    history = histories(store, flt, [test_lane], verdict_reach(store, flt).builds)[test_lane.test, test_lane.lane]
    bounds = breakage_bounds(history.statuses, store.settings.measures.change_point_l)
    if bounds is None:
        return []
    first, after, until = bounds
    window = analyse_lanes(store, flt, verdict_reach(store, flt)).window
    release, environment = window.lanes[test_lane.lane]
    jobs = {on_host.job for on_host in test_lane.by_host if on_host.tripped}
    rank_of_run = _build_ranks(store, release, jobs)
    ranks = [rank_of_run.get(run.run) for run in history.runs]
    commits = _commits(store, release, jobs, ranks[after], ranks[until])
    test = test_names(store, [test_lane.test])[test_lane.test]
    job_names = (job.rpartition("/")[2] for job in jobs)
    subject = _words(test_lane.module, *job_names, test["file"], test["class"], test["name"])
    evidence: SuspectsEvidence = {
        "rule": "suspects",
        **history.evidence(),
        "first": first,
        "after": after,
        "until": until,
        "included": [sum(commit["rank"] <= rank for commit in commits) if rank else None for rank in ranks],
        "commits": [commit["revision"] for commit in commits],
        "weights": [NAMED_WEIGHT if _words(commit["message"] or "") & subject else 1.0 for commit in commits],
    }
    derived = judge_suspects(evidence)
    return [
        {
            "release": release,
            "environment": environment,
            "test": ids.text(test_lane.test),
            "after": history.runs[after].number,
            "until": history.runs[until].number,
            "suspects": [_suspect(commits[index], derived["probabilities"][index]) for index in derived["ranked"]],
            "none": derived["none"],
            "sentence": suspects_sentence(evidence),
            "evidence": evidence,
        }
    ]


def _suspect(commit: _Commit, probability: float) -> SuspectCommit:
    return {
        "revision": commit["revision"],
        "author": commit["author"],
        "message": commit["message"],
        "committed_at": iso(commit["committed_at"]),
        "url": commit["url"],
        "probability": probability,
        "build": {"id": ids.text(commit["build"]), "number": commit["number"], "job": commit["job"]},
    }


def _build_ranks(store: Store, release: str, jobs: Iterable[str]) -> dict[int, int]:
    """Run -> rank in order of the build of these jobs that it listed; an earlier run may have made that build."""
    rows = store.cursor().execute(
        f"""SELECT rb.run, max(o.rank) FROM run_builds rb JOIN builds b USING (build)
            JOIN {store.derived_table("build_order")} o USING (build)
        WHERE b.release = $release AND b.job IN (SELECT unnest($jobs::VARCHAR[])) GROUP BY rb.run""",
        {"release": release, "jobs": sorted(jobs)},
    )
    return dict(rows.fetchall())


def _commits(store: Store, release: str, jobs: Iterable[str], good: int | None, bad: int | None) -> list[_Commit]:
    """The commits that were new in builds of these jobs after the rank `good` and up to `bad`, oldest first, each
    with the first build that had it. Builds of other environments count: Jenkins lists a commit only once."""
    rows = store.rows(
        f"""SELECT b.build, b.job, b.number, o.rank, c.revision, c.author, c.message, c.committed_at, c.url
        FROM builds b JOIN {store.table_source("commits")} c USING (build)
            JOIN {store.derived_table("build_order")} o USING (build)
        WHERE b.release = $release AND b.job IN (SELECT unnest($jobs::VARCHAR[]))
            AND o.rank > $good AND o.rank <= $bad ORDER BY o.rank, c.position""",
        {"release": release, "jobs": sorted(jobs), "good": good, "bad": bad},
        _Commit,
    )
    first: dict[str | None, _Commit] = {}
    for row in rows:
        first.setdefault(row["revision"], row)
    return list(first.values())


def _words(*texts: str) -> set[str]:
    return {word for text in texts for word in _WORD.findall(text.lower()) if len(word) > 2} - _COMMON
