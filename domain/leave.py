"""Leave (请假) as events tell it: who is away by permission, from when to when, and who was named to stand in (替岗). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from domain.decoding import parse_moment
from domain.events import Event
from domain.working_time import Calendar

GRANTED, ENDED = "leave.granted", "leave.ended"


@dataclass(frozen=True, slots=True)
class Leave:
    """[start, end) in which a person is away by permission; ``event`` is the id of the event that granted it."""

    staff: str
    start: datetime
    end: datetime
    substitute: str | None
    granted: datetime
    event: str = ""

    def told(self, calendar: Calendar) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "staff": self.staff,
            "from": calendar.local(self.start).isoformat(),
            "to": calendar.local(self.end).isoformat(),
            "substitute": self.substitute,
        }


def find_leaves(events: Iterable[Event], calendar: Calendar, *, backdated: bool) -> list[Leave]:
    """Leaves out of ``leave.granted`` and ``leave.ended`` (back early, 销假), in order.

    Dates mean whole local days, the last one included. A leave that is not ``backdated`` begins no earlier than it was
    granted.
    """
    events = list(events)
    returns = [(event.staff, event.moment) for event in events if event.kind == ENDED]
    leaves: list[Leave] = []
    for event in events:
        if event.kind != GRANTED or event.staff is None:
            continue
        start, end = _edge(event.data["from"], calendar, 0), _edge(event.data["to"], calendar, 1)
        if not backdated:
            start = max(start, event.moment)
        end = min([end, *(at for staff, at in returns if staff == event.staff and start <= at < end)])
        if start < end:
            substitute = event.text("substitute")
            leaves.append(Leave(event.staff, start, end, substitute, event.moment, event.event_id))
    return sorted(leaves, key=lambda x: (x.start, x.end, x.staff, x.substitute or "", x.granted))


def _edge(value: str, calendar: Calendar, more: int) -> datetime:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return calendar.day_start(date.fromisoformat(value).toordinal() + more)
    return parse_moment(value, "data.from").astimezone(UTC)


__all__ = ["ENDED", "GRANTED", "Leave", "find_leaves"]
