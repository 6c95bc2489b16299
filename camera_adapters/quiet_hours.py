"""When nobody can be at a camera's posts, by the centre's calendar. Only then is an empty post learned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from domain.centre import Centre
from domain.clock import Clock

MARGIN = timedelta(hours=1)
"""Before the first opening and after the last closing of a day: people come early and stay late."""


def nobody_can_be_there(centre: Centre, windows: Iterable[str], at: datetime) -> bool:
    """True at night and on rest days of all of the windows. Never between opening and closing: at noon people rest at
    their desks, and sit very still."""
    for window in windows:
        calendar = centre.open_time(window)
        today = calendar.local_date(at)
        for ordinal in (today - 1, today, today + 1):
            spans = list(calendar.office_spans(ordinal))
            if spans and spans[0][0] - MARGIN <= at < spans[-1][1] + MARGIN:
                return False
    return True


def quiet_hours(centre: Centre, windows: Iterable[str], clock: Clock) -> Callable[[], bool]:
    """The question for a watcher, asked at most once in half a minute of the clock."""
    watched = sorted(set(windows))
    asked, answer = None, False

    def nobody() -> bool:
        nonlocal asked, answer
        now = clock.now()
        if asked is None or not timedelta() <= now - asked < timedelta(seconds=30):
            asked, answer = now, nobody_can_be_there(centre, watched, now)
        return answer

    return nobody
