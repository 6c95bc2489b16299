"""Nets in ONNX files, run by onnxruntime where it is installed, else by OpenCV's dnn module."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import cv2
import numpy as np

from detectors.presence.nets.boxes import Floats, fitted, fitting, resized
from detectors.presence.nets.families import DEFAULTS, Family, Preparation, Shape, decode, family_of
from detectors.presence.nets.net import Person
from detectors.presence.picture import Image
from domain.errors import ModelError

Runtime = Literal["onnxruntime", "opencv"]
_ONE_SCALE: Final = (0.0, 0.06, 0.2, 1.0)
"""Where nobody, doubt, somebody and certainty lie on the scale of :class:`~detectors.presence.nets.net.Person`."""


class _Runner(Protocol):
    size: tuple[int, int] | None
    last: bool
    """Channels come last in the input."""
    whole: bool
    """The input takes whole numbers."""
    single: bool
    """One picture at a time."""

    def run(self, block: Any) -> list[Floats]: ...


class OnnxNet:
    """An ONNX net that finds people.

    Args:
        blob: the file's content (whoever checked its hash hands over what he checked).
        name: for error messages.
        family: None finds it by the outputs.
        size: width and height of the input; needed only where the file leaves them open.
        preparation: None takes what is usual in the family.
        decoded: YOLOX only: boxes come in pixels.
        runtime: None takes onnxruntime if it is there.

    Raises:
        ModelError: no net that can be read, or of no family we know; the sentence names the shapes.
    """

    def __init__(
        self,
        blob: bytes,
        name: str,
        *,
        family: Family | None = None,
        size: tuple[int, int] | None = None,
        preparation: Preparation | None = None,
        decoded: bool = False,
        runtime: Runtime | None = None,
    ) -> None:
        self.name = name
        self.runtime: Runtime = runtime or (
            "onnxruntime" if importlib.util.find_spec("onnxruntime") else "opencv"
        )
        try:
            self._runner: _Runner = (
                _OnnxRuntime(blob) if self.runtime == "onnxruntime" else _OpenCv(blob, size)
            )
        except ImportError as error:
            raise ModelError(
                f"{name}: onnxruntime is not installed (pip install 'mingjing[onnx]')"
            ) from error
        except Exception as error:  # both libraries raise whatever they like on a broken file
            raise ModelError(f"{name} is not a net that {self.runtime} can read ({_brief(error)})") from error
        found = size or self._runner.size
        if found is None:
            raise ModelError(f"{name}: the file leaves the size of its input open; say it as `input`")
        if self._runner.size is not None and self._runner.size != found:
            raise ModelError(f"{name}: its input is {self._runner.size}, not {found}")
        self.size = found
        shapes = self._probe(1)
        guessed = family or family_of(shapes, self.size)
        if guessed is None:
            raise ModelError(
                f"{name}: outputs of shapes {', '.join(map(str, shapes))} for an input of {self.size} are of no family"
                " we know; say `family` if it is one"
            )
        self.family: Family = guessed
        self._decoded = decoded
        self._preparation = preparation or DEFAULTS[guessed]
        self._batches = not self._runner.single and self._takes_batches(shapes)
        try:
            self.find([np.zeros((self.size[1], self.size[0], 3), dtype=np.uint8)])
        except (ValueError, IndexError) as error:
            raise ModelError(
                f"{name}: outputs of shapes {', '.join(map(str, shapes))} are not those of {guessed} ({_brief(error)})"
            ) from error

    def fit(self, image: Image) -> Image:
        place = fitting(image, self.size, self._preparation.fit)
        return resized(image, place.width, place.height)

    def find(self, images: Sequence[Image]) -> list[list[Person]]:
        if not self._batches and len(images) > 1:
            return [people for image in images for people in self.find([image])]
        how = self._preparation
        block, places = fitted(images, self.size, how.fit, how.pad)
        outputs = self._runner.run(self._tensor(block))
        boxes = decode(self.family, outputs, self.size, how.person, decoded=self._decoded)
        found = [place.people(each.distinct()) for place, each in zip(places, boxes, strict=True)]
        steps = (0.0, how.doubt, how.seen, 1.0)
        return [
            [Person(person.box, float(np.interp(person.score, steps, _ONE_SCALE))) for person in people]
            for people in found
        ]

    def _tensor(self, block: Image) -> Any:
        pictures: Any = block[..., ::-1] if self._preparation.rgb else block
        if not self._runner.whole:
            mean = np.asarray(self._preparation.mean, dtype=np.float32)
            std = np.asarray(self._preparation.std, dtype=np.float32)
            pictures = (pictures.astype(np.float32) - mean) / std
        if not self._runner.last:
            pictures = pictures.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(pictures)

    def _probe(self, pictures: int) -> list[Shape]:
        shape = (pictures, self.size[1], self.size[0], 3)
        block = np.zeros(shape, dtype=np.uint8 if self._runner.whole else np.float32)
        try:
            outputs = self._runner.run(block if self._runner.last else block.transpose(0, 3, 1, 2))
        except Exception as error:
            raise ModelError(f"{self.name} cannot be run ({_brief(error)})") from error
        return [tuple(output.shape) for output in outputs]

    def _takes_batches(self, one: Sequence[Shape]) -> bool:
        try:
            two = self._probe(2)
        except ModelError:
            return False
        return [(2 * shape[0], *shape[1:]) for shape in one] == list(two)


class _OnnxRuntime:
    def __init__(self, blob: bytes) -> None:
        onnxruntime: Any = importlib.import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = (
            1  # the looking threads are the parallelism
        )
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(blob, options, providers=["CPUExecutionProvider"])
        (first,) = self._session.get_inputs()
        self._name = first.name
        shape = list(first.shape)
        if len(shape) != 4:
            raise ValueError(f"an input of {len(shape)} dimensions")
        self.last = shape[3] == 3
        self.whole = "uint8" in first.type
        self.single = shape[0] == 1
        height, width = shape[1:3] if self.last else shape[2:4]
        self.size = (width, height) if isinstance(width, int) and isinstance(height, int) else None

    def run(self, block: Any) -> list[Floats]:
        return [np.asarray(each, dtype=np.float32) for each in self._session.run(None, {self._name: block})]


class _OpenCv:
    last = False
    whole = False
    single = False

    def __init__(self, blob: bytes, size: tuple[int, int] | None) -> None:
        self.size = size
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(blob, dtype=np.uint8))
        self._outputs = self._net.getUnconnectedOutLayersNames()

    def run(self, block: Any) -> list[Floats]:
        self._net.setInput(np.ascontiguousarray(block, dtype=np.float32))
        return [np.asarray(each, dtype=np.float32) for each in self._net.forward(self._outputs)]


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:160]
