"""Invented data that look like a working day, for screenshots and tests; nobody in it exists.

``python -m dashboard.demo_snapshot [--port 8050] [--scene mixed|many|grey|calm]`` shows the wall on them.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dashboard.facts import Beat, Detail, FindingFacts, Snapshot, Totals, WindowFacts
from domain.centre import Centre

ZONE = ZoneInfo("Asia/Shanghai")
#: A Tuesday morning.
NOON = datetime(2026, 11, 24, 10, 42, 7, tzinfo=ZONE).astimezone(UTC)

DEPARTMENTS = (
    ("scjg", "市场监督管理局"), ("zrzy", "自然资源局"), ("gaj", "公安分局"), ("rsj", "人力资源和社会保障局"), ("wjj", "卫生健康局"),
)  # fmt: skip
WINDOWS = (
    ("A01", "企业开办", "scjg"), ("A02", "食品经营许可", "scjg"), ("A03", "特种设备登记", "scjg"),
    ("B01", "不动产登记", "zrzy"), ("B02", "建设用地规划", "zrzy"), ("B03", "采矿权登记", "zrzy"),
    ("C01", "户籍业务", "gaj"), ("C02", "出入境证件", "gaj"),
    ("D01", "社会保险", "rsj"), ("D02", "劳务派遣许可", "rsj"),
    ("E01", "医疗机构执业", "wjj"), ("E02", "公共场所卫生", "wjj"),
)  # fmt: skip
NAMES = (
    "杨晓梅", "李建国", "段丽华", "赵文斌", "张永芳", "王德贵", "尹春燕", "蒋志强", "马兰英", "陈绍华", "罗正云", "杨家旺",
)  # fmt: skip


def demo_centre(windows: int = 12) -> Centre:
    """隆阳区政务服务中心 with invented people; over 12 windows are numbered on."""
    rows: list[dict[str, Any]] = []
    for index in range(windows):
        code, name, department = WINDOWS[index % len(WINDOWS)]
        if index >= len(WINDOWS):
            code = f"{code[0]}{int(code[1:]) + 3 * (index // len(WINDOWS)):02d}"
        person = f"p{index % len(NAMES):02d}"
        rows.append(
            {"id": code, "name": name, "department": department, "staff": [person], "handler": person,
             "superior": "s00", "leader": "l00"}
        )  # fmt: skip
    people = [
        {
            "id": f"p{index:02d}",
            "name": name,
            "title": "窗口人员",
            "phone": f"1380000{index:04d}",
            "invented": True,
        }
        for index, name in enumerate(NAMES)
    ]
    people += [
        {"id": "s00", "name": "周立新", "title": "科长", "phone": "13800001000", "invented": True},
        {"id": "l00", "name": "何永昌", "title": "副局长", "phone": "13800002000", "invented": True},
    ]
    return Centre.model_validate(
        {
            "centre": {"id": "530502", "name": "隆阳区政务服务中心"},
            "departments": [{"id": code, "name": name} for code, name in DEPARTMENTS],
            "people": people,
            "items": [
                {"code": "B-001", "name": "建设用地规划许可", "legal_limit": {"days": 20},
                 "promised_limit": {"days": 7}},
                {"code": "A-002", "name": "食品经营许可", "legal_limit": {"days": 20}, "promised_limit": {"days": 5}},
            ],
            "windows": rows,
        }
    )  # fmt: skip


BEATS = tuple(Beat(role, 1.0) for role in ("door", "worker", "cameras", "rules", "sender", "wall"))


def case_finding(
    window: str, case: str, rule: str, severity: str, due: datetime, now: datetime, **more: Any
) -> FindingFacts:
    return FindingFacts(
        finding_id=f"{rule}:{case}",
        rule=rule,
        severity=severity,  # type: ignore[arg-type]
        subject=f"case:{case}",
        opened_at=min(due, now),
        window=window,
        case=case,
        due_at=due,
        **more,
    )


def absence_finding(window: str, severity: str, opened: datetime, minutes: float) -> FindingFacts:
    return FindingFacts(
        finding_id=f"absence.{severity}:{window}",
        rule=f"absence.{severity}",
        severity=severity,  # type: ignore[arg-type]
        subject=f"window:{window}",
        opened_at=opened,
        window=window,
        explain={"since": (opened - timedelta(minutes=minutes)).isoformat()},
    )


EXPLAIN = {
    "start": "2026-10-23T10:12:00+08:00",
    "first_day_out": "2026-10-23",
    "due_day": "2026-11-23",
    "deadline": "2026-11-23T17:00:00+08:00",
    "deadline_at": "close",
    "extension_days": 0,
    "limit": {"days": 20, "unit": "working_day"},
    "excluded": [
        {"ground": "expert_review", "event_id": "e7", "from": "2026-11-04T09:20:00+08:00", "announced_days": 1,
         "notice_no": "隆自然特〔2026〕18号", "to": "2026-11-04T16:30:00+08:00", "excluded": ["2026-11-04", "2026-11-04"]},
    ],
    "extensions": [],
    "calendar": "CN; chinesecalendar 1.11.0; holidays 0.109; own 5f2a91c0",
    "articles": "行政许可法 art. 42, 45, 82; 民法典 art. 201, 203",
    "deemed_accepted": False,
    "counted_days": [
        "2026-10-26", "2026-10-27", "2026-10-28", "2026-10-29", "2026-10-30", "2026-11-02", "2026-11-03", "2026-11-05", "2026-11-06",
        "2026-11-09", "2026-11-10", "2026-11-11", "2026-11-12", "2026-11-13", "2026-11-16", "2026-11-17", "2026-11-18",
        "2026-11-19", "2026-11-20", "2026-11-23",
    ],
}  # fmt: skip


def mixed(centre: Centre, now: datetime) -> Snapshot:
    """One of everything: two red, yellow, notice, absent, unknown, paused, no camera, well."""

    def ago(**span: float) -> datetime:
        return now - timedelta(**span)

    findings = [
        case_finding("B02", "530502-2026-110023", "time_limit.legal", "red", ago(hours=17, minutes=42), now,
                     item="B-001", explain=EXPLAIN),
        absence_finding("D01", "red", ago(minutes=4), 30),
        absence_finding("A02", "yellow", ago(minutes=2), 15),
        case_finding("B01", "530502-2026-110187", "time_limit.promised", "yellow", ago(hours=65, minutes=42), now,
                     acknowledged_at=ago(minutes=31), acknowledged_by="赵文斌"),
        case_finding("B02", "530502-2026-110311", "acceptance.overdue", "yellow", ago(hours=1), now),
        case_finding("E01", "530502-2026-110290", "time_limit.notice", "notice", now + timedelta(hours=30), now),
    ]  # fmt: skip
    by_window: dict[str, list[FindingFacts]] = {}
    for finding in findings:
        by_window.setdefault(finding.window or "", []).append(finding)
    special: dict[str, dict[str, Any]] = {
        "A02": {"presence": "absent", "since": ago(minutes=17)},
        "A03": {"presence": "unknown", "reason": "covered", "since": ago(minutes=3)},
        "C02": {"desk": "paused"},
        "D01": {"presence": "absent", "since": ago(minutes=34)},
        "D02": {"presence": "absent", "since": ago(minutes=4)},
        "E02": {"has_camera": False, "presence": None, "since": None, "seen_at": None},
    }
    departments = {department.id: department.name for department in centre.departments}
    windows = []
    for index, window in enumerate(centre.windows):
        facts = WindowFacts(
            window.id,
            window.name,
            departments.get(window.department or "", ""),
            presence="present",
            since=ago(minutes=7 + 13 * (index % 9)),
            seen_at=ago(seconds=1 + index % 5),
            method="correlation",
            open_cases=3 + (7 * index) % 11,
            findings=tuple(by_window.get(window.id, ())),
        )
        if index < len(WINDOWS) or index % 17 == 0:
            facts = replace(facts, **special.get(WINDOWS[index % len(WINDOWS)][0], {}))
        windows.append(facts)
    totals = Totals(68, 61, 47, 132, 3, 1, 3, 2, 9, 4)
    return Snapshot(now, time.time(), tuple(windows), tuple(findings), totals, BEATS)


def many(centre: Centre, now: datetime) -> Snapshot:
    """As ``mixed`` with more findings than fit the list."""
    base = mixed(centre, now)
    extra = [
        case_finding(window.id, f"530502-2026-12{index:04d}", "time_limit.promised", "yellow",
                     now - timedelta(hours=index + 1), now)
        for index, window in enumerate(centre.windows)
        if index % 9 == 7
    ]  # fmt: skip
    windows = tuple(
        replace(window, findings=(*window.findings, *(f for f in extra if f.window == window.window)))
        for window in base.windows
    )
    return replace(
        base, windows=windows, findings=(*base.findings, *extra), totals=replace(base.totals, received=412)
    )


def calm(centre: Centre, now: datetime) -> Snapshot:
    """Everything well."""
    base = mixed(centre, now)
    windows = tuple(
        replace(window, findings=(), presence="present", reason=None, desk="open", has_camera=True,
                since=now - timedelta(minutes=21), seen_at=now - timedelta(seconds=2), method="detector")
        for window in base.windows
    )  # fmt: skip
    return replace(base, windows=windows, findings=(), totals=Totals(68, 61, 47, 132))


def grey(centre: Centre, now: datetime) -> Snapshot:
    """The worker and the cameras stopped four minutes ago."""
    beats = tuple(Beat(b.role, 240.0 if b.role in ("worker", "cameras") else 1.0) for b in BEATS)
    return replace(calm(centre, now), beats=beats)


SCENES: dict[str, Callable[[Centre, datetime], Snapshot]] = {
    "mixed": mixed, "many": many, "calm": calm, "grey": grey,
}  # fmt: skip


class FakeSource:
    """A :class:`~dashboard.facts.SnapshotSource` without a store.

    Args:
        make: gives the snapshot at a moment; replace it and call :meth:`notify` to stage a change.
    """

    def __init__(self, make: Callable[[datetime], Snapshot]) -> None:
        self.make = make
        self.broken: str | None = None
        self.reads = 0
        self._changed = threading.Event()

    def notify(self) -> None:
        """What the store does at a commit."""
        self._changed.set()

    def wait(self, seconds: float) -> bool:
        changed = self._changed.wait(seconds)
        self._changed.clear()
        return changed

    def read(self, now: datetime) -> Snapshot:
        self.reads += 1
        if self.broken:
            raise ConnectionError(self.broken)
        return self.make(now)

    def detail(self, window: str | None, finding: str | None, now: datetime) -> Detail:
        snapshot = self.read(now)
        facts = next((facts for facts in snapshot.windows if facts.window == window), None)
        if finding is not None:
            return Detail(facts, tuple(f for f in snapshot.findings if f.finding_id == finding))
        return Detail(facts, facts.findings if facts is not None else ())

    def close(self) -> None:
        self._changed.set()


def main() -> None:
    """Shows a scene until Ctrl-C."""
    from dashboard.server import create_wall, run_wall
    from domain.clock import Clock

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8050)
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--scene", choices=sorted(SCENES), default="mixed")
    parser.add_argument("--speed", type=float, default=1.0)
    options = parser.parse_args()
    centre = demo_centre(options.windows)
    clock = Clock(real_start=time.time(), sim_start=NOON.timestamp(), speed=options.speed)
    source = FakeSource(lambda now: SCENES[options.scene](centre, now))
    run_wall(create_wall(centre, clock, lambda: source), port=options.port)


if __name__ == "__main__":
    main()
