"""Mass failures (storms) and bad hosts."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.verdicts.evidence.number_text import Evidence, counted
from data.verdicts.evidence.rates import number, rate
from data.verdicts.statistics.bad_hosts import compare_hosts
from data.verdicts.statistics.storms import LONGEST_STORM, StormKind, storm_kinds


def judge_storm(evidence: Evidence) -> dict[str, Any]:
    kind = StormKind(int(storm_kinds(evidence["total"], evidence["failed"], min(evidence["top"], evidence["failed"]))))
    return {"kind": kind.name.lower() if evidence["stretch"] <= LONGEST_STORM else "none"}


def storm_sentence(evidence: Evidence) -> str:
    failed, total, top = evidence["failed"], evidence["total"], evidence["top"]
    same = f", {top} with the same message" if evidence["message"] is not None and top > 1 else ""
    return f"Mass failure in #{evidence['number']}: {failed} of {total} results of {evidence['column']} failed{same}."


def judge_host(evidence: Evidence) -> dict[str, Any]:
    names = sorted(evidence["hosts"])
    compared = compare_hosts(*np.array([evidence["hosts"][name] for name in names], dtype=float).T)
    here = names.index(evidence["host"])
    total, failed, expected = evidence["hosts"][evidence["host"]]
    return {
        "sick": bool(compared.bad[here]),
        "expected": expected,
        **{name: number(getattr(compared, name)[here]) for name in ("ratio", "p", "q")},
        **rate(failed, total),
    }


def host_sentence(evidence: Evidence) -> str:
    found = judge_host(evidence)
    counts = f"{counted(found['failed'], 'failure')}, {found['expected']:.0f} expected"
    host, ratio = evidence["host"], found["ratio"]
    if found["q"] is None or ratio is None:
        return f"Host {host}: not enough data ({counts})."
    if found["sick"]:
        return f"Host {host} fails {ratio:.1f} times as often as expected ({counts}). Probably a bad host."
    return f"Host {host}: no sign of a bad host ({counts})."
