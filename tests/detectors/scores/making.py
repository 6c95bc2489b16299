"""Short ways to make facts of cases, findings and ratings of October 2026."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from detectors.scores.facts import CaseFact, FindingFact, RatingFact
from detectors.scores.periods import parse_period
from domain.centre import Centre

OCTOBER = parse_period("month", "2026-10", ZoneInfo("Asia/Shanghai"))
CENTRE = Centre.model_validate(
    {
        "centre": {"id": "530502", "name": "隆阳区政务服务中心"},
        "items": [
            {"code": "A", "legal_limit": {"days": 10}, "promised_limit": {"days": 7}},
            {"code": "B", "legal_limit": {"days": 20}},
        ],
        "departments": [{"id": "D1", "name": "公安"}, {"id": "D2", "name": "税务"}],
        "windows": [{"id": "A01", "department": "D1"}, {"id": "A02", "department": "D2"}, {"id": "A03"}],
        "people": [{"id": "p1", "name": "张三"}],
    }
)


def day(number: float, month: int = 10) -> datetime:
    """So many days into the month, ten o'clock in China; may reach beyond it."""
    return datetime(2026, month, 1, 2, tzinfo=UTC) + timedelta(days=number - 1)


def case(name: str, started: float | None = 8, stopped: float | None = 12, **more: Any) -> CaseFact:
    """Of item A at A01, accepted on the 8th, promised to the 19th, legal to the 22nd; by default finished on the 12th."""
    fields: dict[str, Any] = {
        "item": "A", "window": "A01", "staff": "p1", "promised_due": day(19), "legal_due": day(22),
        "outcome": "finished" if stopped is not None else None, "used": 0.2 if stopped is not None else None,
    }  # fmt: skip
    fields |= more
    return CaseFact(
        name,
        started_at=None if started is None else day(started),
        stopped_at=None if stopped is None else day(stopped),
        **fields,
    )


def finding(name: str, severity: str = "red", at: float = 23, **more: Any) -> FindingFact:
    rule = {"notice": "time_limit.notice", "yellow": "time_limit.promised", "red": "time_limit.legal"}[
        severity
    ]
    fields: dict[str, Any] = {"case": "c1", "window": "A01", "item": "A"} | more
    return FindingFact(name, fields.pop("rule", rule), severity, day(at), **fields)


def rating(level: int, at: float = 13, **more: Any) -> RatingFact:
    return RatingFact(day(at), level, **({"window": "A01", "item": "A", "staff": "p1"} | more))
