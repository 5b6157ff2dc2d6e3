"""The state of a lane (release and environment): may it ship? The one judgement of tiles, matrix, badge and API.

It counts what the matrix shows for the lane's newest finished run. What the newest run cannot show, because builds are
missing or were aborted or a module has no usable results, makes it incomplete, never ok.
"""

from __future__ import annotations

from typing import Any

from data.verdicts.evidence.matrix_cell import kind_texts, only_run_text
from data.verdicts.evidence.number_text import Evidence, counted

NOT_READY = ("broken", "failing", "incomplete")  # the states that need somebody's attention


def judge(evidence: Evidence) -> dict[str, Any]:
    """{"state": broken | failing | incomplete | stale | ok | running (its first run) | empty, "incomplete", "stale"}.

    `evidence`: run (its newest finished run: number, missing, aborted, builds, incomplete; None without one), running
    (whether a run goes on), words (tests by their worst kind), unjudged, failing (whether any module is), usable
    (whether any has usable results), unusable (modules without), unread (what is said while its history is still being
    read, or None), age_s of its newest run, stale_hours.
    """
    run = evidence["run"]
    if run is None:
        return {"state": "running" if evidence["running"] else "empty", "incomplete": False, "stale": False}
    incomplete = bool(run["incomplete"] or evidence["unusable"])
    stale = not evidence["running"] and evidence["age_s"] > evidence["stale_hours"] * 3600
    if not evidence["usable"]:
        state = "broken"
    elif evidence["failing"]:
        state = "failing"
    else:
        state = "incomplete" if incomplete else "stale" if stale else "ok"
    return {"state": state, "incomplete": incomplete, "stale": stale}


def reasons(evidence: Evidence) -> list[str]:
    """Why the lane is not ok, one sentence each, the worst first."""
    run, found = evidence["run"], judge(evidence)
    if run is None:
        return []
    texts = []
    if found["state"] == "broken":
        texts.append(f"No usable results in #{run['number']}.")
    elif parts := kind_texts(evidence["words"]):
        texts.append(", ".join(parts) + ".")
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


def incomplete_text(run: dict[str, Any]) -> str:
    """Such as "Run #12 is incomplete: 1 of 8 builds is missing, 1 was aborted."."""
    parts = []
    if run["missing"]:
        parts.append(f"{run['missing']} of {counted(run['builds'], 'build')} {_is(run['missing'])} missing")
    if run["aborted"]:
        what = f"{run['aborted']}" if parts else f"{run['aborted']} of {counted(run['builds'], 'build')}"
        parts.append(f"{what} {'was' if run['aborted'] == 1 else 'were'} aborted")
    return f"Run #{run['number']} is incomplete: {', '.join(parts) or 'it was aborted'}."


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _several(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _age_text(seconds: float) -> str:
    hours = round(seconds / 3600)
    return counted(hours, "hour") if hours < 72 else counted(round(hours / 24), "day")
