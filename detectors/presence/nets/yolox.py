"""YOLOX: a row of centre, size, "anything there" and classes for each grid point (official ONNX export).

Centre and size come in grid cells relative to the point, the size as a logarithm, unless the export has decoded them.
"""

from __future__ import annotations

import numpy as np

from detectors.presence.nets.boxes import Boxes, Floats, anchors

STRIDES = (8, 16, 32)


def decode(rows: Floats, size: tuple[int, int], person: int, *, decoded: bool = False) -> Boxes:
    """Args:
    rows: n × (5 + classes), one for each grid point of the input ``size`` (width, height).
    """
    scores = rows[:, 4] * rows[:, 5 + person]
    if decoded:
        return Boxes.of_centres(rows[:, :4], scores)
    points = anchors(size, STRIDES)
    stride = points[:, 2:]
    centres = rows[:, :2] * stride + points[:, :2]
    sides = np.exp(np.clip(rows[:, 2:4], -20, 20)) * stride
    return Boxes.of_centres(np.concatenate([centres, sides], axis=1), scores)
