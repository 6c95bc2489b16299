"""What every net that finds people has in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from detectors.presence.picture import Image
from detectors.presence.posts import Box

LEAST_SCORE = 0.02
"""Weaker boxes are not told at all: the weak ones are needed to tell "nobody" from "not sure"."""
NMS_OVERLAP = 0.45


@dataclass(frozen=True, slots=True)
class Person:
    """A person found in a picture: the box in 0 … 1 of its size, and the score on the scale of
    :data:`detectors.presence.person_detector.SEEN_SCORE`, whatever the net."""

    box: Box
    score: float


class PersonNet(Protocol):
    """A net that finds people. Not safe to use from two threads at once."""

    def fit(self, image: Image) -> Image:
        """The image (height × width × 3, BGR, uint8) reduced to what the net really sees; boxes stay the same."""
        ...

    def find(self, images: Sequence[Image]) -> list[list[Person]]:
        """For each image (as :meth:`fit` gives it) its people, weak ones (score ≥ LEAST_SCORE) included, best first."""
        ...
