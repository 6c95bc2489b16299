"""Families of ONNX nets: how a picture is put in, which output means what, and telling them apart by their shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast, get_args

import numpy as np

from detectors.presence.nets import nanodet, ssd, yolov8, yolox
from detectors.presence.nets.boxes import Boxes, Fit, Floats

Family = Literal["yolox", "yolov8", "nanodet", "nanodet-plus", "ssd", "ssd-list"]
FAMILIES: Final = cast("tuple[Family, ...]", get_args(Family))
Three = tuple[float, float, float]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What a net wants of a picture: ``(level − mean) / std`` per channel, in RGB or BGR; ``pad`` fills the borders.

    ``seen`` and ``doubt``: scores of this net from which on somebody is there, and below which nobody is.
    """

    rgb: bool
    mean: Three
    std: Three
    fit: Fit
    pad: int
    person: int
    seen: float
    doubt: float


_NONE: Three = (0.0, 0.0, 0.0)
_IMAGENET: tuple[Three, Three] = ((103.53, 116.28, 123.675), (57.375, 57.12, 58.395))
_HALF: tuple[Three, Three] = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
DEFAULTS: Final[dict[Family, Preparation]] = {
    "yolox": Preparation(False, _NONE, (1, 1, 1), "corner", 114, 0, 0.3, 0.1),
    "yolov8": Preparation(True, _NONE, (255, 255, 255), "letterbox", 114, 0, 0.25, 0.08),
    "nanodet": Preparation(False, *_IMAGENET, "letterbox", 0, 0, 0.35, 0.15),
    "nanodet-plus": Preparation(False, *_IMAGENET, "letterbox", 0, 0, 0.35, 0.15),
    "ssd": Preparation(False, *_HALF, "stretch", 0, 15, 0.3, 0.1),
    "ssd-list": Preparation(True, _NONE, (1, 1, 1), "stretch", 0, 1, 0.3, 0.1),
}
"""As the families are published. YOLOX, YOLOv8 and NanoDet with the 80 classes of COCO (person: 0), SSD with the 20 of VOC
(person: 15), TensorFlow's lists counted from 1. A model's manifest may say otherwise."""


def family_of(shapes: Sequence[Shape], size: tuple[int, int]) -> Family | None:
    """The family whose outputs for one picture have these shapes, None if none has.

    Args:
        size: width and height of the input.
    """
    three, four = nanodet.count(size, yolox.STRIDES), nanodet.count(size, nanodet.PLUS_STRIDES)
    if len(shapes) == 1:
        shape = shapes[0]
        if len(shape) == 4 and shape[-1] == 7:
            return "ssd"
        if len(shape) != 3:
            return None
        if shape[1] == three and shape[2] >= 6:
            return "yolox"
        if shape[1] == four and shape[2] >= 33:
            return "nanodet-plus"
        if shape[2] == three and shape[1] >= 5:
            return "yolov8"
        return None
    if len(shapes) == 2 and {len(s) for s in shapes} == {3} and shapes[0][1] == shapes[1][1]:
        return "ssd" if sorted(s[2] == 4 for s in shapes) == [False, True] else None
    if len(shapes) in (3, 4) and sum(len(s) == 3 and s[2] == 4 for s in shapes) == 1:
        return "ssd-list"
    lengths = sorted(s[-2] for s in shapes if len(s) >= 2)
    for strides in (nanodet.STRIDES, nanodet.PLUS_STRIDES):
        if lengths == sorted(2 * [nanodet.count(size, (stride,)) for stride in strides]):
            return "nanodet"
    return None


def decode(
    family: Family, outputs: Sequence[Floats], size: tuple[int, int], person: int, *, decoded: bool = False
) -> list[Boxes]:
    """The boxes of ``person`` in each picture of a batch, doubles and all.

    Args:
        outputs: as the net gives them, the batch first.
        decoded: YOLOX only: the export has already turned its rows into pixels.

    Raises:
        ValueError, IndexError: the outputs are not of that family.
    """
    if family == "yolox":
        return [yolox.decode(rows, size, person, decoded=decoded) for rows in outputs[0]]
    if family == "yolov8":
        return [yolov8.decode(columns, person) for columns in outputs[0]]
    if family == "nanodet-plus":
        bins = 32  # of every published model
        return [
            nanodet.decode(rows[:, :-bins], rows[:, -bins:], size, person, plus=True) for rows in outputs[0]
        ]
    if family == "nanodet":
        batch = len(outputs[0]) if outputs[0].ndim == 3 else 1
        planes = [output.reshape(batch, -1, output.shape[-1]) for output in outputs]
        pairs = (nanodet.joined([plane[i] for plane in planes], size) for i in range(batch))
        return [nanodet.decode(scores, reach, size, person, plus=False) for scores, reach in pairs]
    if family == "ssd-list":
        return _listed(outputs, size, person)
    if len(outputs) == 1:
        return [ssd.decode_detections(outputs[0].reshape(-1, 7), size, person)]
    scores, boxes = sorted(outputs, key=lambda output: output.shape[-1] == 4)
    return [ssd.decode_boxes(s, b, size, person) for s, b in zip(scores, boxes, strict=True)]


def _listed(outputs: Sequence[Floats], size: tuple[int, int], person: int) -> list[Boxes]:
    boxes = next(output for output in outputs if output.ndim == 3)
    # Of the two lists the one of whole numbers is the classes'; a third, of one number, is how many there are.
    one, other = [output for output in outputs if output.shape == boxes.shape[:2]]
    classes, scores = (one, other) if _whole(one) and (not _whole(other) or one.max() > 1) else (other, one)
    return [ssd.decode_listed(b, c, s, size, person) for b, c, s in zip(boxes, classes, scores, strict=True)]


def _whole(values: Floats) -> bool:
    return bool(np.all(values == np.round(values)))
