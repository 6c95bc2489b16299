"""Noticing that two processes watch the same camera: both would speak of its posts, and neither would know.

Each process says in its heartbeat which share of the cameras it has and by which token it is known. Two of the same share
write the same row by turns; shares of different splits overlap.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import gcd
from typing import Any

from domain.errors import SettingsError
from domain.shares import WHOLE, Share
from store.connection import Connection

log = logging.getLogger(__name__)

ROLE = "cameras"
FRESH = 10.0
"""Seconds after which a process that has not spoken is gone."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One row of the role: ``instance`` (the share, empty for the whole), ``token``, seconds since it was written."""

    instance: str
    token: str | None
    age: float


def beats(connection: Connection) -> list[Beat]:
    rows = connection.execute(
        "select instance, detail ->> 'token', extract(epoch from clock_timestamp() - real_at)::float8"
        " from heartbeat where role = %s",
        [ROLE],
    )
    return [Beat(*row) for row in rows.fetchall()]


def overlapping(rows: Iterable[Beat]) -> list[tuple[str, str]]:
    """Pairs of fresh rows whose shares have cameras in common."""
    shares = [(row.instance or str(WHOLE), _share(row.instance)) for row in rows if row.age < FRESH]
    shares = sorted((name, share) for name, share in shares if share is not None)
    return [
        (one, other)
        for index, (one, a) in enumerate(shares)
        for other, b in shares[index + 1 :]
        if a is not None and b is not None and _overlap(a, b)
    ]


class Peers:
    """Looks at the other processes of the role before each beat of this one.

    Args:
        share: of this process.
    """

    def __init__(self, share: Share, token: Callable[[], str] = lambda: secrets.token_hex(4)) -> None:
        self.token = token()
        self.rivals: tuple[str, ...] = ()
        self._share = share
        self._instance = "" if share == WHOLE else str(share)
        self._written = False

    def detail(self) -> dict[str, Any]:
        """What this process adds to its heartbeat."""
        self._written = True
        return {"token": self.token, **({"rivals": list(self.rivals)} if self.rivals else {})}

    def look(self, connection: Connection) -> None:
        """Notes who else watches cameras of this share, and says so once."""
        rows = [row for row in beats(connection) if row.age < FRESH]
        own = next((row for row in rows if row.instance == self._instance), None)
        # After a restart the row is still the one of the process before; only who writes over ours is there with us.
        foreign = self._written and own is not None and own.token != self.token
        found = {row.instance or str(WHOLE) for row in rows if row is not own and self._meets(row)}
        if foreign:
            found.add(self._instance or str(WHOLE))
        rivals = tuple(sorted(found))
        if rivals and not self.rivals:
            log.error(
                "cameras of the share %s are also watched by another process (share %s): stop one of them",
                self._share, ", ".join(rivals),
            )  # fmt: skip
        elif self.rivals and not rivals:
            log.info("no other process watches cameras of the share %s any more", self._share)
        self.rivals = rivals

    def _meets(self, row: Beat) -> bool:
        share = _share(row.instance)
        return share is not None and _overlap(share, self._share)


def _share(instance: str) -> Share | None:
    if not instance:
        return WHOLE
    try:
        return Share.parse(instance)
    except SettingsError:
        return None


def _overlap(one: Share, other: Share) -> bool:
    """Shares of one split have nothing in common; of two splits, where a number can leave both remainders."""
    return (one.number - other.number) % gcd(one.of, other.of) == 0
