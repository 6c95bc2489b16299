"""The one clock, handed in: real time, or simulated time with a speed.

Every rule, stage and screen takes ``now``; only the composition root makes a clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from domain.errors import SettingsError


class Clock:
    """Maps a source of real seconds to the time the program lives in.

    Args:
        time_source: seconds since the epoch, like ``time.time``.
        real_start, sim_start: the two epochs (seconds) that stand for the same moment.
        speed: simulated seconds per real second; 1 for real time.
    """

    def __init__(
        self,
        time_source: Callable[[], float] = time.time,
        *,
        real_start: float = 0.0,
        sim_start: float = 0.0,
        speed: float = 1.0,
    ) -> None:
        if speed <= 0:
            raise SettingsError(f"a clock's speed must be above 0, not {speed}")
        self._source, self._real, self._sim, self.speed = time_source, real_start, sim_start, speed

    @classmethod
    def from_spec(cls, spec: str = "real", time_source: Callable[[], float] = time.time) -> Clock:
        """``real``, or ``sim:<real_epoch>:<sim_epoch>:<speed>`` (all numbers).

        Raises:
            SettingsError: the text is neither.
        """
        if spec in ("", "real"):
            return cls(time_source)
        kind, *parts = spec.split(":")
        try:
            real, sim, speed = (float(part) for part in parts)
        except ValueError:
            kind = ""
        if kind != "sim":
            raise SettingsError(f"MINGJING_CLOCK: expected 'real' or 'sim:REAL:SIM:SPEED', not '{spec}'")
        return cls(time_source, real_start=real, sim_start=sim, speed=speed)

    @property
    def spec(self) -> str:
        """The text that gives the same clock in another process."""
        if self.speed == 1.0 and self._real == self._sim:
            return "real"
        return f"sim:{self._real}:{self._sim}:{self.speed}"

    def monotonic(self) -> float:
        """Seconds of this clock; only differences mean something."""
        return self._sim + (self._source() - self._real) * self.speed

    def now(self) -> datetime:
        """This clock's moment, aware, UTC."""
        return datetime.fromtimestamp(self.monotonic(), UTC)

    def real_seconds(self, span: timedelta) -> float:
        """How many real seconds a span of this clock takes."""
        return span.total_seconds() / self.speed


class FakeClock(Clock):
    """A clock that moves only when told to. For tests and for ``replay``."""

    def __init__(self, now: datetime) -> None:
        self._at = now.timestamp()
        super().__init__(lambda: self._at)

    def advance(self, seconds: float) -> None:
        self._at += seconds

    def set(self, now: datetime) -> None:
        self._at = now.timestamp()
