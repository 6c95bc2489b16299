"""Speaking one language: texts of the catalogue, spans of time and moments as a person would say them."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from dashboard.catalogue import CATALOGUES, LANGUAGES


class Words:
    """One language, bound to the centre's time zone.

    Args:
        language: ``zh`` or ``en``; anything else is Chinese, the language of the hall.
        zone: in which moments are written.
    """

    def __init__(self, language: str, zone: ZoneInfo) -> None:
        self.language = language if language in CATALOGUES else LANGUAGES[0]
        self.zone = zone
        self._texts = CATALOGUES[self.language]

    def __call__(self, key: str, **values: object) -> str:
        """The text of ``key``. Raises KeyError for a key that the catalogue lacks."""
        return self._texts[key].format(**values) if values else self._texts[key]

    def has(self, key: str) -> bool:
        return key in self._texts

    def span(self, span: timedelta) -> str:
        """A length of time as a person would say it; negative spans count as nothing."""
        seconds = max(0, int(span.total_seconds()))
        if seconds < 60:
            return self("span_seconds", n=seconds)
        minutes = seconds // 60
        if minutes < 60:
            return self("span_minutes", n=minutes)
        hours, rest = divmod(minutes, 60)
        if hours < 2 and rest:
            return self("span_hours_minutes", h=hours, m=rest)
        if hours < 48:
            return self("span_hours", n=hours)
        return self("span_days", n=hours // 24)

    def moment(self, at: datetime, now: datetime) -> str:
        """Time of day, with the date where it is another day."""
        local, today = at.astimezone(self.zone), now.astimezone(self.zone)
        clock = f"{local:%H:%M}"
        if local.date() == today.date():
            return clock
        return f"{self('day', m=local.month, d=local.day)} {clock}"

    def day_or_time(self, at: datetime, now: datetime) -> str:
        """As :meth:`moment`, but only the date where it is another day: for a tile."""
        local = at.astimezone(self.zone)
        if local.date() == now.astimezone(self.zone).date():
            return f"{local:%H:%M}"
        return self("day", m=local.month, d=local.day)

    def date(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        weekday = self(f"weekday_{local.weekday()}")
        return self("date", y=local.year, m=local.month, d=local.day, weekday=weekday)


__all__ = ["Words"]
