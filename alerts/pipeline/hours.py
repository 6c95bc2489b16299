"""Hours: what comes in quiet hours, or outside the hours of its route, waits until they end on the working calendar. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.pipeline.draft import Draft
from alerts.reasons import Reason
from domain.centre import Centre
from domain.working_time import Calendar

#: Days in which there must be an opening; no holiday is longer.
LONGEST = 40


def next_opening(calendar: Calendar, at: datetime) -> datetime:
    """The first moment of office time from ``at`` on: itself inside of it; where there is none for weeks, ``at``."""
    first = calendar.local_date(at)
    for ordinal in range(first, first + LONGEST):
        for begin, end in calendar.office_spans(ordinal):
            if at < end:
                return max(begin, at)
    return at


@dataclass(frozen=True, slots=True)
class Hours:
    """Quiet hours are the centre's, and spare some severities; working hours are the route's."""

    centre: Centre

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        quiet = self.centre.messages.quiet
        if quiet is None and all(draft.route.hours == "always" for draft in drafts):
            return list(drafts)
        ends: dict[tuple[datetime, bool, bool], datetime] = {}
        decided = []
        for draft in drafts:
            disturbs = quiet is not None and draft.finding.severity not in quiet.spared
            working = draft.route.hours == "working"
            if not draft.skipped and (disturbs or working):
                asked = (draft.leaves_at, disturbs, working)
                if asked not in ends:
                    ends[asked] = self._free(*asked)
                draft = self._held(draft, ends[asked])
            decided.append(draft)
        return decided

    def _held(self, draft: Draft, until: datetime) -> Draft:
        detail = {"hours": "working", "route": draft.route.id} if draft.route.hours == "working" else {}
        return draft.hold(Reason.QUIET_HOURS, until, None if draft.is_card else Reason.QUIET_HOURS, **detail)

    def _free(self, at: datetime, disturbs: bool, working: bool) -> datetime:
        """The first moment that is neither quiet nor outside the hours of the route."""
        calendar, quiet = self.centre.working_time, self.centre.messages.quiet
        for _ in range(LONGEST):
            free = quiet.until(at, calendar) if disturbs and quiet is not None else at
            free = next_opening(calendar, free) if working else free
            if free == at:
                break
            at = free
        return at


__all__ = ["Hours", "next_opening"]
