"""The head of each chain, day by day, without anybody thinking of it: kept after midnight, written where the server cannot take it
back (``MINGJING_AUDIT_HEADS``, say a share of another machine), signed where there is a key.

Part of the upkeep, of which one process does a round; the database takes one head a day of a centre, whoever comes. What was
missed is caught up. A head that cannot be written to the folder is not kept in the database either, so that its age tells.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.chain import Head
from domain.errors import InputError
from mingjing.audit.signing import head_row, head_text, load_private_key, raw_key
from store import chain
from store.chain import DayHead
from store.connection import Connection

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from domain.clock import Clock

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DailyHeads:
    """Keeps heads.

    Args:
        zones: of each centre; a chain of a centre that is no longer in the files has the first one's days.
        folder: where heads are written; None: only into the database.
        key_file: Ed25519 key (PEM) that signs them.
    """

    clock: Clock
    zones: Mapping[str, ZoneInfo]
    folder: Path | None = None
    key_file: Path | None = None

    def __call__(self, connection: Connection) -> int:
        """Keeps what is missing up to yesterday; returns how many heads were new. What fails is logged, and tried again."""
        try:
            key = None if self.key_file is None else load_private_key(self.key_file)
        except (InputError, OSError) as error:
            log.error("heads of the chain are not kept: the key cannot be used: %s", error)
            return 0
        new = 0
        for centre in chain.centres(connection):
            try:
                new += self._of_centre(connection, centre, key)
            except (OSError, _ChangedError) as error:
                log.error("heads of %s are not kept: %s", centre, error)
        return new

    def _of_centre(self, connection: Connection, centre: str, key: Ed25519PrivateKey | None) -> int:
        now = self.clock.now()
        zone = self.zones.get(centre) or next(iter(self.zones.values()))
        today = now.astimezone(zone).date()
        kept = chain.daily_heads(connection, centre)
        if self.folder is not None:
            # Heads of a time when there was no folder, or another one.
            names = _names(self.folder / centre)
            for each in kept:
                if f"{each.day}.json" not in names:
                    self._write(each)
        new = 0
        for made in _missing(connection, centre, kept[-1] if kept else None, today, zone):
            signed = made if key is None else _sign(made, key, now)
            # The file first: what is in the database has left the machine.
            chain.keep_daily_head(connection, self._write(signed))
            new += 1
        if new:
            log.info("%d heads of the chain kept", new, extra={"centre": centre})
        return new

    def _write(self, made: DayHead) -> DayHead:
        """Writes a head's file, whole or not at all; one that is there already stands, if it says the same."""
        if self.folder is None:
            return made
        folder = self.folder / made.head.centre
        path = folder / f"{made.day}.json"
        if path.exists():
            return _read(path, made)
        folder.mkdir(parents=True, exist_ok=True)
        row = head_row(made.head, made.day, made.signed_at, made.signature, made.public_key)
        half = path.with_suffix(".part")
        with half.open("w", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        half.rename(path)
        return made


class _ChangedError(Exception):
    """A head that was written before says something else than the chain does now."""


def _names(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.glob("*.json")) if folder.is_dir() else frozenset()


def _read(path: Path, made: DayHead) -> DayHead:
    try:
        row: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        head = Head(str(row["centre"]), int(row["seq"]), bytes.fromhex(row["hash"]))
        signed = row.get("signed_at")
        found = DayHead(
            head,
            date.fromisoformat(row["day"]),
            None if signed is None else datetime.fromisoformat(signed),
            bytes.fromhex(row["signature"]) if "signature" in row else None,
            bytes.fromhex(row["public_key"]) if "public_key" in row else None,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _ChangedError(f"{path} is no head: {error}") from None
    if (found.head.seq, found.head.hash, found.day) != (made.head.seq, made.head.hash, made.day):
        raise _ChangedError(
            f"{path} names row {found.head.seq} with another hash than the chain has for {made.day}: "
            "mingjing audit check --heads says what was changed"
        )
    return found


def _missing(
    connection: Connection, centre: str, last: DayHead | None, today: date, zone: ZoneInfo
) -> Iterator[DayHead]:
    """The heads of whole days since the last that was kept; a day on which nothing was written has the one before."""
    if last is not None and last.day >= today - timedelta(days=1):
        return
    midnight = datetime.combine(today, datetime.min.time(), zone)
    ends = chain.ends_by_day(connection, centre, 0 if last is None else last.head.seq, midnight, zone.key)
    if last is None:
        if not ends:
            return
        day, head = min(ends), ends[min(ends)]
    else:
        day, head = last.day + timedelta(days=1), last.head
    while day < today:
        # A clock that was set back must not make a chain shorter.
        head = max(head, ends.get(day, head), key=lambda each: each.seq)
        yield DayHead(head, day)
        day += timedelta(days=1)


def _sign(made: DayHead, key: Ed25519PrivateKey, now: datetime) -> DayHead:
    signature = key.sign(head_text(made.head, made.day, now).encode())
    return replace(made, signed_at=now, signature=signature, public_key=raw_key(key.public_key()))


__all__ = ["DailyHeads"]
