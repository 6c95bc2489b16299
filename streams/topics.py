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


def event_key(event: Event) -> bytes:
    """What must stay in order together: the case's events, else the window's."""
    return (event.case or event.window or event.event_id).encode()


def observation_key(observation: Observation) -> bytes:
    return (observation.window or observation.camera).encode()
