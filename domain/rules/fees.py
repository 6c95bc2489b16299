"""Settings of ``rules.fees``, and the published fees of an item (L1 = 行政许可法, the Licensing Law)."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, model_validator

from domain.model import Code, Model, added
from domain.rules import FamilySettings

#: Yuan; YAML numbers and decimal texts lose no cent.
Money = Annotated[Decimal, Field(ge=0, max_digits=18, decimal_places=4)]


class FeeSettings(FamilySettings):
    """The family.

    ``payees``: to whom fees may go (``data.payee``; L1 art. 59: all of it to the treasury); empty = not looked at.
    ``counter``: a fee must name a window of the centre, or come in by one of ``online`` (``data.channel``): founding
    document 1, fees only at the counter in the centre. ``basis``: a fee must name its basis, or be published with one
    (L1 art. 58). ``exempt``: charges that are no fee of the licence (``data.name`` or ``data.code``).
    """

    payees: tuple[Code, ...] = ()
    counter: bool = False
    online: tuple[Code, ...] = ("online", "web", "mobile")
    basis: bool = True
    exempt: tuple[Code, ...] = ("courier", "邮寄费")


class Fee(Model):
    """One published fee: at most ``amount`` (the standard) or ``max`` in a case; with a ``unit``, for each of them."""

    code: Code | None = None
    name: Code | None = None
    amount: Money | None = None
    max: Money | None = None
    unit: Code | None = None
    basis: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.code is None and self.name is None:
            raise ValueError("a fee needs its code or its name")
        if (self.amount is None) == (self.max is None):
            raise ValueError("a fee has either an amount or a max")
        return self

    @property
    def ceiling(self) -> Decimal:
        """What may be charged at most, for one unit where it has a unit."""
        found = self.amount if self.amount is not None else self.max
        assert found is not None
        return found


class ItemFees(Model):
    """Keys of an item that only ``rules.fees`` reads; with neither, what the item may cost is not known here."""

    #: The published list; an empty one means that nothing may be charged.
    fees: list[Fee] | None = added()
    free: bool = added(False)

    @model_validator(mode="after")
    def _free_or_not(self) -> Self:
        if self.free and self.fees:
            raise ValueError("free: an item with fees is not free")
        return self
