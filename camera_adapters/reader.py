"""Keeping one camera open: read, and after any failure wait and open anew, for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from camera_adapters.addresses import masked
from camera_adapters.backoff import Backoff
from camera_adapters.slot import Slot
from camera_adapters.source import Source, SourceError

log = logging.getLogger(__name__)

_SMOOTH: Final = 0.3


@dataclass(frozen=True, slots=True)
class Link:
    """How a camera stands. ``reason`` tells why it does not deliver (None: it does, or has not been tried yet)."""

    up: bool
    reason: str | None = None


class Reader:
    """Puts a camera's pictures into its slot; made to run in a thread of its own.

    Args:
        make_source: makes the source anew for each attempt (it may read a password that has just been corrected).
        wait: takes seconds, returns a true value to end; like ``Event.wait``.
    """

    def __init__(
        self,
        camera: str,
        make_source: Callable[[], Source],
        slot: Slot,
        *,
        wait: Callable[[float], object],
        monotonic: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
        slowest: float = float("inf"),
    ) -> None:
        self.camera = camera
        self.link = Link(up=False)
        self.interval: float | None = None
        """Measured real seconds between pictures; with keyframes only, the camera's keyframe interval."""
        self.reopened = 0
        self._make_source = make_source
        self._slot = slot
        self._wait = wait
        self._monotonic = monotonic
        self._backoff = backoff or Backoff()
        self._slowest = slowest
        self._warned = False

    def run(self) -> None:
        """Reads until ``wait`` says to end."""
        while True:
            first, last = self._read_once()
            if self._wait(self._backoff.failed(last - first)):
                return
            self.reopened += 1

    def _read_once(self) -> tuple[float, float]:
        """One attempt, to its end; returns when its first and last picture came (equal for none)."""
        first = last = self._monotonic()
        source: Source | None = None
        try:
            source = self._make_source()
            source.open()
            seen = False
            for frame in source.frames():
                now = self._monotonic()
                if seen:
                    self._note_interval(now - last)
                first, last = (first if seen else now), now
                seen = True
                if not self.link.up:
                    log.info("camera %s delivers", self.camera, extra={"camera": self.camera})
                    self.link = Link(up=True)
                self._slot.put(frame)
            if not self._wait(0):
                self._down("no_frame", f"camera {self.camera}: the pictures have ended")
        except SourceError as error:
            self._down(error.reason, f"camera {self.camera}: {error}")
        except Exception as error:
            # A library we decode with may fail in any way on what a camera sends; none of them may end the reading.
            self._down("undecodable", f"camera {self.camera}: {type(error).__name__}: {masked(str(error))}")
        finally:
            if source is not None:
                source.close()
        return first, last

    def _down(self, reason: str, text: str) -> None:
        if self.link != Link(False, reason):
            log.warning("%s", text, extra={"camera": self.camera, "code": reason})
        self.link = Link(up=False, reason=reason)

    def _note_interval(self, seconds: float) -> None:
        self.interval = (
            seconds if self.interval is None else (1 - _SMOOTH) * self.interval + _SMOOTH * seconds
        )
        if self.interval > self._slowest and not self._warned:
            self._warned = True
            log.warning(
                "camera %s sends a picture only every %.1f s, older than %.0f s says nothing:"
                " shorten its keyframe interval and switch smart coding (H.264+) off",
                self.camera,
                self.interval,
                self._slowest,
            )
