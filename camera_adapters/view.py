"""A decoded picture that becomes pixels only as far as somebody asks for them.

Turning a picture of 1920 × 1080 into BGR, then grey, then 320 pixels of width costs a third of decoding it; most looks need
nothing but the last, which the scaler makes of the decoder's own picture in one step.
"""

from __future__ import annotations

import threading
from datetime import datetime
from functools import cached_property

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from camera_adapters.source import Frame
from detectors.presence.picture import SMALL_WIDTH, Image, Picture, Plane


class Scaler:
    """Makes pixels of one stream's pictures; what it needs for that is made once. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._full, self._small = VideoReformatter(), VideoReformatter()

    def bgr(self, frame: av.VideoFrame) -> Image:
        with self._lock:
            made = self._full.reformat(frame, format="bgr24", threads=1)
            return np.asarray(made.to_ndarray(), dtype=np.uint8)

    def grey(self, frame: av.VideoFrame, width: int, height: int) -> Image:
        """The whole picture in grey (0 … 255 whatever range the camera uses), averaged down to a size."""
        with self._lock:
            made = self._small.reformat(
                frame, width, height, "gray", interpolation=Interpolation.AREA, threads=1
            )
            return np.asarray(made.to_ndarray(), dtype=np.uint8)


class View:
    """One decoded picture."""

    def __init__(self, frame: av.VideoFrame, scaler: Scaler) -> None:
        self._frame, self._scaler = frame, scaler
        self.width, self.height = frame.width, frame.height

    @cached_property
    def bgr(self) -> Image:
        """Height × width × 3, uint8."""
        return self._scaler.bgr(self._frame)

    def grey(self, width: int, height: int) -> Image:
        return self._scaler.grey(self._frame, width, height)


class LazyPicture(Picture):
    """A picture whose full pixels are made only if somebody needs them (a person detector, a picture to keep)."""

    def __init__(self, view: View, t: float, keyframe: bool) -> None:
        # The fields are those of a frozen dataclass; ``image`` is made below.
        for name, value in (("_view", view), ("t", t), ("keyframe", keyframe)):
            object.__setattr__(self, name, value)

    _view: View

    @cached_property
    def image(self) -> Image:  # type: ignore[override]
        return self._view.bgr

    @property
    def width(self) -> int:
        return self._view.width

    @property
    def height(self) -> int:
        return self._view.height

    @cached_property
    def small(self) -> Plane:
        height = max(8, round(self.height * SMALL_WIDTH / self.width))
        return self._view.grey(SMALL_WIDTH, height).astype(np.float32)


class LazyFrame(Frame):
    """As :class:`Frame`, with the pixels made when asked for."""

    _view: View

    def __init__(self, view: View, t: float, taken_at: datetime, keyframe: bool) -> None:
        for name, value in (("_view", view), ("t", t), ("taken_at", taken_at), ("keyframe", keyframe)):
            object.__setattr__(self, name, value)

    @property
    def image(self) -> Image:  # type: ignore[override]
        return self._view.bgr

    def picture(self, t: float) -> Picture:
        return LazyPicture(self._view, t, self.keyframe)
