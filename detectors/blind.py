"""Supervision that sees nothing says so: a calendar year that is missing, a camera that is down.

Domain reference 8: a known product issues no card at all where the hours of a date are missing (row 5), and without its
camera "no absence seen" means nothing. For operators, so notices. A family of rules that stopped is in
:mod:`detectors.production`; silent feeds and cameras of which nothing is heard at all are in :mod:`detectors.sources`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from detectors.camera_clock import ClockSpan, clock_claims
from detectors.camera_picture import unfit_claims
from detectors.subject_events import soonest
from detectors.verdict import Claim, Verdict, cast_shadow, overdue, settle
from domain.centre import Centre
from domain.findings import Finding
from domain.observations import PresenceSpan
from domain.rules.blind import BlindSettings
from domain.working_time import FIRST_YEAR, LAST_YEAR, Calendar

CALENDAR, CAMERA = "calendar.missing", "camera.down"
ARTICLES = {
    CALENDAR: "国务院办公厅关于节假日安排的通知 (每年公布); 行政许可法 art. 82",
    CAMERA: "GB/T 28181 (心跳 60 秒, 三次未收到视为离线)",
}


def judge_calendar(
    centre: Centre,
    now: datetime,
    needed: Mapping[int, datetime] | None = None,
    said: Sequence[Finding] = (),
) -> Verdict:
    """``calendar.missing``: a year that nobody has published, from 1 December before it, or as soon as it is needed. Pure.

    Args:
        needed: year → the moment since when a due date has lain in it.
        said: what was said before. It stands as it was said, whoever needs the year by now; where the year has been published
            meanwhile it closes, with that reason.

    Returns:
        One finding a year. ``status``: ``missing`` years.
    """
    now = now.astimezone(UTC)
    rules, calendar = centre.rules.blind or BlindSettings(), centre.working_time
    this = date.fromordinal(calendar.local_date(now)).year
    before = _said_by_year(said)
    claims: list[Claim] = []
    for year in sorted({this, this + 1, this + 2, *(needed or {}), *before}):
        old = before.get(year)
        if not FIRST_YEAR < year <= LAST_YEAR or not _missing(year, calendar):
            if old is not None and (old.state != "revoked" or old.revoked_person is not None):
                claims.append(_published(old, now, calendar))
            continue
        if old is not None:
            claims.append(_missed(year, old.opened_at.astimezone(UTC), old.explain))
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
        claims.append(_missed(year, opens, row))
    findings, ahead = settle(claims, now, centre=centre.centre.id, subject=f"calendar:{centre.calendar.base}")
    status = {"missing": [finding.explain["year"] for finding in findings if finding.state == "open"]}
    return _in_its_place(Verdict(tuple(findings), soonest(ahead), status), rules)


def _said_by_year(said: Sequence[Finding]) -> dict[int, Finding]:
    """Of each year the one that stands, else the newest."""
    found: dict[int, Finding] = {}
    for each in sorted(said, key=lambda f: (f.state != "revoked", f.opened_at)):
        if each.rule == CALENDAR and isinstance(each.explain.get("year"), int):
            found[each.explain["year"]] = each
    return found


def _missed(year: int, opens: datetime, row: Mapping[str, Any]) -> Claim:
    plain = {key: value for key, value in row.items() if key not in ("ended", "published_in")}
    return Claim(CALENDAR, "notice", opens, opens, opens, instance=str(year), explain=partial(dict, plain))


def _published(old: Finding, now: datetime, calendar: Calendar) -> Claim:
    opens, ended = old.opened_at.astimezone(UTC), (old.closed_at or now).astimezone(UTC)
    row = dict(old.explain)
    if old.closed_at is None:
        row |= {"ended": "published", "published_in": calendar.version}
    return Claim(
        CALENDAR,
        "notice",
        opens,
        opens,
        opens,
        ended,
        ended,
        instance=str(row["year"]),
        explain=partial(dict, row),
    )


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


def judge_camera(
    camera: str,
    down: Sequence[PresenceSpan],
    centre: Centre,
    now: datetime,
    clock: Sequence[ClockSpan] = (),
) -> Verdict:
    """``camera.down``: a camera that says it delivers nothing, for so many minutes of open hours. Pure.

    Args:
        down: the spans in which it said so (``state`` unknown, with the reason), ``until`` None while it goes on; and those
            in which its picture was unfit (``state`` present, with the reason), see :mod:`detectors.camera_picture`.
        clock: the stretches in which its clock was wrong, see :mod:`detectors.camera_clock`.
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
    claims += unfit_claims(camera, down, centre, now)
    claims += clock_claims(camera, clock, centre, now)
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"camera:{camera}",
        window_at=lambda _: windows[0] if len(windows) == 1 else None,
    )
    status = {"down": any(f.state == "open" and f.rule == CAMERA for f in findings)}
    return _in_its_place(Verdict(tuple(findings), soonest(ahead), status), rules)


@dataclass(frozen=True, slots=True)
class Report:
    """What a camera said of itself from a moment on: ``state`` unknown = it delivers nothing."""

    at: datetime
    state: str
    reason: str | None = None
    clock_offset: float | None = None


def down_spans(camera: str, reports: Iterable[Report]) -> list[PresenceSpan]:
    """The spans in which a camera delivered nothing; that the reason changes meanwhile makes no two of one."""
    spans: list[PresenceSpan] = []
    begun: Report | None = None
    for each in sorted(reports, key=lambda report: (report.at, report.state, report.reason or "")):
        # What is wrong with the whole site is said of the site (detectors.sources).
        if each.state == "unknown" and each.reason != "incident":
            begun = begun or each
        elif begun is not None:
            spans.append(PresenceSpan(camera, "", "unknown", begun.at, each.at, begun.reason, each.at))
            begun = None
    if begun is not None:
        spans.append(PresenceSpan(camera, "", "unknown", begun.at, None, begun.reason, begun.at))
    return spans


def _in_its_place(verdict: Verdict, rules: BlindSettings) -> Verdict:
    return cast_shadow(verdict) if rules.shadow else verdict
