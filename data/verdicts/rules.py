"""What decides the verdict kinds of a test, flaky among them: the rules over its statuses, and nothing else.

A test is **flaky** if, in its window, it had a blip (fewer than BLIP_LIMIT failures in a row between two passes), or
failed and passed within one run (`K`: a rerun passed), or failed and passed on one commit. This module decides all of
it from the statuses and the `disagreed` flags; the runs with a same-commit disagreement are found by
`same_commit_disagreements` (data/verdicts/status_masks.py). The flip score (data/verdicts/statistics/flips.py) only
ranks tests that are flaky already.

Statuses are letters, oldest run first: P passed, F failed, S skipped or did not run, K passed after a failed attempt
in the same run. The code is a literal reading of docs/verdicts.md; as a release repeats the same few sequences, answers
are cached.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Final

from data.answers.base import VerdictKind

NEW_FAILURE: Final = "new_failure"
REGRESSION: Final = "regression"
ALWAYS_FAILING: Final = "always_failing"
FLAKY: Final = "flaky"
FIXED: Final = "fixed"

# Worst first: a list that shows one kind per test shows the first of these.
KINDS: tuple[VerdictKind, ...] = (REGRESSION, NEW_FAILURE, ALWAYS_FAILING, FLAKY, FIXED)

WINDOW = 10  # runs in which the test ran
BLIP_LIMIT = 3  # this many failures in a row are a breakage; fewer, between two passes, are a blip


@lru_cache(maxsize=16_384)
def classify(
    statuses: str, *, before: str | None = None, disagreed: tuple[bool, ...] = (), window: int = WINDOW
) -> frozenset[VerdictKind]:
    """Return the verdict kinds after the newest of `statuses`; empty for a healthy test.

    Only the last `window` runs in which the test ran count. The status just before them is context: the pass after
    which a failure is new, or the pass to the left of a blip. `before` is that context if `statuses` reaches no further
    back (P, F, K or None for unknown). `disagreed` has one flag per status: the test both failed and passed in that run
    or on that run's commit. Raises ValueError for any other letter or length.
    """
    _check(statuses, before, disagreed)
    if disagreed:
        ran = [(status, flag) for status, flag in zip(statuses, disagreed, strict=True) if status != "S"]
        disagreement = any(flag for _, flag in ran[-window:])
        results = "".join([status for status, _ in ran])
    else:
        disagreement = False
        results = statuses.replace("S", "")
    if not results:
        return frozenset()
    context = results[-window - 1] if len(results) > window else before or ""
    in_window = results[-window:]
    outcomes = (context + in_window).replace("K", "P")
    stretches = [(outcome, len(list(group))) for outcome, group in groupby(outcomes)]
    # The first stretch has no known status to its left, the last none to its right.
    blip = any(outcome == "F" and length < BLIP_LIMIT for outcome, length in stretches[1:-1])

    kinds: set[VerdictKind] = set()
    if newest := _newest_change(stretches, blip):
        kinds.add(newest)
    if len(in_window) > 1 and in_window.count("F") == len(in_window):
        kinds.add(ALWAYS_FAILING)
    if blip or disagreement or "K" in in_window:
        kinds.add(FLAKY)
    return frozenset(kinds)


def _check(statuses: str, before: str | None, disagreed: tuple[bool, ...]) -> None:
    if statuses.strip("PFSK") or before not in (None, "P", "F", "K"):
        raise ValueError(f"statuses are letters P, F, S or K, not {statuses!r} after {before!r}")
    if disagreed and len(disagreed) != len(statuses):
        raise ValueError(f"{len(disagreed)} flags for {len(statuses)} statuses")


def _newest_change(stretches: Sequence[tuple[str, int]], blip: bool) -> VerdictKind | None:
    """The kind of the last of the stretches (outcome, length), whose outcomes alternate between P and F."""
    if len(stretches) < 2:
        return None
    outcome, length = stretches[-1]
    if outcome == "P":
        return FIXED if length == 1 else None
    if length == 1:
        return NEW_FAILURE
    return REGRESSION if length >= BLIP_LIMIT or not blip else None


def worst_kind(kinds: frozenset[VerdictKind] | set[VerdictKind]) -> VerdictKind | None:
    """The worst of these kinds; None if there are none."""
    return next((kind for kind in KINDS if kind in kinds), None)
