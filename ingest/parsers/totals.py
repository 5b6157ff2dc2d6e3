"""A report's own totals as evidence: what it declares is compared with what was read from it.

Tools count by different conventions: attempts or tests, errors within failures, with or without skipped tests. A number
that follows one of them is no difference; any other is one, and its line has both numbers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache

JENKINS = "Jenkins"  # as the element that counts
MAX_LINES = 10  # of one report; there may be one for each of thousands of suites


@lru_cache(4096)
def count(text: str | None) -> int | None:
    """A count in an attribute; None if it is none."""
    text = (text or "").strip()
    return int(text) if len(text) < 10 and text.isdecimal() else None


def number(value: object) -> int | None:
    """A count as XML or JSON have it; None if it is none."""
    if value is None or isinstance(value, str):
        return count(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9 else None


def differences(
    declared: Mapping[str, int | None], accepted: Mapping[str, Collection[int]], element: str = ""
) -> list[str]:
    """A line for each declared number that is none of the accepted ones, the first of which is the number read.

    The measures are nouns in the plural. `element` names the element that declares them, empty for the whole report.
    """
    return [
        line(total, measure, next(iter(accepted[measure])), element)
        for measure, total in declared.items()
        if total is not None and measure in accepted and total not in accepted[measure]
    ]


def line(total: int, measure: str, read: int, element: str = "") -> str:
    """Such as "declares 3 failures, 1 was read"."""
    noun = measure.removesuffix("s") if total == 1 and measure != "passed" else measure
    have = "none was" if read == 0 else "1 was" if read == 1 else f"{read} were"
    verb = "counts" if element == JENKINS else "declares"
    return f"{element} {verb} {total} {noun}, {have} read".lstrip()


def shortened(lines: list[str]) -> list[str]:
    """At most MAX_LINES lines and how many there are besides."""
    if len(lines) <= MAX_LINES:
        return lines
    return [*lines[:MAX_LINES], f"{len(lines) - MAX_LINES} more totals differ from what was read"]
