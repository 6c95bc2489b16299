"""Links: until when each message can be acknowledged, once it is known when it leaves. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from alerts.pipeline.draft import Draft


@dataclass(frozen=True, slots=True)
class LinkTimes:
    """Whoever gets a message on Monday that waited since Friday has as much time as anybody."""

    lifetime: timedelta
    zone: ZoneInfo

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        return [self._dated(draft) for draft in drafts]

    def _dated(self, draft: Draft) -> Draft:
        if draft.skipped or draft.ack_digest is None:
            return draft
        until = draft.leaves_at + self.lifetime
        params = {**draft.params, "ack_until": until.astimezone(self.zone).isoformat()}
        return replace(draft, ack_expires_at=until, params=params)


__all__ = ["LinkTimes"]
