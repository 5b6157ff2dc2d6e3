"""How evidence prints numbers: rates with their intervals, shares, counts."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from data.verdicts.statistics.intervals import wilson

Evidence = dict[str, Any]


def rate(failed: int, total: int) -> dict[str, Any]:
    """A failure rate as all evidence has it: the counts, the rate and its Wilson 95 % interval."""
    return {
        "failed": failed,
        "of": total,
        "rate": failed / total if total else None,
        "interval_95": list(interval(failed, total)),
    }


@lru_cache(maxsize=4096)
def interval(hits: int, total: int) -> tuple[float, float]:
    low, high = wilson(hits, total)
    return float(low), float(high)


def number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
