"""Numbers as evidence has them: rates with their intervals, and NaN as None."""

from __future__ import annotations

import math
from functools import lru_cache

from data.answers.evidence import FailureRate
from data.verdicts.statistics.intervals import wilson


def rate(failed: int, total: int) -> FailureRate:
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
    return None if math.isnan(value) else float(value)
