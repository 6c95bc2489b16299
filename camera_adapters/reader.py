"""Keeping one camera open: read, and after any failure wait and open anew, for ever."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from camera_adapters.addresses import masked
from camera_adapters.backoff import Backoff
from camera_adapters.gate import Gate
from camera_adapters.knock import Knock
from camera_adapters.slot import Slot
from camera_adapters.source import Source, SourceError, clock_offset_of

log = logging.getLogger(__name__)

_SMOOTH: Final = 0.3
KNOCK_EVERY, KNOCK_SELDOM = 2.0, 10.0
"""Seconds between two knocks at a camera that has failed: within ten minutes of it, and later."""
KNOCK_LONG: Final = 600.0
WELCOME: Final = "200"
"""The answer of a camera that would let anybody in: opening it again soon locks no account."""
SOON: Final = 3.0
"""The longest wait before such a camera is opened again, for the same ten minutes: it was still starting."""


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
        slowest: seconds between pictures beyond which the camera is set up wrongly.
        knock: asks whether the camera could be opened; None where there is no asking.
        gate: lets a few of a ``site`` open at the same time.
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
        knock: Knock | None = None,
        gate: Gate | None = None,
        site: str = "",
    ) -> None:
        self.camera = camera
        self.link = Link(up=False)
        self.interval: float | None = None
        """Measured real seconds between pictures; with keyframes only, the camera's keyframe interval."""
        self.reopened = 0
        self.newest: float | None = None
        """When the newest picture came, on the machine's monotonic clock."""
        self._make_source = make_source
        self._slot = slot
        self._wait = wait
        self._monotonic = monotonic
        self._backoff = backoff or Backoff()
        self._slowest = slowest
        self._warned = False
        self._knock, self._gate, self._site = knock, gate or Gate(), site
        self._hurried = False
        self._broken = 0
        self._failing_since: float | None = None
        self._answer: str | None = None
        """What the door said last, since the camera failed."""
        self.source: Source | None = None
        """What is being read, None between two openings."""

    @property
    def too_slow(self) -> bool:
        """Pictures come so seldom that posts are unknown between them: the camera is set up wrongly."""
        return self.interval is not None and self.interval > self._slowest

    @property
    def broken(self) -> int:
        """Pictures or packets that could not be decoded."""
        return self._broken + _broken(self.source)

    @property
    def clock_offset(self) -> float | None:
        """Seconds the camera's clock is ahead, None while unknown."""
        return clock_offset_of(self.source)

    def hurry(self) -> None:
        """Ends a wait early and forgets the failures: what was wrong with all cameras of the site is over."""
        self._hurried = True

    def run(self) -> None:
        """Reads until ``wait`` says to end."""
        while True:
            first, last = self._read_once()
            if self._pause(self._backoff.failed(last - first)):
                return
            self.reopened += 1

    def _pause(self, seconds: float) -> bool:
        """Waits, knocking meanwhile; true to end."""
        self._hurried = False
        if self._knock is None:
            return bool(self._wait(seconds))
        began = self._monotonic()
        answer = self._knock()
        now = self._monotonic()
        if self._failing_since is None:
            self._failing_since = began
        elif answer is not None and answer != self._answer:
            # It came back while an attempt was under way that had begun too early.
            self._backoff.forget()
            seconds = self._backoff.failed(0)
        self._answer, since = answer, self._failing_since
        if answer == WELCOME and began - since < KNOCK_LONG:
            seconds = min(seconds, self._backoff.varied(SOON))
        until = began + seconds
        while (left := until - now) > 0:
            pause = self._backoff.varied(KNOCK_EVERY if now - since < KNOCK_LONG else KNOCK_SELDOM)
            if self._wait(min(left, pause)):
                return True
            now = self._monotonic()
            before, self._answer = self._answer, self._knock() if until - now > 0 else self._answer
            if self._hurried or (self._answer is not None and self._answer != before):
                # It came back: the waits begin anew, also where this attempt still comes a moment too early.
                self._backoff.forget()
                return False
        return False

    def _read_once(self) -> tuple[float, float]:
        """One attempt, to its end; returns when its first and last picture came (equal for none)."""
        first = last = self._monotonic()
        source: Source | None = None
        try:
            with self._gate.turn(self._site, lambda: self._wait(0)) as admitted:
                if not admitted:
                    return first, last
                self.source = source = self._make_source()
                source.open()
            seen = False
            for frame in source.frames():
                now = self._monotonic()
                if seen:
                    self._note_interval(now - last)
                first, last = (first if seen else now), now
                seen = True
                self.newest, self._failing_since = now, None
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
            self._broken += _broken(self.source)
            self.source = None
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


def _broken(source: Source | None) -> int:
    """What a source counts itself; 0 for one that does not."""
    return int(getattr(source, "broken", 0))
