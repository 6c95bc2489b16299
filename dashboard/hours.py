"""When a window is expected to serve: its own hours, or the centre's, on the working days of the centre's calendar."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.centre import Centre, Window
from domain.working_time import parse_week


class OpenHours:
    """Answers for every window of a centre; keeps the spans of the last asked day.

    A window with hours of its own for Saturday or Sunday (延时服务) is expected there too.
    """

    def __init__(self, centre: Centre) -> None:
        self._calendar = centre.working_time
        self._windows = {window.id: window for window in centre.windows}
        self._kept: dict[tuple[str, int], list[tuple[datetime, datetime]]] = {}

    def is_open(self, window_id: str, now: datetime) -> bool | None:
        """Whether the window should serve now; None for a window the centre file does not know."""
        window = self._windows.get(window_id)
        if window is None:
            return None
        return any(first <= now < last for first, last in self._spans(window, self._calendar.local_date(now)))

    def _spans(self, window: Window, ordinal: int) -> list[tuple[datetime, datetime]]:
        key = (window.id, ordinal)
        if key not in self._kept:
            if len(self._kept) > 4 * len(self._windows):
                self._kept.clear()
            self._kept[key] = self._spans_of_day(window, ordinal)
        return self._kept[key]

    def _spans_of_day(self, window: Window, ordinal: int) -> list[tuple[datetime, datetime]]:
        calendar = self._calendar
        if window.open_hours is None:
            return calendar.office_spans(ordinal)
        week = parse_week(window.open_hours)
        weekday = (ordinal + 6) % 7
        named = isinstance(window.open_hours, dict) and weekday in week
        if not calendar.is_working(ordinal) and not (named and weekday >= 5):
            return []
        hours = week.get(weekday) or (week.get(0, []) if weekday >= 5 else [])
        start = calendar.day_start(ordinal)
        return [(start + timedelta(minutes=a), start + timedelta(minutes=b)) for a, b in hours]


__all__ = ["OpenHours"]
