"""A test that fails more often than it did: Fisher's exact test, with floors, corrected for the number of tests."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple, TypedDict

import numpy as np

from data.answers.evidence import Claimed, RateEvidence, RateSide
from data.answers.statistics import RateOf
from data.number_text import percent
from data.verdicts.evidence.rates import number, rate
from data.verdicts.statistics.fisher import FisherOutcome, Rules, compare

# How a regression is judged everywhere: Sippy's rules, and a correction that allows for a coarse p with few failures.
FISHER = Rules(correction="discrete")
CLAIMS: tuple[Claimed, ...] = ("confirmed", "suspected", "required")


class Cutoffs(NamedTuple):
    """The largest p that is confirmed, and that keeps an open regression open."""

    cut: float | None
    cut_open: float | None


class RateFinding(TypedDict):
    claim: Claimed | None
    extreme: bool
    opened: bool
    p: float | None
    base: RateOf
    sample: RateOf


def p_cutoffs(p: np.ndarray, q: np.ndarray) -> Cutoffs:
    """The largest p that is confirmed, and that keeps an open regression open: q rises with p, so these stand for the
    whole correction in the evidence of one test."""
    levels = (FISHER.confidence, FISHER.confidence - FISHER.open_confidence)
    return Cutoffs(*(_largest(p[q < 1 - confidence / 100]) for confidence in levels))


def _largest(p: np.ndarray) -> float | None:
    return float(p.max()) if len(p) else None


def judge(evidence: RateEvidence) -> RateFinding:
    base, sample, opened = evidence["base"], evidence["sample"], evidence["opened"]
    counts = (base["failed"], base["of"], sample["failed"], sample["of"])
    p, alone = _alone(*counts, opened=False)
    _, held = _alone(*counts, opened=opened)
    cut = evidence["cut_open"] if opened else evidence["cut"]
    # Without a base, a test is compared with a required pass rate, without a test of significance.
    kept, suspected = held <= FisherOutcome.REGRESSION, alone <= FisherOutcome.REGRESSION
    claim: Claimed | None
    if p is None:
        claim = "required" if kept else None
    else:
        claim = "confirmed" if kept and cut is not None and p <= cut else "suspected" if suspected else None
    return {
        "claim": claim,
        "extreme": held == FisherOutcome.EXTREME_REGRESSION,
        "opened": opened,
        "p": p,
        "base": _with_rate(base),
        "sample": _with_rate(sample),
    }


def _with_rate(side: RateSide) -> RateOf:
    return {"release": side["release"], **rate(side["failed"], side["of"])}


@lru_cache(maxsize=16_384)
def _alone(*counts: int, opened: bool) -> tuple[float | None, int]:
    """(p, FisherOutcome) of one test by itself, as if no others were compared."""
    found = compare(*counts, opened=opened, rules=replace(FISHER, correction="none"))
    return number(found.p[0]), int(found.status[0])


def sentence(evidence: RateEvidence) -> str:
    found = judge(evidence)
    base, sample = found["base"], found["sample"]
    low, high = (percent(end) for end in sample["interval_95"])
    text = (
        f"Failed {sample['failed']} of {sample['of']} runs in {sample['release']} "
        f"({percent(sample['rate'])}, 95 %: {low} to {high})"
    )
    if found["p"] is None:
        return f"{text}; new tests must pass at least {percent(FISHER.required_new / 100)}."
    before = f"in {base['release']}" if base["release"] != sample["release"] else "before"
    text += f", {before} {base['failed']} of {base['of']} ({percent(base['rate'])}). p = {found['p']:.2g}"
    if found["claim"] == "confirmed":
        return f"{text}, confirmed across all tests" + ("; already open before." if found["opened"] else ".")
    return f"{text}, not confirmed: may be chance."
