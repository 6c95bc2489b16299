"""Whether a case's data can be true (真实、实时、完整、准确): the rules about one case put together.

``truthfulness.late_entry``, ``.entered_ahead`` (detectors/late_entry.py), ``.stamped_together``, ``.zero_stages``
(detectors/stamped.py), and here ``.unknown_handler`` (a feeder that picks a random handler, P4),
``.suspended_at_the_end`` and ``.suspended_again`` (domain reference, section 8 row 9; Licensing Law art. 45 stops the clock
for hearings and tests, not for want of time), ``.no_trace``. Batches of entries are in detectors/entry_batches.py.

All are signs for a person to judge, and so notices: none is proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from detectors.acceptance import Start
from detectors.course import Course, State
from detectors.late_entry import judge_late_entry, step_rows
from detectors.limits import iso
from detectors.stamped import ENDS, judge_stamped
from detectors.suspension import Suspension
from detectors.verdict import Claim, happened
from domain.cases import Case, Step
from domain.centre import Centre
from domain.rules.truthfulness import TruthfulnessSettings

HANDLER, NO_TRACE = "truthfulness.unknown_handler", "truthfulness.no_trace"
AT_THE_END, AGAIN = "truthfulness.suspended_at_the_end", "truthfulness.suspended_again"
ARTICLES = {
    HANDLER: "准确 (domain reference 8 row 8: P4)",
    NO_TRACE: "完整 (domain reference 8 row 8)",
    AT_THE_END: "行政许可法 art. 45 (domain reference 8 row 9)",
    AGAIN: "行政许可法 art. 45 (domain reference 8 row 9)",
}


def judge_truthfulness(
    case: Case,
    start: Start | None,
    course: Course | None,
    suspensions: Sequence[Suspension],
    centre: Centre,
) -> list[Claim]:
    """Every sign in one case."""
    settings = centre.rules.truthfulness
    if settings is None:
        return []
    claims = judge_late_entry(case, centre)
    claims += judge_stamped(case, centre)
    claims += _handlers(case, centre, settings)
    claims += _last_days(course, suspensions, centre, settings)
    claims += _again(suspensions, centre, settings)
    claims += _trace(case, centre, settings)
    return claims


def _handlers(case: Case, centre: Centre, settings: TruthfulnessSettings) -> list[Claim]:
    """Steps by somebody who is none of the centre's people; one finding a case."""
    if not settings.handlers or not centre.people:
        return []
    known = centre.people_ids
    steps = [
        step
        for step in case.steps
        if step.event.staff is not None
        and step.event.staff not in known
        and step.event.staff not in settings.machines
    ]
    if not steps:
        return []
    return [happened(HANDLER, "notice", steps[0].at, partial(_explain_handlers, steps, centre))]


def _explain_handlers(steps: Sequence[Step], centre: Centre) -> dict[str, Any]:
    unknown = sorted({step.event.staff[:80] for step in steps if step.event.staff is not None})
    return {"unknown": unknown[:20], "steps": step_rows(steps, centre), "articles": ARTICLES[HANDLER]}


def _last_days(
    course: Course | None,
    suspensions: Sequence[Suspension],
    centre: Centre,
    settings: TruthfulnessSettings,
) -> list[Claim]:
    """Suspensions in the last days of the limit, as known before them, or after it."""
    if course is None or settings.last_days is None:
        return []
    calendar = centre.working_time
    claims: list[Claim] = []
    for suspension in suspensions:
        step = suspension.step
        before = _before(course, step)
        if before is None:
            continue
        for limit, due in (("promised", course.effective(before)), ("legal", before.legal)):
            # Working days left, the day itself included.
            day = calendar.local_date(step.at)
            if due is None or calendar.working_between(day - 1, due.ordinal) > settings.last_days:
                continue
            row = {
                "limit": limit,
                "due_day": iso(due.ordinal),
                "deadline": calendar.local(due.moment).isoformat(),
                "passed": step.at > due.moment,
                "ground": step.event.data.get("ground"),
                "announced_days": step.event.data.get("days"),
                "steps": step_rows([step], centre),
                "calendar": calendar.version,
                "articles": ARTICLES[AT_THE_END],
            }
            claims.append(happened(AT_THE_END, "notice", step.at, partial(dict, row), instance=step.instance))
            break
    return claims


def _before(course: Course, step: Step) -> State | None:
    """What was known of the deadlines before a step; None if the case had not started."""
    return next((state for state in reversed(course.states) if state.index < step.index), None)


def _again(suspensions: Sequence[Suspension], centre: Centre, settings: TruthfulnessSettings) -> list[Claim]:
    """The first suspension that is one too many, or the second for one ground."""
    if settings.suspensions is None:
        return []
    grounds: set[Any] = set()
    for count, suspension in enumerate(suspensions, start=1):
        ground = suspension.step.event.data.get("ground")
        if count > settings.suspensions or ground in grounds:
            row = {
                "count": count,
                "ground": ground,
                "steps": step_rows([each.step for each in suspensions[:count]], centre),
                "articles": ARTICLES[AGAIN],
            }
            return [happened(AGAIN, "notice", suspension.step.at, partial(dict, row))]
        grounds.add(ground)
    return []


def _trace(case: Case, centre: Centre, settings: TruthfulnessSettings) -> list[Claim]:
    """A case that has ended, and no event of it names a window: nobody was seen to bring it or to work on it."""
    if not settings.trace or not centre.windows:
        return []
    end = next((step for step in case.steps if step.kind in ENDS), None)
    if end is None or any(step.event.window for step in case.steps) or any(e.window for e in case.others):
        return []
    if any(step.event.data.get("channel") in settings.online for step in case.steps):
        return []
    row = {"steps": step_rows(case.steps, centre), "articles": ARTICLES[NO_TRACE]}
    return [happened(NO_TRACE, "notice", end.at, partial(dict, row))]
