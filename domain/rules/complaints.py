"""Settings of ``rules.complaints``: hotline orders and complaints in time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StrictInt, model_validator

from domain.model import Code, Days
from domain.rules import FamilySettings

#: Working days past the limit; 0 = as soon as it has passed.
Over = Annotated[StrictInt, Field(ge=0, le=3660)]

#: Warning 2 days before, yellow past due, red past due by one day more (Hunan platform 2018, P1).
HUNAN: dict[str, Any] = {"notice_before": 2, "yellow_over": 0, "criticism_over": None, "red_over": 1}


class ComplaintSettings(FamilySettings):
    """The family; days are working days.

    ``days`` to handle, reply and report back, ``extension`` once with the head's approval, ``return_hours`` for an order
    that went to the wrong unit: Anyang 2021 art. 50 (5, 5, 24). ``by_type``: other limits by ``data.type`` (one bureau's
    rule, E6: consultation 3, complaint 13). ``assign``: an order that nobody was given (Yingzhou 2022, R12: 3).
    The ladder: ``notice_before`` (municipal rule, R2: 1); ``yellow_over`` 0; ``criticism_over`` (E6: written criticism 5
    working days after the reminder); ``red_over`` only where a centre's own rule has one. ``profile: hunan-2018`` gives
    the ladder of that platform, and single keys beside it win.
    """

    profile: Literal["anyang-2021", "hunan-2018"] = "anyang-2021"
    days: Days = 5
    by_type: dict[Code, Days] = Field(default_factory=dict)
    extension: Days = 5
    extensions: Over = 1
    approver: bool = True
    return_hours: Annotated[StrictInt, Field(ge=1, le=8784)] | None = 24
    assign: Days | None = 3
    notice_before: Days | None = 1
    yellow_over: Over | None = 0
    criticism_over: Over | None = 5
    red_over: Over | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_profile(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and raw.get("profile") == "hunan-2018":
            return {**HUNAN, **raw}
        return raw
