"""Hold for: nobody is told of a finding before it has lasted for the minutes of its route. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.pipeline.draft import Draft
from alerts.reasons import Reason, Why


@dataclass(frozen=True, slots=True)
class Lasting:
    """What is over before its time is up was never worth a message."""

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        return [self._decided(draft, now) for draft in drafts]

    def _decided(self, draft: Draft, now: datetime) -> Draft:
        minutes, finding, why = draft.route.hold_for, draft.finding, draft.news.why
        if minutes is None or why not in (Why.OPENED, Why.REOPENED):
            return draft
        until = (finding.opened_at if why is Why.OPENED else now) + timedelta(minutes=minutes)
        if finding.closed_at is not None and finding.closed_at < until:
            return draft.skip(Reason.OVER, lasted_until=finding.closed_at.isoformat(), hold_for=minutes)
        return draft.hold(Reason.HOLD_FOR, until)


__all__ = ["Lasting"]
