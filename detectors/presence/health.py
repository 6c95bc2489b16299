"""Is the picture fit to be judged at all? Checked per camera, before anybody is looked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.freeze import FreezeWatch
from detectors.presence.picture import SMALL_WIDTH, Picture, Plane, Shift, alike, energy, shifted
from detectors.presence.posts import Point, Post
from detectors.presence.shift import Spectrum, shift_between, spectrum

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
ALIKE = 0.5
"""Local correlation from which a place is recognised."""
_SPREAD_ENOUGH = 16.0
"""Of averages over 8 × 8 pixels, a third above the largest spread that is asked for (COVERED_SPREAD)."""
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

    # What every picture is compared with is made once.

    @cached_property
    def energy(self) -> Plane:
        return energy(self.relief)

    @cached_property
    def spectrum(self) -> Spectrum:
        return spectrum(self.relief)

    @cached_property
    def known_pixels(self) -> int:
        return int(np.count_nonzero(self.known))

    @cached_property
    def known_blocks(self) -> Plane:
        """Share of each block that is known."""
        return _blocks(self.known)

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
        spread = _spread(small)
        if spread < DARK_SPREAD and float(small.mean()) < DARK_MEAN:
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
        self._sharpness.append(_sharpness(picture, outside))
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
            up, down = np.count_nonzero(change > LIGHT_JUMP), np.count_nonzero(change < -LIGHT_JUMP)
            if max(up, down) > LIGHT_SHARE * change.size:
                self._before = (t, level)
                self._light_until = t + LIGHT_SETTLES
        return t < self._light_until

    def _match(self, picture: Picture) -> _Found:
        best = _Found()
        unmoved, phases = energy(picture.relief), None
        for reference in self._references:
            if reference.known_pixels < 0.01 * reference.known.size:
                continue
            found = _compare(reference, picture.relief, unmoved)
            if found.match is not None and found.match < 0.9:
                phases = spectrum(picture.relief) if phases is None else phases
                shift = shift_between(reference.spectrum, phases)
                if shift == (0.0, 0.0):
                    moved = found
                else:
                    aligned = shifted(picture.relief, shift)
                    moved = _compare(reference, aligned, energy(aligned), shift)
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
        reference = View(aligned, textured & outside, _sharpness(picture, outside), float(textured.mean()))
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
        still = alike(first.relief, shifted(picture.relief, shift), ALIKE)
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


def _compare(reference: View, relief: Plane, own: Plane, shift: Shift = (0.0, 0.0)) -> _Found:
    """``own``: the relief's energy; ``shift``: what was taken out of it."""
    good = alike(reference.relief, relief, ALIKE, reference.energy, own) & reference.known
    # When somebody stands before the camera the rest still fits, when the camera was turned nothing does.
    known = reference.known_blocks
    counted = known > 0.1
    blocks = float((_blocks(good)[counted] / known[counted] > 0.8).mean()) if counted.any() else 1.0
    return _Found(np.count_nonzero(good) / max(1, reference.known_pixels), blocks, shift)


def _blocks(places: NDArray[np.bool_]) -> Plane:
    """Share of each block, an eighth of the width, that is among the places."""
    return np.asarray(cv2.resize(places.astype(np.float32), (8, 5), interpolation=cv2.INTER_AREA))


def _spread(small: Plane) -> float:
    """Spread of the grey levels without noise; where it is surely more than anybody asks for, only that."""
    coarse = float(
        cv2.meanStdDev(cv2.resize(small, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA))[1][0, 0]
    )
    if coarse > _SPREAD_ENOUGH:
        return coarse
    return float(cv2.GaussianBlur(small, (0, 0), 2.0).std())


def _textured(relief: Plane) -> NDArray[np.bool_]:
    """Where the picture has enough structure to be recognised."""
    return np.asarray(cv2.boxFilter(relief**2, -1, (11, 11)) > TEXTURE, dtype=np.bool_)


def _sharpness(picture: Picture, where: NDArray[np.bool_]) -> float:
    """Energy of the fine structure relative to the coarse, 0 … about 1; a lens out of focus loses the fine first."""
    small, one = picture.small, picture.smooth
    four = cv2.GaussianBlur(small, (0, 0), 4.0)
    count = int(np.count_nonzero(where))
    mask = where.view(np.uint8) if count > 0.05 * where.size else None
    count = count if mask is not None else where.size
    fine, coarse = (cv2.norm(a, b, cv2.NORM_L2SQR, mask) / count for a, b in ((small, one), (one, four)))
    return float(fine / (coarse + 1.0))
