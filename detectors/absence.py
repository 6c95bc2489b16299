"""Absence (离岗): nobody at a window inside its open hours for 10, 15, 30 minutes.

The minutes are settings with sources (Kaifu 2019: 30 minutes; Cangnan 2019: 15). A false card is worse than a late one:

* Only *absent* counts. *Unknown* never does, and an absence that passes through unknown begins again.
* Only time that a camera vouches for counts: up to its newest observation, not up to now.
* Lunch, a paused or closed window and the end of office hours end an absence.
* A window whose absence ends in unknown stays found until it is known to be over; ``explain`` then tells between which
  two moments the absence itself ended, and of one that begins in unknown between which two it began.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from detectors.absent_runs import AbsentRun, find_runs, open_intervals, vouched_to
from detectors.head_count import judge_head_count
from detectors.intervals import Interval
from detectors.presence_timeline import window_timeline
from detectors.staffing import KINDS as STAFFING_KINDS
from detectors.staffing import Duty, duty_of, windows_of_event
from detectors.subject_events import soonest
from detectors.verdict import TICK, Claim, Verdict, cast_shadow, settle
from detectors.waiting import seen_waiting
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
#: Every kind of event this judge can use; which windows one concerns says :func:`windows_of`.
WANTED = frozenset(DESK) | STAFFING_KINDS
#: Kinds that matter long after they happened, and how long: a leave is granted once and lasts. Of the desk's kinds the last
#: one before the time judged matters too, of all others only those of the days judged.
LOOK_BACK = {"leave.granted": timedelta(days=366), "leave.ended": timedelta(days=366)}


def windows_of(event: Event, centre: Centre) -> frozenset[str]:
    """The windows whose absence an event concerns; a leave concerns every window of its person.

    What the family ``staffing`` needs concerns no window where the centre file does not turn it on.
    """
    if event.kind in DESK:
        return frozenset() if event.window is None else frozenset((event.window,))
    if event.kind not in WANTED or centre.rules.staffing is None:
        return frozenset()
    return windows_of_event(event, centre)


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
        window_events: ``window.opened | paused | closed`` of this window, with the last one before ``since``; with
            ``rules.staffing`` also the other kinds of :data:`WANTED` that concern it, from ``since`` less
            :data:`LOOK_BACK` on.
        since: begin of the time judged; default the begin of ``now``'s local day. No run crosses office hours, so a
            day is enough; findings that opened before it are not spoken of and must be left as they are.
        seen_at: newest observation of any post, for spans that carry none of their own.

    Returns:
        ``absence.notice | yellow | red`` with ``due_at`` = ``opened_at``; ``status`` with ``presence``, ``reason``,
        ``since``, ``desk`` (open, paused, closed) and ``open`` (inside open hours and desk open). With
        ``rules.staffing`` also its findings and, in ``status``, ``on_duty``, ``waiting``, ``waiting_since``, ``urgent``. With
        ``shadow: true`` there, what the window would answer with the section stands beside what it answers without, as
        shadow findings.
    """
    staffing = centre.rules.staffing
    judge = partial(_judge, window, list(spans), list(window_events), centre, now, since, seen_at)
    if staffing is None or not staffing.shadow:
        return judge(staffing is not None)
    plain, shadow = judge(False), cast_shadow(judge(True))
    look_at = soonest((plain.look_at, shadow.look_at))
    return Verdict((*plain.findings, *shadow.findings), look_at, plain.status)


def _judge(
    window: str,
    spans: Sequence[PresenceSpan],
    window_events: Sequence[Event],
    centre: Centre,
    now: datetime,
    since: datetime | None,
    seen_at: datetime | None,
    staffed: bool,
) -> Verdict:
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
    duty = duty_of(window, centre, window_events, begin, now) if staffed else None
    whole = _office_intervals(calendar, begin, now) if duty is None else _reaching(duty.spans, begin, now)
    hours = [(max(start, begin), end) for start, end in whole]
    opened = open_intervals(hours, desk_changes)
    # The answer that begins at this very moment belongs to it, so the line reaches one tick further.
    horizon = now + TICK
    line = window_timeline(known, posts, begin, horizon, fresh)
    vouched = vouched_to(known, horizon)
    why = (lambda _: "closed") if duty is None else duty.why_ended
    runs = [run for interval in opened for run in find_runs(line, interval, horizon, vouched, why)]
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
            if severity == "notice":
                opens = _sooner(run, opens, known, centre.rules.absence.notice_waiting)
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
                        explain=partial(_explain, run, minutes, window, calendar, duty, opens, known),
                    )
                )
            elif run.goes_on and run.over is None:
                ahead.append(opens if opens > now else now + LAG)
    if duty is not None:
        claims += duty.claims
        short, later = judge_head_count(window, known, opened, horizon, fresh, centre)
        claims += short
        ahead += [*later, *duty.edges]
    findings, more = settle(
        claims, now, centre=centre.centre.id, subject=f"window:{window}", window_at=lambda _: window
    )
    findings.sort(key=lambda f: (f.opened_at, f.rule))
    ahead += more + _next_edges(calendar, now)
    ahead += [s.seen_at + fresh + TICK for s in known if s.until is None and s.seen_at]
    desk = desk_changes[-1][1] if desk_changes else "open"
    last = line[-1] if line else None
    status: dict[str, Any] = {
        "presence": last.state if last else "unknown",
        "reason": last.reason if last else "no_frame",
        "since": last.since if last else None,
        "desk": desk,
        "open": desk == "open" and any(a <= now < b for a, b in whole),
    }
    if duty is not None:
        status |= duty.status(now)
    empty = status["presence"] == "absent" and status["open"]
    waits = seen_waiting(known, now, horizon) is not None
    if duty is not None or waits:
        status["urgent"] = empty and (waits or status.get("waiting", 0) > 0)
    return Verdict(tuple(findings), min((m for m in ahead if m > now), default=None), status)


def _seen(span: PresenceSpan, seen_at: datetime) -> PresenceSpan:
    return replace(span, seen_at=seen_at)


def _desk_changes(events: Iterable[Event], now: datetime) -> list[tuple[datetime, str]]:
    """When the window opened, paused or closed. At one moment opening is taken last: the desk is watched again."""
    stand, _ = without_duplicates(e for e in events if e.kind in DESK)
    ordered = sorted(
        stand, key=lambda e: (e.occurred_at.astimezone(UTC), _ORDER[e.kind], e.event_id, e.source)
    )
    return [(e.occurred_at.astimezone(UTC), DESK[e.kind]) for e in ordered if e.occurred_at <= now]


def _office_intervals(calendar: Calendar, begin: datetime, now: datetime) -> list[Interval]:
    """Open hours that reach into [begin, now], whole."""
    days = range(calendar.local_date(begin), calendar.local_date(now) + 1)
    return _reaching((span for ordinal in days for span in calendar.office_spans(ordinal)), begin, now)


def _reaching(spans: Iterable[Interval], begin: datetime, now: datetime) -> list[Interval]:
    return [(start, end) for start, end in spans if end > begin and start <= now]


def _next_edges(calendar: Calendar, now: datetime) -> list[datetime]:
    """The next opening or end of open hours; a fortnight ahead covers the longest holidays."""
    today = calendar.local_date(now)
    for ordinal in range(today, today + 15):
        edges = [edge for span in calendar.office_spans(ordinal) for edge in span if edge > now]
        if edges:
            return [min(edges)]
    return []


def _sooner(
    run: AbsentRun, opens: datetime, spans: Sequence[PresenceSpan], minutes: float | None
) -> datetime:
    """When a notice opens: earlier where citizens were seen to wait and the centre wants that."""
    waits = seen_waiting(spans, run.since, min(opens, run.vouched)) if minutes is not None else None
    if waits is None or minutes is None:
        return opens
    return min(opens, max(run.since + timedelta(minutes=minutes), waits))


def _explain(
    run: AbsentRun,
    minutes: float,
    window: str,
    calendar: Calendar,
    duty: Duty | None,
    opens: datetime,
    spans: Sequence[PresenceSpan],
) -> dict[str, Any]:
    def text(moment: datetime | None) -> str | None:
        return None if moment is None else calendar.local(moment).isoformat()

    row: dict[str, Any] = {
        "window": window,
        "since": text(run.since),
        "minutes": min(minutes, round((opens - run.since) / timedelta(minutes=1), 1)),
        "calendar": calendar.version,
        "articles": ARTICLE,
    }
    if run.earliest < run.since:
        row["absent_from"] = {"earliest": text(run.earliest), "latest": text(run.since)}
    waits = seen_waiting(spans, run.since, opens + TICK)
    if waits is not None:
        row["seen_waiting"] = {"since": text(waits)}
    if run.over is not None:
        row["ended_by"] = run.why_over
        row["absent_until"] = {"earliest": text(run.vouched), "latest": text(run.over)}
    if duty is not None:
        row |= duty.told(opens)
    return row
