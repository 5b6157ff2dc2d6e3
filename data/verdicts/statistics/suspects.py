"""Which change broke a test: the posterior over the changes between the last good and the first bad build.

Source: T. Henderson et al., "Flake aware culprit finding" (ICST 2023). There reruns are planned to learn more; here
every build that was stored anyway is an observation, and nothing is rerun.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike

# Real builds do what cannot be (pass with the culprit in, fail without one): certainty stops short of 0 and 1.
_MIN_RATE = 1e-6


def posterior(
    suspects: int,
    observations: Iterable[tuple[int, bool]],
    flake_rate: float,
    *,
    break_rate: float = 1.0,
    weights: ArrayLike | None = None,
) -> np.ndarray:
    """Return P(suspect i is the culprit) for each suspect, oldest first, and as the last element P(none is: flaky).

    An observation is (k, failed): a build with the oldest k suspects in it, 0 <= k <= suspects, any order, as many as
    there are. A build without the culprit fails with `flake_rate`, one with it with `break_rate` (1 in the paper; the
    rate after the change for a test that only fails at times). `weights` are relative prior chances, of the suspects
    and of none (suspects + 1 of them); equal if not given. Raises ValueError for values out of range.
    """
    counts = np.zeros((suspects + 1, 2))
    for included, failed in observations:
        if not 0 <= included <= suspects:
            raise ValueError(f"a build holds 0 to {suspects} suspects, not {included}")
        counts[included, int(failed)] += 1
    prior = np.ones(suspects + 1) if weights is None else np.asarray(weights, dtype=float)
    if prior.shape != (suspects + 1,) or np.any(prior < 0) or not prior.sum() or not 0 <= flake_rate < break_rate <= 1:
        raise ValueError("suspects + 1 weights >= 0 and 0 <= flake rate < break rate <= 1 are needed")

    # Columns: the rates without and with the culprit.
    rates = np.clip([flake_rate, break_rate], _MIN_RATE, 1 - _MIN_RATE)
    sound, broken = (counts @ np.log([1 - rates, rates])).T
    # Suspect i is out of the builds below i and in those from i on.
    until, since = np.cumsum(sound)[:-1], np.cumsum(broken[::-1])[::-1][1:]
    with np.errstate(divide="ignore"):
        chance = np.log(prior) + np.append(until + since, sound.sum())
    likelihood: np.ndarray = np.exp(chance - chance.max())
    return np.asarray(likelihood / likelihood.sum())


def rank(chances: ArrayLike) -> list[int]:
    """Return the suspects (0-based, oldest first), likeliest first; the last element of `chances` (none) is not ranked.

    Of equally likely suspects the older comes first.
    """
    order: list[int] = np.argsort(-np.asarray(chances)[:-1], kind="stable").tolist()
    return order
