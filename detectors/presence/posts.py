"""Posts as polygons: their masks, and which person stands at which post."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.assignment import best_assignment

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

    ``empty`` names spans in seconds of the source's clock that are known to show nobody. ``public`` is the side on which
    citizens wait, ``required`` how many people the post needs.
    """

    name: str
    polygon: tuple[Point, ...]
    empty: tuple[tuple[float, float], ...] = ()
    public: tuple[Point, ...] | None = None
    required: int = 1

    def __post_init__(self) -> None:
        if self.public is not None:
            Post(f"public side of {self.name}", self.public)
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


NESTED = 0.75
"""Share of the smaller of two boxes inside the other from which on they may be one person found twice."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a person is: at ``posts`` (none, one, or several drawn over each other) or at the public side of ``public``.

    ``counts``: no better box of the same picture may be the same person.
    """

    posts: tuple[int, ...] = ()
    public: tuple[int, ...] = ()
    counts: bool = True


class PostMap:
    """Assigns people to posts. Each person belongs to one place only: a post, or the public side of one.

    Where two people compete, the posts' seats are filled so that the sum is best: of two clerks who both lean towards one
    post, one is at the next if he can be. Posts drawn over each other (the smaller lies at least half inside the other) are
    one place under several names; whoever stands there is at each of them.
    """

    def __init__(self, posts: Sequence[Post]) -> None:
        if not posts:
            raise ValueError("there is no post to look at")
        names = [post.name for post in posts]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two posts are called {name!r}")
        self.posts = tuple(posts)
        staff = [_Area.of(post) for post in posts]
        self._staff = staff
        self._public = [_Area.of(Post(post.name, post.public)) if post.public else None for post in posts]
        self._same_place = [[2 * a.shared(b) >= min(a.size, b.size) for b in staff] for a in staff]
        self._seats = [index for index, post in enumerate(posts) for _ in range(post.required)]

    def overlap(self, box: Box, index: int) -> float:
        """Overlap of the box's upper part with a post, 0 … 1 of the smaller of the two areas."""
        return self._staff[index].overlap(box)

    def assign(self, boxes: Sequence[Box]) -> list[tuple[int, ...]]:
        """The posts each person is at: none, one, or several drawn over each other."""
        return [place.posts for place in self.places(boxes)]

    def places(self, boxes: Sequence[Box], scores: Sequence[float] | None = None) -> list[Place]:
        """Where each person is. ``scores``: how sure each is (default: all alike); a doubtful one displaces nobody."""
        scores = [1.0] * len(boxes) if scores is None else scores
        shares = [[area.overlap(box) for area in self._staff] for box in boxes]
        waiting = [self._waits(box, max(row)) for box, row in zip(boxes, shares, strict=True)]
        counts = _distinct(boxes, scores)
        # A box inside a better one may be half of the same person: it must not fill the next post as a second one.
        seated = [i for i, public in enumerate(waiting) if not public and counts[i]]
        gains = [
            [
                scores[i] * share if share >= OVERLAP else 0.0
                for share in (shares[i][seat] for seat in self._seats)
            ]
            for i in seated
        ]
        seats = dict(zip(seated, best_assignment(gains), strict=True))
        answer: list[Place] = []
        for i, row in enumerate(shares):
            if waiting[i]:
                answer.append(Place((), waiting[i], counts[i]))
                continue
            seat = seats.get(i)
            # Whoever got no seat is one more at the post he overlaps best.
            best = int(np.argmax(row)) if seat is None else self._seats[seat]
            posts = (
                tuple(j for j, share in enumerate(row) if share >= OVERLAP and self._same_place[best][j])
                if row[best] >= OVERLAP
                else ()
            )
            answer.append(Place(posts, (), counts[i]))
        return answer

    def _waits(self, box: Box, staff: float) -> tuple[int, ...]:
        """The public sides a person is at, if more there than at any post."""
        shares = [area.overlap(box) if area is not None else 0.0 for area in self._public]
        best = max(shares)
        if best < OVERLAP or best <= staff:
            return ()
        # Neighbouring windows may share the floor before them.
        return tuple(index for index, share in enumerate(shares) if share >= OVERLAP)


@dataclass(frozen=True, eq=False)
class _Area:
    """A polygon on the grid."""

    plane: NDArray[np.bool_]
    table: NDArray[np.int32]
    size: int

    @classmethod
    def of(cls, post: Post) -> _Area:
        plane = post.mask(_GRID, _GRID)
        return cls(plane, np.asarray(cv2.integral(plane.astype(np.uint8))), max(1, int(plane.sum())))

    def shared(self, other: _Area) -> int:
        return int((self.plane & other.plane).sum())

    def overlap(self, box: Box) -> float:
        """Of the box's upper part, relative to the smaller of the two areas.

        Measured against the smaller, because careless operators draw posts both much tighter and much wider than a
        person; the share of the post alone never reaches 0.4 on the wide ones.
        """
        x0, x1 = (round(min(max(v, 0.0), 1.0) * _GRID) for v in (box[0], box[0] + box[2]))
        y0, y1 = (round(min(max(v, 0.0), 1.0) * _GRID) for v in (box[1], box[1] + UPPER_PART * box[3]))
        area = (x1 - x0) * (y1 - y0)
        if area <= 0:
            return 0.0
        table = self.table
        inside = int(table[y1, x1]) - int(table[y0, x1]) - int(table[y1, x0]) + int(table[y0, x0])
        return inside / min(area, self.size)


def _distinct(boxes: Sequence[Box], scores: Sequence[float]) -> list[bool]:
    """Which boxes lie in no better one of the same picture."""
    order = sorted(range(len(boxes)), key=lambda i: -scores[i])
    return [not any(_nested(boxes[i], boxes[j]) for j in order[: order.index(i)]) for i in range(len(boxes))]


def _nested(a: Box, b: Box) -> bool:
    across = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    down = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    smaller = min(a[2] * a[3], b[2] * b[3])
    return across > 0 and down > 0 and across * down >= NESTED * smaller
