"""Seeing without a model: compare each post with pictures of it empty.

The measure is the normalised correlation of log-high-pass pictures. It sees that the view changed, not that a person is
there: an object that never moves is answered with "unknown", and so is everything before an empty picture is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.empty_scene import DWELL, SceneMemory
from detectors.presence.look import Look
from detectors.presence.picture import Picture, Plane, Shift, relief, shifted, similarity
from detectors.presence.posts import Post

ENTER, LEAVE = 0.15, 0.10
"""Share of the post that differs from its empty picture: at ENTER somebody is there, at LEAVE nobody."""
DIFFERENT = 0.5
MOTION_LEVELS, MOTION_SHARE = 10.0, 0.015
OBJECT_SPAN, OBJECT_LOOKS, OBJECT_MOVES = 90.0, 20, 3
"""What has moved in fewer than 3 of at least 20 looks over 90 s is a thing, not a person."""
PASSING = 0.6
"""Seconds for which somebody who has just appeared may be only walking through; looks that are further apart do not ask."""
MOST_REFERENCES = 6
_CLIPPED = 252.0
_LEAST_USABLE = 0.3
_LEAST_SIDE = 40.0
_LEAST_PIXELS = 150


@dataclass(eq=False)
class _View:
    """What the method keeps about one post."""

    post: Post
    memory: SceneMemory
    references: list[Plane] = field(default_factory=list)
    given: bool = False
    occupied: bool | None = None
    occupied_looks: deque[tuple[float, bool]] = field(default_factory=deque)
    came_at: float | None = None
    looked_at: float | None = None
    before: Plane | None = None


class EmptyPostCorrelation:
    """Compares posts with their empty pictures.

    Empty pictures come, in this order, from :meth:`learn_empty` (somebody who knows says so), from the spans that a post
    names as empty, or from a scene that returns unchanged and unmoved after somebody stood in it.
    """

    name = "correlation"

    def __init__(self, posts: Sequence[Post], dwell: float = DWELL) -> None:
        self._views = [_View(post, SceneMemory(dwell)) for post in posts]

    def learn_empty(self, picture: Picture, index: int, shift: Shift = (0.0, 0.0)) -> None:
        """Takes the picture as one of post ``index`` with nobody there."""
        view = self._views[index]
        if not view.given:
            view.references.clear()
            view.given = True
        if len(view.references) < MOST_REFERENCES:
            view.references.append(_Region(view.post, picture, shift).relief)

    def look(self, picture: Picture, shift: Shift = (0.0, 0.0)) -> Sequence[Look]:
        return [self._look(index, view, picture, shift) for index, view in enumerate(self._views)]

    def _look(self, index: int, view: _View, picture: Picture, shift: Shift) -> Look:
        region = _Region(view.post, picture, shift)
        if region.pixels < _LEAST_PIXELS:
            return Look(None, 0.0, "too_small")
        if any(begin <= picture.t <= end for begin, end in view.post.empty) and len(view.references) < 3:
            self.learn_empty(picture, index, shift)
        moved = self._note_motion(view, region)
        if not view.given:
            learned = view.memory.step(region.relief, region.share, moved, picture.t)
            if learned is not None and len(view.references) < MOST_REFERENCES:
                view.references.append(learned)
        if not view.references:
            return Look(None, 0.0, "learning")
        shares = [region.share(reference) for reference in view.references]
        known = [share for share in shares if share is not None]
        if not known:
            return Look(None, 0.0, "low_score")
        return self._answer(view, min(known), moved, picture.t)

    def _answer(self, view: _View, score: float, moved: bool, t: float) -> Look:
        if score >= ENTER:
            if view.occupied is False and view.looked_at is not None and t - view.looked_at <= PASSING:
                view.came_at = t
            view.occupied = True
        elif score <= LEAVE or view.occupied is None:
            view.occupied = False
        view.looked_at = t
        if not view.occupied:
            view.came_at = None
            view.occupied_looks.clear()
            return Look(False, score)
        looks = view.occupied_looks
        looks.append((t, moved))
        if view.came_at is not None and t - view.came_at < PASSING:
            return Look(None, score, "passing")
        while len(looks) > OBJECT_LOOKS and looks[1][0] <= t - OBJECT_SPAN:
            looks.popleft()
        watched = len(looks) >= OBJECT_LOOKS and t - looks[0][0] >= OBJECT_SPAN
        if watched and sum(moves for _, moves in looks) < OBJECT_MOVES:
            return Look(None, score, "object")
        return Look(True, score)

    def _note_motion(self, view: _View, region: _Region) -> bool:
        moved = False
        if view.before is not None and view.before.shape == region.grey.shape:
            change = region.grey - view.before
            change -= np.median(change)
            moved = float((np.abs(change)[region.mask] > MOTION_LEVELS).mean()) > MOTION_SHARE
        view.before = region.grey
        return moved


class _Region:
    """A post cut out of a picture at a scale that leaves it at least 40 pixels on its shorter side, if it has them."""

    def __init__(self, post: Post, picture: Picture, shift: Shift) -> None:
        corners = post.corners(picture.small.shape[1], picture.small.shape[0])
        low, high = corners.min(axis=0), corners.max(axis=0)
        side = float((high - low).min())
        finest = picture.width / picture.small.shape[1]
        scale = float(np.clip(_LEAST_SIDE / max(side, 1.0), 1.0, max(1.0, finest)))
        if scale > 1.05:
            size = (round(picture.small.shape[1] * scale), round(picture.small.shape[0] * scale))
            grey = np.asarray(cv2.resize(picture.grey, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
        else:
            scale, grey = 1.0, picture.small
        grey = shifted(grey, (shift[0] * scale, shift[1] * scale))
        height, width = grey.shape
        margin = 16
        x0, y0 = np.maximum(0, np.floor(low * scale) - margin).astype(int)
        x1, y1 = np.minimum([width, height], np.ceil(high * scale) + margin).astype(int)
        self.grey: Plane = np.ascontiguousarray(grey[y0:y1, x0:x1])
        self.relief: Plane = relief(self.grey)
        inside = post.mask(width, height)[y0:y1, x0:x1]
        self.pixels = int(inside.sum())
        # A clipped pixel has lost what it looked like; it can prove nothing.
        self.mask: NDArray[np.bool_] = inside & (self.grey < _CLIPPED) & (self.grey > 0.5)

    def share(self, reference: Plane) -> float | None:
        """Share of the post that does not look like the reference, or None if too little of it can be judged."""
        if reference.shape != self.relief.shape or self.mask.sum() < _LEAST_USABLE * self.pixels:
            return None
        z = similarity(reference, self.relief)
        return float((z[self.mask] < DIFFERENT).mean())
