"""Mass failures (storms) and bad hosts."""

from __future__ import annotations

from typing import TypedDict

import numpy as np

from data.answers.evidence import HostEvidence, HostFinding, StormEvidence
from data.number_text import counted
from data.verdicts.evidence.rates import number, rate
from data.verdicts.statistics.bad_hosts import compare_hosts
from data.verdicts.statistics.storms import LONGEST_STORM, StormKind, storm_kinds


class StormFinding(TypedDict):
    kind: str


def judge_storm(evidence: StormEvidence) -> StormFinding:
    kind = StormKind(int(storm_kinds(evidence["total"], evidence["failed"], min(evidence["top"], evidence["failed"]))))
    return {"kind": kind.name.lower() if evidence["stretch"] <= LONGEST_STORM else "none"}


def storm_sentence(evidence: StormEvidence) -> str:
    failed, total, top = evidence["failed"], evidence["total"], evidence["top"]
    same = f", {top} with the same message" if evidence["message"] is not None and top > 1 else ""
    return f"Mass failure in #{evidence['number']}: {failed} of {total} results of {evidence['column']} failed{same}."


def judge_host(evidence: HostEvidence) -> HostFinding:
    names = sorted(evidence["hosts"])
    compared = compare_hosts(*np.array([evidence["hosts"][name] for name in names], dtype=float).T)
    here = names.index(evidence["host"])
    total, failed, expected = evidence["hosts"][evidence["host"]]
    return {
        "sick": bool(compared.bad[here]),
        "expected": expected,
        "ratio": number(compared.ratio[here]),
        "p": number(compared.p[here]),
        "q": number(compared.q[here]),
        **rate(int(failed), int(total)),
    }


def host_sentence(evidence: HostEvidence) -> str:
    found = judge_host(evidence)
    counts = f"{counted(found['failed'], 'failure')}, {found['expected']:.0f} expected"
    host, ratio = evidence["host"], found["ratio"]
    if found["q"] is None or ratio is None:
        return f"Host {host}: not enough data ({counts})."
    if found["sick"]:
        return f"Host {host} fails {ratio:.1f} times as often as expected ({counts}). Probably a bad host."
    return f"Host {host}: no sign of a bad host ({counts})."
