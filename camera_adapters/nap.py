"""How long a reader may sleep so as to be woken less often.

Of a stream of 25 pictures a second only one in two seconds is decoded, yet each one wakes the thread that reads, several
times; of a small stream that is most of its cost. Sleeping a little lets a few arrive together. It must not be so long that
the kernel's buffer is full: then the camera would have to wait, and some hang up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

LONGEST: Final = 0.25
"""Seconds; a picture may be that much older."""
SHORTEST: Final = 0.05
BUFFER: Final = 49_152
"""Bytes that may arrive in a sleep: less than what a connection may have under way (64 KiB) before the reader takes any."""
AT_ONCE: Final = 0.002
"""Seconds; what is there sooner had come before it was asked for."""
_SPAN: Final = 4.0
"""Seconds over which the rate is measured."""


class Nap:
    """Tells after each packet, or each read, how long to sleep. Pure but for the clock it is given.

    Args:
        buffer: bytes that may arrive in a sleep.
    """

    def __init__(self, monotonic: Callable[[], float], buffer: int = BUFFER) -> None:
        self._monotonic = monotonic
        self._buffer = buffer
        self._began, self._bytes = monotonic(), 0
        self._rate: float | None = None

    def after(self, size: int, *, waited: float) -> float:
        """Seconds to sleep; 0 while packets lie ready, and until the rate is known.

        Args:
            size: bytes of the packet. waited: seconds until it was there.
        """
        self._count(size)
        return 0.0 if waited < AT_ONCE else self._pause()

    def after_all(self, size: int) -> float:
        """As :meth:`after`, where one read takes all that lies ready."""
        self._count(size)
        return self._pause()

    def _count(self, size: int) -> None:
        self._bytes += size
        span = self._monotonic() - self._began
        if span >= _SPAN:
            self._rate = self._bytes / span
            self._began, self._bytes = self._monotonic(), 0

    def _pause(self) -> float:
        if self._rate is None:
            return 0.0
        pause = min(LONGEST, self._buffer / max(self._rate, 1.0))
        return pause if pause >= SHORTEST else 0.0
