"""Where an event is: stored, judged, part of which findings. For one question of a person, not for a screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from store.connection import Connection

#: Of one id; more are not shown.
MOST = 50


@dataclass(frozen=True, slots=True)
class Stop:
    """One place an id was found at.

    Args:
        where: ``stored``, ``refused``, ``case``, ``subject``, ``finding``, ``step``.
        at: on the system's clock; None where the place has no moment.
        facts: codes and ids.
    """

    where: str
    at: datetime | None
    facts: Mapping[str, Any]


# The key is (centre, source, event_id): with the few sources that ever spoke it is a handful of look-ups, not a scan.
_EVENTS = """
select e.centre, e.source, e.event_id, e.kind, e.case_id, e.window_id, e.occurred_at, e.received_at
from (select distinct centre, source from source_state where kind = 'feed') s
join event_key k on k.centre = s.centre and k.source = s.source and k.event_id = %(id)s
join event e on e.centre = k.centre and e.source = k.source and e.event_id = k.event_id and e.arrived_at = k.arrived_at
limit %(most)s
"""
_CASES = """
select centre, case_id, status, started_at, stopped_at, promised_due, legal_due, judged_at, look_at = '-infinity', failures
from case_state where case_id = any(%(ids)s) limit %(most)s
"""
_FINDINGS = """
select finding_id, centre, rule, severity, state, case_id, window_id, opened_at, due_at from finding
where finding_id = %(id)s or subject = %(id)s or (case_id is not null and (centre, subject) = any(
    select centre, 'case:' || case_id from case_state where case_id = any(%(ids)s)))
order by opened_at limit %(most)s
"""
_SUBJECTS = """
select centre, subject, status, judged_at, coalesce(look_at = '-infinity', false), failures, lost_until from subject_state
where subject = %(id)s limit %(most)s
"""
# Events that speak of a subject, the newest of them.
_LINKED = """
select e.centre, e.source, e.event_id, e.kind, e.case_id, e.window_id, e.occurred_at, e.received_at
from (select * from subject_event where subject = %(id)s order by occurred_at desc limit %(most)s) l
join event e on e.centre = l.centre and e.kind = l.kind and e.occurred_at = l.occurred_at and e.arrived_at = l.arrived_at
    and e.source = l.source and e.event_id = l.event_id
order by e.occurred_at
"""
_STEPS = "select finding_id, at, step from finding_step where finding_id = any(%s) order by step_id limit 200"
_LETTERS = """
select letter_id, code, reason, place, state, last_at from dead_letter
where position(%s::bytea in raw) > 0 order by letter_id desc limit %s
"""


def trace(connection: Connection, wanted: str) -> list[Stop]:
    """Every place where an event id, a case, a subject (``complaint:17``) or a finding id is found, in the order of its way."""
    names = {"id": wanted, "ids": [wanted], "most": MOST}
    stops: list[Stop] = []
    cases = {wanted}
    # Only subjects have a colon and a row; of an id that happens to have one nothing more is asked.
    subjects = connection.execute(_SUBJECTS, names).fetchall() if ":" in wanted else []
    for centre, source, event, kind, case, window, occurred, received in connection.execute(
        _LINKED if subjects else _EVENTS, names
    ):
        facts = {
            "event_id": event,
            "source": source,
            "kind": kind,
            "centre": centre,
            "case": case,
            "window": window,
        }
        stops.append(Stop("stored", received, facts | {"occurred_at": occurred}))
        if case is not None and not subjects:
            cases.add(case)
    for letter, code, reason, place, state, at in connection.execute(_LETTERS, [wanted.encode(), MOST]):
        facts = {"letter": letter, "code": code, "reason": reason, "place": place, "state": state}
        stops.append(Stop("refused", at, facts))
    for centre, subject, status, judged, due, failures, lost in subjects:
        facts = {"subject": subject, "centre": centre, **_flat(status), "to_be_judged": due or None}
        stops.append(Stop("subject", judged, facts | {"failures": failures or None, "lost_until": lost}))
    names["ids"] = sorted(cases)
    for centre, case, status, start, stop, promised, legal, judged, due, failures in connection.execute(
        _CASES, names
    ):
        facts = {"case": case, "centre": centre, "status": status, "start": start, "stop": stop}
        facts |= {"promised_due": promised, "legal_due": legal, "to_be_judged": due or None}
        stops.append(Stop("case", judged, facts | {"failures": failures or None}))
    found = []
    for finding, centre, rule, severity, state, case, window, opened, due_at in connection.execute(
        _FINDINGS, names
    ):
        facts = {"finding_id": finding, "rule": rule, "severity": severity, "state": state}
        facts |= {"centre": centre, "case": case, "window": window, "due_at": due_at}
        stops.append(Stop("finding", opened, facts))
        found.append(finding)
    for finding, at, step in connection.execute(_STEPS, [found]):
        stops.append(Stop("step", at, {"finding_id": finding, "step": step}))
    return stops


def _flat(status: Mapping[str, Any]) -> dict[str, Any]:
    """What a line can show of a status."""
    return {key: value for key, value in status.items() if isinstance(value, str | int | float | bool)}


def findings_of(stops: list[Stop]) -> list[str]:
    """Ids of the findings among the places."""
    return [stop.facts["finding_id"] for stop in stops if stop.where == "finding"]
