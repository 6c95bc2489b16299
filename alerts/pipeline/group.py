"""Group: messages of different findings to one leader within a short time leave as one. Cards never do. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.pipeline.draft import Draft
from alerts.reasons import Reason
from domain.messages import GroupSettings


@dataclass(frozen=True, slots=True)
class Group:
    """Whoever is told by another role as well gets a message of its own: it may be a card."""

    settings: GroupSettings | None

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        if self.settings is None:
            return list(drafts)
        wait, roles = timedelta(minutes=self.settings.wait), frozenset(self.settings.roles)
        return [
            draft.hold(Reason.GROUP, draft.leaves_at + wait, Reason.GROUP)
            if draft.roles and roles.issuperset(draft.roles) and draft.gather is None
            else draft
            for draft in drafts
        ]


__all__ = ["Group"]
