"""MobileNet-SSD in its three usual dresses; their boxes come decoded, in 0 … 1 of the input."""

from __future__ import annotations

import numpy as np

from detectors.presence.nets.boxes import Boxes, Floats


def decode_detections(rows: Floats, size: tuple[int, int], person: int) -> Boxes:
    """Caffe's DetectionOutput: n × 7 of picture, class, score, left, top, right, bottom."""
    mine = rows[rows[:, 1] == person]
    return Boxes(_pixels(mine[:, 3:7], size), mine[:, 2])


def decode_boxes(scores: Floats, boxes: Floats, size: tuple[int, int], person: int) -> Boxes:
    """n × classes final scores, and n × 4 of left, top, right, bottom."""
    return Boxes(_pixels(boxes, size), scores[:, person])


def decode_listed(
    boxes: Floats, classes: Floats, scores: Floats, size: tuple[int, int], person: int
) -> Boxes:
    """TensorFlow's lists: n × 4 of top, left, bottom, right; n classes; n scores."""
    mine = np.round(classes) == person
    return Boxes(_pixels(boxes[mine][:, [1, 0, 3, 2]], size), scores[mine])


def _pixels(boxes: Floats, size: tuple[int, int]) -> Floats:
    return np.asarray(boxes * np.asarray([size[0], size[1]] * 2, dtype=np.float32), dtype=np.float32)
