"""Settings of ``rules.time``: clocks beside the legal and the promised limit (L1 = 行政许可法, the Licensing Law).

Each rule speaks only where a case or its item is of its kind; ``null`` turns one off.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, model_validator

from domain.model import Code, Days, Model, added
from domain.rules import FamilySettings

#: Kinds of case in Hunan's platform: 即办件, 承诺件, 上报件, 并联审批件 (P3).
CaseType = Literal["immediate", "commitment", "reported_up", "parallel"]
Over = Annotated[StrictInt, Field(ge=0, le=3660)]


class PreAcceptance(Model):
    """Online pre-acceptance (网上预受理): 2 working days; over by more than 0, 3, 5 of them (Hunan 2018, P1)."""

    days: Days = 2
    notice_over: Over = 0
    yellow_over: Over = 3
    red_over: Over = 5
    #: ``data.channel`` of ``case.received`` that means "online" (GB/T 39046, way of applying: 2 web, 3 mobile).
    channels: tuple[str, ...] = ("online", "web", "mobile")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.notice_over <= self.yellow_over <= self.red_over:
            raise ValueError("red_over: notice_over, yellow_over and red_over must not fall")
        return self


class ParallelLimit(Model):
    """Unified, joint or centralised handling: 45 working days in all, 15 more with approval (L1 art. 26, 42)."""

    days: Days = 45
    extension: Days = 15


class ExtensionLimits(Model):
    """What an extension (延期) must keep to.

    ``most``: how many (Yingzhou 2022, R12: more than 2). ``days``: in all (L1 art. 42: 10; an item may have its own,
    parallel handling has that of ``parallel``). ``days_before``: asked for so many countable days before the limit
    (one department's rule, R22: 5); null = any time up to the limit. ``told``: the applicant's notice must be named in
    ``data.notice_no`` (L1 art. 42 asks for it; few systems send it).
    """

    most: Days = 2
    days: Days = 10
    days_before: Days | None = 5
    told: bool = False


class Warn(Model):
    """A warning before the notice: ``days`` countable days before the promised due day, or when ``share`` percent of them are used."""

    days: Days | None = None
    share: Annotated[StrictInt, Field(ge=1, le=99)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.days is None) == (self.share is None):
            raise ValueError("days: a warning has either days or share")
        return self

    @property
    def name(self) -> str:
        return f"{self.share}%" if self.share is not None else f"{self.days}d"

    def days_left(self, counted: int) -> int:
        """Countable days before the due day, of a limit of ``counted``; the share that is used is rounded up to whole days."""
        if self.share is not None:
            return counted + (-counted * self.share) // 100
        return self.days or 0


class TimeSettings(FamilySettings):
    """The family. ``lower_review``: days of the lower agency's first review (L1 art. 43). ``licence``: working days from
    closing to the electronic licence (电子证照; Hunan 2018, P1: 3). ``immediate``: immediate cases (即办件) end the same
    working day (founding document 1: 即来即办)."""

    pre_acceptance: PreAcceptance | None = Field(default_factory=PreAcceptance)
    parallel: ParallelLimit | None = Field(default_factory=ParallelLimit)
    extensions: ExtensionLimits | None = Field(default_factory=ExtensionLimits)
    lower_review: Days | None = 20
    licence: Days | None = 3
    immediate: bool = True
    #: Earlier warnings than ``time_limit.notice``, as many as wanted.
    warnings: list[Warn] = added([], max_length=9)


# ---- what an item says ------------------------------------------------------------------------------------------------


class LowerReview(Model):
    """The lower agency's review of an item that is decided above; ``stage``: the stage whose finish ends it."""

    days: Days | None = None
    stage: Code | None = None


class DeemedApproval(Model):
    """Default approval (超时默认): the limit whose passing counts as consent, and the days to hand over the certificate.

    The Licensing Law knows it for renewals only (art. 50); cities have it for items of their own (Nankai 2003, Dongguan,
    Yichun 2009, Xianju 2023: the formal permit within 24 hours). Without ``delivery`` the item's ``delivery_limit`` counts.
    """

    limit: Literal["legal", "promised"] = "legal"
    delivery: Days | None = None


class ItemTime(Model):
    """Keys of an item that only ``rules.time`` reads."""

    case_type: CaseType | None = added()
    #: Working days of each agency of a parallel item, by the name its stages carry in ``data.agency``.
    agencies: dict[Code, Days] | None = added()
    lower_review: LowerReview | None = added()
    deemed_approval: DeemedApproval | None = added()
    #: True: the item ends in an electronic licence. A number: its own days for it.
    licence: StrictBool | Days | None = added()
    #: Days by which its cases may be extended in all, where its law says other than 10.
    extension_limit: Days | None = added()
