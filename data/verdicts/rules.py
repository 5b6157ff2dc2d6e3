"""The words of design.md section 5 over one test's statuses: a literal reading of the rules.

This is the reference for whatever decides the words faster, so it is written to be checked against the rules by eye.
As the same few sequences occur over and over in a release, answers are remembered. Statuses are letters, oldest run
to newest: P passed, F failed, S skipped, K passed after a failed attempt within the same run.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby

NEW_FAILURE, REGRESSION, ALWAYS_FAILING, FLAKY, FIXED = "new_failure", "regression", "always_failing", "flaky", "fixed"

# Worst first: where only one word can be shown, it is the first of these that holds.
KINDS = (REGRESSION, NEW_FAILURE, ALWAYS_FAILING, FLAKY, FIXED)

WINDOW = 10  # runs in which the test ran
BLIP = 3  # a failing stretch shorter than this, between two passes, is a blip


@lru_cache(maxsize=16_384)
def classify(
    statuses: str, *, before: str | None = None, disagreed: tuple[bool, ...] = (), window: int = WINDOW
) -> frozenset[str]:
    """The words that hold after the newest of `statuses`; any number of them, none for a healthy test.

    Only the last `window` runs in which the test ran are judged; the status just before them counts as context: it
    can be the pass after which a failure is new, or the pass on the left of a blip. `before` is that context where
    `statuses` reaches no further back (P, F, K or None for unknown). `disagreed` says for each status whether the test
    both failed and passed in that run or on that run's commit. Raises ValueError for any other letter or length.
    """
    if set(statuses) - set("PFSK") or before not in (None, "P", "F", "K"):
        raise ValueError(f"statuses are letters P, F, S or K, not {statuses!r} after {before!r}")
    if disagreed and len(disagreed) != len(statuses):
        raise ValueError(f"{len(disagreed)} flags for {len(statuses)} statuses")
    flags = disagreed or (False,) * len(statuses)
    ran = [(status, flag or status == "K") for status, flag in zip(statuses, flags, strict=True) if status != "S"]
    context = ran[-window - 1][0] if len(ran) > window else before
    judged = ran[-window:]
    outcomes = ["F" if status == "F" else "P" for status, _ in judged]
    if not outcomes:
        return frozenset()

    known = outcomes if context is None else ["F" if context == "F" else "P", *outcomes]
    stretches = [(outcome, len(list(run))) for outcome, run in groupby(known)]
    tail, length = stretches[-1]
    after = stretches[-2][0] if len(stretches) > 1 else None
    # The first stretch has no known status on its left, the last none on its right.
    blip = any(outcome == "F" and size < BLIP for outcome, size in stretches[1:-1])

    found = set()
    if tail == "F" and after == "P":
        if length == 1:
            found.add(NEW_FAILURE)
        elif not blip or length >= BLIP:
            found.add(REGRESSION)
    if len(outcomes) > 1 and "P" not in outcomes:
        found.add(ALWAYS_FAILING)
    if blip or any(flag for _, flag in judged):
        found.add(FLAKY)
    if tail == "P" and after == "F" and length == 1:
        found.add(FIXED)
    return frozenset(found)


def worst_kind(found: frozenset[str] | set[str]) -> str | None:
    """The word to show where there is room for one; None where none holds."""
    return next((word for word in KINDS if word in found), None)
