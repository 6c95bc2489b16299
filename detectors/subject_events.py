"""The events of a subject that is not a case, as its rules read them: without duplicates, in order, up to a moment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.cases import without_duplicates
from domain.events import Event


@dataclass(frozen=True, slots=True)
class Facts:
    """``events`` up to the moment asked for, by moment, kind, id and source; ``ahead``: the earliest that lies after it."""

    events: tuple[Event, ...]
    ahead: datetime | None

    def of(self, *kinds: str) -> list[Event]:
        return [event for event in self.events if event.kind in kinds]


def facts_of(events: Iterable[Event], now: datetime) -> Facts:
    """Of two events with one identity the first to arrive stands (rule 10); else the order of arrival says nothing."""
    stand, _ = without_duplicates(events)
    stand.sort(key=lambda e: (e.occurred_at.astimezone(UTC), e.kind, e.event_id, e.source))
    taken = tuple(event for event in stand if event.occurred_at <= now)
    return Facts(taken, moment(stand[len(taken)]) if len(taken) < len(stand) else None)


def moment(event: Event) -> datetime:
    """When it happened, in UTC."""
    return event.moment


def instance(event: Event) -> str:
    """Identity as one text, for finding ids."""
    return f"{event.source}\x1e{event.event_id}"


def text_of(event: Event, *names: str) -> str | None:
    """The first of these keys of ``data`` that holds a text."""
    return event.text(*names)


def first_after(events: Iterable[Event], start: datetime) -> Event | None:
    """The earliest of events in order that happened at or after a moment."""
    return next((event for event in events if moment(event) >= start), None)


def soonest(moments: Iterable[datetime | None]) -> datetime | None:
    return min((m for m in moments if m is not None), default=None)
