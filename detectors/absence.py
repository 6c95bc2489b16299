"""Absence (离岗): nobody at a window inside its open hours for 10, 15, 30 minutes.

The minutes are settings with sources (Kaifu 2019: 30 minutes; Cangnan 2019: 15). A false card is worse than a late one:

* Only *absent* counts. *Unknown* never does, and an absence that passes through unknown begins again.
* Only time that a camera vouches for counts: up to its newest observation, not up to now.
* Lunch, a paused or closed window and the end of office hours end an absence.
* A window whose absence ends in unknown stays found until it is known to be over; ``explain`` then tells between which
  two moments the absence itself ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from detectors.presence_timeline import Stretch, window_timeline
from detectors.verdict import TICK, Claim, Verdict, settle
from domain.cases import without_duplicates
from domain.centre import Centre
from domain.events import Event
from domain.findings import Severity
from domain.observations import PresenceSpan
from domain.working_time import Calendar

ARTICLE = "人员不缺岗,服务不停办; 中心考勤规定 (10 / 15 / 30 分钟)"
#: How often a run is looked at again whose camera lags behind its next threshold.
LAG = timedelta(seconds=15)
DESK = {"window.opened": "open", "window.paused": "paused", "window.closed": "closed"}
_ORDER = {"window.closed": 0, "window.paused": 1, "window.opened": 2}
Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class AbsentRun:
    """Uninterrupted absence.

    ``vouched``: up to when it is certain; ``goes_on``: it may still grow; ``over``: when it is known to be over, or None.
    """

    since: datetime
    vouched: datetime
    goes_on: bool
    over: datetime | None
    why_over: str | None


def judge_absence(
    window: str,
    spans: Iterable[PresenceSpan],
    window_events: Iterable[Event],
    centre: Centre,
    now: datetime,
    *,
    since: datetime | None = None,
    seen_at: datetime | None = None,
) -> Verdict:
    """The absence findings of one window. Pure.

    Args:
        window: its id.
        spans: of its posts, complete from ``since`` on.
        window_events: ``window.opened | paused | closed`` of this window, with the last one before ``since``.
        since: begin of the time judged; default the begin of ``now``'s local day. No run crosses office hours, so a
            day is enough; findings that opened before it are not spoken of and must be left as they are.
        seen_at: newest observation of any post, for spans that carry none of their own.

    Returns:
        ``absence.notice | yellow | red`` with ``due_at`` = ``opened_at``; ``status`` with ``presence``, ``reason``,
        ``since``, ``desk`` (open, paused, closed) and ``open`` (inside open hours and desk open).
    """
    now = now.astimezone(UTC)
    calendar = centre.open_time(window)
    today = calendar.local_date(now)
    begin = calendar.day_start(today) if since is None else since.astimezone(UTC)
    fresh = timedelta(minutes=centre.rules.sources.camera_silent)
    posts = centre.posts_of(window)
    known = [
        span if span.seen_at or span.until or not seen_at else _seen(span, seen_at)
        for span in spans
        # What a post that is no longer in the centre file last said holds nobody up.
        if span.since <= now and (not posts or (span.camera, span.post) in posts)
    ]
    desk_changes = _desk_changes(window_events, now)
    hours = _office_intervals(calendar, begin, now)
    opened = _open_intervals(hours, desk_changes)
    # The answer that begins at this very moment belongs to it, so the line reaches one tick further.
    horizon = now + TICK
    line = window_timeline(known, posts, begin, horizon, fresh)
    vouched_to = _vouched_to(known, horizon)
    runs = [run for interval in opened for run in _runs(line, interval, horizon, vouched_to)]
    levels: tuple[tuple[Severity, float], ...] = (
        ("notice", centre.rules.absence.notice),
        ("yellow", centre.rules.absence.yellow),
        ("red", centre.rules.absence.red),
    )
    claims: list[Claim] = []
    ahead: list[datetime] = []
    for run in runs:
        for severity, minutes in levels:
            opens = run.since + timedelta(minutes=minutes)
            if run.vouched >= opens and (run.over is None or opens < run.over):
                claims.append(
                    Claim(
                        f"absence.{severity}",
                        severity,
                        opens,
                        opens,
                        opens,
                        run.over,
                        run.over,
                        explain=partial(_explain, run, minutes, window, calendar),
                    )
                )
            elif run.goes_on and run.over is None:
                ahead.append(opens if opens > now else now + LAG)
    findings, more = settle(
        claims, now, centre=centre.centre.id, subject=f"window:{window}", window_at=lambda _: window
    )
    findings.sort(key=lambda f: (f.opened_at, f.rule))
    ahead += more + _next_edges(calendar, now)
    ahead += [s.seen_at + fresh + TICK for s in known if s.until is None and s.seen_at]
    desk = desk_changes[-1][1] if desk_changes else "open"
    last = line[-1] if line else None
    status = {
        "presence": last.state if last else "unknown",
        "reason": last.reason if last else "no_frame",
        "since": last.since if last else None,
        "desk": desk,
        "open": desk == "open"
        and any(a <= now < b for a, b in _office_intervals(calendar, begin, now, whole=True)),
    }
    return Verdict(tuple(findings), min((m for m in ahead if m > now), default=None), status)


def _seen(span: PresenceSpan, seen_at: datetime) -> PresenceSpan:
    return PresenceSpan(span.camera, span.post, span.state, span.since, span.until, span.reason, seen_at)


def _vouched_to(spans: Sequence[PresenceSpan], horizon: datetime) -> datetime:
    """Up to when the spans that go on are vouched for: the oldest of their newest observations."""
    return min(
        (s.seen_at.astimezone(UTC) for s in spans if s.until is None and s.seen_at is not None),
        default=horizon,
    )


def _desk_changes(events: Iterable[Event], now: datetime) -> list[tuple[datetime, str]]:
    """When the window opened, paused or closed. At one moment opening is taken last: the desk is watched again."""
    stand, _ = without_duplicates(e for e in events if e.kind in DESK)
    ordered = sorted(
        stand, key=lambda e: (e.occurred_at.astimezone(UTC), _ORDER[e.kind], e.event_id, e.source)
    )
    return [(e.occurred_at.astimezone(UTC), DESK[e.kind]) for e in ordered if e.occurred_at <= now]


def _office_intervals(
    calendar: Calendar, begin: datetime, now: datetime, whole: bool = False
) -> list[Interval]:
    """Open hours that reach into [begin, now), cut to it unless ``whole``."""
    found = []
    for ordinal in range(calendar.local_date(begin), calendar.local_date(now) + 1):
        for start, end in calendar.office_spans(ordinal):
            if end > begin and start <= now:
                found.append((start, end) if whole else (max(start, begin), end))
    return found


def _open_intervals(hours: Sequence[Interval], changes: Sequence[tuple[datetime, str]]) -> list[Interval]:
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


def _runs(
    line: Sequence[Stretch], interval: Interval, horizon: datetime, vouched_to: datetime
) -> list[AbsentRun]:
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
            over, why = end, "closed"
        else:
            over, why = None, None
        since, vouched = max(stretch.since, start), min(stretch.until, end)
        goes_on = stretch.until >= horizon
        if goes_on:
            vouched = min(vouched, max(vouched_to, since))
        runs.append(AbsentRun(since, vouched, goes_on, over, why))
    return runs


def _next_edges(calendar: Calendar, now: datetime) -> list[datetime]:
    """The next opening or end of open hours; a fortnight ahead covers the longest holidays."""
    today = calendar.local_date(now)
    for ordinal in range(today, today + 15):
        edges = [edge for span in calendar.office_spans(ordinal) for edge in span if edge > now]
        if edges:
            return [min(edges)]
    return []


def _explain(run: AbsentRun, minutes: float, window: str, calendar: Calendar) -> dict[str, Any]:
    def text(moment: datetime | None) -> str | None:
        return None if moment is None else calendar.local(moment).isoformat()

    row: dict[str, Any] = {
        "window": window,
        "since": text(run.since),
        "minutes": minutes,
        "calendar": calendar.version,
        "articles": ARTICLE,
    }
    if run.over is not None:
        row["ended_by"] = run.why_over
        row["absent_until"] = {"earliest": text(run.vouched), "latest": text(run.over)}
    return row
