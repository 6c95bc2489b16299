"""Supervision that sees nothing says so: a calendar year missing, a family of rules that stopped, a camera that is down.

Domain reference 8: a known product issues no card at all where the hours of a date are missing (row 5), and without its
camera "no absence seen" means nothing. For operators, so notices. Silent feeds and cameras of which nothing is heard at
all are in :mod:`detectors.sources`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from detectors.subject_events import soonest
from detectors.verdict import Claim, Verdict, cast_shadow, overdue, settle
from domain.centre import Centre
from domain.observations import PresenceSpan
from domain.rules.blind import BlindSettings
from domain.working_time import FIRST_YEAR, LAST_YEAR, Calendar

CALENDAR, STOPPED, CAMERA = "calendar.missing", "rule.stopped", "camera.down"
ARTICLES = {
    CALENDAR: "国务院办公厅关于节假日安排的通知 (每年公布); 行政许可法 art. 82",
    STOPPED: "P2 (无工作时间表则不发牌); 中心设定",
    CAMERA: "GB/T 28181 (心跳 60 秒, 三次未收到视为离线)",
}


def judge_calendar(centre: Centre, now: datetime, needed: Mapping[int, datetime] | None = None) -> Verdict:
    """``calendar.missing``: a year that nobody has published, from 1 December before it, or as soon as it is needed. Pure.

    Args:
        needed: year → the moment since when a due date has lain in it.

    Returns:
        One finding a year, open until the year is published: then it is no longer made. ``status``: ``missing`` years.
    """
    now = now.astimezone(UTC)
    rules, calendar = centre.rules.blind or BlindSettings(), centre.working_time
    this = date.fromordinal(calendar.local_date(now)).year
    years = {this, this + 1, this + 2, *(needed or {})}
    claims: list[Claim] = []
    for year in sorted(years):
        if not FIRST_YEAR < year <= LAST_YEAR or not _missing(year, calendar):
            continue
        month, day = map(int, rules.calendar_from.split("-"))
        from_date = calendar.day_start(date(year - 1, month, day).toordinal())
        wanted = (needed or {}).get(year)
        opens = from_date if wanted is None else min(from_date, wanted.astimezone(UTC))
        reason = "due_date" if wanted is not None and opens < from_date else "season"
        row = {
            "year": year,
            "because": reason,
            "calendar": calendar.version,
            "articles": ARTICLES[CALENDAR],
        }
        claims.append(
            Claim(CALENDAR, "notice", opens, opens, opens, instance=str(year), explain=partial(dict, row))
        )
    findings, ahead = settle(claims, now, centre=centre.centre.id, subject=f"calendar:{centre.calendar.base}")
    status = {"missing": [finding.explain["year"] for finding in findings]}
    return _in_its_place(Verdict(tuple(findings), soonest(ahead), status), rules)


def needed_years(counted: Iterable[tuple[datetime, datetime]], centre: Centre) -> dict[int, datetime]:
    """Unpublished years that due dates lie in or are counted through, each with the moment since when: for ``needed``.

    Args:
        counted: start and deadline of clocks, say of every open case.
    """
    calendar = centre.working_time
    needed: dict[int, datetime] = {}
    for start, due in counted:
        for year in calendar.unpublished_years(calendar.local_date(start), calendar.local_date(due)):
            needed[year] = min(start, needed.get(year, start))
    return needed


def _missing(year: int, calendar: Calendar) -> bool:
    first, last = date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal()
    return bool(calendar.unpublished_years(first, last))


@dataclass(frozen=True, slots=True)
class Produced:
    """How much a family of rules had to judge in [start, end), and how often it did."""

    start: datetime
    end: datetime
    events: int
    verdicts: int


def judge_family(family: str, produced: Sequence[Produced], centre: Centre, now: datetime) -> Verdict:
    """``rule.stopped``: no verdict for so many office hours of days with events, from a family that once gave some. Pure.

    Args:
        produced: counts, say by day or hour, without overlap; the last may still be running.

    Returns:
        ``look_at`` supposes that the last goes on without a verdict.
    """
    now = now.astimezone(UTC)
    rules, calendar = centre.rules.blind or BlindSettings(), centre.working_time
    limit = timedelta(hours=rules.rule_hours)
    claims: list[Claim] = []
    spoke: datetime | None = None
    dumb, opens = timedelta(), None
    ahead: list[datetime] = []

    def close(at: datetime | None) -> None:
        if opens is None or spoke is None:
            return
        row = {
            "family": family,
            "last_verdict_before": calendar.local(spoke).isoformat(),
            "office_hours": rules.rule_hours,
            "articles": ARTICLES[STOPPED],
        }
        claims.append(Claim(STOPPED, "notice", opens, opens, opens, at, at, explain=partial(dict, row)))

    for each in sorted(produced, key=lambda p: p.start):
        if each.start > now:
            break
        if each.verdicts:
            close(each.start)
            spoke, dumb, opens = each.end, timedelta(), None
        elif each.events and spoke is not None and opens is None:
            end = min(each.end, now)
            at = calendar.after_office_time(each.start, limit - dumb)
            if at is not None and at <= end:
                opens = at
            elif at is not None and at <= each.end:
                ahead.append(at)
            dumb += _office_time(calendar, each.start, end)
    close(None)
    findings, more = settle(claims, now, centre=centre.centre.id, subject=f"rules:{family}")
    status = {"stopped": any(f.state == "open" for f in findings)}
    return _in_its_place(Verdict(tuple(findings), soonest([*ahead, *more]), status), rules)


def _office_time(calendar: Calendar, start: datetime, end: datetime) -> timedelta:
    total = timedelta()
    for ordinal in range(calendar.local_date(start), calendar.local_date(end) + 1):
        for a, b in calendar.office_spans(ordinal):
            total += max(min(b, end) - max(a, start), timedelta())
    return total


def judge_camera(camera: str, down: Sequence[PresenceSpan], centre: Centre, now: datetime) -> Verdict:
    """``camera.down``: a camera that says it delivers nothing, for so many minutes of open hours. Pure.

    Args:
        down: the spans in which it said so (``state`` unknown, with the reason), ``until`` None while it goes on.
    """
    now = now.astimezone(UTC)
    rules, calendar = centre.rules.blind or BlindSettings(), centre.working_time
    windows = sorted({post.window for each in centre.cameras if each.id == camera for post in each.posts})
    claims: list[Claim] = []
    for span in sorted(down, key=lambda s: (s.since, s.reason or "")):
        if span.state != "unknown" or span.since > now:
            continue
        due = calendar.after_office_time(span.since.astimezone(UTC), timedelta(minutes=rules.camera_down))
        if due is None:
            continue
        row: dict[str, Any] = {
            "camera": camera,
            "windows": windows,
            "reason": span.reason,
            "since": calendar.local(span.since).isoformat(),
            "minutes": rules.camera_down,
            "articles": ARTICLES[CAMERA],
        }
        until = None if span.until is None or span.until > now else span.until.astimezone(UTC)
        claims += overdue(CAMERA, "notice", due, until, provisional=False, explain=partial(dict, row))
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"camera:{camera}",
        window_at=lambda _: windows[0] if len(windows) == 1 else None,
    )
    status = {"down": any(f.state == "open" for f in findings)}
    return _in_its_place(Verdict(tuple(findings), soonest(ahead), status), rules)


def _in_its_place(verdict: Verdict, rules: BlindSettings) -> Verdict:
    return cast_shadow(verdict) if rules.shadow else verdict
