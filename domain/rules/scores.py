"""Settings of ``rules.scores``: what a month is worth (R4, R5 = a city's quantified measure; others named beside the number).

Nothing here is a rule that finds: without the section the defaults count.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StrictInt, model_validator

from domain.model import Code, Model

Points = Annotated[float, Field(ge=0, le=1000)]
Percent = Annotated[StrictInt, Field(ge=1, le=100)]

#: The nine parts of R4: openness, process, time, fees, satisfaction, attitude, inspection, liability, integrity.
MUNICIPAL_PARTS: dict[str, float] = {
    "openness": 10, "process": 14, "time": 14, "fees": 8, "satisfaction": 10, "attitude": 10, "inspection": 14,
    "liability": 10, "integrity": 10,
}  # fmt: skip
#: Which part a finding is charged to, by the first word of its rule.
PART_OF = {
    "time_limit": "time", "stage": "time", "acceptance": "time", "delivery": "time", "suspension": "time",
    "extension": "time", "pre_acceptance": "time", "parallel": "time", "lower_review": "time", "licence": "time",
    "immediate": "time", "deemed_approval": "time", "procedure": "process", "both_doors": "process",
    "truthfulness": "process", "fees": "fees", "rating": "satisfaction", "complaint": "satisfaction",
    "absence": "attitude", "staffing": "attitude", "attendance": "attitude", "bid": "integrity",
    "commission": "integrity",
}  # fmt: skip
#: Findings that say we are blind: nobody's work is worse for them.
BLIND = frozenset(("source", "camera", "calendar", "rule"))
#: Data gaps are charged here; findings of a rule named nowhere, too.
REST = "inspection"


class WarningRun(Model):
    """Warnings in a row (连续三次预警): R4 takes 3 points for three. ``length: 1`` charges each."""

    length: Annotated[StrictInt, Field(ge=1, le=100)] = 3
    points: Points = 3


class DataGaps(Model):
    """Incomplete reporting: 1 point for each full 1 % of the finished cases, at most 5 (R5).

    ``fields``: what a finished case has to tell: that it was accepted, of which item, at which window, by whom.
    """

    points: Points = 1
    most: Points = 5
    fields: tuple[Literal["accepted", "item", "window", "staff"], ...] = ("accepted", "item", "window")


class EarlyBonus(Model):
    """Early completions: 1 point for each full 10 % of the finished cases (R4).

    A Chengdu district gave such sums up, for they make units promise long and finish "early" (2011, C2): ``early: null``.
    """

    percent: Percent = 10
    points: Points = 1
    most: Points = 10


class ShorterBonus(Model):
    """Promises shorter than the law's: 3 points from 30 % on, 1 for each further 10 % (R4)."""

    percent: Percent = 30
    points: Points = 3
    step: Percent = 10
    step_points: Points = 1


class Grades(Model):
    """From 80 pass, from 60 basic, below fail (A9)."""

    passed: Points = 80
    basic: Points = 60

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.basic > self.passed:
            raise ValueError("basic: must not be above passed")
        return self


class ScoreSettings(Model):
    """The scores. ``base`` less deductions, plus bonus, never below 0 (R4).

    ``notice``, ``yellow``, ``red``: points of each finding (R4: 0, 5, 10); ``charges``: other points for a rule, by its id or
    its first word. ``parts``: most that may be lost in each part; ``municipal`` is R4's nine; null is one pot of
    ``base``. ``bonus_most``: a county's scheme ends at 110 (A7). ``satisfied_to``: levels up to here are satisfied
    (five levels, S44: 3 is "basically satisfied"). ``minimum_sample``: fewer cases than that get no rank; no source has a
    number, 10 is ours: below it one case moves a rate by more than 10 %.
    """

    base: Points = 100
    notice: Points = 0
    yellow: Points = 5
    red: Points = 10
    charges: dict[Code, Points] = Field(default_factory=dict)
    warning_run: WarningRun | None = Field(default_factory=WarningRun)
    gaps: DataGaps | None = Field(default_factory=DataGaps)
    early: EarlyBonus | None = Field(default_factory=EarlyBonus)
    shorter: ShorterBonus | None = Field(default_factory=ShorterBonus)
    bonus_most: Points = 10
    parts: Literal["municipal"] | dict[Code, Points] | None = None
    grades: Grades = Field(default_factory=Grades)
    minimum_sample: Annotated[StrictInt, Field(ge=1, le=1_000_000)] = 10
    satisfied_to: Annotated[StrictInt, Field(ge=1, le=4)] = 3

    def part_points(self) -> dict[str, float] | None:
        """Most that may be lost in each part; None where there are none."""
        return MUNICIPAL_PARTS if self.parts == "municipal" else self.parts

    def blames(self, rule: str) -> bool:
        """Whether a finding is about anybody's work: a dark camera costs its window nothing, unless ``charges`` says so."""
        family = rule.split(".", 1)[0]
        return family not in BLIND or rule in self.charges or family in self.charges

    def points_of(self, rule: str, severity: str) -> float:
        """What one finding costs."""
        own = self.charges.get(rule, self.charges.get(rule.split(".", 1)[0]))
        charge: float = getattr(self, severity) if own is None else own
        return charge
