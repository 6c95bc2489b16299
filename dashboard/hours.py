"""When a window is expected to serve: its own hours, or the centre's, on the working days of the centre's calendar."""

from __future__ import annotations

from datetime import datetime

from domain.centre import Centre


class OpenHours:
    """Answers for every window of a centre; keeps each window's spans of the day that was asked for last."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._kept: dict[str, tuple[int, list[tuple[datetime, datetime]]]] = {}

    def is_open(self, window: str, now: datetime) -> bool:
        """Whether the window should serve at ``now``."""
        calendar = self._centre.open_time(window)
        today = calendar.local_date(now)
        kept = self._kept.get(window)
        if kept is None or kept[0] != today:
            kept = (today, calendar.office_spans(today))
            self._kept[window] = kept
        return any(first <= now < last for first, last in kept[1])


__all__ = ["OpenHours"]
