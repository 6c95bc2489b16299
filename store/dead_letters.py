"""Dead letters: whatever was refused lies here with its reason until somebody has dealt with it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.errors import StoreError
from store.connection import Connection

#: More of one line is not kept; the fingerprint is of the whole of it.
RAW_LIMIT = 1_000_000
#: Characters of a name that came over a topic; a reason is a sentence and may be ten times as long.
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused line on its way into the dead letters.

    Args:
        origin: ``door``, ``topic``, ``file``, ``import``, ``fold`` (accepted, but without effect) or ``rules``.
        raw: the line as it came, any bytes.
        code: stable machine name of the reason; ``reason`` is the sentence for a person.
        place: line number, index or partition:offset.
    """

    origin: str
    raw: bytes
    code: str
    reason: str
    field: str | None = None
    place: str | None = None
    at: datetime | None = None

    @property
    def fingerprint(self) -> bytes:
        digest = hashlib.sha256()
        for part in (self.origin.encode(), self.code.encode(), self.raw):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One row. ``state`` is ``waiting``, ``replayed`` (sent again) or ``resolved`` (has come right by itself)."""

    letter_id: int
    origin: str
    place: str | None
    code: str
    field: str | None
    reason: str
    raw: bytes
    times: int
    first_at: datetime
    last_at: datetime
    state: str
    replayed_at: datetime | None

    @property
    def text(self) -> str:
        """The raw line for a screen: what is no UTF-8 or no printable character is escaped."""
        return "".join(
            sign if sign.isprintable() else sign.encode("unicode_escape").decode()
            for sign in self.raw.decode("utf-8", "backslashreplace")
        )


_COLUMNS = "letter_id, origin, place, code, field, reason, raw, times, first_at, last_at, state, replayed_at"


def refusal_from_topic(value: bytes, now: datetime) -> Refusal:
    """What lies on the topic ``rejected-lines``; a message that is not of that form is a refusal itself."""
    try:
        row = json.loads(value)
        raw = row.get("raw", "")
        return Refusal(
            origin=_name(row.get("source")) or "door",
            raw=raw.encode("utf-8", "surrogatepass") if isinstance(raw, str) else json.dumps(raw).encode(),
            code=_name(row["code"]) or "no_code",
            reason=_name(row["reason"], 10 * _LONGEST) or "refused without a reason",
            field=_name(row.get("field")),
            place=_name(row.get("place") or row.get("line")),
            at=datetime.fromisoformat(row["received_at"]) if row.get("received_at") else now,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return Refusal(
            "topic",
            value,
            "not_a_rejection",
            "the message on rejected-lines is not of the agreed form",
            at=now,
        )


def _name(value: object, longest: int = _LONGEST) -> str | None:
    """What somebody wrote into a field of ours: text that can be kept, or None where there is nothing."""
    return None if value is None else (_plain(str(value)[:longest]) or "").strip() or None


def write_dead_letters(connection: Connection, refusals: Iterable[Refusal], *, now: datetime) -> int:
    """Keeps refused lines; the same line for the same reason again only counts up (and waits again). Returns how many came."""
    merged: dict[bytes, tuple[Refusal, int]] = {}
    count = 0
    for refusal in refusals:
        count += 1
        merged[refusal.fingerprint] = (refusal, merged.get(refusal.fingerprint, (refusal, 0))[1] + 1)
    if not merged:
        return 0
    # Sorted: two writers with the same lines then never wait for each other in a circle.
    rows = [
        (
            fingerprint,
            _plain(refusal.origin),
            _plain(refusal.place),
            _plain(refusal.code),
            _plain(refusal.field),
            _plain(refusal.reason),
            refusal.raw[:RAW_LIMIT],
            times,
            refusal.at or now,
        )
        for fingerprint, (refusal, times) in sorted(merged.items())
    ]
    connection.execute(
        "insert into dead_letter (fingerprint, origin, place, code, field, reason, raw, times, first_at, last_at)"
        " select f, o, p, c, d, r, w, t, a, a from unnest(%s::bytea[], %s::text[], %s::text[], %s::text[], %s::text[],"
        " %s::text[], %s::bytea[], %s::int[], %s::timestamptz[]) as u (f, o, p, c, d, r, w, t, a)"
        " on conflict (fingerprint) do update set times = dead_letter.times + excluded.times,"
        " last_at = greatest(dead_letter.last_at, excluded.last_at), place = excluded.place,"
        " reason = excluded.reason, state = 'waiting'",
        [list(column) for column in zip(*rows, strict=True)],
    )
    connection.execute("select pg_notify('mingjing', 'dead_letter')")
    return count


def _plain(text: str | None) -> str | None:
    """PostgreSQL keeps neither NUL nor half a surrogate pair in text."""
    if text is None:
        return None
    return text.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()


def list_dead_letters(
    connection: Connection,
    *,
    state: str | None = "waiting",
    code: str | None = None,
    limit: int = 100,
    after: int | None = None,
) -> list[DeadLetter]:
    """Newest first. ``after`` pages on: only letters with a smaller number."""
    rows = connection.execute(
        f"select {_COLUMNS} from dead_letter where (%(state)s::text is null or state = %(state)s)"
        " and (%(code)s::text is null or code = %(code)s) and (%(after)s::bigint is null or letter_id < %(after)s)"
        " order by letter_id desc limit %(limit)s",
        {"state": state, "code": code, "after": after, "limit": limit},
    )
    return [DeadLetter(*row) for row in rows]


def count_dead_letters(connection: Connection) -> Mapping[tuple[str, str], int]:
    """How many rows there are by (state, code)."""
    rows = connection.execute("select state, code, count(*) from dead_letter group by 1, 2")
    return {(state, code): number for state, code, number in rows}


def show_dead_letter(connection: Connection, letter_id: int) -> DeadLetter:
    """One letter.

    Raises:
        StoreError: there is none of that number.
    """
    row = connection.execute(
        f"select {_COLUMNS} from dead_letter where letter_id = %s", [letter_id]
    ).fetchone()
    if row is None:
        raise StoreError(f"there is no dead letter {letter_id}")
    return DeadLetter(*row)


def letters_to_replay(
    connection: Connection, letter_ids: Sequence[int] | None = None, *, limit: int = 10_000
) -> list[DeadLetter]:
    """The waiting letters that were lines of input once (all, or those named), oldest first, locked until the transaction ends.

    What the rules put here (origin ``fold`` or ``rules``) is already stored as an event and is not sent again.
    """
    rows = connection.execute(
        f"select {_COLUMNS} from dead_letter where state = 'waiting' and origin not in ('fold', 'rules')"
        " and (%(ids)s::bigint[] is null or letter_id = any(%(ids)s)) order by letter_id limit %(limit)s"
        " for update skip locked",
        {"ids": None if letter_ids is None else list(letter_ids), "limit": limit},
    )
    return [DeadLetter(*row) for row in rows]


def mark_replayed(connection: Connection, letter_ids: Sequence[int], *, now: datetime) -> int:
    """Says that the letters were sent again; call it after the log has them. A line refused again waits again."""
    done = connection.execute(
        "update dead_letter set state = 'replayed', replayed_at = %s where letter_id = any(%s)",
        [now, list(letter_ids)],
    )
    return done.rowcount


def resolve(connection: Connection, fingerprints: Sequence[bytes]) -> int:
    """Closes letters that have come right by themselves (an ignored event that became effective)."""
    done = connection.execute(
        "update dead_letter set state = 'resolved' where fingerprint = any(%s) and state = 'waiting'",
        [list(fingerprints)],
    )
    return done.rowcount


def to_json(letter: DeadLetter) -> dict[str, Any]:
    """For ``mingjing dead-letters show --json``."""
    return {
        "letter_id": letter.letter_id,
        "origin": letter.origin,
        "place": letter.place,
        "code": letter.code,
        "field": letter.field,
        "reason": letter.reason,
        "raw": letter.text,
        "times": letter.times,
        "first_at": letter.first_at.isoformat(),
        "last_at": letter.last_at.isoformat(),
        "state": letter.state,
        "replayed_at": letter.replayed_at.isoformat() if letter.replayed_at else None,
    }
