"""Is the picture fit to be judged at all? Checked per camera, before anybody is looked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.freeze import FreezeWatch
from detectors.presence.picture import SMALL_WIDTH, Picture, Plane, Shift, shifted, similarity
from detectors.presence.posts import Point, Post

DARK_MEAN, DARK_SPREAD = 14.0, 5.0
FLAT_SPREAD, FLAT_TEXTURE = 6.0, 0.02
COVERED_MATCH, COVERED_SPREAD, COVERED_TEXTURE = 0.25, 12.0, 0.35
MOVED_MATCH, MOVED_BLOCKS = 0.5, 0.25
BLURRED_RATIO = 0.45
LIGHT_JUMP, LIGHT_SHARE, LIGHT_SETTLES = 0.35, 0.7, 1.0
SHIFTED_MATCH = 0.8
LARGEST_SHIFT = 0.05
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
class View:
    """What a camera's surroundings look like: ``relief`` (height × width of the reduced picture) where they are ``known``,
    ``sharpness`` and ``texture`` of the whole picture. It is no photograph: light and every flat area are gone."""

    relief: Plane
    known: NDArray[np.bool_]
    sharpness: float
    texture: float

    def without(self, hidden: Sequence[Sequence[Point]]) -> View:
        """The view with nothing left of some areas, and nothing but what is known of the rest."""
        height, width = int(self.known.shape[0]), int(self.known.shape[1])
        plane = np.zeros((height, width), dtype=np.uint8)
        for area in hidden:
            corners = np.asarray(area, np.float64) * (width, height)
            cv2.fillPoly(plane, [np.round(corners).astype(np.int32)], 1)
        known = self.known & (plane == 0)
        return replace(self, relief=np.where(known, self.relief, 0), known=known)


class ViewKeeper(Protocol):
    """Where the view that the posts were drawn on is kept over a restart."""

    def load_view(self) -> View | None: ...

    def save_view(self, view: View) -> None: ...


@dataclass(frozen=True, slots=True)
class _Found:
    """How a picture compares with a reference: share of the known surroundings recognised (None: too few known), share
    of blocks recognised well, the shift that fits best, and whether only a shift beyond all bearing explains it."""

    match: float | None = None
    blocks: float = 1.0
    shift: Shift = (0.0, 0.0)
    far: bool = False


class CameraHealth:
    """Watches one camera's pictures. Give it every look, in order; extra keyframes go to :meth:`keyframe`.

    Args:
        hidden: areas (0 … 1 of the picture) of which nothing may be kept: the public sides, what is blacked out.
        keeper: where the view is kept, so that a camera that was moved while we were away is noticed; None keeps nothing.
    """

    def __init__(
        self,
        posts: Sequence[Post],
        hidden: Sequence[Sequence[Point]] = (),
        keeper: ViewKeeper | None = None,
    ) -> None:
        self._posts = tuple(posts)
        self._hidden = tuple(tuple(area) for area in hidden)
        self._keeper = keeper
        self._outside: NDArray[np.bool_] | None = None
        kept = keeper.load_view() if keeper is not None else None
        self._references: list[View] = [kept] if kept is not None else []
        self._kept = kept is not None or keeper is None
        self._freeze = FreezeWatch()
        self._frozen = False
        self._unlike: deque[bool] = deque(maxlen=5)
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
        if self._references and self._references[0].relief.shape != small.shape:
            self._references.clear()
        spread = float(cv2.GaussianBlur(small, (0, 0), 2.0).std())
        if float(small.mean()) < DARK_MEAN and spread < DARK_SPREAD:
            return Health("dark")
        # A dim room has little spread, too, but keeps its structure.
        if spread < FLAT_SPREAD and _textured(picture.relief).mean() < FLAT_TEXTURE:
            return Health("covered" if self._references else "flat")
        jumped = self._light_jumped(small, picture.t)
        if self._frozen:
            return Health("frozen")
        if not self._references:
            self._learn(picture)
            return Health(None)
        found = self._match(picture)
        match, shift = found.match, found.shift
        reason = self._reason(picture, found, spread, jumped)
        if (
            reason is None
            and match is not None
            and match > 0.8
            and picture.t - self._referred > _REFERENCE_EVERY
        ):
            self._learn(picture, shift)
            self._keep(picture, shift)
        return Health(reason, shift, match)

    def view(self) -> View | None:
        """The view that pictures are compared with, None before the first."""
        return self._references[0] if self._references else None

    def _reason(self, picture: Picture, found: _Found, spread: float, jumped: bool) -> str | None:
        if found.match is not None:
            if found.match < COVERED_MATCH and spread < COVERED_SPREAD:
                return "covered"
            self._unlike.append(
                found.far or (found.match < MOVED_MATCH and found.blocks < MOVED_BLOCKS),
            )
            if 2 * sum(self._unlike) > len(self._unlike):
                texture = _textured(picture.relief).mean()
                return "covered" if texture < COVERED_TEXTURE * self._references[0].texture else "moved"
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

    def _match(self, picture: Picture) -> _Found:
        best = _Found()
        for reference in self._references:
            if reference.known.mean() < 0.01:
                continue
            found = _compare(reference, picture.relief)
            if found.match is not None and found.match < 0.9:
                shift = _shift(reference.relief, picture.relief)
                moved = _compare(reference, picture.relief, shift)
                if moved.match is not None and moved.match > found.match + 0.1:
                    if max(abs(shift[0]), abs(shift[1])) <= LARGEST_SHIFT * SMALL_WIDTH:
                        found = moved
                    elif moved.match >= SHIFTED_MATCH:
                        found = replace(found, far=True)
            if best.match is None or (found.match or 0.0) > best.match:
                best = found
            if (best.match or 0.0) >= 0.8:
                break
        return best

    def _learn(self, picture: Picture, shift: Shift = (0.0, 0.0)) -> None:
        outside = self._mask(picture.small.shape)
        # Shifts are told from the view the posts were drawn on, whichever of the references is found.
        aligned = shifted(picture.relief, shift)
        textured = _textured(aligned)
        reference = View(
            aligned, textured & outside, _sharpness(picture.small, outside), float(textured.mean())
        )
        if len(self._references) == _REFERENCES:
            del self._references[1]
        self._references.append(reference)
        self._referred = picture.t

    def _keep(self, picture: Picture, shift: Shift) -> None:
        """Keeps the first view, once: of it only what stood still ever since, so no people."""
        if self._kept or self._keeper is None:
            return
        self._kept = True
        first = self._references[0]
        still = similarity(first.relief, shifted(picture.relief, shift)) > 0.5
        self._keeper.save_view(replace(first, known=first.known & still).without(self._hidden))

    def _mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Everything well away from the posts, where people are not expected to sit."""
        if self._outside is None or self._outside.shape != shape:
            inside = np.zeros(shape, dtype=np.uint8)
            for post in self._posts:
                inside |= post.mask(shape[1], shape[0]).astype(np.uint8)
            grown = cv2.dilate(inside, np.ones((2 * _MARGIN + 1, 2 * _MARGIN + 1), np.uint8))
            self._outside = grown == 0
        return self._outside


def _compare(reference: View, relief: Plane, shift: Shift = (0.0, 0.0)) -> _Found:
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
    return _Found(float(good.sum() / max(1, reference.known.sum())), blocks, shift)


def _shift(reference: Plane, relief: Plane) -> Shift:
    """How far ``relief`` lies from the reference, in pixels; (0, 0) where that is not clear."""
    window = cv2.createHanningWindow((reference.shape[1], reference.shape[0]), cv2.CV_32F)
    (dx, dy), response = cv2.phaseCorrelate(np.clip(reference, -30, 30), np.clip(relief, -30, 30), window)
    return (dx, dy) if response >= 0.05 else (0.0, 0.0)


def _textured(relief: Plane) -> NDArray[np.bool_]:
    """Where the picture has enough structure to be recognised."""
    return np.asarray(cv2.boxFilter(relief**2, -1, (11, 11)) > TEXTURE, dtype=np.bool_)


def _sharpness(small: Plane, where: NDArray[np.bool_]) -> float:
    """Energy of the fine structure relative to the coarse, 0 … about 1; a lens out of focus loses the fine first."""
    one, four = cv2.GaussianBlur(small, (0, 0), 1.0), cv2.GaussianBlur(small, (0, 0), 4.0)
    mask = where if where.mean() > 0.05 else np.ones_like(where)
    fine, coarse = float(((small - one)[mask] ** 2).mean()), float(((one - four)[mask] ** 2).mean())
    return fine / (coarse + 1.0)
