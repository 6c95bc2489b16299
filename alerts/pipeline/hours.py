"""Hours: what comes in quiet hours, or outside the hours of its route, waits until they end on the working calendar. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.pipeline.draft import Draft
from alerts.reasons import Reason
from alerts.rounds.schedule import Timetable
from domain.centre import Centre


@dataclass(frozen=True, slots=True)
class Hours:
    """Quiet hours are the centre's, and spare some severities; working hours are the route's."""

    centre: Centre

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        ends: dict[tuple[str | None, str, datetime], datetime] = {}
        decided = []
        for draft in drafts:
            if not draft.skipped:
                at, severity = draft.leaves_at, draft.finding.severity
                asked = (draft.route.id, severity, at)
                if asked not in ends:
                    ends[asked] = Timetable(draft.route, severity, self.centre).allowed(at)
                draft = self._held(draft, ends[asked])
            decided.append(draft)
        return decided

    def _held(self, draft: Draft, until: datetime) -> Draft:
        detail = {"hours": "working", "route": draft.route.id} if draft.route.hours == "working" else {}
        return draft.hold(Reason.QUIET_HOURS, until, None if draft.is_card else Reason.QUIET_HOURS, **detail)


__all__ = ["Hours"]
