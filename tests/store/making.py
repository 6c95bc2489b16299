"""Short ways to make events and observations for these tests."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.events import Event
from domain.observations import Observation, ObservationKind, PostState

CENTRE = "530502"
MORNING = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)  # 09:00 in China
_numbers = itertools.count(1)


def at(minutes: float) -> datetime:
    """So many minutes after nine."""
    return MORNING + timedelta(minutes=minutes)


def event(
    kind: str, minutes: float = 0, event_id: str | None = None, case: str | None = "C1", **fields: Any
) -> Event:
    return Event(
        event_id=event_id or f"e{next(_numbers)}",
        kind=kind,
        occurred_at=at(minutes),
        source=fields.pop("source", "approval"),
        received_at=fields.pop("received_at", at(minutes)),
        case=case,
        **fields,
    )


def look(
    state: PostState,
    minutes: float,
    *,
    window: str = "A01",
    camera: str = "K1",
    post: str = "p1",
    since: float | None = None,
    reason: str | None = None,
    kind: ObservationKind = "post.summary",
    name: str | None = None,
) -> Observation:
    """An observation at a minute; ``since`` says from which minute it vouches (default: 15 s before)."""
    return Observation(
        observation_id=name or f"o{next(_numbers)}",
        kind=kind,
        centre=CENTRE,
        camera=camera,
        at=at(minutes),
        state=state,
        window=None if kind == "camera.state" else window,
        post=None if kind == "camera.state" else post,
        reason=reason,
        since=at(minutes - 0.25 if since is None else since),
        looks_expected=7,
        looks_valid=7,
        looks_seen=7 if state == "present" else 0,
        method="detector",
    )
