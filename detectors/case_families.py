"""Every family of rules about a case beyond the contract's: the section that turns it on, and who judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from detectors.acceptance import Start
from detectors.course import Course
from detectors.handling_time import judge_handling_time
from detectors.procedure import judge_procedure
from detectors.suspension import Suspension
from detectors.verdict import Claim, as_shadow
from domain.cases import Case
from domain.centre import Centre

#: (case, its start, its course, its suspensions, centre) → what is so, whether or not its moment has come. Pure.
CaseJudge = Callable[[Case, Start | None, Course | None, tuple[Suspension, ...], Centre], "list[Claim]"]

#: Section under ``rules`` → judge. Sections are also listed in ``domain.centre.CASE_FAMILIES``, which keeps them with a case.
JUDGES: dict[str, CaseJudge] = {
    "procedure": judge_procedure,
    "time": judge_handling_time,
}


def wanted_judges(centre: Centre) -> Iterator[CaseJudge]:
    """The judges of the families the centre file turns on; what one with ``shadow: true`` claims is not issued."""
    for section, judge in JUDGES.items():
        settings = getattr(centre.rules, section, None)
        if settings is not None:
            yield _in_shadow(judge) if settings.shadow else judge


def _in_shadow(judge: CaseJudge) -> CaseJudge:
    return lambda case, start, course, suspensions, centre: as_shadow(
        judge(case, start, course, suspensions, centre)
    )
