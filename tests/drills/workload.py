"""Seeded case events in disorder, with duplicates: what the drills pour into a system while its processes die."""

from __future__ import annotations

import json
import random
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
WINDOWS = [f"A{number:02d}" for number in range(1, 13)]

CENTRE: dict[str, Any] = {
    "centre": {"id": "530502", "name": "演练中心", "timezone": "Asia/Shanghai"},
    "items": [
        {
            "code": "A-001",
            "name": "演练事项",
            "legal_limit": {"days": 20},
            "promised_limit": {"days": 7},
            "supplement_limit": 5,
            "delivery_limit": 10,
        }
    ],
    "people": [
        {"id": f"P{number}", "name": f"演练{number}(虚构)", "phone": f"1550000{number:04d}", "invented": True}
        for number in range(1, 5)
    ],
    "windows": [
        {"id": window, "handler": "P1", "superior": "P2", "leader": "P3", "staff": ["P1"]}
        for window in WINDOWS
    ],
    # Old findings must be messaged here: the drill counts messages.
    "messages": {"inspectors": ["P4"], "max_age_hours": 1_000_000},
}


def events(seed: int, cases: int, late_share: float = 0.04) -> list[dict[str, Any]]:
    """About five events a case, shuffled within a week of each other, one in fifty of them twice.

    Args:
        late_share: cases decided after the promised limit, half of them after the legal one too.
    """
    rng = random.Random(seed)
    begun = date(2026, 3, 2)
    rows: list[dict[str, Any]] = []

    def add(case: str, number: int, kind: str, at: datetime, **data: Any) -> None:
        rows.append(
            {
                "event_id": f"{case}-{number}", "kind": kind, "occurred_at": at.isoformat(), "source": "approval",
                "centre": "530502", "window": WINDOWS[int(case[-6:]) % 12], "case": case, "item": "A-001", "data": data,
            }
        )  # fmt: skip

    for number in range(cases):
        case = f"530502-2026-{number:06d}"
        at = datetime.combine(begun + timedelta(days=rng.randrange(150)), datetime.min.time(), ZONE)
        at += timedelta(hours=9, seconds=rng.randrange(7 * 3600))
        days = rng.uniform(0.5, 6)
        if rng.random() < late_share:
            days = rng.choice([18, 45])
        add(case, 0, "case.received", at)
        add(case, 1, "case.accepted", at + timedelta(minutes=rng.randrange(5, 300)))
        add(case, 2, "case.stage_started", at + timedelta(hours=6), stage="review")
        add(case, 3, "case.stage_finished", at + timedelta(days=days * 0.7 + 0.3), stage="review")
        add(case, 4, "case.decided", at + timedelta(days=days + 0.4), result="granted")
        add(case, 5, "case.delivered", at + timedelta(days=days + 1.5))
    rows += [dict(rng.choice(rows)) for _ in range(len(rows) // 50)]
    rows.sort(
        key=lambda row: datetime.fromisoformat(row["occurred_at"]).timestamp() + rng.uniform(0, 7 * 86400)
    )
    return rows


def as_lines(rows: list[dict[str, Any]]) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) for row in rows]
