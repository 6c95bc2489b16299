"""How many messages a set of findings would have made, for whom, on which day; and which provider would have refused them.

Limits as the platform reference (1.4) found them, with their source. Tencent's 200 and Huawei's 500 numbers are limits of one
call, and Tencent's daily limits are set in its console: nothing to count against.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from alerts.routing import plan_messages
from domain.centre import Centre
from domain.findings import Finding


@dataclass(frozen=True, slots=True)
class Limit:
    """So many messages of one template to one number a day."""

    provider: str
    per_day: int
    source: str


LIMITS = (Limit("阿里云 Aliyun", 50, "help.aliyun.com/document_detail/108293.html"),)


@dataclass(frozen=True, slots=True)
class Peak:
    """A day (local) of one number and template, and how many messages it would have seen; ``person``: whose number."""

    day: date
    person: str
    template: str
    messages: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """``total``; the ``busiest_day`` with its number; ``peaks``: person, template and day, the worst first; ``over``: those
    above a provider's limit."""

    total: int
    days: int
    busiest_day: tuple[date, int] | None
    peaks: tuple[Peak, ...]
    over: tuple[tuple[Peak, Limit], ...]

    @property
    def per_day(self) -> float | None:
        """Messages on a day that had any; None without one."""
        return self.total / self.days if self.days else None


class MessageCount:
    """Counts the messages of the openings of findings, each planned as at the moment it opened. What is in shadow makes none.

    Corrections are left out: which findings would have been revoked, a history that is complete does not tell.
    """

    def __init__(self, centre: Centre) -> None:
        self._centre = centre
        self._counts: Counter[tuple[date, str, str]] = Counter()
        self._owners: dict[str, str] = {}

    def add(self, finding: Finding) -> None:
        if finding.shadow:
            return
        opened = replace(finding, state="open", closed_at=None)
        for row in plan_messages(opened, "opened", self._centre, finding.opened_at, lambda key: ""):
            if not row.skipped:
                day = finding.opened_at.astimezone(self._centre.zone).date()
                owner = self._owners.setdefault(row.phone, row.person)
                self._counts[day, owner, row.template] += 1

    def forecast(self) -> Forecast:
        """Of all findings so far."""
        counts = self._counts
        days: Counter[date] = Counter()
        for (day, _, _), number in counts.items():
            days[day] += number
        peaks = tuple(
            Peak(*key, number) for key, number in sorted(counts.items(), key=lambda each: (-each[1], each[0]))
        )
        over = tuple((peak, limit) for peak in peaks for limit in LIMITS if peak.messages > limit.per_day)
        busiest = min(days.items(), key=lambda each: (-each[1], each[0])) if days else None
        return Forecast(sum(counts.values()), len(days), busiest, peaks, over)


def forecast(findings: Iterable[Finding], centre: Centre) -> Forecast:
    """The messages of these findings; see :class:`MessageCount`."""
    count = MessageCount(centre)
    for finding in findings:
        count.add(finding)
    return count.forecast()


__all__ = ["LIMITS", "Forecast", "Limit", "MessageCount", "Peak", "forecast"]
