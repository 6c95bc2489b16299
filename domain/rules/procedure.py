"""Settings of ``rules.procedure``: the order of the steps, reasons, receipts (L1 = 行政许可法, the Licensing Law)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator

from domain.model import Code, Model, added
from domain.rules import FamilySettings

#: 承办, 审核, 批准: the three steps of approval in Guangdong's data standard of 2013 (N6).
GUANGDONG = ("承办", "审核", "批准")


def _each_once(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if list(names).count(name) > 1:
            raise ValueError(f"'{name}' stands twice")
    return names


EachOnce = AfterValidator(_each_once)


class ProcedureSettings(FamilySettings):
    """The family.

    ``stage_order``: for items that list no order of their own: the names, or ``guangdong-2013``; default is the order in
    which the item's ``stages`` stand. ``receipts``: an acceptance or refusal must name its receipt in
    ``data.receipt_no`` (L1 art. 32: dated, with the special seal).
    """

    stage_order: Literal["guangdong-2013"] | Annotated[tuple[Code, ...], EachOnce] | None = None
    receipts: bool = True

    @property
    def order(self) -> tuple[str, ...]:
        if self.stage_order is None:
            return ()
        return GUANGDONG if self.stage_order == "guangdong-2013" else self.stage_order


class ItemProcedure(Model):
    """Keys of an item that only ``rules.procedure`` reads."""

    stage_order: Annotated[list[Code], EachOnce] | None = added()
    #: Everything an applicant has to hand in (one-time notice, L1 art. 30, 32); compared with ``data.materials``.
    materials: list[Code] | None = added()
