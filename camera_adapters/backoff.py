"""How long to wait before a camera is opened again."""

from __future__ import annotations

import random
from collections.abc import Callable

WAITS = (1.0, 5.0, 10.0, 60.0)
"""Real seconds before the first, second, … attempt after a failure; the last one for ever."""
GOOD_AFTER = 60.0
"""Seconds of pictures after which a camera is trusted again."""
JITTER = 0.2
"""Share by which a wait varies, so that fifty cameras behind one switch do not come back in the same second."""


class Backoff:
    """Waits that grow with every failure and are forgotten after a good minute.

    Args:
        spread: gives a number in 0 … 1.
    """

    def __init__(self, spread: Callable[[], float] = random.random) -> None:
        self._spread = spread
        self._failures = 0

    def failed(self, good_for: float) -> float:
        """Seconds to wait after a failure; ``good_for``: how long pictures had come before it."""
        if good_for >= GOOD_AFTER:
            self._failures = 0
        wait = WAITS[min(self._failures, len(WAITS) - 1)]
        self._failures += 1
        return self.varied(wait)

    def forget(self) -> None:
        """The next wait is the first again: something has changed for the better."""
        self._failures = 0

    def varied(self, seconds: float) -> float:
        return seconds * (1 + JITTER * (2 * self._spread() - 1))
