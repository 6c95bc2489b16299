"""Silence: what somebody wanted no messages of waits until the silence ends. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from alerts.pipeline.draft import Draft
from alerts.reasons import Reason
from alerts.silence import Silence
from domain.centre import Centre


@dataclass(frozen=True, slots=True)
class Silenced:
    """
    Args:
        silences: those whose span holds the moment.
    """

    centre: Centre
    silences: Sequence[Silence]

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        if not self.silences:
            return list(drafts)
        return [self._decided(draft) for draft in drafts]

    def _decided(self, draft: Draft) -> Draft:
        # Where one silence ends inside another, the message waits for both; the first is the reason.
        for _ in self.silences:
            at = draft.leaves_at
            covering = [
                each
                for each in self.silences
                if not draft.skipped and each.covers(draft.finding, draft.person, self.centre, at)
            ]
            if not covering:
                break
            longest = max(covering, key=lambda each: (each.run_ends(self.centre, at), -each.silence_id))
            until = longest.run_ends(self.centre, at)
            gather = None if draft.is_card else Reason.SILENCED
            draft = draft.hold(
                Reason.SILENCED, until, gather, silence=longest.silence_id, author=longest.author
            )
        return draft


__all__ = ["Silenced"]
