"""Areas in a camera's picture: polygons of corners in 0–1 of its width and height. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Corner = tuple[float, float]
_LINES = 256
"""Lines of the picture on which areas are measured: exact to half a percent, and right for any simple polygon."""


def fault_of(polygon: Sequence[Corner]) -> str | None:
    """Why the polygon is no area of the picture, in words, or None."""
    for number, (x, y) in enumerate(polygon, start=1):
        if not (0 <= x <= 1 and 0 <= y <= 1):
            return f"corner {number} ({x:g}, {y:g}) lies outside the picture; corners are parts of it, from 0 to 1"
    corners = _open(polygon)
    if len(corners) < 3:
        return "fewer than 3 different corners"
    edges = list(pairwise([*corners, corners[0]]))
    for i, one in enumerate(edges):
        for j in range(i + 2, len(edges)):
            if (i, j) != (0, len(edges) - 1) and _cross(*one, *edges[j]):
                return f"the edges after corners {i + 1} and {j + 1} cross each other"
    if area_of(corners) < 1e-5:
        return "encloses no part of the picture"
    return None


def area_of(polygon: Sequence[Corner]) -> float:
    """Share of the picture inside a simple polygon."""
    return abs(sum(ax * by - bx * ay for (ax, ay), (bx, by) in pairwise([*polygon, polygon[0]]))) / 2


def overlap_of(one: Sequence[Corner], other: Sequence[Corner]) -> float:
    """What two simple polygons share, 0–1 of the picture."""
    top = max(min(y for _, y in one), min(y for _, y in other))
    bottom = min(max(y for _, y in one), max(y for _, y in other))
    left = max(min(x for x, _ in one), min(x for x, _ in other))
    right = min(max(x for x, _ in one), max(x for x, _ in other))
    if top >= bottom or left >= right:
        return 0.0
    step = (bottom - top) / _LINES
    shared = 0.0
    for line in range(_LINES):
        y = top + (line + 0.5) * step
        shared += sum(
            max(0.0, min(b, d) - max(a, c)) for a, b in _inside(one, y) for c, d in _inside(other, y)
        )
    return shared * step


def _inside(polygon: Sequence[Corner], y: float) -> list[tuple[float, float]]:
    """From where to where a line of the picture runs inside."""
    hits = sorted(
        ax + (y - ay) * (bx - ax) / (by - ay)
        for (ax, ay), (bx, by) in pairwise([*polygon, polygon[0]])
        if (ay <= y) != (by <= y)
    )
    return list(zip(hits[::2], hits[1::2], strict=True))


def _open(polygon: Sequence[Corner]) -> list[Corner]:
    """Without a corner that stands twice in a row (some tools repeat the first one at the end)."""
    kept = [
        corner for before, corner in pairwise([None, *polygon]) if corner is not None and corner != before
    ]
    return kept[:-1] if len(kept) > 1 and kept[0] == kept[-1] else kept


def _cross(a: Corner, b: Corner, c: Corner, d: Corner) -> bool:
    def side(p: Corner, q: Corner, r: Corner) -> float:
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return side(a, b, c) * side(a, b, d) < 0 and side(c, d, a) * side(c, d, b) < 0
