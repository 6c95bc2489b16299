"""Cover (AB岗): when the B-post, or the paired window, serves for a window, and who that is. Pure.

A cover holds until its end, at most until the end of its day, and only by someone who may: the B- or A-post where the
window names them, its paired window where it has one, anybody where it names neither (domain reference 3b).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from domain.centre import Centre, Window
from domain.events import Event
from domain.working_time import Calendar

STARTED, ENDED = "cover.started", "cover.ended"


@dataclass(frozen=True, slots=True)
class Cover:
    """[start, end) in which ``staff``, or the window ``by_window``, serves; ``event`` is the id of the event that began it."""

    staff: str | None
    by_window: str | None
    start: datetime
    end: datetime
    event: str = ""


def find_covers(window: Window, events: Iterable[Event], centre: Centre, calendar: Calendar) -> list[Cover]:
    """The covers of a window, in the order of the events; they may overlap."""
    spoken = [event for event in events if _speaks_of(event, window)]
    ends = [event for event in spoken if event.kind == ENDED]
    found = []
    for event in spoken:
        if event.kind != STARTED or not _may_cover(event, window, centre):
            continue
        start = event.moment
        close = calendar.day_start(calendar.local_date(start) + 1)
        same = [e.moment for e in ends if _who(e) in (_who(event), (None, None))]
        end = min([close, *(at for at in same if at > start)])
        found.append(Cover(*_who(event), start, end, event.event_id))
    return found


def _speaks_of(event: Event, window: Window) -> bool:
    # A cover that names no window is of all windows of its person.
    return event.kind in (STARTED, ENDED) and event.window in (None, window.id)


def _who(event: Event) -> tuple[str | None, str | None]:
    return event.staff, event.text("by_window")


def _may_cover(event: Event, window: Window, centre: Centre) -> bool:
    if not window.ab_posts and window.pair is None:
        return True
    staff, by_window = _who(event)
    allowed = {person for post in window.ab_posts or () for person in (post.a, post.b)}
    if window.pair is not None:
        if by_window == window.pair:
            return True
        neighbour = centre.window_by_id.get(window.pair)
        allowed |= set(neighbour.staff) if neighbour is not None else set()
    return staff in allowed


__all__ = ["ENDED", "STARTED", "Cover", "find_covers"]
