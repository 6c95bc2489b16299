"""YOLO-Fastest (Darknet) through OpenCV's dnn module."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from detectors.presence.nets.boxes import Boxes, Fitting, resized
from detectors.presence.nets.net import LEAST_SCORE, Person
from detectors.presence.picture import Image
from domain.errors import ModelError

INPUT_SIZE = 320
_PERSON_CLASS = 0


class DarknetNet:
    """A Darknet net that finds people.

    Raises:
        ModelError: the files are not a net that OpenCV can read.
    """

    def __init__(self, cfg: Path, weights: Path) -> None:
        try:
            text, blob = cfg.read_text(encoding="ascii"), weights.read_bytes()
            # OpenCV drops boxes under the `thresh` of the cfg (0.2 by default) before we see them.
            text = text.replace("[yolo]", f"[yolo]\nthresh={LEAST_SCORE}")
            buffers = [np.frombuffer(part, dtype=np.uint8) for part in (text.encode("ascii"), blob)]
            self._net = cv2.dnn.readNetFromDarknet(buffers[0], buffers[1])
            self._outputs = self._net.getUnconnectedOutLayersNames()
            self.find([np.zeros((INPUT_SIZE, INPUT_SIZE, 3), dtype=np.uint8)])
        except (OSError, UnicodeDecodeError, cv2.error, IndexError, ValueError) as error:
            raise ModelError(f"{weights.name} and {cfg.name} are not a net that OpenCV can read") from error

    def fit(self, image: Image) -> Image:
        """Pulled out of shape: the figures of the posts were measured so."""
        return resized(image, INPUT_SIZE, INPUT_SIZE)

    def find(self, images: Sequence[Image]) -> list[list[Person]]:
        blob = cv2.dnn.blobFromImages(list(images), 1 / 255, (INPUT_SIZE, INPUT_SIZE), swapRB=True)
        self._net.setInput(blob)
        outputs = [
            output.reshape(len(images), -1, output.shape[-1]) for output in self._net.forward(self._outputs)
        ]
        whole = Fitting(0, 0, INPUT_SIZE, INPUT_SIZE)
        found = []
        for rows in np.concatenate(outputs, axis=1):
            # A box without "person" in it has score 0 there, whatever its "anything there".
            boxes = Boxes.of_centres(rows[:, :4] * INPUT_SIZE, rows[:, 5 + _PERSON_CLASS])
            found.append(whole.people(boxes.distinct()))
        return found
