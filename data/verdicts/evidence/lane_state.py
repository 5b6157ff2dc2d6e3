"""The state of a lane (release and environment): may it ship? The one judgement of tiles, matrix, badge and API.

It counts what the matrix shows for the lane's newest finished run. What the newest run cannot show, because builds are
missing, partial or were aborted or a module has no usable results, makes it incomplete, never ok.
"""

from __future__ import annotations

from typing import TypedDict

from data.answers.evidence import LaneEvidence, RunFacts
from data.answers.runs import LaneState, Run
from data.number_text import counted
from data.verdicts.evidence.matrix_cell import broken_text, only_run_text

NOT_READY = ("broken", "failing", "incomplete")  # the states that need somebody's attention


class LaneFinding(TypedDict):
    """`running`: its first run goes on."""

    state: LaneState
    incomplete: bool
    stale: bool


def judge(evidence: LaneEvidence) -> LaneFinding:
    run = evidence["run"]
    if run is None:
        return {"state": "running" if evidence["running"] else "empty", "incomplete": False, "stale": False}
    incomplete = bool(run["incomplete"] or evidence["unusable"])
    stale = not evidence["running"] and evidence["age_s"] > evidence["stale_hours"] * 3600
    state: LaneState
    if not evidence["usable"]:
        state = "broken"
    elif evidence["failing"]:
        state = "failing"
    else:
        state = "incomplete" if incomplete else "stale" if stale else "ok"
    return {"state": state, "incomplete": incomplete, "stale": stale}


def reasons(evidence: LaneEvidence) -> list[str]:
    """Why the lane is not ok, one sentence each, the worst first."""
    run, found = evidence["run"], judge(evidence)
    if run is None:
        return []
    texts = []
    if found["state"] == "broken":
        texts.append(f"No usable results in #{run['number']}.")
    elif broken := broken_text(evidence):
        texts.append(f"{broken}.")
    if evidence["unjudged"]:
        texts.append(f"{only_run_text(evidence['unjudged'])}: not enough data.")
    if run["incomplete"]:
        texts.append(incomplete_text(run))
    if evidence["unusable"] and found["state"] != "broken":
        texts.append(f"No usable results of {_several(evidence['unusable'])}.")
    if evidence["unread"]:
        texts.append(evidence["unread"])
    if found["stale"]:
        texts.append(f"No new run for {_age_text(evidence['age_s'])}.")
    return texts


def incomplete_text(run: RunFacts | Run) -> str:
    """Such as "Run #12 is incomplete: 1 of 8 builds has no results, 1 was aborted."; with the first reason that is
    known: "core #12: TEST-a.xml: declares 40 tests, 12 were read."."""
    parts: list[str] = []
    for count, (one, many) in (
        (run["missing"], ("has no results", "have no results")),
        (run["aborted"], ("was aborted", "were aborted")),
        (run["partial"], ("lacks a part of its results", "lack a part of their results")),
    ):
        if count:
            of = "" if parts else f" of {counted(run['builds'], 'build')}"
            parts.append(f"{count}{of} {one if count == 1 else many}")
    reason = f" {run['first_partial']}." if run["first_partial"] else ""
    return f"Run #{run['number']} is incomplete: {', '.join(parts) or _unfinished(run['result'])}.{reason}"


def _unfinished(result: str | None) -> str:
    """Why a run is incomplete of which no build is."""
    if result is None:
        return "Jenkins deleted it while it ran"
    if result in ("FAILURE", "UNSTABLE"):
        return f"Jenkins calls it {result}, but nothing that was read of it failed"
    return "it was aborted" if result == "ABORTED" else f"Jenkins calls it {result}"


def _several(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _age_text(seconds: float) -> str:
    """Rounded down, as in assets/local-times.js: "9 days ago" is "for 9 days"."""
    hours = int(seconds // 3600)
    return counted(hours, "hour") if hours < 48 else counted(hours // 24, "day")
