"""``time_limit.notice`` (and ``time_limit.warning`` before it), ``time_limit.promised`` and ``time_limit.legal``: the case as a whole (art. 42, 43)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

from detectors.acceptance import Start
from detectors.course import Course, State, explain_deadline
from detectors.limits import Clock, Due, countable_before, counted_days
from detectors.suspension import Suspension
from detectors.verdict import TICK, Claim, overdue
from domain.cases import Case
from domain.centre import Centre
from domain.rules.time import Warn
from domain.working_time import Calendar

NOTICE, WARNING = "time_limit.notice", "time_limit.warning"
PROMISED, LEGAL = "time_limit.promised", "time_limit.legal"
ARTICLE = "行政许可法 art. 42, 43; 优化营商环境条例 art. 36"


def clocks_of(case: Case, start: Start, centre: Centre) -> tuple[Clock | None, Clock | None]:
    """(legal, promised) clocks in force at the start. Explicit deadlines win, each for itself (rule 6)."""
    item = centre.item_by_code.get(case.item_at(start.step) or "")
    clocks = []
    for name, limit in (
        ("legal_deadline", item.legal_limit if item else None),
        ("promised_deadline", item.promised_limit if item else None),
    ):
        # Explicit deadlines of an acceptance that came too late to be the start are ignored (rule 7).
        text = start.step.event.data.get(name) if start.step.kind == "case.accepted" else None
        explicit = datetime.fromisoformat(text) if isinstance(text, str) else None
        known = explicit is not None or limit is not None
        clocks.append(Clock(start.step.at, None if explicit else limit, explicit) if known else None)
    return clocks[0], clocks[1]


def judge_time_limits(
    case: Case, start: Start, course: Course, suspensions: tuple[Suspension, ...], centre: Centre
) -> list[Claim]:
    """Red after the legal deadline, yellow after the promised one, a notice some days before."""
    calendar, stop = centre.working_time, case.stop.at if case.stop is not None else None
    begin, last = start.step.at, course.last
    claims: list[Claim] = []

    def explain(due: Due) -> dict[str, Any]:
        row = explain_deadline(due, last.index, course, suspensions, calendar)
        row["started_by"] = {"kind": start.step.kind, "event_id": start.step.event.event_id}
        row["deemed_accepted"] = start.deemed is not None
        row["articles"] = f"{ARTICLE}; {row['articles']}"
        return row

    if last.legal is not None:
        claims += overdue(
            LEGAL, "red", last.legal.moment, stop,
            not_before=begin, provisional=last.legal.provisional, explain=partial(explain, last.legal),
        )  # fmt: skip
    promised = course.effective(last)
    if course.promised is not None and promised is not None:
        claims += overdue(
            PROMISED, "yellow", promised.moment, stop,
            not_before=begin, provisional=promised.provisional, explain=partial(explain, promised),
        )  # fmt: skip
    days = centre.rules.time_limit.notice_before
    return claims + _notices(course, begin, stop, suspensions, centre, lambda _: days, NOTICE)


def judge_warnings(
    course: Course,
    begin: datetime,
    stop: datetime | None,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
) -> list[Claim]:
    """Notices before the notice, as many as the centre wants: so many countable days ahead, or when a share of the days is used."""
    warnings = centre.rules.time.warnings if centre.rules.time is not None else []
    claims: list[Claim] = []
    for warning in warnings:

        def ahead(due: Due, warning: Warn = warning) -> int:
            return warning.days_left(len(counted_days(due, centre.working_time)))

        claims += _notices(course, begin, stop, suspensions, centre, ahead, WARNING, warning.name)
    return claims


def _notices(
    course: Course,
    begin: datetime,
    stop: datetime | None,
    suspensions: tuple[Suspension, ...],
    centre: Centre,
    ahead: Callable[[Due], int],
    rule: str,
    instance: str = "",
) -> list[Claim]:
    """One notice for each promised due day that stood long enough for its notice to open.

    Args:
        ahead: countable days before the due day at whose opening it opens. A warning that would not come before the notice is none.
    """
    calendar, least = centre.working_time, centre.rules.time_limit.notice_before
    claims: list[Claim] = []
    stretches = _stretches(course)
    for i, stretch in enumerate(stretches):
        end = stretches[i + 1][0][0].at if i + 1 < len(stretches) else stop
        for j, (state, due) in enumerate(stretch):
            until = stretch[j + 1][0].at if j + 1 < len(stretch) else end
            if due is None:
                break
            days = ahead(due)
            if rule != NOTICE and days <= least:
                break
            # A suspension may leave the due day and yet take a day before it: then the notice is due earlier.
            day = countable_before(due, days, calendar)
            if day is None and rule != NOTICE:
                break  # so early that it would say no more than the acceptance
            opened = max(begin, state.at) if day is None else max(begin, state.at, calendar.opening(day))
            if opened >= due.moment or (until is not None and opened >= until):
                continue
            by_yellow = end is None or end > due.moment
            claims.append(
                Claim(
                    rule,
                    "notice",
                    instance=instance,
                    opened_at=opened,
                    seen_from=opened,
                    due_at=due.moment,
                    closed_at=due.moment if by_yellow else end,
                    end_seen_from=due.moment + TICK if by_yellow else end,
                    provisional=due.provisional or calendar.provisional(day or due.ordinal, due.ordinal),
                    explain=partial(_explain_notice, due, state, course, suspensions, calendar, days),
                )
            )
            break
    return claims


def _stretches(course: Course) -> list[list[tuple[State, Due | None]]]:
    """The states of a course, those with one and the same deadline together.

    What several events of one moment did is one change: nobody knew less in between.
    """
    stretches: list[list[tuple[State, Due | None]]] = []
    for state, after in zip(course.states, [*course.states[1:], None], strict=True):
        if after is not None and after.at == state.at:
            continue
        due = course.effective(state)
        before = stretches[-1][-1][1] if stretches else None
        if stretches and (due.moment if due else None) == (before.moment if before else None):
            stretches[-1].append((state, due))
        else:
            stretches.append([(state, due)])
    return stretches


def _explain_notice(
    due: Due,
    state: State,
    course: Course,
    suspensions: tuple[Suspension, ...],
    calendar: Calendar,
    days: int,
) -> dict[str, Any]:
    row = explain_deadline(due, state.index, course, suspensions, calendar)
    row["notice_before"] = days
    row["articles"] = f"{ARTICLE}; {row['articles']}"
    return row
