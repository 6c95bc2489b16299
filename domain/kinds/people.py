"""Kinds of event about ratings, complaints, staff, intermediaries and bids."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.decoding import clean
from domain.errors import EventError
from domain.kinds import Check, choice, every, moments, money, texts

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


def _anything(data: Mapping[str, Any]) -> None:
    """The kind requires nothing."""


KINDS: dict[str, Check] = {
    "rating.contacted": _anything,
    "rating.fixed": _anything,
    "rating.appealed": _anything,
    "rating.excluded": _anything,
    "complaint.returned": _anything,
    "leave.ended": _anything,
    "commission.started": every(texts("commission"), _days, choice("unit", "working_day", "calendar_day")),
    "commission.delivered": texts("commission"),
    "commission.cancelled": texts("commission"),
    "bid.submitted": every(texts("tender", "bidder"), money("price"), moments("opens_at")),
    "bid.judged": every(texts("tender"), choice("result", "upheld", "dismissed")),
}
