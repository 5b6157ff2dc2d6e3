"""How sure a printed rate is: no rate is shown without its interval."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri


def wilson(hits: ArrayLike, total: ArrayLike, confidence: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """The Wilson score interval of hits/total, element by element: (low, high), both in 0..1.

    With no trials nothing is known: (0, 1). Source: E. B. Wilson, "Probable inference, the law of succession, and
    statistical inference", JASA 22 (1927).
    """
    hits, total = np.asarray(hits, dtype=float), np.asarray(total, dtype=float)
    if np.any((hits < 0) | (hits > total)):
        raise ValueError("hits must lie between 0 and total")
    z2 = ndtri(0.5 + confidence / 2) ** 2
    # Over hits + misses + z² instead of over rates, so that total = 0 needs no case of its own.
    centre = (hits + z2 / 2) / (total + z2)
    half = np.sqrt(z2 * (hits * (total - hits) / np.maximum(total, 1) + z2 / 4)) / (total + z2)
    low = np.where(hits == 0, 0.0, centre - half)
    high = np.where(hits == total, 1.0, centre + half)
    return low, high
