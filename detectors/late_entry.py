"""Late entry (及时): ``truthfulness.late_entry`` and ``truthfulness.entered_ahead``; and what late data may not improve.

Three timestamps: when a step happened, when a clerk keyed it in, when it reached us. The first two are what the sender
says; the third is ours (domain reference, section 8 row 7; C1, C2). Days are counted as everywhere: the date it
happened is out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from detectors.acceptance import find_start
from detectors.course import follow
from detectors.suspension import find_suspensions
from detectors.time_limit import clocks_of
from detectors.verdict import Claim, happened
from domain.cases import STOPS, Case, Step, fold_case
from domain.centre import Centre
from domain.events import Event
from domain.rules.truthfulness import LateEntry

RULE, AHEAD = "truthfulness.late_entry", "truthfulness.entered_ahead"
SOURCES = "真实、实时、完整、准确 (domain reference 8 row 7: C1, C2)"
#: Good outcomes that a rate may count, by the step that proves each.
PROOF: Mapping[str, frozenset[str]] = {
    "accepted_in_time": frozenset(("case.accepted", "case.supplement_requested", "case.refused")),
    "early": STOPS,
    "on_time": STOPS,
    "same_day": STOPS,
    "stage_in_time": frozenset(("case.stage_finished",)),
    "delivered_in_time": frozenset(("case.delivered",)),
}
#: What moves a deadline later.
MOVERS = frozenset(("case.suspended", "case.extended"))


@dataclass(frozen=True, slots=True)
class Lateness:
    """One step that was entered late. ``by``: the timestamp that says so; ``known``: that moment; ``days``: working days."""

    step: Step
    by: Literal["entered_at", "received_at"]
    known: datetime
    days: int


def lateness(step: Step, centre: Centre, settings: LateEntry) -> Lateness | None:
    """Whether a step was entered late: by its ``entered_at``, else by when it reached us; None if not, or unknown."""
    calendar, event = centre.working_time, step.event
    happened = calendar.local_date(step.at)
    if settings.since is not None and happened < settings.since.toordinal():
        return None
    limits: tuple[tuple[Literal["entered_at", "received_at"], datetime | None, int], ...] = (
        ("entered_at", event.entered_at, settings.entered_days),
        ("received_at", event.received_at, settings.received_days),
    )
    for by, moment, limit in limits:
        if moment is None:
            continue
        known = moment.astimezone(UTC)
        days = calendar.working_between(happened, calendar.local_date(known))
        if days > limit:
            return Lateness(step, by, known, days)
    return None


def late_steps(case: Case, centre: Centre) -> list[Lateness]:
    """Every step of the case that was entered late, in order; none where the family or the rule is off."""
    family = centre.rules.truthfulness
    if family is None or family.late_entry is None:
        return []
    found = (lateness(step, centre, family.late_entry) for step in case.steps)
    return [late for late in found if late is not None]


def uncounted(case: Case, centre: Centre) -> dict[str, tuple[str, ...]]:
    """The good outcomes of a case that no rate may count, each with the ``event_id`` of what was entered late.

    Late-entered data never improves a rate: an outcome falls if the step that proves it was entered late; "on time" and
    "early" also if they hold only with suspensions and extensions that were. Bad outcomes are not here: being late does
    not unmake them. Outcomes: :data:`PROOF`.
    """
    late = [each.step for each in late_steps(case, centre)]
    found: dict[str, list[str]] = {}
    for step in late:
        for outcome, proof in PROOF.items():
            # Of several stops the first is the one that counts.
            if step.kind in proof and (proof is not STOPS or step is case.stop):
                found.setdefault(outcome, []).append(step.event.event_id)
    stop = len(case.running)
    movers = [step for step in late if step.kind in MOVERS and step.index < stop]
    if movers and case.stop is not None:
        for outcome in _only_with(movers, case, case.stop, centre):
            found.setdefault(outcome, []).extend(step.event.event_id for step in movers)
    return {outcome: tuple(ids) for outcome, ids in sorted(found.items())}


def _only_with(movers: Sequence[Step], case: Case, stop: Step, centre: Centre) -> Iterator[str]:
    """The outcomes that a stop would not have without these suspensions and extensions."""
    calendar, gone = centre.working_time, {step.event.identity for step in movers}
    bare = fold_case((step.event for step in case.steps if step.event.identity not in gone), stop.at)
    start, _ = find_start(bare, centre, stop.at)
    if start is None:
        return
    legal, promised = clocks_of(bare, start, centre)
    course = follow(bare, start.step, legal, promised, find_suspensions(bare, calendar), calendar)
    due = course.effective(course.last)
    if due is None:
        return
    if calendar.local_date(stop.at) >= due.ordinal:
        yield "early"
    if stop.at > due.moment:
        yield "on_time"


def judge_late_entry(case: Case, centre: Centre) -> list[Claim]:
    """One finding a case and rule: what was entered late, and what was entered well before it happened."""
    claims: list[Claim] = []
    late = late_steps(case, centre)
    if late:
        # From the moment at which the first of them was known to be late.
        first = min(late, key=lambda each: (each.known, each.step.index))
        claims.append(
            happened(
                RULE,
                "notice",
                max(first.known, first.step.at),
                partial(_explain_late, late, case, centre),
            )
        )
    family = centre.rules.truthfulness
    if family is not None and family.late_entry is not None:
        ahead = [s for s in case.steps if _is_ahead(s.event, family.late_entry)]
        if ahead:
            claims.append(
                happened(AHEAD, "notice", ahead[0].at, partial(_explain_steps, ahead, centre), seen_from=None)
            )
    return claims


def _is_ahead(event: Event, settings: LateEntry) -> bool:
    early = timedelta(minutes=settings.ahead_minutes)
    return event.entered_at is not None and event.occurred_at - event.entered_at > early


def _explain_late(late: list[Lateness], case: Case, centre: Centre) -> dict[str, Any]:
    local = centre.working_time.local
    row = _explain_steps([each.step for each in late], centre)
    for part, each in zip(row["steps"], late, strict=False):
        part |= {"by": each.by, "known": local(each.known).isoformat(), "working_days": each.days}
    row["uncounted"] = {outcome: list(ids[:20]) for outcome, ids in uncounted(case, centre).items()}
    row["calendar"] = centre.working_time.version
    return row


def _explain_steps(steps: Iterable[Step], centre: Centre) -> dict[str, Any]:
    return {"steps": step_rows(steps, centre), "articles": SOURCES}


def step_rows(steps: Iterable[Step], centre: Centre, most: int = 20) -> list[dict[str, Any]]:
    """The first steps with all three timestamps, JSON-ready."""
    local = centre.working_time.local
    rows: list[dict[str, Any]] = []
    for step in steps:
        if len(rows) == most:
            break
        event = step.event
        row: dict[str, Any] = {
            "event_id": event.event_id,
            "kind": event.kind,
            "occurred_at": local(step.at).isoformat(),
        }
        if event.entered_at is not None:
            row["entered_at"] = local(event.entered_at.astimezone(UTC)).isoformat()
        if event.received_at is not None:
            row["received_at"] = local(event.received_at.astimezone(UTC)).isoformat()
        rows.append(row)
    return rows
