"""What else happens in the hall on a demo day: clocking in, windows opening, tickets called and served."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

from domain.events import Event
from mingjing.demo.cases import World

#: One system for the whole hall: one that speaks twice a day would count as silent in between.
SOURCE = "demo-hall"


def hall_events(world: World, day: date) -> list[Event]:
    """Events of one working day that belong to no case, in order."""
    if not world.is_working(day):
        return []
    rng = random.Random(f"{world.seed}:hall:{day.isoformat()}")  # noqa: S311 - a believable day, not a secret
    events: list[Event] = []

    def tell(
        name: str, kind: str, at: datetime, source: str, window: str, staff: str | None = None, **data: Any
    ) -> None:
        events.append(
            Event(
                event_id=f"{day:%Y%m%d}-{name}",
                kind=kind,
                occurred_at=at,
                source=source,
                centre=world.centre.centre.id,
                window=window,
                staff=staff,
                data=data,
            )
        )

    for window in world.centre.windows:
        staff = window.staff[0] if window.staff else None
        tell(
            f"{window.id}-in",
            "attendance.clock_in",
            world.moment(day, 8.84 + rng.random() / 20),
            SOURCE,
            window.id,
            staff,
        )
        tell(f"{window.id}-open", "window.opened", world.moment(day, 8.95), SOURCE, window.id, staff)
        tell(f"{window.id}-close", "window.closed", world.moment(day, 17.0), SOURCE, window.id, staff)
        tell(
            f"{window.id}-out",
            "attendance.clock_out",
            world.moment(day, 17.05 + rng.random() / 20),
            SOURCE,
            window.id,
            staff,
        )
    number = 0
    for event in world.cases_of(day):
        if (
            event.kind != "case.received"
            or event.window is None
            or event.occurred_at.astimezone(world.zone).date() != day
        ):
            continue
        number += 1
        ticket = f"{event.window}{number:03d}"
        called = event.occurred_at - timedelta(seconds=rng.uniform(30, 120))
        issued = called - timedelta(minutes=rng.uniform(2, 15))
        tell(f"{ticket}-1", "queue.ticket_issued", issued, SOURCE, event.window, ticket=ticket)
        tell(f"{ticket}-2", "queue.called", called, SOURCE, event.window, ticket=ticket)
        served = event.occurred_at + timedelta(minutes=rng.uniform(5, 18))
        tell(f"{ticket}-3", "queue.served", served, SOURCE, event.window, ticket=ticket)
    return sorted(events, key=lambda event: event.occurred_at)
