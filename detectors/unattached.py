"""Queue tickets and certificates that name no case: ``both_doors.ticket_without_case``, ``both_doors.certificate_without_case``.

Those that name one are judged with it (detectors/both_doors.py). A later event of the same ticket or certificate that names
its case ends the finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from detectors.both_doors import ISSUED, SERVED, unattached, unattached_rule
from detectors.family import Family
from detectors.verdict import Verdict, settle
from domain.cases import order_key, without_duplicates
from domain.centre import Centre
from domain.events import Event

TICKETS = frozenset(("queue.ticket_issued", "queue.called", SERVED, "queue.abandoned"))


def ticket_of(event: Event, centre: Centre) -> str | None:
    """The day and the number: numbers begin anew each day; without a number the event speaks of no ticket."""
    ticket = event.data.get("ticket")
    if isinstance(ticket, bool) or not isinstance(ticket, (str, int)) or not str(ticket).strip():
        return None
    day = centre.working_time.local(event.occurred_at.astimezone(UTC)).date()
    return f"{day.isoformat()}/{event.source}/{str(ticket)[:80]}"


def certificate_of(event: Event, centre: Centre) -> str | None:
    """The certificate's own number."""
    return str(event.data["certificate_no"])


def judge(subject: str, name: str, events: Sequence[Event], centre: Centre, now: datetime) -> Verdict:
    """Findings of one ticket or certificate. Pure; depends on the set of events only."""
    now = now.astimezone(UTC)
    settings = centre.rules.both_doors
    stand, _ = without_duplicates(events)
    taken = sorted((event for event in stand if event.occurred_at <= now), key=order_key)
    later = [event.occurred_at.astimezone(UTC) for event in stand if event.occurred_at > now]
    if settings is None or not taken:
        return Verdict((), min(later, default=None))
    named = next((event for event in taken if event.case is not None), None)
    first = next(((e, r) for e in taken if (r := unattached_rule(e, settings)) is not None), None)
    claims = []
    # What named its case from the beginning is judged with it.
    if first is not None and named is not first[0]:
        at = None if named is None else named.occurred_at.astimezone(UTC)
        claims = unattached(first[1], first[0], at, centre, settings)
    window = next((event.window for event in taken if event.window is not None), None)
    findings, ahead = settle(
        claims,
        now,
        centre=centre.centre.id,
        subject=f"{subject}:{name}",
        item=next((event.item for event in taken if event.item is not None), None),
        window_at=lambda _: window,
    )
    status = {"case": None if named is None else named.case, "events": len(taken)}
    return Verdict(tuple(findings), min(ahead + later, default=None), status)


TICKET_FAMILY = Family("both_doors", "ticket", TICKETS, ticket_of, partial(judge, "ticket"))
CERTIFICATE_FAMILY = Family(
    "both_doors", "certificate", frozenset((ISSUED,)), certificate_of, partial(judge, "certificate")
)
FAMILIES = (TICKET_FAMILY, CERTIFICATE_FAMILY)
