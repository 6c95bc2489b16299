"""What a camera's post looked like: three answers, never two (present, absent, unknown with a reason)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

PostState = Literal["present", "absent", "unknown"]
ObservationKind = Literal["post.state", "post.summary", "camera.state"]

#: Why a post is unknown, or a camera down.
REASONS = (
    "no_frame", "stale", "frozen", "dark", "covered", "blurred", "moved", "light_change", "flat", "learning",
    "object", "low_score", "few_looks", "passing", "too_small", "late_detector", "restart", "refused", "unauthorised", "unreachable", "undecodable",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Observation:
    """One message of the topic ``observations``.

    Args:
        observation_id: unique; the same id twice is the same observation.
        kind: ``post.state`` (a change, sent at once), ``post.summary`` (every 15 s), ``camera.state`` (up or down).
        at: when it was so. since: the earliest moment this state can be vouched for (≤ at).
        until: summaries: end of the interval [since, until).
        state: for ``camera.state``: ``present`` = the camera delivers, ``unknown`` = it does not.
        looks_expected, looks_valid, looks_seen: counts of the interval (summaries).
        method: ``detector``, ``correlation`` or ``both``.
    """

    observation_id: str
    kind: ObservationKind
    centre: str
    camera: str
    at: datetime
    state: PostState
    window: str | None = None
    post: str | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    score: float | None = None
    looks_expected: int = 0
    looks_valid: int = 0
    looks_seen: int = 0
    method: str | None = None


@dataclass(frozen=True, slots=True)
class PresenceSpan:
    """A stretch of time in which one post gave one answer.

    Args:
        since, until: [since, until); ``until`` None = it goes on.
        seen_at: newest observation that vouches for it; None = it is vouched for until ``until``, or until now.
    """

    camera: str
    post: str
    state: PostState
    since: datetime
    until: datetime | None = None
    reason: str | None = None
    seen_at: datetime | None = None


def observation_to_json(observation: Observation) -> dict[str, Any]:
    """A JSON-ready object; moments as RFC 3339."""
    row: dict[str, Any] = {}
    for name in Observation.__slots__:
        value = getattr(observation, name)
        if value is not None:
            row[name] = value.isoformat() if isinstance(value, datetime) else value
    return row


def observation_from_json(row: dict[str, Any]) -> Observation:
    """The reverse of :func:`observation_to_json`.

    Raises:
        ValueError, TypeError, KeyError: the object is not an observation.
    """
    values = dict(row)
    for name in ("at", "since", "until"):
        if values.get(name) is not None:
            values[name] = datetime.fromisoformat(values[name])
            if values[name].tzinfo is None:
                raise ValueError(f"{name} has no offset")
    if values["kind"] not in ("post.state", "post.summary", "camera.state"):
        raise ValueError(f"unknown kind {values['kind']!r}")
    if values["state"] not in ("present", "absent", "unknown"):
        raise ValueError(f"unknown state {values['state']!r}")
    return Observation(**values)
