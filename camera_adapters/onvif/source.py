"""A camera found through ONVIF, and any camera whose clock is asked through it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

from camera_adapters.addresses import with_credentials, without_credentials
from camera_adapters.onvif.device import OnvifDevice
from camera_adapters.source import Frame, Source, SourceError, clock_offset_of

log = logging.getLogger(__name__)

MEASURE_EVERY = 600.0
"""Seconds between two questions for a camera's time; a clock that drifts a second a day is a bad one."""


class ClockedSource:
    """A source whose camera's clock is asked through ONVIF, when it is opened and now and then between two pictures.

    That the clock cannot be had is no reason not to look: it is logged once.
    """

    def __init__(
        self,
        source: Source,
        make_device: Callable[[], OnvifDevice],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source, self._make_device, self._monotonic = source, make_device, monotonic
        self._offset: float | None = None
        self._due = float("-inf")
        self._said = False

    def open(self) -> None:
        self._source.open()
        self._measure()

    def frames(self) -> Iterator[Frame]:
        for frame in self._source.frames():
            yield frame
            if self._monotonic() >= self._due:
                self._measure()

    def clock_offset(self) -> float | None:
        return self._offset if self._offset is not None else clock_offset_of(self._source)

    @property
    def broken(self) -> int:
        return int(getattr(self._source, "broken", 0))

    def close(self) -> None:
        self._source.close()

    def _measure(self) -> None:
        self._due = self._monotonic() + MEASURE_EVERY
        device: OnvifDevice | None = None
        try:
            device = self._make_device()
            self._offset = device.measure_clock()
        except SourceError as error:
            self._offset = None
            if not self._said:
                log.warning("the camera's clock is not known: %s", error)
            self._said = True
        finally:
            if device is not None:
                device.close()


class OnvifSource:
    """``onvif://host[:port]/?profile=TOKEN``: its stream, or with ``&snapshot`` its still picture.

    Which address that is the device is asked at each opening: it may have been set up anew.

    Args:
        address: with the login in it.
        make_source: makes the source of a plain address, with the login in it; the second argument: of a still picture.
    """

    def __init__(
        self,
        address: str,
        make_device: Callable[[str], OnvifDevice],
        make_source: Callable[[str, bool], Source],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        query = parse_qs(urlsplit(address).query, keep_blank_values=True)
        self._profile = query.get("profile", [None])[0]
        self._snapshot = "snapshot" in query
        self._make_device, self._make_source, self._monotonic = make_device, make_source, monotonic
        self._source: ClockedSource | None = None

    def open(self) -> None:
        device = self._make_device(self._address)
        try:
            profile = device.profile(self._profile)
            told = device.snapshot_address(profile) if self._snapshot else device.stream_address(profile)
        finally:
            device.close()
        _, user, password = without_credentials(self._address)
        source = self._make_source(with_credentials(told, user, password), self._snapshot)
        self._source = ClockedSource(
            source, lambda: self._make_device(self._address), monotonic=self._monotonic
        )
        self._source.open()

    def frames(self) -> Iterator[Frame]:
        if self._source is None:
            self.open()
        assert self._source is not None
        yield from self._source.frames()

    def clock_offset(self) -> float | None:
        return self._source.clock_offset() if self._source is not None else None

    @property
    def broken(self) -> int:
        return self._source.broken if self._source is not None else 0

    def close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()
