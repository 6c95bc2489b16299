"""Posts as polygons: their masks, and which person stands at which post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, width, height; 0 … 1 of the picture."""

UPPER_PART = 0.6
"""Share of a person's box, from the top, that counts: behind a counter the lower part is hidden by the desk."""
OVERLAP = 0.4
"""Least overlap of that part with a post, relative to the smaller of the two."""


@dataclass(frozen=True)
class Post:
    """A place where somebody is expected: a simple polygon in 0 … 1 of the picture's width and height.

    ``empty`` names spans in seconds of the source's clock that are known to show nobody.
    """

    name: str
    polygon: tuple[Point, ...]
    empty: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if len(self.polygon) < 3:
            raise ValueError(
                f"post {self.name!r}: a polygon needs at least 3 corners, not {len(self.polygon)}"
            )
        if not all(np.isfinite(value) for corner in self.polygon for value in corner):
            raise ValueError(f"post {self.name!r}: a corner is not a number")
        clipped = np.clip(np.asarray(self.polygon, dtype=np.float64), 0.0, 1.0)
        if polygon_area(clipped) < 1e-5:
            raise ValueError(f"post {self.name!r}: the polygon encloses no part of the picture")
        for begin, end in self.empty:
            if not begin < end:
                raise ValueError(f"post {self.name!r}: the empty span [{begin}, {end}] has no length")

    def corners(self, width: float, height: float) -> NDArray[np.float32]:
        """Corners in pixels of a picture of that size, n × 2."""
        return np.asarray([(x * width, y * height) for x, y in self.polygon], dtype=np.float32)

    def mask(self, width: int, height: int) -> NDArray[np.bool_]:
        """Height × width, True inside; never empty."""
        plane = np.zeros((height, width), dtype=np.uint8)
        corners = np.round(self.corners(width, height) * 16).astype(np.int32)
        cv2.fillPoly(plane, [corners], 1, shift=4)
        return plane.astype(bool)


def polygon_area(corners: NDArray[np.float64]) -> float:
    """Area of a simple polygon given as n × 2 corners, by the shoelace formula."""
    x, y = corners[:, 0], corners[:, 1]
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


_GRID = 200
"""Posts are compared with boxes on a grid this wide and high: exact enough (0.5 %), right for any polygon."""


class PostMap:
    """Assigns people to posts. Each person belongs to one post only, the one its upper part overlaps best.

    Posts drawn over each other (the smaller lies at least half inside the other) are one place under several names;
    whoever stands there is at each of them.
    """

    def __init__(self, posts: Sequence[Post]) -> None:
        if not posts:
            raise ValueError("there is no post to look at")
        names = [post.name for post in posts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two posts are called {name!r}")
        self.posts = tuple(posts)
        planes = [post.mask(_GRID, _GRID) for post in posts]
        self._integrals = [cv2.integral(plane.astype(np.uint8)) for plane in planes]
        self._areas = [max(1, int(plane.sum())) for plane in planes]
        self._same_place = [
            [
                2 * int((a & b).sum()) >= min(area_a, area_b)
                for b, area_b in zip(planes, self._areas, strict=True)
            ]
            for a, area_a in zip(planes, self._areas, strict=True)
        ]

    def overlap(self, box: Box, index: int) -> float:
        """Overlap of the box's upper part with a post, 0 … 1 of the smaller of the two areas.

        Measured against the smaller, because careless operators draw posts both much tighter and much wider than a
        person; the share of the post alone never reaches 0.4 on the wide ones.
        """
        x0, x1 = (round(float(np.clip(v, 0, 1)) * _GRID) for v in (box[0], box[0] + box[2]))
        y0, y1 = (round(float(np.clip(v, 0, 1)) * _GRID) for v in (box[1], box[1] + UPPER_PART * box[3]))
        area = (x1 - x0) * (y1 - y0)
        if area <= 0:
            return 0.0
        table = self._integrals[index]
        inside = int(table[y1, x1]) - int(table[y0, x1]) - int(table[y1, x0]) + int(table[y0, x0])
        return inside / min(area, self._areas[index])

    def assign(self, boxes: Sequence[Box]) -> list[tuple[int, ...]]:
        """The posts each person is at: none, one, or several drawn over each other."""
        answer: list[tuple[int, ...]] = []
        for box in boxes:
            shares = [self.overlap(box, index) for index in range(len(self.posts))]
            best = int(np.argmax(shares))
            answer.append(
                tuple(i for i, share in enumerate(shares) if share >= OVERLAP and self._same_place[best][i])
                if shares[best] >= OVERLAP
                else ()
            )
        return answer
