"""Whether the wall clock may be believed: somebody may just have set it an hour ahead.

A deadline that passes only because a clock was set is no deadline that passed. The machine has a second clock nobody can
set, the time since it booted (sleep included); between two looks both must have gone on alike. A clock that ran ahead of it at
one go is believed only when it has stood by it for a while: a late card is better than a false one. One that was set back
is believed at once, for it accuses nobody.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from store.connection import Connection

log = logging.getLogger(__name__)

#: Seconds at one go beyond which the clock was set; a clock that is merely corrected moves less.
JUMP = 30.0
#: Real seconds after which a clock that was set ahead is believed: time enough for whoever set it wrongly to see it.
BELIEVED_AFTER = 600.0


def since_boot() -> float:
    """Seconds since the machine booted, on a clock that nobody sets."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def boot_id() -> str:
    """Which run of which machine this is; empty where the system does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


class ClockWatch:
    """Compares two clocks of one machine.

    Args:
        wall: seconds since the epoch, as the machine says.
        steady: seconds that nobody can set.
        boot: names this run of this machine: offsets of another mean nothing here.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = since_boot,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        self._wall, self._steady, self.boot = wall, steady, boot()
        self._trusted = wall() - steady()
        self._jumped_at: float | None = None
        self._jumped_to = 0.0

    def remember(self, connection: Connection) -> None:
        """Takes over what the rule loops before this process trusted: a process may start under a wrong clock."""
        row = connection.execute(
            "select (detail -> 'clock' ->> 'offset')::float8 from heartbeat where role = 'rules'"
            " and detail -> 'clock' ->> 'boot' = %s order by real_at desc limit 1",
            [self.boot],
        ).fetchone()
        if self.boot and row is not None and row[0] is not None:
            self._trusted = row[0]

    def detail(self) -> dict[str, object]:
        """What goes with the sign of life, for :meth:`remember`."""
        return {"boot": self.boot, "offset": round(self._trusted, 3)}

    def distrusts(self) -> bool:
        """True while the clock is ahead by a jump that nothing has confirmed yet."""
        steady = self._steady()
        offset = self._wall() - steady
        if offset - self._trusted < JUMP:
            if self._jumped_at is not None:
                log.info("the clock is where it was; judging goes on")
            self._trusted, self._jumped_at = offset, None
            return False
        if self._jumped_at is None or abs(offset - self._jumped_to) >= JUMP:
            self._jumped_at, self._jumped_to = steady, offset
            log.warning(
                "the clock was set ahead by %.0f s: cases wait until it is set back, or for %.0f s",
                offset - self._trusted,
                BELIEVED_AFTER,
            )
        if steady - self._jumped_at < BELIEVED_AFTER:
            return True
        log.warning("the clock stands by it: judging goes on, %.0f s later", offset - self._trusted)
        self._trusted, self._jumped_at = offset, None
        return False
