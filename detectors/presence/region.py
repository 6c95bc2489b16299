"""A post cut out of a picture, compared with itself at another time. Nothing outside the polygon is used or kept.

Every average is taken over the inside only, so that neither a citizen before the counter nor the next post has a say,
and a kept picture needs to hold nothing but the staff side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.picture import Picture, Plane, Shift, alike, energy, shifted
from detectors.presence.posts import Post

DIFFERENT = 0.5
"""Below this local correlation a place does not look like its reference."""
LEAST_PIXELS = 150
"""A post of fewer pixels of the reduced picture is too small to be judged."""
_LEAST_SIDE = 40.0
_CLIPPED, _BLACK = 252.0, 0.5
_LEAST_USABLE = 0.3
_HEAD, _THINNEST, _THICKEST = 0.16, 11, 15
"""A head's share of the post's narrower side, in pixels no less and no more than that: the edge of a shadow makes a band about
ten pixels wide, whatever the post (the relief's σ and the correlation's box)."""
_SOLID = 3.0
"""Energy of the relief from which a place has a texture of its own."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """How a post differs from a reference, 0 … 1 of its usable area.

    ``share``: places that look otherwise. ``thick``: of these, what belongs to something at least as thick as a head.
    """

    share: float
    thick: float


@dataclass(eq=False)
class Cut:
    """A post in one picture: ``grey`` (0 outside), its ``relief``, and ``usable``, the places that prove something."""

    frame: Frame
    grey: Plane
    usable: Mask

    def __post_init__(self) -> None:
        self._relief: Plane | None = None
        self._energy: Plane | None = None

    @property
    def relief(self) -> Plane:
        if self._relief is None:
            self._relief = self.frame.relief(self.grey)
        return self._relief

    @property
    def energy(self) -> Plane:
        if self._energy is None:
            self._energy = energy(self.relief)
        return self._energy

    def differs(self, reference: Plane) -> Difference | None:
        """Difference from a reference's relief; None if it has another size or too little can be judged."""
        frame = self.frame
        usable = int(np.count_nonzero(self.usable))
        if reference.shape != self.grey.shape or usable < _LEAST_USABLE * frame.pixels:
            return None
        other = self.usable & ~alike(reference, self.relief, DIFFERENT, None, self.energy)
        share, thick = int(np.count_nonzero(other)), 0
        # Fewer pixels than a head has hold none.
        if share >= frame.head_pixels:
            opened = cv2.morphologyEx(other.view(np.uint8), cv2.MORPH_OPEN, frame.head)
            thick = int(np.count_nonzero(opened))
        return Difference(share / usable, thick / usable)


class Frame:
    """Where a post lies in pictures of one size, at a scale that leaves it 40 pixels on its narrower side if it has them.

    Args:
        size: width and height of the whole picture in pixels.
    """

    def __init__(self, post: Post, size: tuple[int, int], small: tuple[int, int]) -> None:
        corners = post.corners(*small)
        low, high = corners.min(axis=0), corners.max(axis=0)
        side = float((high - low).min())
        scale = float(np.clip(_LEAST_SIDE / max(side, 1.0), 1.0, max(1.0, size[0] / small[0])))
        self.scale = scale if scale > 1.05 else 1.0
        self.whole = (round(small[0] * self.scale), round(small[1] * self.scale))
        x0, y0 = np.maximum(0, np.floor(low * self.scale)).astype(int)
        x1, y1 = np.minimum(self.whole, np.ceil(high * self.scale) + 1).astype(int)
        self.window = (slice(int(y0), int(y1)), slice(int(x0), int(x1)))
        self.inside: Mask = post.mask(*self.whole)[self.window]
        self.pixels = int(self.inside.sum())
        self.side = side * self.scale
        thick = min(int(np.clip(_HEAD * self.side, _THINNEST, _THICKEST)), max(3, int(0.35 * self.side)))
        self.head = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick))
        self.head_pixels = int(np.count_nonzero(self.head))
        self._weight: Plane = self.inside.astype(np.float32)
        self._near, self._far = self._weighed(self._weight, 1.0), self._weighed(self._weight, 4.0)

    def cut(self, picture: Picture, shift: Shift = (0.0, 0.0)) -> Cut:
        """The post in a picture of this frame's size; ``shift`` as in :class:`~detectors.presence.health.Health`."""
        if self.scale == 1.0:
            grey = picture.small
        else:
            grey = np.asarray(cv2.resize(picture.grey, self.whole, interpolation=cv2.INTER_AREA), np.float32)
        grey = shifted(grey, (shift[0] * self.scale, shift[1] * self.scale))[self.window]
        # A clipped pixel has lost what it looked like; it can prove nothing.
        return Cut(self, grey * self._weight, self.inside & (grey < _CLIPPED) & (grey > _BLACK))

    def kept(self, grey: Plane) -> Plane:
        """A kept picture of the post brought to this frame's size (another size is scaled), 0 outside."""
        if grey.shape != self.inside.shape:
            size = (self.inside.shape[1], self.inside.shape[0])
            grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.float32)
        return grey * self._weight

    def relief(self, grey: Plane) -> Plane:
        """Log-high-pass form of the inside, 0 outside; see :func:`detectors.presence.picture.relief`."""
        smooth = self._weighed(grey, 1.0) / self._near
        level = 60.0 * np.log(smooth + 10.0) * self._weight
        return np.asarray((level - self._weighed(level, 4.0) / self._far) * self._weight, np.float32)

    def texture(self, relief: Plane) -> float:
        """Share of the inside that has structure enough to be recognised."""
        energy = cv2.boxFilter(relief**2, -1, (11, 11))
        return float((energy[self.inside] > _SOLID).mean()) if self.pixels else 0.0

    def _weighed(self, plane: Plane, sigma: float) -> Plane:
        return np.maximum(cv2.GaussianBlur(plane, (0, 0), sigma, borderType=cv2.BORDER_CONSTANT), 1e-6)


def framer(post: Post) -> Callable[[Picture], Frame]:
    """A function that gives a post's frame for a picture, made once for each size of picture."""
    known: dict[tuple[int, int], Frame] = {}

    def frame(picture: Picture) -> Frame:
        size = (picture.width, picture.height)
        if size not in known:
            known.clear()
            known[size] = Frame(post, size, (picture.small.shape[1], picture.small.shape[0]))
        return known[size]

    return frame
