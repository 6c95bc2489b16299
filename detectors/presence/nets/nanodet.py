"""NanoDet and NanoDet-Plus: classes and, for each side of the box, a distribution of its distance from the grid point.

The distance is the mean of the distribution (generalised focal loss, Li et al. 2020), in strides. NanoDet-Plus puts its
points on the corners of the cells and joins all in one output; NanoDet takes their middles, two outputs a stride.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detectors.presence.nets.boxes import Boxes, Floats, anchors

STRIDES, PLUS_STRIDES = (8, 16, 32), (8, 16, 32, 64)


def decode(scores: Floats, distances: Floats, size: tuple[int, int], person: int, *, plus: bool) -> Boxes:
    """Args:
    scores: n × classes, final.
    distances: n × 4·bins, before the softmax.
    """
    points = anchors(
        size,
        PLUS_STRIDES if plus or len(scores) == count(size, PLUS_STRIDES) else STRIDES,
        0.0 if plus else 0.5,
    )
    x, y = points[:, :1], points[:, 1:2]
    left, top, right, bottom = np.split(mean_distance(distances) * points[:, 2:], 4, axis=1)
    corners = np.concatenate([x - left, y - top, x + right, y + bottom], axis=1)
    limit = np.asarray([size[0], size[1]] * 2, dtype=np.float32)
    return Boxes(np.clip(corners, 0, limit), scores[:, person])


def mean_distance(distances: Floats) -> Floats:
    """n × 4·bins of logits to n × 4 mean distances, in strides."""
    bins = distances.reshape(len(distances), 4, -1)
    weights = np.exp(bins - bins.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    return np.asarray(weights @ np.arange(bins.shape[2], dtype=np.float32), dtype=np.float32)


def joined(outputs: Sequence[Floats], size: tuple[int, int]) -> tuple[Floats, Floats]:
    """NanoDet's outputs (classes and distances of each stride, in any order) as two, by their lengths.

    Raises:
        ValueError: they do not pair.
    """
    classes: dict[int, Floats] = {}
    distances: dict[int, Floats] = {}
    widths = sorted({output.shape[-1] for output in outputs})
    if len(widths) != 2:
        raise ValueError("classes and distances cannot be told apart")
    # Distances are 4 · bins wide, 32 in every published model; the other width is the classes'.
    reach = 32 if 32 in widths else next((w for w in widths if w % 4 == 0), widths[0])
    for output in outputs:
        (distances if output.shape[-1] == reach else classes)[len(output)] = output
    if set(classes) != set(distances):
        raise ValueError("not every stride has classes and distances")
    order = sorted(classes, reverse=True)
    return np.concatenate([classes[n] for n in order]), np.concatenate([distances[n] for n in order])


def count(size: tuple[int, int], strides: Sequence[int]) -> int:
    """Grid points of an input of that width and height."""
    return sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)
