"""Failure patterns: where one occurs, and whether it is new."""

from __future__ import annotations

from typing import TypedDict

from data.answers.evidence import PatternEvidence
from data.number_text import counted


class PatternFinding(TypedDict):
    new: bool


def judge(evidence: PatternEvidence) -> PatternFinding:
    since = evidence["since"]
    return {"new": since is not None and evidence["first_seen"] >= since}


def sentence(evidence: PatternEvidence) -> str:
    modules, hosts = evidence["modules"], evidence["hosts"]
    where = f" on {hosts[0]} only" if len(hosts) == 1 else f" on {len(hosts)} hosts" if hosts else ""
    text = (
        f"{counted(evidence['count'], 'failure')} of {counted(evidence['tests'], 'test')} in "
        f"{modules[0] if len(modules) == 1 else counted(len(modules), 'module')}{where}; first seen "
        f"{evidence['first_seen'][:10]}"
    )
    return f"{text} (new)." if judge(evidence)["new"] else f"{text}."
