"""Kinds of event about ratings, complaints, staff, intermediaries and bids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.decoding import clean
from domain.errors import EventError
from domain.kinds import Check, choice, every, moments, money, optional, texts

#: Ten years of days, as everywhere.
_MAX_DAYS = 3_660


def _days(data: Mapping[str, Any]) -> None:
    days = data.get("days")
    if days is not None and (
        isinstance(days, bool) or not isinstance(days, int) or not 1 <= days <= _MAX_DAYS
    ):
        raise EventError(
            "bad_data", "data.days", f"must be an integer from 1 to {_MAX_DAYS}, not {clean(repr(days))}"
        )


KINDS: dict[str, Check] = {
    "rating.contacted": optional("rating"),
    "rating.fixed": optional("rating"),
    "rating.appealed": optional("rating"),
    "rating.excluded": optional("rating"),
    "complaint.returned": optional("complaint"),
    "leave.ended": optional(),
    "commission.started": every(texts("commission"), _days, choice("unit", "working_day", "calendar_day")),
    "commission.delivered": texts("commission"),
    "commission.cancelled": texts("commission"),
    "bid.submitted": every(texts("tender", "bidder"), money("price"), moments("opens_at")),
    "bid.judged": every(texts("tender"), choice("result", "upheld", "dismissed")),
}

#: Kinds that speak of something said before: the key of ``data`` that names it, or else the event's case does.
NAMED_BY = {
    "rating.contacted": "rating",
    "rating.fixed": "rating",
    "rating.appealed": "rating",
    "rating.excluded": "rating",
    "complaint.returned": "complaint",
}
