"""Every family of rules about a case beyond the contract's: the section that turns it on, and who judges."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from detectors.acceptance import Start
from detectors.both_doors import judge_both_doors, judge_unentered
from detectors.course import Course
from detectors.fees import judge_fees, judge_unentered_fees
from detectors.handling_time import judge_handling_time
from detectors.procedure import judge_procedure
from detectors.suspension import Suspension
from detectors.truthfulness import judge_truthfulness
from detectors.verdict import Claim, as_shadow
from domain.cases import Case
from domain.centre import Centre

#: (case, its start, its course, its suspensions, centre) → what is so, whether or not its moment has come. Pure.
CaseJudge = Callable[[Case, Start | None, Course | None, tuple[Suspension, ...], Centre], "list[Claim]"]

#: Section under ``rules`` → judge. Sections are also listed in ``domain.centre.CASE_FAMILIES``, which keeps them with a case.
JUDGES: dict[str, CaseJudge] = {
    "both_doors": judge_both_doors,
    "fees": judge_fees,
    "procedure": judge_procedure,
    "time": judge_handling_time,
    "truthfulness": judge_truthfulness,
}
#: Section → judge of a number that tickets, certificates or fees name, and under which no case has been entered.
UNENTERED: dict[str, Callable[[Case, Centre], list[Claim]]] = {
    "both_doors": judge_unentered,
    "fees": judge_unentered_fees,
}


def wanted_judges(centre: Centre) -> Iterator[CaseJudge]:
    """The judges of the families the centre file turns on; what one with ``shadow: true`` claims is not issued."""
    for section, judge in JUDGES.items():
        settings = getattr(centre.rules, section, None)
        if settings is not None:
            yield _in_shadow(judge) if settings.shadow else judge


def judge_without_steps(case: Case, centre: Centre) -> list[Claim]:
    """What the families that are on say of a number under which no case has been entered."""
    claims: list[Claim] = []
    for section, judge in UNENTERED.items():
        settings = getattr(centre.rules, section, None)
        if settings is not None:
            found = judge(case, centre)
            claims += as_shadow(found) if settings.shadow else found
    return claims


def _in_shadow(judge: CaseJudge) -> CaseJudge:
    return lambda case, start, course, suspensions, centre: as_shadow(
        judge(case, start, course, suspensions, centre)
    )
