"""When a message may leave, for whoever sends and knows no centre: quiet hours, and the hours of its route."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from alerts.rounds.schedule import Timetable
from domain.centre import Centre
from domain.findings import Severity

#: (centre, severity, id of the route, moment) → the first moment from that on at which it may leave, on the system's clock.
Allowed = Callable[[str, Severity, str | None, datetime], datetime]


def allowed_in(centres: Mapping[str, Centre]) -> Allowed:
    """By the centre files as they are; of a centre that is gone at once."""
    routes = {code: {route.id: route for route in each.messages.routes} for code, each in centres.items()}

    def allowed(code: str, severity: Severity, route: str | None, at: datetime) -> datetime:
        centre = centres.get(code)
        if centre is None:
            return at
        known = routes[code].get(route or "") or centre.messages.by_severity(severity)
        return Timetable(known, severity, centre).allowed(at)

    return allowed


__all__ = ["Allowed", "allowed_in"]
