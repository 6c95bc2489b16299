"""The evidence chain: each row hashes the one before, so that nobody changes, drops or inserts one unnoticed. Pure.

What is hashed is written down in docs/evidence.md, so that anybody can verify without this code: SHA-256 over UTF-8 text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

#: Stands first in what is hashed; another way of hashing would have another name.
FORMAT = "mingjing-evidence-1"
#: What the first row of a chain hashes as the one before.
GENESIS = bytes(32)


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return moment_text(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value)  # type: ignore[call-overload]


#: Made once: ``json.dumps`` would make one for each row.
_CANONICAL = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain
)


def canonical(value: object) -> str:
    """JSON with sorted keys, without spaces, other letters as they are; moments as RFC 3339. Of texts, whole numbers, lists
    and objects of them it is RFC 8785."""
    return _CANONICAL.encode(value)


def moment_text(at: datetime) -> str:
    """UTC with microseconds: ``2026-11-20T01:00:00.000000Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def sha256(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be kept.

    Args:
        kind: ``finding.…`` (the rules said so), ``act.…`` (a person did), ``message.…``, ``settings.…``, ``evidence.…``.
        subject: ``case:…``, ``window:…``, ``source:…``, ``settings`` …
        payload: JSON-ready but for moments and mappings of any kind.
    """

    kind: str
    subject: str
    payload: Mapping[str, Any]
    finding_id: str | None = None

    @property
    def body(self) -> str:
        """What the row holds, as it is hashed and kept."""
        return canonical({"finding": self.finding_id, "payload": self.payload, "subject": self.subject})


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain ends: number and hash of its last row."""

    centre: str
    seq: int = 0
    hash: bytes = GENESIS


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a chain. ``body`` None: it was left out (a bundle holds other people's rows without their content)."""

    centre: str
    seq: int
    at: datetime
    kind: str
    body_hash: bytes
    prev_hash: bytes
    hash: bytes
    body: str | None = None

    @property
    def head(self) -> Head:
        return Head(self.centre, self.seq, self.hash)

    @property
    def place(self) -> str:
        return f"row {self.seq} of {self.centre} ({self.kind}, {moment_text(self.at)})"


def row_hash(centre: str, seq: int, at: datetime, kind: str, body_hash: bytes, prev_hash: bytes) -> bytes:
    """SHA-256 of the canonical JSON list of format, centre, number, moment, kind, hash of the body, hash of the row before."""
    return sha256(canonical([FORMAT, centre, seq, moment_text(at), kind, body_hash.hex(), prev_hash.hex()]))


def link(head: Head, entries: Iterable[Entry], at: datetime) -> list[Row]:
    """The rows that continue a chain."""
    rows: list[Row] = []
    for entry in entries:
        body = entry.body
        body_hash, seq = sha256(body), head.seq + 1
        made = row_hash(head.centre, seq, at, entry.kind, body_hash, head.hash)
        row = Row(head.centre, seq, at, entry.kind, body_hash, head.hash, made, body)
        rows.append(row)
        head = row.head
    return rows


@dataclass(frozen=True, slots=True)
class Broken:
    """The first thing that is not as it was written: where, and what is wrong."""

    place: str
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def check_row(row: Row, before: Head | None) -> Broken | None:
    """Whether a row says what it said and follows ``before`` (None: nothing is known of what comes before)."""
    if row.body is not None and sha256(row.body) != row.body_hash:
        return Broken(row.place, "its content is not what was hashed")
    if row_hash(row.centre, row.seq, row.at, row.kind, row.body_hash, row.prev_hash) != row.hash:
        return Broken(row.place, "its hash does not follow from what it says")
    if before is None:
        before = Head(row.centre) if row.seq == 1 else None
    if before is not None:
        if row.centre != before.centre:
            return Broken(row.place, f"it follows a row of another centre, {before.centre}")
        if row.seq != before.seq + 1:
            missing = f"row {before.seq + 1}" if row.seq > before.seq + 1 else "the order"
            return Broken(row.place, f"it follows row {before.seq}: {missing} is missing")
        if row.prev_hash != before.hash:
            return Broken(row.place, "it does not follow from the row before it")
    return None


class Checker:
    """Checks a chain row by row, in memory for one row.

    Args:
        heads: known from elsewhere (signed, exported): number → hash, of this chain.
    """

    def __init__(self, heads: Mapping[int, bytes] | None = None) -> None:
        self.last: Head | None = None
        self.count = 0
        self._heads = dict(heads or {})

    def take(self, row: Row) -> Broken | None:
        broken = check_row(row, self.last)
        if broken is None and self._heads.pop(row.seq, row.hash) != row.hash:
            broken = Broken(row.place, "a head that was kept elsewhere says another hash: it was rewritten")
        self.last, self.count = row.head, self.count + 1
        return broken

    def end(self) -> Broken | None:
        """What is missing at the end."""
        ahead = [seq for seq in self._heads if self.last is None or seq > self.last.seq]
        if ahead:
            last = 0 if self.last is None else self.last.seq
            return Broken(
                f"row {min(ahead)}", f"a head that was kept elsewhere knows it; the chain ends at {last}"
            )
        return None
