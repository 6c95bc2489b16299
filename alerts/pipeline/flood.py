"""Flood: where one person would get too many messages in a short time the rest is gathered into one. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.pipeline.draft import Draft
from alerts.pipeline.leaving import Leaving, in_turn
from alerts.reasons import Reason, Why
from domain.messages import FloodSettings


@dataclass(frozen=True, slots=True)
class Flood:
    """Cards to the handler and red ones to his superior are never gathered, but they count.

    Args:
        leaving: messages that are in the outbox, at least of the last ``within`` minutes and those that wait.
    """

    settings: FloodSettings | None
    leaving: Sequence[Leaving]

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        if self.settings is None:
            return list(drafts)
        within, every = timedelta(minutes=self.settings.within), timedelta(minutes=self.settings.every)
        times: dict[str, list[datetime]] = {}
        one: set[tuple[str, str, datetime]] = set()  # those gathered under one name are one message
        for each in self.leaving:
            if each.gather is not None:
                if (each.person, each.gather, each.at) in one:
                    continue
                one.add((each.person, each.gather, each.at))
            for _ in range(1 if each.gather is not None else each.number):
                insort(times.setdefault(each.person, []), each.at)
        gathered: set[tuple[str, str]] = set()
        decided = list(drafts)
        for place, draft in in_turn(drafts):
            if draft.skipped or draft.waits_for(Reason.FLOOD) or draft.waits_for(Reason.BUDGET):
                continue
            at, of_person = draft.leaves_at, times.setdefault(draft.person, [])
            if draft.gather is not None and (draft.person, draft.gather) in gathered:
                continue
            recent = bisect_right(of_person, at) - bisect_left(of_person, at - within)
            spared = _stays_single(draft)
            if recent >= self.settings.more_than and not spared:
                decided[place] = draft.hold(Reason.FLOOD, at + every, Reason.FLOOD, recent=recent)
                continue
            if draft.gather is not None:
                gathered.add((draft.person, draft.gather))
            insort(of_person, at)
        return decided


def _stays_single(draft: Draft) -> bool:
    """Whoever has to answer a card gets it by itself, however many there are; of reminders only those of red ones."""
    if draft.finding.severity == "red":
        return draft.is_card
    first = draft.news.why in (Why.OPENED, Why.REOPENED)
    return draft.finding.severity == "yellow" and "handler" in draft.roles and first


__all__ = ["Flood"]
