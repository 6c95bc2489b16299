"""Uninterrupted absence inside the time a window has to be staffed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from detectors.intervals import Interval
from detectors.presence_timeline import Stretch
from domain.observations import PresenceSpan


@dataclass(frozen=True, slots=True)
class AbsentRun:
    """Uninterrupted absence.

    ``earliest``: since when it may have gone on, ``since`` from when it is certain; ``vouched``: up to when it is certain; ``goes_on``: it may still grow; ``over``: when it is known to be over, or None.
    """

    since: datetime
    vouched: datetime
    goes_on: bool
    over: datetime | None
    why_over: str | None
    earliest: datetime


def vouched_to(spans: Sequence[PresenceSpan], horizon: datetime) -> datetime:
    """Up to when the spans that go on are vouched for: the oldest of their newest observations."""
    return min(
        (s.seen_at.astimezone(UTC) for s in spans if s.until is None and s.seen_at is not None),
        default=horizon,
    )


def open_intervals(hours: Sequence[Interval], changes: Sequence[tuple[datetime, str]]) -> list[Interval]:
    """The parts of the open hours in which the desk is open; without events it is."""
    result: list[Interval] = []
    for start, end in hours:
        at, state = start, "open"
        for moment, desk in changes:
            if moment <= start:
                state = desk
            elif moment < end:
                if state == "open" and moment > at:
                    result.append((at, moment))
                at, state = moment, desk
        if state == "open" and end > at:
            result.append((at, end))
    # Opened while open: not an interruption.
    merged: list[Interval] = []
    for start, end in result:
        if merged and merged[-1][1] == start and not any(m == start and d != "open" for m, d in changes):
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return merged


def find_runs(
    line: Sequence[Stretch],
    interval: Interval,
    horizon: datetime,
    vouched_upto: datetime,
    why_ended: Callable[[datetime], str] = lambda _: "closed",
) -> list[AbsentRun]:
    """The absences of a timeline inside one interval in which the window has to be staffed."""
    start, end = interval
    inside = [s for s in line if s.until > start and s.since < end]
    runs = []
    for i, stretch in enumerate(inside):
        if stretch.state != "absent":
            continue
        # What follows: known states end the absence, unknown leaves open when it ended.
        following = next((s for s in inside[i + 1 :] if s.state != "unknown"), None)
        if following is not None:
            over, why = following.since, "present" if following.state == "present" else "unknown_between"
        elif end < horizon:
            over, why = end, why_ended(end)
        else:
            over, why = None, None
        since, vouched = max(stretch.since, start), min(stretch.until, end)
        goes_on = stretch.until >= horizon
        if goes_on:
            vouched = min(vouched, max(vouched_upto, since))
        earliest = since
        for before in reversed(inside[:i]):
            if before.state != "unknown":
                break
            earliest = max(before.since, start)
        runs.append(AbsentRun(since, vouched, goes_on, over, why, earliest))
    return runs
