"""YOLOv8, YOLO11 and their like: one column per anchor of centre, size (pixels of the input) and classes."""

from __future__ import annotations

from detectors.presence.nets.boxes import Boxes, Floats

STRIDES = (8, 16, 32)


def decode(columns: Floats, person: int) -> Boxes:
    """Args:
    columns: (4 + classes) × n; the scores of classes are final.
    """
    rows = columns.T
    return Boxes.of_centres(rows[:, :4], rows[:, 4 + person])
