"""``truthfulness.entry_batch``: many cases worked on by one hand within minutes, outside office hours.

Cases closed first and entered later in one batch from another terminal (C1; domain reference, section 8 row 7). The subject is
what one person, else one terminal, else one source entered on one local day while the centre was closed; what is
entered in office hours is of no subject, so that nothing is kept of it.

Readings: the moment is ``entered_at`` where it is told, else the moment the step claims for itself; when it reached us does
not matter, for feeds come at night. Where nobody is named, a source's batch is one only by ``entered_at``: programs stamp
at midnight. What applicants do (receipts, withdrawals) is no entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from detectors.family import Family
from detectors.late_entry import SOURCES
from detectors.stamped import NO_ACTS
from detectors.verdict import Verdict, happened, settle
from domain.cases import order_key, without_duplicates
from domain.centre import Centre
from domain.events import CASE_KINDS, Event
from domain.rules.truthfulness import EntryBatch

RULE = "truthfulness.entry_batch"
KINDS = frozenset(CASE_KINDS) - NO_ACTS


def entry_moment(event: Event) -> datetime:
    """When it was keyed in, as far as is told; UTC."""
    return (event.entered_at or event.occurred_at).astimezone(UTC)


def name_of(event: Event, centre: Centre) -> str | None:
    """Day and hand, if the centre was closed: ``2026-03-02/staff/0417``."""
    settings = _settings(centre)
    if settings is None or event.case is None:
        return None
    terminal = event.data.get("terminal")
    if event.staff is not None:
        hand = f"staff/{event.staff}"
    elif isinstance(terminal, str) and terminal.strip():
        hand = f"terminal/{terminal[:80]}"
    elif event.entered_at is not None:
        hand = f"source/{event.source}"
    else:
        return None
    moment = entry_moment(event)
    if not _after_hours(moment, event.window, centre, settings):
        return None
    return f"{centre.working_time.local(moment).date().isoformat()}/{hand}"


def _settings(centre: Centre) -> EntryBatch | None:
    family = centre.rules.truthfulness
    return None if family is None else family.batch


def _after_hours(moment: datetime, window: str | None, centre: Centre, settings: EntryBatch) -> bool:
    """Whether neither the centre nor the window is open, give or take the grace."""
    grace = timedelta(minutes=settings.grace)
    calendars = [centre.working_time]
    if window is not None and (own := centre.open_time(window)) is not calendars[0]:
        calendars.append(own)
    for calendar in calendars:
        spans = calendar.office_spans(calendar.local_date(moment))
        # From the first opening to the last closing: lunch is no evening.
        if spans and spans[0][0] - grace <= moment <= spans[-1][1] + grace:
            return False
    return True


def judge(name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    """The first batch of one hand on one day. Pure; depends on the set of events only."""
    now = now.astimezone(UTC)
    settings = _settings(centre)
    stand, _ = without_duplicates(events)
    taken = sorted(
        (event for event in stand if event.occurred_at <= now),
        key=lambda event: (entry_moment(event), *order_key(event)),
    )
    later = [event.occurred_at.astimezone(UTC) for event in stand if event.occurred_at > now]
    cases = sorted({event.case for event in taken if event.case is not None})
    status: dict[str, Any] = {"entries": len(taken), "cases": len(cases)}
    if settings is None:
        return Verdict((), min(later, default=None), status)
    batch = find_batch(taken, settings)
    claims = []
    if batch:
        moment = entry_moment(batch[-1])
        # Known only when all of it has happened, also where it was keyed in before.
        seen = max(moment, *(event.occurred_at.astimezone(UTC) for event in batch))
        claims = [
            happened(
                RULE, "notice", moment, partial(_explain, name, batch, taken, cases, centre), seen_from=seen
            )
        ]
    windows = {event.window for event in batch}
    window = windows.pop() if len(windows) == 1 else None
    findings, ahead = settle(
        claims, now, centre=centre.centre.id, subject=f"entry_batch:{name}", window_at=lambda _: window
    )
    return Verdict(tuple(findings), min(ahead + later, default=None), status)


def find_batch(entries: Sequence[Event], settings: EntryBatch) -> list[Event]:
    """The earliest entries, sorted by moment, that touch enough different cases in the span; empty if none do."""
    if len({event.case for event in entries}) < settings.cases:
        return []  # as nearly always
    span = timedelta(minutes=settings.minutes)
    moments = [entry_moment(event) for event in entries]
    inside: Counter[str | None] = Counter()
    begin = 0
    for end, event in enumerate(entries):
        inside[event.case] += 1
        while moments[begin] < moments[end] - span:
            left = entries[begin].case
            inside[left] -= 1
            if not inside[left]:
                del inside[left]
            begin += 1
        if len(inside) >= settings.cases:
            return list(entries[begin : end + 1])
    return []


def _explain(
    name: str, batch: Sequence[Event], entries: Sequence[Event], cases: Sequence[str], centre: Centre
) -> dict[str, Any]:
    local = centre.working_time.local
    day, kind, hand = name.split("/", 2)
    return {
        "day": day,
        kind: hand,
        "from": local(entry_moment(batch[0])).isoformat(),
        "to": local(entry_moment(batch[-1])).isoformat(),
        "cases_in_batch": len({event.case for event in batch}),
        "cases_after_hours": len(cases),
        "cases": list(cases[:50]),
        "entries": len(entries),
        "calendar": centre.working_time.version,
        "articles": SOURCES,
    }


FAMILY = Family("truthfulness", "entry_batch", KINDS, name_of, judge)
