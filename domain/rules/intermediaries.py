"""Settings of ``rules.intermediaries``: agencies whose report or appraisal a case waits for (中介服务)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from domain.model import Code, Days, Model
from domain.rules import FamilySettings


class Promise(Model):
    """Days an intermediary has filed and published for a service."""

    days: Days
    unit: Literal["working_day", "calendar_day"] = "working_day"


class IntermediarySettings(FamilySettings):
    """The family. ``promises``: filed days by service; ``by_intermediary``: those of one intermediary, by its name and the
    service. Of these and the days in the event the shortest counts: filed is filed (Zhejiang 2018, L17 art. 45).
    ``designated``, ``charged``: what L2 (优化营商环境条例) art. 43 forbids is a notice for a person to judge.
    """

    promises: dict[Code, Promise] = Field(default_factory=dict)
    by_intermediary: dict[Code, dict[Code, Promise]] = Field(default_factory=dict)
    unpromised: bool = True
    designated: bool = True
    charged: bool = True
