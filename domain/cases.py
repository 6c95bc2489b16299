"""A case (办件) as its events tell it: the set of events, put in the order of rule 10.

Nothing here depends on the order of arrival, except which of two events with one identity stands: the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from domain.events import CASE_KINDS, Event, content_hash

RANK = {kind: rank for rank, kind in enumerate(CASE_KINDS)}
#: The earliest of these is the stop (rule 8).
STOPS = frozenset(("case.decided", "case.closed", "case.refused", "case.withdrawn"))
OrderKey = tuple[datetime, int, str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One event in its place: ``at`` is its moment in UTC, ``index`` its position in the case."""

    index: int
    at: datetime
    event: Event

    @property
    def kind(self) -> str:
        return self.event.kind

    @property
    def instance(self) -> str:
        """Identity as one text, for finding ids."""
        return f"{self.event.source}\x1e{self.event.event_id}"


def order_key(event: Event) -> OrderKey:
    """Rule 10: moment, kind, event_id, source. Events that are not of a case come last at their moment."""
    return (
        event.occurred_at.astimezone(UTC),
        RANK.get(event.kind, len(RANK)),
        event.event_id,
        event.source,
    )


def without_duplicates(events: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """The events that stand, in the order given, and the conflicts: same identity, other content (rule 10)."""
    first: dict[tuple[str, str], Event] = {}
    conflicts: list[Event] = []
    for event in events:
        known = first.setdefault(event.identity, event)
        if known is not event and content_hash(known) != content_hash(event):
            conflicts.append(event)
    return list(first.values()), conflicts


@dataclass(frozen=True, slots=True)
class Case:
    """The events of one case up to a moment, in order."""

    steps: tuple[Step, ...]
    #: The earliest decided, closed, refused or withdrawn.
    stop: Step | None
    #: Moments of events that lie ahead of the moment asked for.
    ahead: datetime | None = None
    _items: tuple[tuple[int, str], ...] = field(default=(), repr=False)
    _windows: tuple[tuple[int, str], ...] = field(default=(), repr=False)
    #: What else names the case (fees, ratings, queue, certificates), in order; no clock of rule 1–10 depends on it.
    others: tuple[Event, ...] = ()
    #: The earliest of those that lies ahead.
    others_ahead: datetime | None = None

    @property
    def number(self) -> str | None:
        """The case number; also where nobody has entered the case, and only a ticket or a certificate names it."""
        first = self.steps[0].event if self.steps else next(iter(self.others), None)
        return None if first is None else first.case

    @property
    def running(self) -> tuple[Step, ...]:
        """The steps up to the stop; what comes later is not looked at, but for delivery (rule 8)."""
        return self.steps if self.stop is None else self.steps[: self.stop.index + 1]

    def item_at(self, step: Step) -> str | None:
        """The item as last named up to a step, or as first named after it."""
        named = None
        for index, item in self._items:
            if named is not None and index > step.index:
                break
            named = item
        return named

    def window_at(self, moment: datetime) -> str | None:
        """The window as last named up to a moment, or as first named after it."""
        named = None
        for index, window in self._windows:
            if named is not None and self.steps[index].at > moment:
                break
            named = window
        return named


def _changes(names: Iterable[str | None]) -> tuple[tuple[int, str], ...]:
    """(place, name) where another one is named than before: of most cases a single one."""
    changes: list[tuple[int, str]] = []
    for place, name in enumerate(names):
        if name is not None and (not changes or changes[-1][1] != name):
            changes.append((place, name))
    return tuple(changes)


def fold_case(events: Iterable[Event], now: datetime) -> Case:
    """Orders the events of one case. Duplicates count once; events after ``now`` are not taken."""
    stand, _ = without_duplicates(events)
    now = now.astimezone(UTC)
    keyed = sorted(
        ((order_key(event), event) for event in stand if event.kind in RANK), key=lambda pair: pair[0]
    )
    taken = [(key[0], event) for key, event in keyed if key[0] <= now]
    beside = (
        sorted(
            ((order_key(event), event) for event in stand if event.kind not in RANK), key=lambda pair: pair[0]
        )
        if len(keyed) < len(stand)
        else []
    )
    steps = tuple(Step(i, at, event) for i, (at, event) in enumerate(taken))
    return Case(
        steps,
        next((step for step in steps if step.kind in STOPS), None),
        keyed[len(taken)][0][0] if len(taken) < len(keyed) else None,
        _changes(event.item for _, event in taken),
        _changes(event.window for _, event in taken),
        tuple(event for key, event in beside if key[0] <= now),
        next((key[0] for key, _ in beside if key[0] > now), None),
    )
