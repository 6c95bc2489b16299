"""What a camera's post looked like: three answers, never two (present, absent, unknown with a reason)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from domain.decoding import parse_moment

#: Characters of a code; three of them with a moment must fit into an index.
_LONGEST = 128
_MOST_LOOKS = 1_000_000
_MOST_PEOPLE = 1000
_MOST_CAMERAS = 10_000

PostState = Literal["present", "absent", "unknown"]
ObservationKind = Literal["post.state", "post.summary", "camera.state", "site.state"]

#: Why a post is unknown, or a camera down.
REASONS = (
    "no_frame", "stale", "frozen", "dark", "covered", "blurred", "moved", "light_change", "flat", "learning",
    "object", "low_score", "few_looks", "passing", "too_small", "late_detector", "restart", "refused", "unauthorised", "unreachable", "undecodable",
    "incident", "too_slow", "together", "overslept",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Observation:
    """One message of the topic ``observations``.

    Args:
        observation_id: unique; the same id twice is the same observation.
        kind: ``post.state`` (a change, sent at once), ``post.summary`` (every 15 s), ``camera.state`` (up or down),
            ``site.state`` (an incident of a site that begins, grows or ends; ``camera`` is the site's name).
        at: when it was so. since: the earliest moment this state can be vouched for (≤ at).
        until: summaries: end of the interval [since, until).
        state: for ``camera.state``: ``present`` = the camera delivers, ``unknown`` = it does not. For ``site.state``:
            ``unknown`` = an incident goes on since ``since``, ``present`` = it ended at ``until``.
        reason: a camera that is down as part of an incident says ``incident``. Of an incident: ``together`` (most cameras
            failed within seconds) or ``overslept`` (the process that watches them did not run); ``restart``: whatever
            incident there was, the process that spoke of it is gone, and a new one knows nothing of it.
        looks_expected, looks_valid, looks_seen: counts of the interval (summaries). Of a site: cameras watched, and how
            many of them have not failed.
        cameras: the cameras that failed in an incident.
        method: ``detector``, ``correlation`` or ``both``.
        people: how many are at the post at least, up to as many as it needs; None: nobody counts.
        clock_offset: of a camera: seconds its clock is ahead of ours, when last measured; None: not known. Nothing is dated
            by it: what is said of a camera happened when we saw it.
        waiting: somebody stands at the public side of a post where nobody is; None: not looked at, or staffed.
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
    people: int | None = None
    waiting: bool | None = None
    cameras: tuple[str, ...] | None = None
    clock_offset: float | None = None


@dataclass(frozen=True, slots=True)
class PresenceSpan:
    """A stretch of time in which one post gave one answer.

    Args:
        since, until: [since, until); ``until`` None = it goes on.
        seen_at: newest observation that vouches for it; None = it is vouched for until ``until``, or until now.
        people: how many were seen at least, where the camera counts; None = it only says that somebody is there.
        waiting: whether somebody stood at the public side meanwhile; None = that was not looked at.
    """

    camera: str
    post: str
    state: PostState
    since: datetime
    until: datetime | None = None
    reason: str | None = None
    seen_at: datetime | None = None
    people: int | None = None
    waiting: bool | None = None


@dataclass(frozen=True, slots=True)
class SiteIncident:
    """Cameras of one site that failed together; ``ended`` None while it goes on. ``watched``: cameras of the site."""

    site: str
    began: datetime
    ended: datetime | None
    reason: str
    cameras: frozenset[str]
    watched: int


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
        ValueError, TypeError, KeyError, EventError: the object is not an observation.
    """
    values = dict(row)
    for name in ("observation_id", "centre", "camera"):
        if not isinstance(values[name], str) or not 0 < len(values[name]) <= _LONGEST:
            raise ValueError(f"{name} must be a text of 1 to {_LONGEST} characters")
    for name in ("window", "post", "reason", "method"):
        value = values.get(name)
        if value is not None and not (isinstance(value, str) and len(value) <= _LONGEST):
            raise ValueError(f"{name} must be a text of at most {_LONGEST} characters")
    for name in ("looks_expected", "looks_valid", "looks_seen"):
        value = values.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MOST_LOOKS:
            raise ValueError(f"{name} must be a count")
    people, waiting = values.get("people"), values.get("waiting")
    if people is not None and (
        isinstance(people, bool) or not isinstance(people, int) or not 0 <= people <= _MOST_PEOPLE
    ):
        raise ValueError("people must be a count")
    if waiting is not None and not isinstance(waiting, bool):
        raise ValueError("waiting must be true or false")
    for name in ("score", "clock_offset"):
        value = values.get(name)
        if value is not None and (
            isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e10
        ):
            raise ValueError(f"{name} must be a number")
    for name in ("at", "since", "until"):
        if values.get(name) is not None:
            values[name] = parse_moment(values[name], name)
    if values.get("at") is None:
        raise ValueError("at is missing")
    if values.get("cameras") is not None:
        values["cameras"] = _codes(values["cameras"])
    if values["kind"] not in ("post.state", "post.summary", "camera.state", "site.state"):
        raise ValueError(f"unknown kind {values['kind']!r}")
    if values["state"] not in ("present", "absent", "unknown"):
        raise ValueError(f"unknown state {values['state']!r}")
    return Observation(**values)


def _codes(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > _MOST_CAMERAS:
        raise ValueError("cameras must be a list of codes")
    if not all(isinstance(each, str) and 0 < len(each) <= _LONGEST for each in value):
        raise ValueError(f"cameras must be texts of 1 to {_LONGEST} characters")
    return tuple(value)
