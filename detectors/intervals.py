"""Sets of half-open spans of time, kept as sorted lists without overlap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

Interval = tuple[datetime, datetime]


def union(spans: Iterable[Interval]) -> list[Interval]:
    """Sorted, and joined where they touch or overlap; empty spans vanish."""
    joined: list[Interval] = []
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def minus(spans: Iterable[Interval], holes: Iterable[Interval]) -> list[Interval]:
    """What is in ``spans`` and in none of ``holes``."""
    left, cuts = union(spans), union(holes)
    result: list[Interval] = []
    for start, end in left:
        at = start
        for low, high in cuts:
            if high <= at or low >= end:
                continue
            if low > at:
                result.append((at, low))
            at = max(at, high)
        if at < end:
            result.append((at, end))
    return result


def meet(spans: Iterable[Interval], others: Sequence[Interval]) -> list[Interval]:
    """What is in both."""
    return union((max(a, c), min(b, d)) for a, b in spans for c, d in others if a < d and c < b)
