"""Storms and sick hosts."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.verdicts.evidence.number_text import Evidence, number, rate
from data.verdicts.statistics.bad_hosts import compare_hosts
from data.verdicts.statistics.storms import LONGEST_STORM, StormKind, storm_kinds


def judge_storm(evidence: Evidence) -> dict[str, Any]:
    kind = StormKind(int(storm_kinds(evidence["total"], evidence["failed"], min(evidence["top"], evidence["failed"]))))
    return {"kind": kind.name.lower() if evidence["stretch"] <= LONGEST_STORM else "none"}


def say_storm(evidence: Evidence) -> str:
    failed, total, top = evidence["failed"], evidence["total"], evidence["top"]
    said = f"{failed} of {total} results of {evidence['column']} failed in #{evidence['number']}"
    if evidence["message"] is not None and top > 1:
        said += f", {top} of them with one message"
    return f"{said}: taken for a storm."


def judge_host(evidence: Evidence) -> dict[str, Any]:
    names = sorted(evidence["hosts"])
    judged = compare_hosts(*np.array([evidence["hosts"][name] for name in names], dtype=float).T)
    here = names.index(evidence["host"])
    total, failed, expected = evidence["hosts"][evidence["host"]]
    return {
        "sick": bool(judged.bad[here]),
        "expected": expected,
        **{name: number(getattr(judged, name)[here]) for name in ("ratio", "p", "q")},
        **rate(failed, total),
    }


def say_host(evidence: Evidence) -> str:
    found = judge_host(evidence)
    said = (
        f"On {evidence['host']}, tests that fail somewhere failed {found['failed']} of {found['of']} times in "
        f"{evidence['runs']} runs (its worst, #{evidence['left_out']}, left out); {found['expected']:.1f} were expected"
    )
    if found["q"] is None:
        return f"{said}: too few to judge."
    return f"{said} (q = {found['q']:.2g}): {'it is sick' if found['sick'] else 'no sign of a sick host'}."
