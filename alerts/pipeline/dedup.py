"""Dedup: nobody is told twice of the same thing; who is not told for that says so. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.pipeline.draft import Draft
from alerts.pipeline.leaving import number_of, same_place
from alerts.reasons import Reason, Why

#: News that those who know already do not need; of an opening somebody may know if another finding spoke for it meanwhile.
_KNOWN = frozenset((Why.OPENED, Why.REOPENED, Why.ESCALATION))


@dataclass(frozen=True, slots=True)
class Dedup:
    """Of those with one phone the first to be told stays; among equals the first of the route."""

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        decided = [self._told_before(draft) for draft in drafts]
        first: dict[tuple[str, str, str, str], int] = {}
        for place, draft in enumerate(decided):
            if draft.skipped or not draft.addresses:
                continue
            news = (draft.finding.finding_id, draft.news.step, *same_place(draft))
            known = first.get(news)
            if known is None:
                first[news] = place
                continue
            sooner = draft.leaves_at < decided[known].leaves_at
            loser, winner = (known, place) if sooner else (place, known)
            first[news] = winner
            decided[loser] = decided[loser].skip(Reason.SAME_PHONE, told=decided[winner].person)
        return decided

    def _told_before(self, draft: Draft) -> Draft:
        if draft.skipped or draft.news.why not in _KNOWN:
            return draft
        numbers = {number_of(to.phone) for to in draft.news.earlier} - {None}
        if any(to.person == draft.person for to in draft.news.earlier) or number_of(draft.phone) in numbers:
            return draft.skip(Reason.ALREADY_TOLD)
        return draft


__all__ = ["Dedup"]
