"""Seeded case events in disorder, with duplicates: what the drills pour into a system while its processes die."""

from __future__ import annotations

import json
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Shanghai")
WINDOWS = [f"A{number:02d}" for number in range(1, 13)]
Row = dict[str, Any]

CENTRE: Row = {
    "centre": {"id": "530502", "name": "演练中心", "timezone": "Asia/Shanghai"},
    "items": [
        {
            "code": "A-001",
            "name": "演练事项",
            "legal_limit": {"days": 20},
            "promised_limit": {"days": 7},
            "supplement_limit": 5,
            "delivery_limit": 10,
        },
        # Cases of this item bring their own deadlines: any moment, also a minute from now on a Sunday.
        {"code": "B-001", "name": "自带期限事项"},
    ],
    "people": [
        {"id": f"P{number}", "name": f"演练{number}(虚构)", "phone": f"1550000{number:04d}", "invented": True}
        for number in range(1, 5)
    ],
    "windows": [
        {"id": window, "handler": "P1", "superior": "P2", "leader": "P3", "staff": ["P1"]}
        for window in WINDOWS
    ],
    # Old findings must be messaged here, and each by itself: the drills count messages.
    "messages": {"inspectors": ["P4"], "max_age_hours": 1_000_000, "group": None, "flood": None},
}


def event(case: str, number: int, kind: str, at: datetime, item: str = "A-001", **data: Any) -> Row:
    """One event of a case; its id is the case's number and its own."""
    return {
        "event_id": f"{case}-{number}", "kind": kind, "occurred_at": at.isoformat(), "source": "approval",
        "centre": "530502", "window": WINDOWS[int(case[-6:]) % 12], "case": case, "item": item, "data": data,
    }  # fmt: skip


def events(
    seed: int,
    cases: int,
    late_share: float = 0.04,
    label: str = "530502",
    within: timedelta = timedelta(days=7),
) -> list[Row]:
    """Six events a case, shuffled within a week of each other, one in fifty of them twice.

    Args:
        late_share: cases decided after the promised limit, half of them after the legal one too.
        label: begins every case number, so that several drills can share one system.
        within: how late an event may be; the later, the more cards a late decision proves wrong.
    """
    rng = random.Random(seed)
    begun = date(2026, 3, 2)
    rows: list[Row] = []
    for number in range(cases):
        case = f"{label}-2026-{number:06d}"
        at = datetime.combine(begun + timedelta(days=rng.randrange(150)), datetime.min.time(), ZONE)
        at += timedelta(hours=9, seconds=rng.randrange(7 * 3600))
        days = rng.uniform(0.5, 6)
        if rng.random() < late_share:
            days = rng.choice([18, 45])
        rows += [
            event(case, 0, "case.received", at),
            event(case, 1, "case.accepted", at + timedelta(minutes=rng.randrange(5, 300))),
            event(case, 2, "case.stage_started", at + timedelta(hours=6), stage="review"),
            event(case, 3, "case.stage_finished", at + timedelta(days=days * 0.7 + 0.3), stage="review"),
            event(case, 4, "case.decided", at + timedelta(days=days + 0.4), result="granted"),
            event(case, 5, "case.delivered", at + timedelta(days=days + 1.5)),
        ]
    rows += [dict(rng.choice(rows)) for _ in range(len(rows) // 50)]
    return in_disorder(rows, rng, within)


def in_disorder(rows: list[Row], rng: random.Random, within: timedelta) -> list[Row]:
    """The rows by their moment, each late by up to ``within``."""
    return sorted(
        rows,
        key=lambda row: moment(row).timestamp() + rng.uniform(0, within.total_seconds()),
    )


def moment(row: Row) -> datetime:
    return datetime.fromisoformat(row["occurred_at"])


def timed_case(case: str, deadline: datetime, accepted: datetime | None = None) -> list[Row]:
    """Receipt and acceptance of a case whose deadlines are the given moment (whole seconds)."""
    began = accepted or datetime.now(UTC) - timedelta(days=2)
    ends = deadline.astimezone(ZONE).replace(microsecond=0).isoformat()
    return [
        event(case, 0, "case.received", began, "B-001"),
        event(case, 1, "case.accepted", began, "B-001", legal_deadline=ends, promised_deadline=ends),
    ]


def as_lines(rows: list[Row]) -> list[str]:
    return [json.dumps(row, ensure_ascii=False) for row in rows]
