"""A report's own totals as evidence: what it declares is compared with what was read from it.

Tools count by different conventions: attempts or tests, errors within failures, with or without skipped tests. A number
that follows one of them is no difference; any other is one, and its line has both numbers. Results are missing where
more were declared than read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

JENKINS = "Jenkins"  # as the element that counts
MAX_LINES = 10  # of one report; there may be one for each of thousands of suites
_FAILURES = ("failures", "errors")  # tools count one as the other
_STATUSES = ("passed", *_FAILURES, "skipped tests")


class Difference(NamedTuple):
    """A declared number that differs from the number read. `element` declares it, empty: the whole report."""

    measure: str  # a noun in the plural
    declared: int
    read: int
    element: str = ""
    is_explained: bool = False  # more is declared, but a failed result or a quirk of the tool explains it

    def __str__(self) -> str:
        """Such as "declares 3 failures, 1 was read"."""
        singular = self.declared == 1 and self.measure != "passed"
        noun = self.measure.removesuffix("s") if singular else self.measure
        have = "none was" if self.read == 0 else "1 was" if self.read == 1 else f"{self.read} were"
        verb = "counts" if self.element == JENKINS else "declares"
        return f"{self.element} {verb} {self.declared} {noun}, {have} read".lstrip()

    @property
    def numbers(self) -> tuple[str, int, int]:
        """What it is about without the element: the sums of outer elements repeat those of inner ones."""
        return self[:3]


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
) -> list[Difference]:
    """The declared numbers that are none of the accepted ones, the first of which is the number read."""
    return [
        Difference(measure, total, next(iter(accepted[measure])), element)
        for measure, total in declared.items()
        if total is not None and measure in accepted and total not in accepted[measure]
    ]


def shortfalls(found: Iterable[Difference], earlier_attempts: int = 0) -> list[Difference]:
    """Those of a report's differences by which results are missing: it declares more tests than were read, or more
    failures and errors together. Where only the statuses of tests are declared, their sum counts.

    One suite may declare what was read in another. Earlier attempts may be declared, and errors as failures.
    """
    found = [one for one in found if not one.is_explained]
    groups = [("tests",), _FAILURES]
    if any(one.measure == "passed" for one in found):  # such as Robot's statistics, which have no total
        groups.append(_STATUSES)
    for group in groups:
        differing = [one for one in found if one.measure in group]
        if sum(one.declared - one.read for one in differing) > earlier_attempts:
            return [one for one in differing if one.declared > one.read]
    return []


def shortened(found: Sequence[Difference]) -> list[str]:
    """At most MAX_LINES lines and how many there are besides."""
    lines = [str(one) for one in found[:MAX_LINES]]
    if len(found) > MAX_LINES:
        lines.append(f"{len(found) - MAX_LINES} more totals differ from what was read")
    return lines
