"""Intervals of a share: how far "9 of 10" may lie from the truth.

Wilson, E. B. (1927), JASA 22, 209–212; Clopper, C. J., Pearson, E. S. (1934), Biometrika 26, 404–413. Held to the worked
examples of Newcombe, R. G. (1998), Statistics in Medicine 17, 857–872, table I, by tests/detectors/test_confidence.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist


def wilson(share: float, sample: float, confidence: float = 0.95) -> tuple[float, float] | None:
    """The score interval, without continuity correction; None without a sample.

    Args:
        share: 0–1.
        sample: how many; an effective number (of weighted answers) may be broken.
    """
    if sample <= 0:
        return None
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    middle = share + z * z / (2 * sample)
    spread = z * math.sqrt(share * (1 - share) / sample + z * z / (4 * sample * sample))
    size = 1 + z * z / sample
    return max(0.0, (middle - spread) / size), min(1.0, (middle + spread) / size)


def clopper_pearson(good: int, sample: int, confidence: float = 0.95) -> tuple[float, float] | None:
    """The exact interval: never covers less than it says; None without a sample."""
    if sample <= 0:
        return None
    tail = (1 - confidence) / 2
    low = 0.0 if good == 0 else _where(lambda p: 1 - _at_most(good - 1, sample, p) >= tail)
    high = 1.0 if good == sample else _where(lambda p: _at_most(good, sample, p) <= tail)
    return low, high


def _at_most(good: int, sample: int, share: float) -> float:
    """P(X ≤ good), X binomial."""
    if share <= 0:
        return 1.0
    if share >= 1:
        return 1.0 if good >= sample else 0.0
    yes, no = math.log(share), math.log1p(-share)
    whole = math.lgamma(sample + 1)
    terms = (
        math.exp(whole - math.lgamma(k + 1) - math.lgamma(sample - k + 1) + k * yes + (sample - k) * no)
        for k in range(good + 1)
    )
    return min(1.0, math.fsum(terms))


def _where(reached: Callable[[float], bool]) -> float:
    """The share from which on ``reached`` holds, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return (low + high) / 2


__all__ = ["clopper_pearson", "wilson"]
