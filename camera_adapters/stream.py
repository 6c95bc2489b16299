"""Live streams (RTSP and whatever else FFmpeg opens by address): keyframes only, over TCP, bounded in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from camera_adapters.media import OPEN_TIMEOUT, READ_TIMEOUT, Media
from camera_adapters.source import Frame
from domain.clock import Clock


class StreamSource:
    """A network camera's stream.

    Its clock is the machine's monotonic one at the arrival of a picture: cameras' own time stamps drift and jump.

    Args:
        address: with the credentials in it, percent-encoded; never shown.
        every_frame: decode everything, not only keyframes (ten times the work).
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        every_frame: bool = False,
        timeout: tuple[float, float] = (OPEN_TIMEOUT, READ_TIMEOUT),
    ) -> None:
        self._address = address
        self._clock = clock
        self._monotonic = monotonic
        self._keyframes_only = not every_frame
        self._timeout = timeout
        self._media: Media | None = None

    def open(self) -> None:
        self._media = Media(
            self._address, keyframes_only=self._keyframes_only, live=True, timeout=self._timeout
        )

    def frames(self) -> Iterator[Frame]:
        if self._media is None:
            self.open()
        assert self._media is not None
        for picture in self._media.pictures():
            yield Frame(picture.image, self._monotonic(), self._clock.now(), picture.keyframe)

    def close(self) -> None:
        media, self._media = self._media, None
        if media is not None:
            media.close()
