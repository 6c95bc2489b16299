"""Drafts by hand, to put before one stage."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from alerts.pipeline.draft import Draft, News
from alerts.pipeline.stage import Stage
from alerts.reasons import Why
from domain.findings import Finding
from domain.messages import Route
from tests.alerts.conftest import NOW, make_finding

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    """``2026-02-14 09:00`` in Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def make_draft(
    number: int = 1,
    person: str = "p1",
    role: str = "handler",
    *,
    why: Why = Why.OPENED,
    phone: str | None = None,
    route: Route | None = None,
    now: datetime = NOW,
    finding: Finding | None = None,
    **changes: Any,
) -> Draft:
    """A draft that would be sent at ``now``."""
    found = finding or make_finding(number, **changes)
    return Draft(
        News(found, why, why.value),
        route or Route(to=[role]),
        now,
        f"finding.{found.severity}",
        person=person,
        roles=(role,),
        addresses=(("http", phone or f"1380000{int(person[1:]):04d}"),),
    )


def after(stage: Stage, drafts: Iterable[Draft], now: datetime = NOW) -> list[Draft]:
    """What a stage made of drafts; it loses none, keeps their order, and says nothing new when asked again."""
    given = list(drafts)
    decided = stage.exec(given, now)
    assert [draft.key for draft in decided] == [draft.key for draft in given]
    assert stage.exec(decided, now) == decided
    return decided
