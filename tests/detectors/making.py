"""Short ways to make events, a centre and a verdict."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from detectors.cases import judge_case
from detectors.verdict import Verdict
from domain.centre import Centre
from domain.events import Event, parse_event
from domain.findings import Finding

CHINA = timezone(timedelta(hours=8))


def at(text: str) -> datetime:
    """``03-02 09:30`` in 2026, or with a year, or with seconds; Chinese time."""
    day, _, clock = text.partition(" ")
    if day.count("-") == 1:
        day = f"2026-{day}"
    return datetime.fromisoformat(f"{day}T{clock or '00:00'}").replace(tzinfo=CHINA)


def centre(**changes: Any) -> Centre:
    """Item A: legal 10, promised 5 working days, supplement 5, delivery 10; B: 15 and 5 calendar days; L: legal 3 only."""
    raw: dict[str, Any] = {
        "centre": {
            "id": "530502",
            "timezone": "Asia/Shanghai",
            "office_hours": ["09:00-12:00", "13:30-17:00"],
        },
        "items": [
            {
                "code": "A",
                "legal_limit": {"days": 10},
                "promised_limit": {"days": 5},
                "supplement_limit": 5,
                "delivery_limit": 10,
                "stages": {"review": {"days": 2}},
            },
            {
                "code": "B",
                "legal_limit": {"days": 15, "unit": "calendar_day"},
                "promised_limit": {"days": 5, "unit": "calendar_day"},
            },
            {"code": "L", "legal_limit": {"days": 3}},
            {"code": "N"},
        ],
        "windows": [{"id": "A01"}, {"id": "A02"}],
    }
    for path, value in changes.items():
        node = raw
        *above, last = path.split("__")
        for part in above:
            node = node.setdefault(part, {})
        node[last] = value
    return Centre.model_validate(raw)


CENTRE = centre()
_count = 0


def event(
    kind: str, when: str | datetime, *, item: str | None = "A", id: str | None = None, **data: Any
) -> Event:
    """A case event of case ``c1``; ``ground`` and ``result`` have defaults."""
    global _count
    _count += 1
    if kind == "suspended":
        data.setdefault("ground", "hearing")
    if kind == "decided":
        data.setdefault("result", "granted")
    moment = at(when) if isinstance(when, str) else when
    return parse_event(
        {
            "event_id": id or f"e{_count}",
            "kind": kind if "." in kind else f"case.{kind}",
            "occurred_at": moment.isoformat(),
            "source": "test",
            "case": "c1",
            "item": item,
            "window": "A01",
            "data": data,
        }
    )


def judge(*events: Event, now: str | datetime = "12-31 23:00", centre: Centre = CENTRE) -> Verdict:
    return judge_case(events, centre, at(now) if isinstance(now, str) else now)


def rows(verdict: Verdict, rule: str) -> list[tuple[str, str | None, str]]:
    """(opened, closed, due) of one rule as ``03-02 09:30``, with seconds where there are any."""
    return [
        (show(f.opened_at), show(f.closed_at), show(f.due_at)) for f in verdict.findings if f.rule == rule
    ]  # type: ignore[misc]


def one(verdict: Verdict, rule: str) -> Finding:
    (found,) = [f for f in verdict.findings if f.rule == rule]
    return found


def show(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    local = moment.astimezone(CHINA)
    text = local.strftime("%m-%d %H:%M:%S").removesuffix(":00")
    return text if local.year == 2026 else f"{local.year}-{text}"
