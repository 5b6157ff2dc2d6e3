"""Shares and counts as text, the one way in which screens, sentences and commands write them."""

from __future__ import annotations

import math


def percent_number(share: float, decimals: int = 2) -> str:
    """A share in percent, rounded half up; 100 only for all, 0 only for none: 0.99996 is 99.99."""
    scale = 10**decimals
    steps = math.floor(share * 100 * scale + 0.5 + 1e-9)
    if 0 < share < 1:
        steps = min(max(steps, 1), 100 * scale - 1)
    return f"{steps / scale:.{decimals}f}"


def percent(share: float | None) -> str:
    """In sentences: "78 %"."""
    assert share is not None  # a sentence has no share of nothing
    return f"{percent_number(share, 0)} %"


def counted(count: int, noun: str) -> str:
    """1 test, 2 tests."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
