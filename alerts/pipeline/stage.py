"""A stage is one method; a pipeline is stages in their order. ``now`` is handed down: no stage has a clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from alerts.pipeline.draft import Draft


class Stage(Protocol):
    """Decides about drafts. It takes none away: what is not to be sent says so, with its reason."""

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        """The drafts with what was decided, in their order."""
        ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages as one stage."""

    stages: tuple[Stage, ...]

    def exec(self, drafts: Sequence[Draft], now: datetime) -> list[Draft]:
        decided = list(drafts)
        for stage in self.stages:
            decided = stage.exec(decided, now)
        return decided


__all__ = ["Pipeline", "Stage"]
