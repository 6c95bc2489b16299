"""When the person detector has to be asked, and when what it said last still holds.

A post that looks as it did when the detector was asked need not be asked about again; nor, for a while, one at which the
detector saw somebody and which is still unlike its empty picture: whoever works there moves all the time. Everything else
is asked at once, above all every change towards an empty post. An answer is never kept longer than ``longest``, counted
from the picture it was given on, and a doubt is not kept at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.asking import Asking
from detectors.presence.correlation import EmptyPostCorrelation
from detectors.presence.look import Look
from detectors.presence.person_detector import DOUBT_SCORE, PersonDetector
from detectors.presence.picture import Picture, Plane, Shift, alike, shifted
from detectors.presence.posts import Post

LIKE, LEVELS = 0.5, 14.0
"""A pixel has changed where its surroundings correlate less than this, or its level by more (the common change aside)."""
CHANGED = 0.02
"""Share of the post's pixels from which on its view has changed …"""
SPOT, FULL = 9, 0.6
"""… or that part of any square of SPOT pixels of the reduced picture: noise is scattered, a head far away is not."""
MARGIN = 6
"""Pixels of the reduced picture around a post that count as well: a head above the edge of the polygon."""
SURE_LOOKS = 5
"""A post the detector called empty without any doubt in so many looks running is shown to the other method as empty."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer, with the view and the moment it was given on."""

    look: Look
    t: float
    grey: Plane
    relief: Plane


class DetectorByCadence:
    """The person detector and the comparison with empty pictures, together. Where both speak, the detector wins.

    Args:
        longest: seconds for which an answer is kept at most while the view is the same.
        settled: the same for somebody who moves about at his post; 0 asks at every change, and needs no comparison.
    """

    name = "detector"

    def __init__(
        self,
        posts: Sequence[Post],
        detector: PersonDetector,
        correlation: EmptyPostCorrelation,
        *,
        longest: float,
        settled: float = 0.0,
    ) -> None:
        self.asked = self.looked = 0
        """Looks at which the detector was asked, and all looks."""
        self._detector = detector
        self._correlation = correlation
        self._longest = longest
        self._settled = settled
        self._regions = [_Region(post) for post in posts]
        self._kept: list[_Kept | None] = [None] * len(posts)
        self._sure = [0] * len(posts)
        self._taught = [False] * len(posts)

    def forget(self) -> None:
        """What was seen before a time in which nothing could be seen holds no longer."""
        self._kept = [None] * len(self._kept)

    def looking(self, picture: Picture, shift: Shift, nobody: bool = False) -> Asking[Sequence[Look]]:
        """One look at every post. ``nobody``: by the calendar nobody can be there now."""
        self.looked += 1
        grey, relief = shifted(picture.small, shift), shifted(picture.relief, shift)
        views = [(region.cut(grey), region.cut(relief)) for region in self._regions]
        compared = self._compare(picture, shift, nobody)
        kept = [self._holds(index, picture.t, view, compared[index]) for index, view in enumerate(views)]
        looks: Sequence[Look] = [look for look in kept if look is not None]
        if len(looks) == len(kept):
            self._detector.stay(picture.t)
        else:
            self.asked += 1
            looks = yield from self._detector.looking(picture, shift)
            if any(look.reason == "late_detector" for look in looks):
                # It did not answer: the other method's word counts, where it has one.
                return [
                    other if other.seen is not None else look
                    for look, other in zip(looks, compared, strict=True)
                ]
            for index, (look, view) in enumerate(zip(looks, views, strict=True)):
                self._kept[index] = _Kept(look, picture.t, *view) if look.seen is not None else None
        for index, look in enumerate(looks):
            self._teach(index, look, compared[index], picture, shift)
        return looks

    def _compare(self, picture: Picture, shift: Shift, nobody: bool) -> Sequence[Look]:
        if self._settled <= 0:
            return [Look(None, 0.0, "learning") for _ in self._kept]
        return self._correlation.look(picture, shift, nobody)

    def _holds(self, index: int, t: float, view: tuple[Plane, Plane], compared: Look) -> Look | None:
        """The kept answer, if it may still be given."""
        kept = self._kept[index]
        if kept is None or not 0 <= t - kept.t < self._longest or kept.grey.shape != view[0].shape:
            return None
        if kept.look.seen and compared.seen and t - kept.t < self._settled:
            return kept.look
        return None if self._regions[index].changed((kept.grey, kept.relief), view) else kept.look

    def _teach(self, index: int, look: Look, compared: Look, picture: Picture, shift: Shift) -> None:
        """Shows the other method what the post looks like empty, once the detector is sure of it."""
        sure = look.seen is False and look.score < DOUBT_SCORE / 2
        self._sure[index] = self._sure[index] + 1 if sure else 0
        if self._sure[index] >= SURE_LOOKS and compared.reason == "learning" and not self._taught[index]:
            self._taught[index] = True
            self._correlation.learn_empty(picture, index, shift, why="detector")


class _Region:
    """A post and a little around it, in the reduced picture."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._shape: tuple[int, int] | None = None
        self._window: tuple[slice, slice] = (slice(0), slice(0))
        self._mask: NDArray[np.bool_] = np.zeros((0, 0), dtype=bool)

    def cut(self, plane: Plane) -> Plane:
        height, width = plane.shape
        if self._shape != (height, width):
            self._shape = (height, width)
            corners = self._post.corners(width, height)
            x0, y0 = np.maximum(0, np.floor(corners.min(axis=0)) - MARGIN).astype(int)
            x1, y1 = np.minimum([width, height], np.ceil(corners.max(axis=0)) + MARGIN).astype(int)
            self._window = (slice(int(y0), int(y1)), slice(int(x0), int(x1)))
            self._mask = _grown(self._post.mask(width, height))[self._window]
        return plane[self._window]

    def changed(self, before: tuple[Plane, Plane], now: tuple[Plane, Plane]) -> bool:
        """Whether two views of the post (grey, relief) differ by as much as a person could."""
        mask = self._mask
        levels = now[0] - before[0]
        for other in (
            np.abs(levels - np.median(levels[mask])) > LEVELS,
            ~alike(before[1], now[1], LIKE),
        ):
            there = (other & mask).astype(np.float32)
            if float(there.sum()) > CHANGED * float(mask.sum()):
                return True
            if float(cv2.boxFilter(there, -1, (SPOT, SPOT)).max()) > FULL:
                return True
        return False


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    size = (2 * MARGIN + 1, 2 * MARGIN + 1)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones(size, np.uint8))).astype(bool)
