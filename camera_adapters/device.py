"""A camera at this machine's own plug (Video4Linux2): USB cameras, capture cards."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import cv2
import numpy as np

from camera_adapters.media import READ_TIMEOUT
from camera_adapters.source import Frame, SourceError
from domain.clock import Clock


class Device(Protocol):
    """What is asked of OpenCV's ``VideoCapture``. ``grab`` takes a picture off the device's queue without decoding it."""

    def isOpened(self) -> bool: ...

    def set(self, key: int, value: float) -> bool: ...

    def grab(self) -> bool: ...

    def retrieve(self) -> tuple[bool, Any]: ...

    def release(self) -> None: ...


def open_device(path: str) -> Device:
    """The kernel's device. Each read ends within READ_TIMEOUT: a camera may hang and keep its device."""
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", str(int(READ_TIMEOUT)))
    return cv2.VideoCapture(path, cv2.CAP_V4L2)


class DeviceSource:
    """Takes every picture off the device, so that none is old, and decodes one every so often.

    Args:
        address: ``/dev/video0`` or ``v4l2:///dev/video0?size=1280x720&fps=10``.
        every: seconds between pictures that are decoded.
        opener: for tests.
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        *,
        every: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
        opener: Callable[[str], Device] = open_device,
    ) -> None:
        parts = urlsplit(address)
        self.name = unquote(parts.path) if parts.scheme == "v4l2" else address
        self._asked = _asked(parse_qs(parts.query), self.name) if parts.scheme == "v4l2" else {}
        self._clock, self._every, self._monotonic, self._opener = clock, every, monotonic, opener
        self._device: Device | None = None

    def open(self) -> None:
        device = self._opener(self.name)
        if not device.isOpened():
            device.release()
            raise SourceError("unreachable", f"{self.name}: there is no camera that can be opened")
        for key, value in self._asked.items():
            device.set(key, value)
        self._device = device

    def frames(self) -> Iterator[Frame]:
        if self._device is None:
            self.open()
        due = self._monotonic()
        while (device := self._device) is not None:
            if not device.grab():
                raise SourceError("no_frame", f"{self.name}: sends nothing")
            now = self._monotonic()
            if now < due:
                continue
            due = max(due + self._every, now)
            good, image = device.retrieve()
            if not good or image is None or image.ndim != 3:
                raise SourceError("undecodable", f"{self.name}: sends a picture that cannot be decoded")
            yield Frame(np.asarray(image, dtype=np.uint8), now, self._clock.now())

    def close(self) -> None:
        device, self._device = self._device, None
        if device is not None:
            device.release()


def _asked(query: dict[str, list[str]], name: str) -> dict[int, float]:
    asked: dict[int, float] = {}
    try:
        if "size" in query:
            width, height = query["size"][0].split("x")
            asked |= {cv2.CAP_PROP_FRAME_WIDTH: int(width), cv2.CAP_PROP_FRAME_HEIGHT: int(height)}
        if "fps" in query:
            asked[cv2.CAP_PROP_FPS] = float(query["fps"][0])
    except ValueError as error:
        raise SourceError("undecodable", f"{name}: size is like 1280x720, fps a number") from error
    unknown = set(query) - {"size", "fps"}
    if unknown:
        raise SourceError("undecodable", f"{name}: knows size and fps, not {', '.join(sorted(unknown))}")
    return asked
