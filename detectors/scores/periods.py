"""Month, quarter, year of a centre's own calendar."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Literal
from zoneinfo import ZoneInfo

from domain.errors import InputError

Kind = Literal["month", "quarter", "year"]
_FORMS: dict[str, tuple[str, str]] = {
    "month": (r"(\d{4})-(0[1-9]|1[0-2])", "2026-10"),
    "quarter": (r"(\d{4})-?[Qq]([1-4])", "2026-Q4"),
    "year": (r"(\d{4})", "2026"),
}


@dataclass(frozen=True, slots=True)
class Period:
    """[``since``, ``until``) in UTC. ``months``: its months, oldest first; of a month itself alone."""

    name: str
    since: datetime
    until: datetime
    parts: tuple[Period, ...] = ()

    @property
    def months(self) -> tuple[Period, ...]:
        return self.parts or (self,)

    def holds(self, moment: datetime | None) -> bool:
        return moment is not None and self.since <= moment < self.until


def parse_period(kind: Kind, text: str, zone: ZoneInfo) -> Period:
    """``2026-10``, ``2026-Q4`` or ``2026``.

    Raises:
        InputError: it is none.
    """
    form, example = _FORMS[kind]
    match = re.fullmatch(form, text.strip(), re.ASCII)
    year = int(match[1]) if match else 0
    if match is None or not 1990 <= year <= 2149:
        raise InputError(f"--{kind}: '{text[:40]}' is no {kind} like {example}")
    if kind == "month":
        return _month(year, int(match[2]), zone)
    first, last = (1, 12) if kind == "year" else (int(match[2]) * 3 - 2, int(match[2]) * 3)
    months = tuple(_month(year, number, zone) for number in range(first, last + 1))
    name = str(year) if kind == "year" else f"{year}-Q{match[2]}"
    return Period(name, months[0].since, months[-1].until, months)


def _month(year: int, number: int, zone: ZoneInfo) -> Period:
    following = date(year + number // 12, number % 12 + 1, 1)
    since, until = (
        datetime.combine(day, time(), zone).astimezone(UTC) for day in (date(year, number, 1), following)
    )
    return Period(f"{year}-{number:02}", since, until)


__all__ = ["Kind", "Period", "parse_period"]
