"""Settings of ``rules.ratings``: bad reviews in time (好差评; 国办发〔2019〕51号, N4: every bad review is put right)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StrictInt

from domain.model import Code, Days
from domain.rules import FamilySettings


class RatingSettings(FamilySettings):
    """The family; days are working days.

    ``contact``: whoever gave a bad review under his name is spoken to (Anyang 2021 art. 52, Shanghai 2024 art. 30: 1).
    ``fix``: put right and answered (a city in Sichuan, E2: 15; strict, Dezhou, E1: 5). ``bad_from``: levels from here on
    are bad (GB/T 39046: 4 dissatisfied, 5 very dissatisfied). ``default_channels``: channels by which a system rates in
    a citizen's place; ``default_after``: calendar days without a rating after which such systems do
    (Guangdong 2019, E4: 7, "basically satisfied") and we count the case as not rated.
    """

    contact: Days | None = 1
    fix: Days | None = 15
    bad_from: Annotated[StrictInt, Field(ge=2, le=5)] = 4
    anonymous: bool = False
    default_channels: tuple[Code, ...] = ("default", "system", "timeout")
    default_after: Days = 7
