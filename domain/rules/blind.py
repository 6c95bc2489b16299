"""Settings of ``rules.blind``: supervision that sees nothing says so (domain reference 8, rows 5 and 14).

A known product issues no card at all where the hours of a date are missing, and tells nobody (P2).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from domain.rules import FamilySettings


class BlindSettings(FamilySettings):
    """``calendar_from``: month and day from which next year's calendar is missed (the State Council's notice comes out in
    autumn). ``rule_chance``: how improbable a family's silence has to be, by its own past, to be said; ``rule_days``: working
    days that past must have at least (no source gives numbers). ``camera_down``: minutes of a camera that says it delivers
    nothing (GB/T 28181: three heartbeats of 60 s missed). ``camera_clock``: seconds a camera's clock may be wrong (no source
    gives a number; evidence carries our own time).
    """

    calendar_from: Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$")] = "12-01"
    rule_chance: float = Field(default=0.0001, gt=0, le=0.05)
    rule_days: int = Field(default=20, ge=10, le=200)
    camera_down: float = Field(default=3, gt=0)
    camera_clock: float = Field(default=30, ge=3)
