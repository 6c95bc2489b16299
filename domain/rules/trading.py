"""Settings of ``rules.trading``: signs of collusion between bidders (招标投标法实施条例, L4, art. 40)."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, StrictInt

from domain.model import Code
from domain.rules import FamilySettings

#: What of two bids is compared, as named in ``data`` of ``bid.submitted``.
Trait = Literal[
    "ip",
    "mac",
    "cpu_serial",
    "disk_serial",
    "dongle",
    "file_id",
    "deposit_account",
    "project_manager",
    "agent",
]
TRAITS: tuple[Trait, ...] = get_args(Trait)
Share = Annotated[float, Field(ge=0, le=0.5)]


class TradingSettings(FamilySettings):
    """The family. ``near``: prices that differ by no more than this share of the higher; ``regular``: steps between prices
    that differ by no more than this share of their mean, over ``regular_bids`` bids or more. No source gives a number
    for either: art. 40 says "abnormally alike" and "regular". ``mask``: how much of a shared value a finding shows.
    ``ignore``: values that say nothing, as the address of the centre's own terminals.
    """

    traits: tuple[Trait, ...] = TRAITS
    near: Share | None = 0.001
    regular: Share | None = 0.001
    regular_bids: Annotated[StrictInt, Field(ge=3, le=100)] = 3
    mask: Literal["full", "ends", "none"] = "ends"
    ignore: tuple[Code, ...] = ()
