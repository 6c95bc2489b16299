"""Is the picture fit to be judged at all? Checked per camera, before anybody is looked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.freeze import FreezeWatch
from detectors.presence.picture import SMALL_WIDTH, Picture, Plane, Shift, shifted, similarity
from detectors.presence.posts import Post

DARK_MEAN, DARK_SPREAD = 14.0, 5.0
FLAT_SPREAD = 6.0
COVERED_MATCH, COVERED_SPREAD = 0.25, 12.0
MOVED_MATCH, MOVED_BLOCKS = 0.5, 0.25
BLURRED_RATIO = 0.55
LIGHT_JUMP, LIGHT_SHARE, LIGHT_SETTLES = 0.25, 0.7, 1.0
LARGEST_SHIFT = 0.03
"""Of the picture's width: a camera that trembles or was nudged by so little still shows its posts."""
TEXTURE = 9.0
"""Least local energy of the relief (σ 3) where a place can be recognised at all."""
_MARGIN = 15
_REFERENCES = 3
_REFERENCE_EVERY = 30.0


@dataclass(frozen=True, slots=True)
class Health:
    """``reason`` is None for a sound picture. ``shift`` is how far the view lies from the first one, in pixels of the
    reduced picture (right, down). ``match`` is the share of recognisable surroundings that look as they did, or None
    where there are too few to say."""

    reason: str | None
    shift: Shift = (0.0, 0.0)
    match: float | None = None


@dataclass(frozen=True)
class _Reference:
    small: Plane
    relief: Plane
    known: NDArray[np.bool_]
    sharpness: float


class CameraHealth:
    """Watches one camera's pictures. Give it every look, in order; extra keyframes go to :meth:`keyframe`."""

    def __init__(self, posts: Sequence[Post]) -> None:
        self._posts = tuple(posts)
        self._outside: NDArray[np.bool_] | None = None
        self._references: list[_Reference] = []
        self._freeze = FreezeWatch()
        self._frozen = False
        self._matches: deque[tuple[float, float]] = deque(maxlen=5)
        self._sharpness: deque[float] = deque(maxlen=5)
        self._before: tuple[float, Plane] | None = None
        self._light_until = float("-inf")
        self._referred = float("-inf")

    def keyframe(self, picture: Picture) -> None:
        """Takes a keyframe that is not looked at, for the frozen check only."""
        self._frozen = self._freeze.step(picture)

    def check(self, picture: Picture) -> Health:
        small = picture.small
        self._frozen = self._freeze.step(picture)
        if self._references and self._references[0].small.shape != small.shape:
            self._references.clear()
        spread = float(cv2.GaussianBlur(small, (0, 0), 2.0).std())
        if float(small.mean()) < DARK_MEAN and spread < DARK_SPREAD:
            return Health("dark")
        if spread < FLAT_SPREAD:
            return Health("covered" if self._references else "flat")
        jumped = self._light_jumped(small, picture.t)
        if self._frozen:
            return Health("frozen")
        if not self._references:
            self._learn(picture)
            return Health(None)
        match, blocks, shift = self._match(picture)
        reason = self._reason(picture, match, blocks, spread, jumped)
        if (
            reason is None
            and match is not None
            and match > 0.8
            and picture.t - self._referred > _REFERENCE_EVERY
        ):
            self._learn(picture)
        return Health(reason, shift, match)

    def _reason(
        self, picture: Picture, match: float | None, blocks: float, spread: float, jumped: bool
    ) -> str | None:
        if match is not None:
            if match < COVERED_MATCH and spread < COVERED_SPREAD:
                return "covered"
            self._matches.append((match, blocks))
            if (
                median(m for m, _ in self._matches) < MOVED_MATCH
                and median(b for _, b in self._matches) < MOVED_BLOCKS
            ):
                return "moved"
        outside = self._mask(picture.small.shape)
        self._sharpness.append(_sharpness(picture.small, outside))
        if median(self._sharpness) < BLURRED_RATIO * self._references[0].sharpness:
            return "blurred"
        return "light_change" if jumped else None

    def _light_jumped(self, small: Plane, t: float) -> bool:
        level = np.log(small + 10.0)
        if self._before is None or t - self._before[0] >= 0.9 or t < self._before[0]:
            before, self._before = self._before, (t, level)
        else:
            before = self._before
        if before is not None and t - before[0] <= 2.0 and before[1].shape == level.shape:
            change = level - before[1]
            up, down = float((change > LIGHT_JUMP).mean()), float((change < -LIGHT_JUMP).mean())
            if max(up, down) > LIGHT_SHARE:
                self._before = (t, level)
                self._light_until = t + LIGHT_SETTLES
        return t < self._light_until

    def _match(self, picture: Picture) -> tuple[float | None, float, Shift]:
        """Share of known surroundings still recognised, share of blocks well recognised, and the shift."""
        best: tuple[float | None, float, Shift] = (None, 1.0, (0.0, 0.0))
        for reference in self._references:
            if reference.known.mean() < 0.01:
                continue
            result = _compare(reference, picture.relief, (0.0, 0.0))
            if result[0] < 0.9:
                shift = _shift(reference.relief, picture.relief)
                if shift != (0.0, 0.0):
                    result = max(result, _compare(reference, picture.relief, shift))
            if best[0] is None or result[0] > best[0]:
                best = result
            if result[0] >= 0.8:
                break
        return best

    def _learn(self, picture: Picture) -> None:
        energy = cv2.boxFilter(picture.relief**2, -1, (11, 11))
        outside = self._mask(picture.small.shape)
        reference = _Reference(
            picture.small, picture.relief, (energy > TEXTURE) & outside, _sharpness(picture.small, outside)
        )
        if len(self._references) == _REFERENCES:
            del self._references[1]
        self._references.append(reference)
        self._referred = picture.t

    def _mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Everything well away from the posts, where people are not expected to sit."""
        if self._outside is None or self._outside.shape != shape:
            inside = np.zeros(shape, dtype=np.uint8)
            for post in self._posts:
                inside |= post.mask(shape[1], shape[0]).astype(np.uint8)
            grown = cv2.dilate(inside, np.ones((2 * _MARGIN + 1, 2 * _MARGIN + 1), np.uint8))
            self._outside = grown == 0
        return self._outside


def _compare(reference: _Reference, relief: Plane, shift: Shift) -> tuple[float, float, Shift]:
    z = similarity(reference.relief, shifted(relief, shift))
    good = (z > 0.5) & reference.known
    known = reference.known.astype(np.float32)
    # Blocks of an eighth of the width: when somebody stands before the camera the rest still fits,
    # when the camera was turned nothing does.
    size = (8, 5)
    per_block = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    good_block = cv2.resize(good.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    counted = per_block > 0.1
    blocks = float((good_block[counted] / per_block[counted] > 0.8).mean()) if counted.any() else 1.0
    return float(good.sum() / max(1, reference.known.sum())), blocks, shift


def _shift(reference: Plane, relief: Plane) -> Shift:
    """How far ``relief`` lies from the reference, in pixels; (0, 0) where that is not clear or more than allowed."""
    window = cv2.createHanningWindow((reference.shape[1], reference.shape[0]), cv2.CV_32F)
    clipped = [np.clip(plane, -30, 30) for plane in (reference, relief)]
    (dx, dy), response = cv2.phaseCorrelate(clipped[0], clipped[1], window)
    if response < 0.05 or max(abs(dx), abs(dy)) > LARGEST_SHIFT * SMALL_WIDTH:
        return 0.0, 0.0
    return dx, dy


def _sharpness(small: Plane, where: NDArray[np.bool_]) -> float:
    """Energy of the fine structure relative to the coarse, 0 … about 1; a lens out of focus loses the fine first."""
    one, four = cv2.GaussianBlur(small, (0, 0), 1.0), cv2.GaussianBlur(small, (0, 0), 4.0)
    mask = where if where.mean() > 0.05 else np.ones_like(where)
    fine, coarse = float(((small - one)[mask] ** 2).mean()), float(((one - four)[mask] ** 2).mean())
    return fine / (coarse + 1.0)
