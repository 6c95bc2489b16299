"""Events and observations out of steps, for both drivers."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from domain import events
from domain.centre import Centre
from domain.observations import Observation
from tests.scenarios import steps
from tests.scenarios.language import Script

_MOMENT = re.compile(r"(\d{2,4}-\d\d(-\d\d)? )?\d\d:\d\d(:\d\d)?")


def event(script: Script, step: steps.Event, number: int, now: datetime) -> events.Event:
    """As another system sends it: ``number`` makes its id, ``now`` is when we receive it."""
    happened = now if step.happened is None else script.moment(step.happened)
    row: dict[str, Any] = {
        "event_id": f"{script.name}-{number}",
        "kind": step.kind,
        "occurred_at": happened.astimezone(script.zone).isoformat(),
        "received_at": now.isoformat(),
        "source": "approval",
        "centre": script.centre.centre.id,
        **step.fields,
        "data": {name: _moment(script, value) for name, value in step.data.items()},
    }
    return events.parse_event(row)


def _moment(script: Script, value: Any) -> Any:
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return script.moment(value).isoformat()
    return value


def summaries(
    centre: Centre, seen: steps.Seen, since: datetime, at: datetime, *, change: bool = False
) -> list[Observation]:
    """What the cameras at a window say of it: a change at once, otherwise a summary of [since, at)."""
    kind: Any = "post.state" if change else "post.summary"
    return [
        Observation(
            observation_id=f"{camera.id}/{post.name}@{at.isoformat()}{'!' if change else ''}",
            kind=kind,
            centre=centre.centre.id,
            camera=camera.id,
            at=at,
            state=seen.state,
            window=post.window,
            post=post.name,
            since=since,
            until=None if change else at,
            looks_expected=7,
            looks_valid=7,
            looks_seen=7 if seen.state == "present" else 0,
            method="detector",
        )
        for camera in centre.cameras
        for post in camera.posts
        if post.window == seen.window
    ]
