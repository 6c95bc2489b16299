"""Topics of the log, and the key that decides an event's partition."""

from __future__ import annotations

from domain.events import Event
from domain.observations import Observation

#: Events as section 1 of the contract gives them, JSON, key as in :func:`event_key`.
CASE_EVENTS = "case-events"
#: What cameras say of posts, JSON, key = window.
OBSERVATIONS = "observations"
#: Lines a door refused: JSON with source, line, raw, code, field, reason, place, received_at.
REJECTED_LINES = "rejected-lines"

TOPICS = (CASE_EVENTS, OBSERVATIONS, REJECTED_LINES)


def event_key(event: Event, *, several: bool = False) -> bytes:
    """What must stay in order together: the case's events, else the window's.

    Args:
        several: of a system of several centres. Without their code 145 windows called A01 would share one partition. A
            system that grows from one centre to several changes its keys: what then arrives in another order is
            judged all the same (contract, rule 10).
    """
    return _key(event.case or event.window or event.event_id, event.centre if several else None)


def observation_key(observation: Observation, *, several: bool = False) -> bytes:
    """As :func:`event_key`: the window, else the camera."""
    return _key(observation.window or observation.camera, observation.centre if several else None)


def _key(name: str, centre: str | None) -> bytes:
    return (f"{centre}/{name}" if centre else name).encode()
