"""People waiting at a window: tickets issued and not yet called, served or given up; and people seen at its public side.

How many wait raises how urgent an empty window is, never by itself how severe (domain reference 3b, 8 row 14).
A ticket is for a window if it names it, or a queue the window calls; ticket numbers begin anew each day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from detectors.subject_events import moment, text_of
from domain.centre import Centre, Window
from domain.events import Event
from domain.observations import PresenceSpan
from domain.working_time import Calendar

KINDS = frozenset(("queue.ticket_issued", "queue.called", "queue.served", "queue.abandoned"))


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many, and since when the first of them."""

    count: int
    since: datetime | None


def waiting_at(window: Window, events: Iterable[Event], calendar: Calendar, at: datetime) -> Waiting:
    """Who waits for a window at a moment; ``events`` may be any."""
    day = calendar.day_start(calendar.local_date(at))
    today = [event for event in events if event.kind in KINDS and day <= event.occurred_at <= at]
    since: dict[tuple[str, str | None], datetime] = {}
    for event in today:
        if event.kind == "queue.ticket_issued" and serves(window, event):
            key = (_ticket(event), text_of(event, "queue"))
            since[key] = min(since.get(key, moment(event)), moment(event))
    for event in today:
        if event.kind == "queue.ticket_issued":
            continue
        number, queue = _ticket(event), text_of(event, "queue")
        # Whoever calls a number without its queue means the number, whichever queue it is of.
        for key in [k for k in since if k[0] == number and (queue is None or k[1] in (None, queue))]:
            if moment(event) >= since[key]:
                del since[key]
    return Waiting(len(since), min(since.values(), default=None))


def seen_waiting(spans: Sequence[PresenceSpan], since: datetime, until: datetime) -> datetime | None:
    """From when on somebody stood at the public side while nobody served, as cameras saw it between two moments."""
    begins = (
        max(span.since.astimezone(UTC), since)
        for span in spans
        if span.waiting and span.since < until and (span.until is None or span.until > since)
    )
    return min(begins, default=None)


def serves(window: Window, event: Event) -> bool:
    """Whether a ticket is for a window."""
    queue = event.data.get("queue")
    return event.window == window.id or (event.window is None and queue in (window.queues or ()))


def _ticket(event: Event) -> str:
    value = event.data.get("ticket")
    return str(value) if isinstance(value, (str, int)) else f"{event.source}\x1e{event.event_id}"


def windows_of_ticket(event: Event, centre: Centre) -> frozenset[str]:
    """Every window at which somebody may wait less or more because of an event of the queue."""
    queue = event.data.get("queue")
    sharing = {
        window.id
        for window in centre.windows
        if window.queues and ((event.window is None and queue is None) or queue in window.queues)
    }
    if event.window is not None:
        own = centre.window_by_id.get(event.window)
        kinds = set(own.queues or ()) if own is not None else set()
        # Called from another window of its queue: the ticket waited for all of them.
        sharing |= {window.id for window in centre.windows if kinds & set(window.queues or ())}
        sharing.add(event.window)
    return frozenset(sharing)
