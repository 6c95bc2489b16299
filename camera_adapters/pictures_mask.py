"""Blackout (R11): of a picture only what may be kept is ever turned into bytes; everything else is black before that.

What is hidden is blackened at full size, before the picture is made smaller and encoded: no pixel that is kept has been mixed with one
that is not, and two pictures that differ only in what is hidden give the same bytes. In the JPEG the colours are as fine as the light, so
that none of them runs over into a block that is black.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from detectors.presence.picture import Image
from domain.centre import Camera
from domain.pictures import PictureSettings

Area = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class _Cut:
    """For pictures of one size: what is cut out (left, top, width, height), and what may be seen of that."""

    box: tuple[int, int, int, int]
    seen: Image


class Mask:
    """What of one camera's pictures may be kept.

    Its posts' public sides and its blackout areas are hidden in any case, also where a staff side lies over them.

    Args:
        post: with ``keep: staff`` the one whose staff side is kept: a finding about a window shows nobody of the next one.
    """

    def __init__(self, camera: Camera, post: str | None = None) -> None:
        self.settings = camera.evidence or PictureSettings()
        self.post = post
        self._staff: list[Area] = [each.polygon for each in camera.posts if post in (None, each.name)]
        self._public: list[Area] = [post.public for post in camera.posts if post.public]
        self._blackout: list[Area] = list(camera.blackout)
        self._cuts: dict[tuple[int, int], _Cut | None] = {}

    def jpeg(self, image: Image) -> bytes | None:
        """The picture as it may be kept; None where nothing of it may be.

        Args:
            image: BGR, height × width × 3, uint8. Is not changed.
        """
        cut = self._cut(int(image.shape[0]), int(image.shape[1]))
        if cut is None:
            return None
        left, top, width, height = cut.box
        part: Any = image[top : top + height, left : left + width]
        part = cv2.bitwise_and(part, part, mask=cut.seen)
        if width > self.settings.width:
            size = (self.settings.width, max(1, round(height * self.settings.width / width)))
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        options = [
            cv2.IMWRITE_JPEG_QUALITY, self.settings.quality,
            cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
        ]  # fmt: skip
        done, content = cv2.imencode(".jpg", part, options)
        return content.tobytes() if done else None

    def _cut(self, height: int, width: int) -> _Cut | None:
        if (height, width) not in self._cuts:
            self._cuts = {(height, width): self._make_cut(height, width)}
        return self._cuts[(height, width)]

    def _make_cut(self, height: int, width: int) -> _Cut | None:
        wide = 2 * round(self.settings.margin * width) + 1
        whole = self.settings.keep == "view"
        seen: Any = np.full((height, width), 255 if whole else 0, np.uint8)
        if self.settings.keep == "staff":
            seen = cv2.dilate(_drawn(seen, self._staff, 255), np.ones((wide, wide), np.uint8))
        public: Any = _drawn(np.zeros_like(seen), self._public, 255)
        if whole:
            # Who stands at the edge of what was drawn is hidden, too. Around a staff side there is no room for that.
            public = cv2.dilate(public, np.ones((wide, wide), np.uint8))
        seen[public > 0] = 0
        _drawn(seen, self._blackout, 0)
        box = cv2.boundingRect(seen)
        left, top, across, down = box
        if self.settings.keep == "none" or not across or not down:
            return None
        return _Cut(
            (left, top, across, down), np.ascontiguousarray(seen[top : top + down, left : left + across])
        )


def masks_of(camera: Camera) -> list[Mask]:
    """One for each post, or one for the whole view."""
    keep = (camera.evidence or PictureSettings()).keep
    if keep == "staff":
        return [Mask(camera, post.name) for post in camera.posts]
    return [Mask(camera)] if keep == "view" else []


def _drawn(plane: Image, areas: Sequence[Area], value: int) -> Image:
    height, width = plane.shape
    for area in areas:
        corners = np.array([[round(x * width), round(y * height)] for x, y in area], np.int32)
        cv2.fillPoly(plane, [corners], value)
    return plane
