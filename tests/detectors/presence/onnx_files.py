"""Tiny ONNX nets with known outputs: one person, the surer the brighter the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 64
#: Left, top, right, bottom in pixels of the input, and how sure.
BOX, SCORE = (12.0, 24.0, 28.0, 48.0), 0.72


def file_of(
    outputs: Sequence[tuple[np.ndarray, np.ndarray]], *, batch: int | str = "n", channels_last=False
) -> bytes:
    """A net whose outputs are ``plain + sure · brightness`` of each (plain, sure), the batch first."""
    shape = [batch, SIDE, SIDE, 3] if channels_last else [batch, 3, SIDE, SIDE]
    kind = TensorProto.UINT8 if channels_last else TensorProto.FLOAT
    nodes, values = [], []
    source = "x"
    if channels_last:
        nodes.append(helper.make_node("Cast", ["x"], ["floats"], to=TensorProto.FLOAT))
        source = "floats"
    # The middle of the picture, which no border reaches.
    down, across = (1, 2) if channels_last else (2, 3)
    for name, numbers in (("from", (18, 20)), ("to", (30, 44)), ("axes", (down, across))):
        values.append(numpy_helper.from_array(np.asarray(numbers, np.int64), name))
    nodes.append(helper.make_node("Slice", [source, "from", "to", "axes"], ["middle"]))
    source = "middle"
    for power, name in ((3, "deep"), (2, "flat"), (1, "low")):
        # One axis after the other: what both runtimes understand alike.
        nodes.append(helper.make_node("ReduceMean", [source], [name], axes=[power], keepdims=1))
        source = name
    nodes.append(helper.make_node("Clip", ["low", "zero", "one"], ["bright"]))
    values += [numpy_helper.from_array(np.asarray(v, np.float32), n) for v, n in ((0, "zero"), (1, "one"))]
    infos = []
    for i, (plain, sure) in enumerate(outputs):
        rank = plain.ndim
        values.append(numpy_helper.from_array(np.asarray([-1] + [1] * (rank - 1), np.int64), f"shape{i}"))
        values.append(numpy_helper.from_array(plain.astype(np.float32), f"plain{i}"))
        values.append(numpy_helper.from_array(sure.astype(np.float32), f"sure{i}"))
        nodes.append(helper.make_node("Reshape", ["bright", f"shape{i}"], [f"gate{i}"]))
        nodes.append(helper.make_node("Mul", [f"sure{i}", f"gate{i}"], [f"part{i}"]))
        nodes.append(helper.make_node("Add", [f"plain{i}", f"part{i}"], [f"out{i}"]))
        infos.append(helper.make_tensor_value_info(f"out{i}", TensorProto.FLOAT, [batch, *plain.shape[1:]]))
    graph = helper.make_graph(
        nodes, "people", [helper.make_tensor_value_info("x", kind, shape)], infos, values
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def split(plain: np.ndarray, where: tuple, score: float = SCORE) -> tuple[np.ndarray, np.ndarray]:
    """The same without its score, and the score alone."""
    sure = np.zeros_like(plain)
    sure[where] = score
    plain = plain.copy()
    plain[where] = 0
    return plain, sure


def yolox() -> list[tuple[np.ndarray, np.ndarray]]:
    """The point at (2, 4) of stride 8: centre (20, 36)."""
    rows = np.zeros((1, 84, 85))
    rows[0, 34, :5] = 20 / 8 - 2, 36 / 8 - 4, np.log(16 / 8), np.log(24 / 8), 0.9
    return [split(rows, (0, 34, 5), 0.8)]


def yolox_decoded() -> list[tuple[np.ndarray, np.ndarray]]:
    rows = np.zeros((1, 84, 85))
    rows[0, 34, :5] = 20, 36, 16, 24, 0.9
    return [split(rows, (0, 34, 5), 0.8)]


def yolov8() -> list[tuple[np.ndarray, np.ndarray]]:
    columns = np.zeros((1, 84, 84))[:, :80]  # 4 + 76 classes: rows and columns must not be alike
    columns[0, :4, 50] = 20, 36, 16, 24
    return [split(columns, (0, 4, 50))]


def distances(*means: float) -> np.ndarray:
    """Four distributions over 8 bins with these means."""
    logits = np.full((4, 8), -60.0)
    for row, mean in zip(logits, means, strict=True):
        low = int(mean)
        row[low] = np.log(max(1 - (mean - low), 1e-9))
        if mean > low:
            row[low + 1] = np.log(mean - low)
    return logits.reshape(-1)


def nanodet_plus() -> list[tuple[np.ndarray, np.ndarray]]:
    """The point of cell (2, 4) of stride 8 is (16, 32), its corner."""
    rows = np.zeros((1, 85, 80 + 32))
    rows[0, 34, 80:] = distances(0.5, 1.0, 1.5, 2.0)
    return [split(rows, (0, 34, 0))]


def nanodet() -> list[tuple[np.ndarray, np.ndarray]]:
    """The point of cell (2, 4) of stride 8 is (20, 36), its middle. Six outputs."""
    outputs = []
    for cells in (8, 4, 2):
        classes, reach = np.zeros((1, cells * cells, 80)), np.zeros((1, cells * cells, 32))
        if cells == 8:
            reach[0, 34] = distances(1.0, 1.5, 1.0, 1.5)
        outputs.append(split(classes, (0, 34, 0)) if cells == 8 else (classes, classes * 0))
        outputs.append((reach, reach * 0))
    return outputs


def ssd_detections() -> list[tuple[np.ndarray, np.ndarray]]:
    rows = np.zeros((1, 1, 3, 7))
    rows[0, 0, 0] = [0, 15, SCORE, *(v / SIDE for v in BOX)]
    rows[0, 0, 1] = [0, 9, 0.95, 0.1, 0.1, 0.9, 0.9]  # a chair
    rows[0, 0, 2] = [-1, 0, 0, 0, 0, 0, 0]
    return [split(rows, (0, 0, 0, 2))]


def ssd_boxes() -> list[tuple[np.ndarray, np.ndarray]]:
    scores, boxes = np.zeros((1, 30, 21)), np.zeros((1, 30, 4))
    boxes[0, 7] = [v / SIDE for v in BOX]
    return [split(scores, (0, 7, 15)), (boxes, boxes * 0)]


def ssd_list() -> list[tuple[np.ndarray, np.ndarray]]:
    boxes, classes, scores = np.zeros((1, 5, 4)), np.full((1, 5), 3.0), np.zeros((1, 5))
    boxes[0, 2] = [BOX[1] / SIDE, BOX[0] / SIDE, BOX[3] / SIDE, BOX[2] / SIDE]
    classes[0, 2] = 1
    return [
        (boxes, boxes * 0), (classes, classes * 0), split(scores, (0, 2)), (np.full((1,), 5.0), np.zeros(1))
    ]  # fmt: skip
