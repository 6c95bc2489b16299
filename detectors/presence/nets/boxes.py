"""Boxes on their way from a net's output to people: fitting pictures in, dropping doubles, back to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from detectors.presence.nets.net import LEAST_SCORE, NMS_OVERLAP, Person
from detectors.presence.picture import Image

Floats = NDArray[np.float32]
Fit = Literal["letterbox", "corner", "stretch"]
"""How a picture of another shape is put into the input: in the middle, in the upper left corner, or pulled out of shape."""


@dataclass(frozen=True)
class Boxes:
    """Boxes of one picture: n × 4 (left, top, right, bottom in pixels of the net's input) and n scores, 0 … 1."""

    corners: Floats
    scores: Floats

    @classmethod
    def of_centres(cls, centres: Floats, scores: Floats) -> Boxes:
        """From n × 4 of centre x, centre y, width, height."""
        half = centres[:, 2:4] / 2
        return cls(np.concatenate([centres[:, :2] - half, centres[:, :2] + half], axis=1), scores)

    def distinct(self) -> Boxes:
        """Without those too weak to tell and those that overlap a better one, best first."""
        keep = (self.scores >= LEAST_SCORE) & np.isfinite(self.corners).all(axis=1)
        corners, scores = self.corners[keep], self.scores[keep]
        sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        kept = cv2.dnn.NMSBoxes(sides.tolist(), scores.tolist(), LEAST_SCORE, NMS_OVERLAP)
        order = np.asarray(kept, dtype=int).reshape(-1)
        return Boxes(corners[order], scores[order])


@dataclass(frozen=True, slots=True)
class Fitting:
    """Where a picture lies in the input: pixels from the left and the top, and its size there."""

    left: float
    top: float
    width: float
    height: float

    def people(self, boxes: Boxes) -> list[Person]:
        """The boxes in 0 … 1 of the picture."""
        found = []
        for (x0, y0, x1, y1), score in zip(boxes.corners.tolist(), boxes.scores.tolist(), strict=True):
            box = (
                (x0 - self.left) / self.width,
                (y0 - self.top) / self.height,
                (x1 - x0) / self.width,
                (y1 - y0) / self.height,
            )
            found.append(Person(box, score))
        return found


def fitting(image: Image, size: tuple[int, int], fit: Fit) -> Fitting:
    """How the picture goes into an input of that width and height."""
    width, height = size
    if fit == "stretch":
        return Fitting(0, 0, width, height)
    scale = min(width / image.shape[1], height / image.shape[0])
    inner = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    if fit == "corner":
        return Fitting(0, 0, *inner)
    return Fitting((width - inner[0]) // 2, (height - inner[1]) // 2, *inner)


def resized(image: Image, width: float, height: float) -> Image:
    size = (int(width), int(height))
    if (image.shape[1], image.shape[0]) == size:
        return image
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def fitted(images: Sequence[Image], size: tuple[int, int], fit: Fit, pad: int) -> tuple[Image, list[Fitting]]:
    """All images in one block n × height × width × 3, and where each lies in it."""
    block = np.full((len(images), size[1], size[0], 3), pad, dtype=np.uint8)
    places = []
    for plane, image in zip(block, images, strict=True):
        place = fitting(image, size, fit)
        left, top = int(place.left), int(place.top)
        plane[top : top + int(place.height), left : left + int(place.width)] = resized(
            image, place.width, place.height
        )
        places.append(place)
    return block, places


def anchors(size: tuple[int, int], strides: Sequence[int], offset: float = 0.0) -> Floats:
    """Grid points of all strides, row by row: n × 3 of x, y (pixels of the input) and the stride."""
    points = []
    for stride in strides:
        across, down = -(-size[0] // stride), -(-size[1] // stride)
        y, x = np.mgrid[:down, :across]
        points.append(
            np.stack([(x + offset) * stride, (y + offset) * stride, np.full(x.shape, stride)], -1).reshape(
                -1, 3
            )
        )
    return np.concatenate(points).astype(np.float32)


def sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -80, 80))), dtype=np.float32)
