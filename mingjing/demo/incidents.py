"""What goes wrong on every demo day, at set hours, so that a visitor sees each light within the first minutes.

Times are hours of the day; at 60-fold speed an hour is a minute. The first round lies between half past nine and
eleven, which is the second minute after the start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from domain.centre import Centre, Item
from domain.events import Event

SOURCE = "demo-approval"


@dataclass(frozen=True, slots=True)
class LateCase:
    """A case accepted the working day before, whose promised and legal limits pass at these hours."""

    desk: int
    promised: float
    legal: float | None
    closed: float


@dataclass(frozen=True, slots=True)
class Away:
    """A clerk who leaves the post and comes back."""

    desk: int
    leaves: float
    returns: float


@dataclass(frozen=True, slots=True)
class Trouble:
    """A camera (by its place in the centre file) that fails or is covered for a while."""

    camera: int
    kind: Literal["fail", "cover"]
    begins: float
    ends: float


#: Desks count from 0 in the order of the centre file; only desks whose items have a promised limit.
LATE_CASES = (
    LateCase(desk=7, promised=9.92, legal=None, closed=10.8),
    LateCase(desk=5, promised=10.0, legal=10.5, closed=11.3),
    LateCase(desk=2, promised=13.6, legal=14.1, closed=14.9),
    LateCase(desk=10, promised=15.3, legal=None, closed=16.0),
)
#: 40 minutes: notice, yellow, red. 22 and 19: yellow. 13: notice.
AWAY = (
    Away(desk=1, leaves=9.6, returns=10.27),
    Away(desk=9, leaves=11.5, returns=11.87),
    Away(desk=4, leaves=13.0, returns=13.67),
    Away(desk=8, leaves=14.7, returns=15.02),
    Away(desk=11, leaves=16.1, returns=16.32),
)
#: The camera runner tries again after 1, 5, 10 and 60 real seconds: a failure of ten seconds is over after sixteen, one
#: of more than sixteen after seventy-six.
TROUBLES = (
    Trouble(camera=3, kind="fail", begins=10.2, ends=10.37),
    Trouble(camera=5, kind="cover", begins=10.4, ends=10.8),
    Trouble(camera=3, kind="fail", begins=14.3, ends=14.7),
    Trouble(camera=5, kind="cover", begins=15.4, ends=15.8),
)


def at_hour(centre: Centre, hour: float, day: date) -> datetime:
    """An hour of a day as a moment of the centre's zone."""
    minutes = round(hour * 60)
    return datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=centre.zone)


def late_case_events(
    centre: Centre, accepted_on: date, day: date, desks: Sequence[tuple[int, Sequence[str]]]
) -> list[Event]:
    """The late cases of ``day``: accepted on the working day before, so that they are open when the day begins.

    Args:
        desks: item codes each desk handles, in turn (:data:`mingjing.demo.cases.DESKS`).
    """
    events: list[Event] = []
    items: dict[str, Item] = {item.code: item for item in centre.items if item.promised_limit}
    for number, late in enumerate(LATE_CASES, start=1):
        if late.desk >= len(centre.windows):
            continue
        window = centre.windows[late.desk]
        code = next((code for code in desks[late.desk % len(desks)][1] if code in items), None)
        if code is None:
            continue
        case = f"{centre.centre.id}-{day:%Y%m%d}-L{number:03d}"
        promised = at_hour(centre, late.promised, day)
        deadlines = {"promised_deadline": promised.isoformat()}
        if late.legal is not None:
            deadlines["legal_deadline"] = at_hour(centre, late.legal, day).isoformat()
        course: list[tuple[str, datetime, dict[str, Any]]] = [
            ("case.received", at_hour(centre, 14 + number / 10, accepted_on), {}),
            (
                "case.accepted",
                at_hour(centre, 14.5 + number / 10, accepted_on),
                {"type": "commitment", "receipt_no": f"SL-{case}", **deadlines},
            ),
            ("case.decided", at_hour(centre, late.closed, day), {"result": "granted"}),
            ("case.closed", at_hour(centre, late.closed + 0.02, day), {}),
            ("case.delivered", at_hour(centre, late.closed + 0.1, day), {}),
        ]
        events += [
            Event(
                event_id=f"{case}-{step:02d}",
                kind=kind,
                occurred_at=at,
                source=SOURCE,
                centre=centre.centre.id,
                window=window.id,
                case=case,
                item=code,
                staff=window.staff[0] if window.staff else None,
                data=data,
            )
            for step, (kind, at, data) in enumerate(course)
        ]
    return events
