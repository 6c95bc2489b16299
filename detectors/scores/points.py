"""Base 100 less deductions, plus bonus (R4, R5): every point with the findings it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from detectors.scores.facts import CaseFact, FindingFact
from detectors.scores.periods import Period
from detectors.scores.rates import finished_in
from domain.centre import Centre
from domain.rules.scores import PART_OF, REST, ScoreSettings

#: What a line is for, beside the ids of rules.
WARNING_RUN, GAPS, EARLY, SHORTER = "warning_run", "gaps", "early", "shorter"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a score. ``points``: negative = deducted; ``count``: how many; ``pending``: of them, under appeal."""

    what: str
    points: float
    count: int
    findings: tuple[str, ...] = ()
    pending: int = 0
    part: str = REST


@dataclass(frozen=True, slots=True)
class Score:
    """``value``: None = no figure. ``cases``: how many were at issue. ``if_revoked``: the score if every appeal succeeds."""

    value: float | None
    cases: int
    lines: tuple[Line, ...] = ()
    if_revoked: float | None = None


def at_issue(cases: Iterable[CaseFact], period: Period) -> list[CaseFact]:
    """Those accepted, ended, or with a deadline decided in the period."""
    return [
        case
        for case in cases
        if period.holds(case.started_at)
        or period.holds(case.stopped_at)
        or any(
            fate is not None and period.holds(fate[0])
            for fate in (case.fate(case.promised_due), case.fate(case.legal_due))
        )
    ]


def score_month(
    cases: Sequence[CaseFact],
    findings: Iterable[FindingFact],
    period: Period,
    centre: Centre,
    settings: ScoreSettings,
) -> Score:
    """The score of one subject in one month.

    Adding a finding never raises it, revoking one never lowers it. Where no case was at issue there is no figure.

    Args:
        cases: of the subject; those not at issue in the month cost and bring nothing.
        findings: of the subject and of its cases, of any time.
    """
    standing = [f for f in findings if not f.revoked and settings.blames(f.rule)]
    asked = at_issue(cases, period)
    lines = _lines(asked, standing, period, centre, settings)
    if not asked:
        return Score(None, 0, lines)
    value = _sum(lines, settings)
    if not any(line.pending for line in lines):
        return Score(value, len(asked), lines, value)
    spared = [finding for finding in standing if not finding.appealed]
    return Score(value, len(asked), lines, _sum(_lines(asked, spared, period, centre, settings), settings))


def _sum(lines: Iterable[Line], settings: ScoreSettings) -> float:
    lost: dict[str, float] = {}
    bonus = 0.0
    for line in lines:
        if line.points > 0:
            bonus += line.points
        else:
            lost[line.part] = lost.get(line.part, 0.0) - line.points
    most = settings.part_points() or {}
    deducted = sum(min(points, most.get(part, points)) for part, points in lost.items())
    return round(max(0.0, settings.base - deducted) + min(bonus, settings.bonus_most), 2)


def _lines(
    cases: Sequence[CaseFact],
    findings: Sequence[FindingFact],
    period: Period,
    centre: Centre,
    settings: ScoreSettings,
) -> tuple[Line, ...]:
    inside = sorted(
        (finding for finding in findings if period.holds(finding.opened_at)),
        key=lambda f: (f.rule, f.severity, f.opened_at, f.finding_id),
    )
    marked = {finding.case for finding in findings if finding.case is not None}
    graver = {f.case for f in findings if f.case is not None and f.severity != "notice"}
    made = [*_charges(inside, settings), _warnings(cases, inside, marked, period, settings)]
    finished = finished_in(cases, period)
    made += [
        _gaps(finished, settings),
        _early(finished, graver, settings),
        _shorter(cases, period, centre, settings),
    ]
    return tuple(line for line in made if line is not None)


def _charges(findings: Iterable[FindingFact], settings: ScoreSettings) -> list[Line]:
    groups: dict[tuple[str, str], list[FindingFact]] = {}
    for finding in findings:
        groups.setdefault((finding.rule, finding.severity), []).append(finding)
    lines = []
    for (rule, severity), group in groups.items():
        points = settings.points_of(rule, severity)
        if points:
            lines.append(_line(rule, points * len(group), group))
    return lines


def _line(what: str, points: float, findings: Sequence[FindingFact]) -> Line:
    part = PART_OF.get(findings[0].rule.split(".", 1)[0], REST)
    ids = tuple(finding.finding_id for finding in findings)
    return Line(what, -points, len(ids), ids, sum(finding.appealed for finding in findings), part)


def _warnings(
    cases: Iterable[CaseFact],
    findings: Iterable[FindingFact],
    marked: set[str],
    period: Period,
    settings: ScoreSettings,
) -> Line | None:
    """In a row: between them no case was finished of which nothing was found. One entered late is no such case."""
    run = settings.warning_run
    if run is None:
        return None
    clean = [
        case
        for case in finished_in(cases, period)
        if case.case not in marked and "on_time" not in case.late_entered
    ]
    ends = [(case.stopped_at, 0, case.case, None) for case in clean]
    warned = [(f.opened_at, 1, f.finding_id, f) for f in findings if f.severity == "notice"]
    row: list[FindingFact] = []
    charged: list[FindingFact] = []
    for *_, warning in sorted([*ends, *warned], key=lambda each: each[:3]):
        row = [] if warning is None else [*row, warning]
        if len(row) == run.length:
            charged += row
            row = []
    if not charged:
        return None
    line = _line(WARNING_RUN, run.points * (len(charged) // run.length), charged)
    # Always the same part: which of the warnings stand must not move the charge to another one.
    return replace(line, part="time")


def _gaps(finished: Sequence[CaseFact], settings: ScoreSettings) -> Line | None:
    rule = settings.gaps
    if rule is None:
        return None
    lacking = sum(bool(case.gaps & set(rule.fields)) for case in finished)
    percent = 100 * lacking // len(finished) if finished else 0
    return Line(GAPS, -min(rule.most, percent * rule.points), lacking) if percent else None


def _early(finished: Sequence[CaseFact], graver: set[str], settings: ScoreSettings) -> Line | None:
    rule = settings.early
    if rule is None or not finished:
        return None
    early = sum(
        case.early and "early" not in case.late_entered and case.case not in graver for case in finished
    )
    steps = 100 * early // len(finished) // rule.percent
    return Line(EARLY, min(rule.most, steps * rule.points), early) if steps else None


def _shorter(
    cases: Iterable[CaseFact], period: Period, centre: Centre, settings: ScoreSettings
) -> Line | None:
    """Of the items accepted in the period, each once: how much shorter the promises are than the law's limits."""
    rule = settings.shorter
    if rule is None:
        return None
    legal = promised = number = 0
    for code in sorted({case.item for case in cases if case.item and period.holds(case.started_at)}):
        item = centre.item_by_code.get(code)
        if item is None or item.legal_limit is None:
            continue
        promise = item.promised_limit or item.legal_limit
        if promise.unit == item.legal_limit.unit:
            legal, promised, number = legal + item.legal_limit.days, promised + promise.days, number + 1
    percent = 100 * (legal - promised) // legal if legal else 0
    if percent < rule.percent:
        return None
    return Line(SHORTER, rule.points + (percent - rule.percent) // rule.step * rule.step_points, number)


__all__ = ["EARLY", "GAPS", "SHORTER", "WARNING_RUN", "Line", "Score", "at_issue", "score_month"]
