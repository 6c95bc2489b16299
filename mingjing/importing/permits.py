"""The municipal permit log: a CSV table whose map is known (contract, section 5)."""

from __future__ import annotations

from typing import Any

ZONE = "Europe/Amsterdam"
ITEM = "permit"

PERMITS_MAP: dict[str, Any] = {
    "source": "permits",
    "columns": {
        "case": "case:concept:name",
        "activity": "concept:name",
        "time": "time:timestamp",
        "staff": "org:resource",
        "window": "org:group",
        "id": "concept:instance",
    },
    "start": {"at": "case:startdate", "gives": ["case.received", "case.accepted"]},
    "end": {"at": "case:enddate", "gives": ["case.closed"]},
    "deadlines": ["case:deadline", "case:enddate_planned"],
    "default_item": ITEM,
    "centre": {
        "id": "permits",
        "name": "Environmental permits of a municipality (receipt phase)",
        "timezone": ZONE,
        # The log says nothing of opening times; its deadlines carry their own time of day and do not need them.
        "office_hours": ["09:00-17:00"],
    },
    "calendar": {"base": "NL"},
    "items": [{"code": ITEM, "name": "Environmental permit"}],
}
