"""Honest rates: what counts, out of what was asked; where nothing was asked there is no figure, never 100 %.

Three rules hold for every rate (domain reference, section 8, rows 7, 12, 13):

* Voided, returned, refused and withdrawn cases, and default ratings, are in neither numerator nor denominator, and have a number
  of their own. A deadline that had passed before stays missed.
* A good outcome that rests on data entered late stays in the denominator and leaves the numerator: it can never make a rate better
  than if it had not been entered.
* A missed deadline counts in the month in which it passed, whether or not the case was ever finished.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from detectors.confidence import wilson
from detectors.scores.facts import CaseFact, Looks, RatingFact
from detectors.scores.periods import Period


@dataclass(frozen=True, slots=True)
class Rate:
    """``good`` of ``whole``; ``asked``: of how many the question was, answered or not."""

    good: int
    whole: int
    asked: int

    @property
    def value(self) -> float | None:
        """0–1; None where there is no figure."""
        return self.good / self.whole if self.whole else None

    @property
    def coverage(self) -> float | None:
        """Share of those asked that have an answer."""
        return self.whole / self.asked if self.asked else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson, 95 %."""
        return wilson(self.good / self.whole, self.whole) if self.whole else None


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and 90th percentile (nearest rank) of a sample; None where it is empty."""

    sample: int
    median: float | None
    p90: float | None


def spread(values: Iterable[float]) -> Spread:
    """Of shares of a limit used up."""
    found = sorted(values)
    if not found:
        return Spread(0, None, None)
    return Spread(len(found), median(found), found[math.ceil(0.9 * len(found)) - 1])


def finished_in(cases: Iterable[CaseFact], period: Period) -> list[CaseFact]:
    """Those that ended by a decision or closing in the period."""
    return [case for case in cases if case.outcome == "finished" and period.holds(case.stopped_at)]


def used_shares(cases: Iterable[CaseFact], period: Period) -> list[float]:
    """Of what was finished in the period; what was entered late tells nothing of speed."""
    return [
        case.used
        for case in finished_in(cases, period)
        if case.used is not None and not case.late_entered & {"on_time", "early"}
    ]


def completion(cases: Iterable[CaseFact], period: Period) -> Rate:
    """办结率: of those accepted in the period, how many are finished."""
    cohort = [case for case in cases if period.holds(case.started_at)]
    whole = [case for case in cohort if not case.apart]
    good = sum(case.outcome == "finished" and "on_time" not in case.late_entered for case in whole)
    return Rate(good, len(whole), len(cohort))


def kept(cases: Sequence[CaseFact], period: Period, due: str) -> Rate:
    """按时办结率: of the deadlines (``promised_due`` or ``legal_due``) decided in the period, how many were kept. Asked are
    also those that ended in it without a known deadline."""
    good = whole = unknown = 0
    for case in cases:
        deadline: datetime | None = getattr(case, due)
        fate = case.fate(deadline)
        if fate is not None and period.holds(fate[0]):
            whole += 1
            good += fate[1] and "on_time" not in case.late_entered
        elif deadline is None and case.outcome == "finished" and period.holds(case.stopped_at):
            unknown += 1
    return Rate(good, whole, whole + unknown)


def same_day(cases: Iterable[CaseFact], period: Period) -> Rate:
    """日结率 (S50): of those finished in the period, how many on the day of acceptance."""
    finished = finished_in(cases, period)
    known = [case for case in finished if case.started_at is not None]
    good = sum(case.same_day and "same_day" not in case.late_entered for case in known)
    return Rate(good, len(known), len(finished))


def satisfaction(
    ratings: Iterable[RatingFact], cases: Iterable[CaseFact], period: Period, satisfied_to: int
) -> Rate:
    """满意率: of those who rated, how many are satisfied. Asked were all whose case was finished."""
    given = [rating for rating in ratings if period.holds(rating.at) and not rating.default]
    good = sum(rating.level <= satisfied_to for rating in given)
    return Rate(good, len(given), max(len(given), len(finished_in(cases, period))))


def staffed(looks: Looks | None) -> Rate:
    """在岗率: of the looks that saw anything, how many saw somebody. Asked were all looks that were due."""
    return Rate(looks.seen, looks.valid, looks.expected) if looks is not None else Rate(0, 0, 0)


__all__ = [
    "Rate", "Spread", "completion", "finished_in", "kept", "same_day", "satisfaction", "spread", "staffed", "used_shares",
]  # fmt: skip
