"""Still pictures by HTTP: the cheapest source where a camera offers it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from camera_adapters.jpeg import decode_jpeg
from camera_adapters.source import Frame, SourceError
from camera_adapters.web import WebCamera
from domain.clock import Clock

Wait = Callable[[float], object]


class SnapshotSource:
    """A camera's still-picture address, with basic or digest authentication as the camera asks for.

    Args:
        make_web: makes the connection to its web server.
        every: seconds between pictures. No maker publishes how many its cameras bear; two seconds are gentle.
    """

    def __init__(
        self,
        make_web: Callable[[], WebCamera],
        clock: Clock,
        *,
        every: float = 2.0,
        wait: Wait = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._make_web = make_web
        self._clock = clock
        self._every = every
        self._wait = wait
        self._monotonic = monotonic
        self._web: WebCamera | None = None
        self._offset: float | None = None

    def open(self) -> None:
        self._web = self._make_web()

    def frames(self) -> Iterator[Frame]:
        if self._web is None:
            self.open()
        while (web := self._web) is not None:
            asked = self._monotonic()
            image = decode_jpeg(self._fetch(web), web.name)
            yield Frame(image, self._monotonic(), self._clock.now())
            if self._wait(max(0.0, self._every - (self._monotonic() - asked))):
                return

    def clock_offset(self) -> float | None:
        """By the ``Date`` of its answers, good to about a second."""
        return self._offset

    def close(self) -> None:
        web, self._web = self._web, None
        if web is not None:
            web.close()

    def _fetch(self, web: WebCamera) -> bytes:
        with web.stream() as (answer, offset):
            # Before its body is read: a stream of pictures has no end.
            if answer.headers.get("content-type", "").lower().startswith("multipart/"):
                raise SourceError(
                    "undecodable", f"{web.name}: sends a stream of pictures, not one (kind: mjpeg)"
                )
            if answer.status_code != 200:
                raise SourceError("refused", f"{web.name}: answers with HTTP status {answer.status_code}")
            self._offset = offset
            return web.whole(answer)
