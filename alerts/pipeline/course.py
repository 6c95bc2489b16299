"""The course of a finding: that its messages go on until somebody acts. Begun with the first of them; what is due later, and when,
is :mod:`alerts.rounds`'s."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from alerts.pipeline.draft import Draft
from alerts.reasons import Reason, Why
from alerts.rounds.schedule import Course, Timetable
from domain.centre import Centre
from store import Connection

#: Reasons of people, not of the finding: where nobody can be told for them, the next ones have to be.
_NOBODY = frozenset((Reason.NO_WINDOW, Reason.NO_PERSON, Reason.NO_PHONE))

_BEGIN = """
insert into escalation (finding_id, centre, route, since, next_at)
select * from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
on conflict (finding_id) do nothing
"""


def begin_courses(connection: Connection, centre: Centre, drafts: Sequence[Draft], now: datetime) -> int:
    """Writes the rows of ``escalation`` for findings whose route goes on; returns how many began. One that runs is left alone."""
    by_finding: dict[str, list[Draft]] = {}
    for draft in drafts:
        if draft.route.goes_on and draft.news.why in (Why.OPENED, Why.REOPENED):
            by_finding.setdefault(draft.finding.finding_id, []).append(draft)
    rows = [
        (finding, centre.centre.id, planned[0].route.id, *moments)
        for finding, planned in by_finding.items()
        if (moments := _moments(planned, centre, now)) is not None
    ]
    if not rows:
        return 0
    return connection.execute(_BEGIN, [list(column) for column in zip(*rows, strict=True)]).rowcount


def _moments(planned: Sequence[Draft], centre: Centre, now: datetime) -> tuple[datetime, datetime] | None:
    """When the first message leaves, and when something comes after it; None: nothing goes on."""
    route, finding = planned[0].route, planned[0].finding
    told = [draft.leaves_at for draft in planned if not draft.skipped]
    if told or any(draft.reason is Reason.ALREADY_TOLD for draft in planned):
        since = min(told, default=now)
        next_at = Timetable(route, finding.severity, centre).next_at(Course(since))
        return None if next_at is None else (since, next_at)
    if all(draft.reason in _NOBODY for draft in planned):
        return now, now
    return None


def end_courses(connection: Connection, findings: Sequence[str]) -> None:
    """Nothing more is to come of findings that are taken back; one that stands after all begins anew."""
    connection.execute("delete from escalation where finding_id = any(%s)", [sorted(findings)])


__all__ = ["begin_courses", "end_courses"]
