"""Events with all three timestamps, hands and places."""

from __future__ import annotations

from datetime import datetime
from itertools import count
from typing import Any

from domain.events import Event, parse_event
from tests.detectors.making import at

_numbers = count()


def told(
    kind: str,
    when: str | datetime,
    *,
    id: str | None = None,
    entered: str | datetime | None = None,
    received: str | datetime | None = None,
    case: str | None = "c1",
    item: str | None = "A",
    window: str | None = "A01",
    staff: str | None = None,
    **data: Any,
) -> Event:
    """An event of case ``c1``, item A, window A01, unless said otherwise; moments as in :func:`making.at`."""

    def text(moment: str | datetime | None) -> str | None:
        return moment if moment is None else (at(moment) if isinstance(moment, str) else moment).isoformat()

    full = kind if "." in kind else f"case.{kind}"
    if full == "case.suspended":
        data.setdefault("ground", "testing")
    if full == "case.decided":
        data.setdefault("result", "granted")
    return parse_event(
        {
            "event_id": id or f"t{next(_numbers)}",
            "kind": full,
            "occurred_at": text(when),
            "entered_at": text(entered),
            "received_at": text(received),
            "source": "test",
            "case": case,
            "item": item,
            "window": window,
            "staff": staff,
            "data": data,
        }
    )
