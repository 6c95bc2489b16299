"""A stream of JPEG pictures by HTTP (multipart/x-mixed-replace), as older cameras and gateways offer it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

from camera_adapters.jpeg import decode_jpeg
from camera_adapters.source import Frame, SourceError
from camera_adapters.web import LARGEST_BYTES, TIMEOUT, WebCamera
from domain.clock import Clock

LARGEST_HEAD = 64 << 10


class Parts:
    """Cuts a multipart body into its parts: bytes in, whole parts out.

    Goes by a part's ``Content-Length`` where it has one, else by the boundary, which cameras write with and without the
    two hyphens, quoted or not. What stands between parts is skipped.

    Args:
        content_type: of the answer.

    Raises:
        ValueError: it names no boundary; from :meth:`feed`: a part is too large.
    """

    def __init__(self, content_type: str) -> None:
        found = re.search(r'boundary="?([^";,]+)"?', content_type, re.IGNORECASE)
        if found is None or not found.group(1).strip("- "):
            raise ValueError("no boundary")
        self._mark = b"--" + found.group(1).strip().removeprefix("--").encode("latin-1")
        self._held = bytearray()
        self._body_at: int | None = None
        self._length: int | None = None

    def feed(self, more: bytes) -> list[bytes]:
        """The parts that ``more`` completes, in order."""
        self._held += more
        found = []
        while (part := self._next()) is not None:
            found.append(part)
        if len(self._held) > LARGEST_BYTES:
            raise ValueError("a part is too large")
        return found

    def _next(self) -> bytes | None:
        if self._body_at is None and not self._head():
            return None
        assert self._body_at is not None
        if self._length is not None:
            end = following = self._body_at + self._length
            if len(self._held) < end:
                return None
        else:
            end = following = self._held.find(self._mark, self._body_at)
            if end < 0:
                return None
        part = bytes(self._held[self._body_at : end])
        if self._length is None:
            part = part.removesuffix(b"\n").removesuffix(b"\r")
        del self._held[:following]
        self._body_at = None
        return part

    def _head(self) -> bool:
        """Finds the head of the next part; False while it is not whole."""
        begin = self._held.find(self._mark)
        if begin < 0:
            # A boundary may be cut in two.
            del self._held[: max(0, len(self._held) - len(self._mark))]
            return False
        del self._held[:begin]
        head = re.search(rb"\r?\n\r?\n", self._held)
        if head is None:
            if len(self._held) > LARGEST_HEAD:
                raise ValueError("a part's head is too large")
            return False
        length = re.search(rb"(?im)^content-length:[ \t]*(\d{1,9})[ \t]*\r?$", self._held[: head.start() + 2])
        self._length = int(length.group(1)) if length else None
        self._body_at = head.end()
        return True


class MjpegSource:
    """A stream of JPEG pictures. It reads all, since they come; it decodes the newest, as often as one is wanted.

    Args:
        make_web: makes the connection to the camera's web server.
        every: seconds between pictures that are decoded.
        timeout: seconds within which a whole picture must have come.
    """

    def __init__(
        self,
        make_web: Callable[[], WebCamera],
        clock: Clock,
        *,
        every: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
        timeout: float = TIMEOUT,
    ) -> None:
        self._make_web = make_web
        self._clock = clock
        self._every = every
        self._monotonic = monotonic
        self._timeout = timeout
        self._web: WebCamera | None = None
        self._offset: float | None = None
        self.broken = 0
        """Pictures that were not whole so far."""

    def open(self) -> None:
        self._web = self._make_web()

    def frames(self) -> Iterator[Frame]:
        if self._web is None:
            self.open()
        assert self._web is not None
        web = self._web
        with web.stream() as (answer, self._offset):
            kind = answer.headers.get("content-type", "")
            if answer.status_code != 200:
                raise SourceError("refused", f"{web.name}: answers with HTTP status {answer.status_code}")
            if kind.lower().startswith("image/"):
                raise SourceError(
                    "undecodable", f"{web.name}: sends one picture, not a stream (kind: snapshot)"
                )
            try:
                parts = Parts(kind)
            except ValueError as error:
                raise SourceError("undecodable", f"{web.name}: does not send a stream of pictures") from error
            due = good = self._monotonic()
            for piece in web.parts(answer):
                if self._web is None:
                    return
                try:
                    whole = [part for part in parts.feed(piece) if part]
                except ValueError as error:
                    raise SourceError("undecodable", f"{web.name}: {error}") from error
                now = self._monotonic()
                if now - good > self._timeout:
                    raise SourceError("undecodable", f"{web.name}: sends no whole picture")
                if not whole:
                    continue
                web.go_on()
                if now < due:
                    good = now
                    continue
                try:
                    image = decode_jpeg(whole[-1], web.name)
                except SourceError:
                    self.broken += 1
                    continue
                yield Frame(image, self._monotonic(), self._clock.now())
                good = self._monotonic()
                # Always a moment that lies ahead, on the same beat.
                due = max(due + self._every, good)
        raise SourceError("no_frame", f"{web.name}: ends its stream")

    def clock_offset(self) -> float | None:
        """By the ``Date`` of its answer when it was opened."""
        return self._offset

    def close(self) -> None:
        web, self._web = self._web, None
        if web is not None:
            web.close()
