"""Silences for the desk: rows to be shown, and the acts of an inspector who has signed in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from alerts import silences
from alerts.silence import Wanted, recurring_of
from dashboard.desk.hands import SilenceAsked
from domain.centre import Centre
from mingjing.silences import state_of
from store.connection import Connection


class DeskSilences:
    """As :class:`dashboard.desk.hands.Silences`."""

    def every(self, connection: Connection, centre: Centre, now: datetime) -> Sequence[dict[str, Any]]:
        code = centre.centre.id
        held = silences.kept(connection, code)
        return [
            {
                "silence": each.silence_id,
                "state": state_of(each, centre, now),
                "match": each.match,
                "author": each.author,
                "reason": each.reason,
                "starts_at": each.starts_at,
                "ends_at": each.ends_at,
                "days": () if each.recurring is None else each.recurring.days,
                "hours": () if each.recurring is None else each.recurring.hours,
                "ended_at": each.ended_at,
                "ended_by": each.ended_by,
                "held": held.get(each.silence_id, 0),
            }
            for each in silences.every(connection, code)
        ]

    def begin(
        self,
        connection: Connection,
        centre: Centre,
        asked: SilenceAsked,
        *,
        author: str,
        now: datetime,
        replaces: int | None = None,
    ) -> int:
        recurring = recurring_of(asked.days, asked.hours)
        wanted = Wanted(asked.match, asked.reason, asked.starts_at, asked.ends_at, recurring)
        made = (
            silences.create(connection, centre, wanted, author=author, now=now)
            if replaces is None
            else silences.replace(connection, centre, replaces, wanted, author=author, now=now)
        )
        return made.silence_id

    def end(self, connection: Connection, centre: Centre, number: int, *, by: str, now: datetime) -> None:
        silences.end(connection, centre, number, by=by, now=now)


__all__ = ["DeskSilences"]
