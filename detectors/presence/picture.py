"""One picture on its way through the eyes, with its reduced forms computed at most once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Plane = NDArray[np.float32]
Shift = tuple[float, float]
"""How far a view lies from the one it is compared with: pixels of the reduced picture, right and down."""

SMALL_WIDTH = 320
"""Width in pixels of the reduced grey picture that health and correlation work on."""


@dataclass(frozen=True)
class Picture:
    """A BGR picture (height × width × 3, uint8) taken at ``t`` seconds of its source's clock.

    ``keyframe`` tells whether the stream coded it by itself; pictures of still-picture sources are all keyframes.
    """

    image: Image
    t: float
    keyframe: bool = True

    def __post_init__(self) -> None:
        shape: tuple[int, ...] = self.image.shape
        if len(shape) != 3 or shape[2] != 3 or 0 in shape or self.image.dtype != np.uint8:
            raise ValueError(f"a picture is height × width × 3 of uint8, not {shape} of {self.image.dtype}")

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        return int(self.image.shape[0])

    @cached_property
    def grey(self) -> Image:
        """Height × width, uint8."""
        return _image(cv2.cvtColor(self.image, cv2.COLOR_BGR2GRAY))

    @cached_property
    def small(self) -> Plane:
        """Grey picture reduced to 320 pixels of width by averaging, float32, 0 … 255."""
        height = max(8, round(self.height * SMALL_WIDTH / self.width))
        reduced = cv2.resize(self.grey, (SMALL_WIDTH, height), interpolation=cv2.INTER_AREA)
        return reduced.astype(np.float32)

    @cached_property
    def smooth(self) -> Plane:
        """``small``, slightly smoothed (σ 1)."""
        return np.asarray(cv2.GaussianBlur(self.small, (0, 0), 1.0), dtype=np.float32)

    @cached_property
    def relief(self) -> Plane:
        """Log-high-pass form of ``small``: what is left when the light is taken out.

        ``L − Gauss(L, σ4)`` with ``L = 60·ln(g + 10)`` of the slightly smoothed picture. A change of exposure multiplies
        the picture; in the logarithm it is a constant, and the high-pass drops it. The constant 10 keeps the noise of
        dark pixels from being blown up.
        """
        level = 60.0 * np.log(self.smooth + 10.0)
        return np.asarray(level - cv2.GaussianBlur(level, (0, 0), 4.0), dtype=np.float32)


BOX = 11
"""Side in pixels of the surroundings in which two reliefs are compared."""


def energy(relief: Plane) -> Plane:
    """Local energy of a relief; the 4 damps flat places."""
    return np.asarray(cv2.boxFilter(relief * relief, -1, (BOX, BOX)) + 4.0, dtype=np.float32)


def alike(
    a: Plane, b: Plane, level: float, energy_a: Plane | None = None, energy_b: Plane | None = None
) -> NDArray[np.bool_]:
    """Where two reliefs of one shape have a local normalised correlation (−1 … 1) above a level.

    Args:
        level: 0 … 1. energy_a, energy_b: of each, where it is known already.
    """
    both = cv2.boxFilter(a * b, -1, (BOX, BOX)) + 4.0
    least = (energy(a) if energy_a is None else energy_a) * (energy(b) if energy_b is None else energy_b)
    least *= level * level
    # Of a correlation below zero the sign would be lost in the square.
    return np.asarray((both * both > least) & (both > 0), dtype=np.bool_)


def shifted(plane: Plane, shift: Shift) -> Plane:
    """The plane moved back by a shift, so that it lies on what it is compared with again (same shape)."""
    if shift == (0.0, 0.0):
        return plane
    move = np.asarray([[1, 0, -shift[0]], [0, 1, -shift[1]]], dtype=np.float32)
    size = (plane.shape[1], plane.shape[0])
    return np.asarray(cv2.warpAffine(plane, move, size, borderMode=cv2.BORDER_REPLICATE), dtype=np.float32)


def _image(array: Any) -> Image:
    return np.asarray(array, dtype=np.uint8)
