"""Messages that leave: what is in the outbox already and what a batch adds, counted by person and by number. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from alerts.pipeline.draft import Draft
from domain.findings import SEVERITIES

_NOT_DIGITS = re.compile(r"\D")
#: What may be a telephone number; everything else is an address of another kind.
_NUMBER = re.compile(r"\+?[\d\s().-]{3,24}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Leaving:
    """Messages of one person and address that left, or will leave, in one minute.

    Args:
        person: empty: of another centre, whose number is the same.
        at: the system's clock.
        gather: those that will leave as one with others of this name; None: each by itself.
    """

    person: str
    phone: str
    at: datetime
    number: int = 1
    gather: str | None = None


def number_of(address: str) -> str | None:
    """The digits that tell telephone numbers apart; None for an address of another kind."""
    if _NUMBER.fullmatch(address.strip()) is None:
        return None
    return _NOT_DIGITS.sub("", address)[-11:] or None


def same_place(draft: Draft) -> tuple[str, str]:
    """What two drafts have in common that ring the same phone, or stand in the same chat."""
    number = number_of(draft.phone)
    return ("", number) if number is not None else (draft.channel, draft.phone)


def in_turn(drafts: Iterable[Draft]) -> list[tuple[int, Draft]]:
    """Drafts with their places, in the order in which they are served: it does not depend on how they came."""
    return sorted(
        enumerate(drafts),
        key=lambda each: (
            each[1].leaves_at,
            -SEVERITIES.index(each[1].finding.severity),
            not each[1].is_card,
            each[1].finding.opened_at,
            each[1].key,
        ),
    )


__all__ = ["Leaving", "in_turn", "number_of", "same_place"]
