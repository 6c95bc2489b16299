"""Budget: a number takes so many messages in a local day; what falls out waits, and leaves as one message. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.pipeline.draft import Draft
from alerts.pipeline.leaving import Leaving, in_turn, number_of
from alerts.reasons import Reason
from alerts.rounds.schedule import digest_moments
from domain.centre import Centre


@dataclass(frozen=True, slots=True)
class Budget:
    """Telephone numbers only: to other addresses no provider counts.

    Args:
        leaving: messages that are in the outbox, at least of this local day and those that wait.
    """

    centre: Centre
    leaving: Sequence[Leaving]

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        settings, calendar = self.centre.messages.budget, self.centre.working_time
        if settings is None:
            return list(drafts)
        used: dict[tuple[str, int], int] = {}
        one: set[tuple[str, int, str]] = set()  # of those gathered under one name a day has one message
        for each in self.leaving:
            number, day = number_of(each.phone), calendar.local_date(each.at)
            if number is None or (each.gather is not None and (number, day, each.gather) in one):
                continue
            if each.gather is not None:
                one.add((number, day, each.gather))
            used[number, day] = used.get((number, day), 0) + (1 if each.gather else each.number)
        next_digest: dict[datetime, datetime] = {}
        over: dict[tuple[str, str, str], int | None] = {}  # of one piece of news a number has one message
        decided = list(drafts)
        for place, draft in in_turn(drafts):
            number = number_of(draft.phone)
            if draft.skipped or number is None or draft.waits_for(Reason.BUDGET):
                continue
            day, news = (
                calendar.local_date(draft.leaves_at),
                (number, draft.finding.finding_id, draft.news.step),
            )
            gathered = draft.gather is not None and (number, day, draft.gather) in one
            if news not in over and not gathered:
                sent = used.get((number, day), 0)
                kept = 0 if draft.finding.severity == "red" else settings.keep_for_red
                # Where what falls out is told on the same day, the last place is that digest's.
                at = draft.leaves_at
                until = next_digest.get(at) or next_digest.setdefault(at, self._next_digest(at))
                most = settings.per_day - kept - (calendar.local_date(until) == day)
                over[news] = sent if sent >= most else None
                if over[news] is None:
                    used[number, day] = sent + 1
                    if draft.gather is not None:
                        one.add((number, day, draft.gather))
            if over.get(news) is not None:
                at = draft.leaves_at
                until = next_digest.get(at) or next_digest.setdefault(at, self._next_digest(at))
                decided[place] = draft.hold(Reason.BUDGET, until, Reason.BUDGET, sent=over[news])
        return decided

    def _next_digest(self, at: datetime) -> datetime:
        """The next daily digest, or the opening of the next working day: what comes first."""
        calendar, digest = self.centre.working_time, self.centre.messages.digest
        today = calendar.local_date(at)
        day = calendar.nth_working(today, 1) or today + 1
        opening = calendar.opening(day)
        if digest is None:
            return opening
        return min(opening, next(digest_moments(digest, calendar, at), opening))


__all__ = ["Budget"]
