"""What an extension (延期) must keep to, beside coming before the legal limit (``extension.late``).

Licensing Law art. 42: up to 10 working days (15 in parallel handling), approved by the agency's head, and the applicant is told
why. Each rule is of one extension that happened between start and stop; open and closed with it.

* ``extension.too_many`` (yellow): more than ``most`` were asked for (R12).
* ``extension.too_long`` (yellow): with it the extensions that hold come to more days than allowed in all.
* ``extension.short_notice`` (notice): asked for less than ``days_before`` countable days before the limit it moves (R22). A limit
  too short for that is not judged.
* ``extension.unexplained`` (yellow): no approver or no reason, and with ``told`` no notice to the applicant.
"""

from __future__ import annotations

from detectors.acceptance import Start
from detectors.case_type import case_type, item_of
from detectors.course import Course
from detectors.limits import countable_before
from detectors.own_limit import at_once
from detectors.verdict import Claim
from domain.cases import Case, Step
from domain.centre import Centre
from domain.rules.time import ExtensionLimits, TimeSettings

TOO_MANY, TOO_LONG = "extension.too_many", "extension.too_long"
SHORT, UNEXPLAINED = "extension.short_notice", "extension.unexplained"
ARTICLE = "行政许可法 art. 42"


def judge_extension_limits(
    case: Case, start: Start, course: Course, centre: Centre, settings: TimeSettings
) -> list[Claim]:
    """Every extension in the order of rule 10; a late one is ignored for the days, and counts as asked for."""
    limits = settings.extensions
    if limits is None:
        return []
    asked = [
        step
        for step in case.running
        if step.kind == "case.extended" and start.step.index < step.index and step is not case.stop
    ]
    allowed = _allowed(case, start, centre, settings, limits)
    holds = {extension.step.index: extension.days for extension in course.extensions}
    claims: list[Claim] = []
    total = 0
    for number, step in enumerate(asked, 1):
        if number > limits.most:
            claims.append(
                at_once(TOO_MANY, "yellow", step, centre, f"{ARTICLE}; R12", number=number, most=limits.most)
            )
        total += holds.get(step.index, 0)
        if step.index in holds and total > allowed:
            claims.append(
                at_once(TOO_LONG, "yellow", step, centre, ARTICLE, days_in_all=total, allowed=allowed)
            )
        claims += _short_notice(step, course, centre, limits) if step.index in holds else []
        missing = _missing(step, limits)
        if missing:
            claims.append(at_once(UNEXPLAINED, "yellow", step, centre, ARTICLE, missing=missing))
    return claims


def _allowed(
    case: Case, start: Start, centre: Centre, settings: TimeSettings, limits: ExtensionLimits
) -> int:
    item = item_of(case, start, centre)
    if item is not None and item.extension_limit is not None:
        return item.extension_limit
    if settings.parallel is not None and case_type(case, start, centre) == "parallel":
        return settings.parallel.extension
    return limits.days


def _short_notice(step: Step, course: Course, centre: Centre, limits: ExtensionLimits) -> list[Claim]:
    before = [state for state in course.states if state.index < step.index]
    due = course.effective(before[-1]) if before else None
    if limits.days_before is None or due is None or due.moment < step.at:
        return []
    calendar = centre.working_time
    day = countable_before(due, limits.days_before, calendar)
    if day is None or step.at <= calendar.deadline(day):
        return []
    latest = calendar.local(calendar.deadline(day)).isoformat()
    deadline = calendar.local(due.moment).isoformat()
    facts = {"days_before": limits.days_before, "latest": latest, "deadline": deadline}
    return [at_once(SHORT, "notice", step, centre, "R22", due_at=calendar.deadline(day), **facts)]


def _missing(step: Step, limits: ExtensionLimits) -> list[str]:
    wanted = ("approver", "reason", "notice_no") if limits.told else ("approver", "reason")
    return [name for name in wanted if not has_text(step, name)]


def has_text(step: Step, name: str) -> bool:
    """Whether an event says something under a name."""
    value = step.event.data.get(name)
    return isinstance(value, str) and bool(value.strip())
