"""Work outside the centre (两头受理、体外循环): the rules about one case.

``both_doors.accepted_outside``, ``both_doors.closed_first``, ``both_doors.case_without_ticket``, and of a number that nobody
has entered as a case ``both_doors.certificate_without_case`` and ``both_doors.ticket_without_case``. Tickets and certificates
that name no case are in detectors/unattached.py.

Anyang's regulation (L13) art. 56(1): liable is who accepts elsewhere without consent, once moved into the hall. Only what says
by itself that it was accepted elsewhere is yellow; the rest are signs (domain reference, section 4), and notices.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from detectors.acceptance import Start
from detectors.course import Course
from detectors.late_entry import step_rows
from detectors.stamped import is_immediate
from detectors.suspension import Suspension
from detectors.verdict import Claim, happened, overdue
from domain.cases import Case, Step
from domain.centre import Centre
from domain.events import Event
from domain.rules.both_doors import BothDoorsSettings

OUTSIDE, CLOSED_FIRST = "both_doors.accepted_outside", "both_doors.closed_first"
NO_TICKET = "both_doors.case_without_ticket"
NO_CASE_TICKET, NO_CASE_CERTIFICATE = "both_doors.ticket_without_case", "both_doors.certificate_without_case"
ARTICLES = "安阳市政务服务条例 art. 56(1) (domain reference 4)"
BEGINNINGS = ("case.received", "case.accepted")
ENDS = ("case.decided", "case.closed")
SERVED, ISSUED = "queue.served", "certificate.issued"


def judge_both_doors(
    case: Case,
    start: Start | None,
    course: Course | None,
    suspensions: Sequence[Suspension],
    centre: Centre,
) -> list[Claim]:
    """What is to be said of a case that has been entered."""
    settings = centre.rules.both_doors
    if settings is None:
        return []
    claims = _outside(case, centre, settings)
    claims += _closed_first(case, centre, settings)
    claims += _without_ticket(case, centre, settings)
    claims += _before_the_case(case, centre, settings)
    return claims


def judge_unentered(case: Case, centre: Centre) -> list[Claim]:
    """What is to be said of a number that only tickets and certificates name (``case.steps`` is empty)."""
    settings = centre.rules.both_doors
    return [] if settings is None else _before_the_case(case, centre, settings)


def patience_ends(
    moment: datetime, centre: Centre, settings: BothDoorsSettings
) -> tuple[datetime, bool] | None:
    """Until when the counterpart of something that happened may come, and whether that is provisional."""
    calendar = centre.working_time
    day = calendar.local_date(moment)
    last = calendar.nth_working(day, settings.patience)
    return None if last is None else (calendar.deadline(last), calendar.provisional(day + 1, last))


def _outside(case: Case, centre: Centre, settings: BothDoorsSettings) -> list[Claim]:
    """The case itself says that it came in elsewhere."""
    for step in case.steps:
        if step.kind in BEGINNINGS and step.event.data.get("channel") in settings.outside:
            item = centre.item_by_code.get(case.item_at(step) or "")
            if item is not None and item.elsewhere:
                return []
            row = {
                "channel": step.event.data["channel"],
                "steps": step_rows([step], centre),
                "articles": ARTICLES,
            }
            return [happened(OUTSIDE, "yellow", step.at, partial(dict, row))]
    return []


def _closed_first(case: Case, centre: Centre, settings: BothDoorsSettings) -> list[Claim]:
    """The case had ended when we first heard of it; or it has an end only, or both in one second."""
    end = next((step for step in case.steps if step.kind in ENDS), None)
    if end is None or is_immediate(case, centre):
        return []
    begun = next((step for step in case.steps if step.kind in BEGINNINGS), None)
    if begun is None:
        due = patience_ends(end.at, centre, settings)
        # Its beginning may still be on the way.
        return [] if due is None else [_first(case, end, "no_beginning", due[0], due[0], centre)]
    accepted = next((step for step in case.steps if step.kind == "case.accepted"), begun)
    if accepted.at.replace(microsecond=0) == end.at.replace(microsecond=0):
        return [_first(case, end, "same_second", end.at, end.at, centre)]
    heard = [_heard(step.event) for step in case.steps]
    known = [moment for moment in heard if moment is not None]
    if len(known) < len(heard) or min(known) < end.at:
        return []  # of a step that has no timestamp nobody knows when it came
    first, due = min(known), patience_ends(begun.at, centre, settings)
    if due is None or first <= due[0]:
        return []  # a nightly feed tells of a quick case when it is over
    return [_first(case, end, "heard_after_the_end", max(first, end.at), max(first, end.at), centre)]


def _first(case: Case, end: Step, sign: str, at: datetime, seen: datetime, centre: Centre) -> Claim:
    row = {"sign": sign, "ended_by": end.kind, "steps": step_rows(case.steps, centre), "articles": ARTICLES}
    return happened(CLOSED_FIRST, "notice", at, partial(dict, row), seen_from=seen)


def _heard(event: Event) -> datetime | None:
    """When we heard of it; by the sender's word only where our own stamp is missing."""
    moment = event.received_at or event.entered_at
    return None if moment is None else moment.astimezone(UTC)


def _without_ticket(case: Case, centre: Centre, settings: BothDoorsSettings) -> list[Claim]:
    """Taken at a window with a ticket machine, and no ticket names the case."""
    step = next((each for each in case.steps if each.kind in BEGINNINGS and each.event.window), None)
    if step is None or step.event.data.get("channel") in settings.online:
        return []
    window = centre.window_by_id.get(step.event.window or "")
    if window is None or not window.ticket_machine:
        return []
    due = patience_ends(step.at, centre, settings)
    if due is None:
        return []
    ticket = next((event for event in case.others if event.kind.startswith("queue.")), None)
    row = {"window": window.id, "steps": step_rows([step], centre), "articles": ARTICLES}
    return overdue(
        NO_TICKET,
        "notice",
        due[0],
        None if ticket is None else ticket.occurred_at.astimezone(UTC),
        provisional=due[1],
        explain=partial(dict, row),
    )


def _before_the_case(case: Case, centre: Centre, settings: BothDoorsSettings) -> list[Claim]:
    """Tickets served and certificates issued for a number under which no case was entered in time."""
    first = case.steps[0] if case.steps else None
    claims: list[Claim] = []
    for event in case.others:
        rule = unattached_rule(event, settings)
        if rule is not None:
            claims += unattached(rule, event, None if first is None else first.at, centre, settings)
    return claims


def unattached_rule(event: Event, settings: BothDoorsSettings) -> str | None:
    """The rule by which an event needs a case."""
    if event.kind == ISSUED:
        return NO_CASE_CERTIFICATE
    if event.kind == SERVED and event.data.get("service") not in settings.without_case:
        return NO_CASE_TICKET
    return None


def unattached(
    rule: str, event: Event, case_at: datetime | None, centre: Centre, settings: BothDoorsSettings
) -> list[Claim]:
    """The claim that a ticket or certificate has no case; ``case_at``: when its case began, None if there is none."""
    at = event.occurred_at.astimezone(UTC)
    due = patience_ends(at, centre, settings)
    if due is None:
        return []

    def explain() -> dict[str, Any]:
        names = ("ticket", "certificate_no", "service")
        said = {name: event.data[name][:80] for name in names if isinstance(event.data.get(name), str)}
        return {
            **said,
            "event_id": event.event_id,
            "kind": event.kind,
            "at": centre.working_time.local(at).isoformat(),
            "case": event.case,
            "patience_days": settings.patience,
            "calendar": centre.working_time.version,
            "articles": ARTICLES,
        }

    return overdue(
        rule,
        "notice",
        due[0],
        case_at,
        provisional=due[1],
        explain=explain,
        instance=f"{event.source}\x1e{event.event_id}",
    )
