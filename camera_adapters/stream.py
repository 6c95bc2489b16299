"""Live streams (RTSP and whatever else FFmpeg opens by address): keyframes only, bounded in time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from camera_adapters.addresses import masked, scheme_of
from camera_adapters.keyframes import Keyframes
from camera_adapters.media import Access, Media
from camera_adapters.rtsp import Unspoken
from camera_adapters.source import Frame
from camera_adapters.view import LazyFrame, View
from domain.clock import Clock

log = logging.getLogger(__name__)

WALL_CLOCK = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
"""A sender without a clock may count from when it was started (RFC 3550, 6.4.1): that says nothing of the time."""


class StreamSource:
    """A network camera's stream.

    Its clock is the machine's monotonic one at the arrival of a picture (or a little before, never after): cameras' own time stamps drift and jump.

    Args:
        address: with the credentials in it, percent-encoded; never shown.
        access: transport, time limits, whom to believe.
        every_frame: decode everything, not only keyframes (ten times the work).
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        every_frame: bool = False,
        access: Access = Access(),
    ) -> None:
        self._address = address
        self._clock = clock
        self._monotonic = monotonic
        self._keyframes_only = not every_frame
        self._access = access
        self._media: Media | Keyframes | None = None
        self._offset: float | None = None

    def open(self) -> None:
        if self._keyframes_only and self._access.transport == "tcp" and scheme_of(self._address) == "rtsp":
            try:
                self._media = Keyframes(self._address, access=self._access)
                return
            except Unspoken as why:
                log.debug("%s: left to FFmpeg: %s", masked(self._address), why)
        self._open_any()

    def _open_any(self) -> None:
        self._media = Media(
            self._address, keyframes_only=self._keyframes_only, live=True, access=self._access
        )

    def frames(self) -> Iterator[Frame]:
        for view, _, keyframe, captured in self._views():
            # A reader that sleeps makes a picture no younger: it counts as old as it may be.
            lag = self._media.lag if self._media is not None else 0.0
            now = self._clock.now() - timedelta(seconds=lag * self._clock.speed)
            if captured is not None and captured >= WALL_CLOCK:
                self._offset = captured - now.timestamp()
            yield LazyFrame(view, self._monotonic() - lag, now, keyframe)

    def _views(self) -> Iterator[tuple[View, float, bool, float | None]]:
        if self._media is None:
            self.open()
        assert self._media is not None
        try:
            yield from self._media.views()
        except Unspoken as why:
            log.debug("%s: left to FFmpeg: %s", masked(self._address), why)
            self.close()
            self._open_any()
            yield from self._media.views()

    def clock_offset(self) -> float | None:
        """Seconds the camera's clock is ahead, by its sender reports (RFC 3550); behind by what coding and the way take."""
        return self._offset

    @property
    def broken(self) -> int:
        """Pictures that were lost in part or could not be decoded since it was opened."""
        return self._media.broken if self._media is not None else 0

    def close(self) -> None:
        media, self._media = self._media, None
        if media is not None:
            media.close()
