"""Seeded nasty cases for the comparison with the referee.

`make(seed)` gives one small centre, the lines of an event file and the moment of `--until` (or None for the default).
The same seed always gives the same input. Three kinds of case are mixed: orderly stories, random heaps of events, and
both again with further events placed exactly at (or a moment beside) the deadlines that the referee finds.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.oracle import oracle
from tests.oracle.calendar import Calendar

Json = dict[str, Any]

GROUNDS = [
    "hearing", "tender", "auction", "inspection", "testing", "quarantine", "appraisal", "expert_review", "other",
]  # fmt: skip
# Stretches in which the published calendar is full of rest days, make-up days or missing altogether.
CN_SEASONS = [
    date(2026, 1, 5), date(2026, 2, 5), date(2026, 2, 10), date(2026, 3, 30), date(2026, 4, 24), date(2026, 6, 12),
    date(2026, 9, 14), date(2026, 9, 24), date(2026, 11, 2), date(2026, 12, 10), date(2026, 12, 24), date(2027, 1, 28),
    date(2025, 1, 20), date(2025, 9, 25), date(2024, 12, 27), date(2026, 7, 1),
]  # fmt: skip
NL_SEASONS = [
    date(2011, 4, 15), date(2011, 12, 15), date(2012, 3, 20), date(2012, 4, 25), date(2026, 3, 20), date(2026, 10, 19),
]  # fmt: skip
OFFICE_HOURS: list[Any] = [
    ["09:00-12:00", "13:30-17:00"],
    ["08:30-11:30", "14:30-17:30"],
    ["09:00-17:00"],
    ["13:30-17:00", "09:00-12:00"],
    ["08:00-12:00", "14:00-18:00", "19:00-21:00"],
    {day: ["09:00-12:00", "13:30-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
    {
        "mon": ["08:30-12:00", "14:00-18:00"],
        "tue": ["09:00-12:00", "13:30-17:00"],
        "wed": ["09:00-12:00"],
        "thu": ["09:00-20:00"],
        "fri": ["09:00-12:00", "13:30-16:30"],
    },
    {
        "mon": ["10:00-16:00"],
        "tue": ["09:00-17:00"],
        "wed": ["09:00-17:00"],
        "thu": ["09:00-17:30"],
        "fri": ["09:00-15:00"],
        "sat": ["09:00-12:00"],
    },
    {
        "mon": ["09:00-17:00"],
        "tue": ["09:00-17:00"],
        "wed": ["09:00-18:00"],
        "thu": ["09:00-17:00"],
        "fri": ["09:00-16:00"],
        "sat": ["10:00-14:00"],
        "sun": ["11:00-13:00"],
    },
]


def _limit(rng: random.Random, longest: int) -> Json:
    return {
        "days": rng.randint(1, longest),
        "unit": rng.choice(["working_day", "working_day", "calendar_day"]),
    }


def make_centre(rng: random.Random) -> Json:
    base = rng.choices(["CN", "NL", "none"], [12, 2, 1])[0]
    zone = "Europe/Amsterdam" if base == "NL" else "Asia/Shanghai"
    seasons = NL_SEASONS if base == "NL" else CN_SEASONS
    around = [
        rng.choice(seasons) + timedelta(days=rng.randint(0, 40)) for _ in range(rng.choice([0, 2, 4, 8]))
    ]
    closed = {day for day in around if rng.random() < 0.6}
    working = {day for day in around if day not in closed}
    items: list[Json] = [
        {"code": "A-001", "name": "建设工程规划许可", "legal_limit": {"days": 20, "unit": "working_day"},
         "promised_limit": {"days": 7, "unit": "working_day"}, "supplement_limit": 5, "delivery_limit": 10},
        {"code": "B-001", "name": "户外广告设置", "legal_limit": {"days": 15, "unit": "calendar_day"},
         "promised_limit": {"days": 5, "unit": "calendar_day"}},
        {"code": "C-001", "name": "营业执照变更", "legal_limit": {"days": 3, "unit": "working_day"},
         "promised_limit": {"days": 1, "unit": "working_day"}, "supplement_limit": 5, "delivery_limit": 2},
        {"code": "E-001", "name": "备案"},
    ]  # fmt: skip
    for number in range(4):
        item: Json = {"code": f"R-{number:03}", "name": f"随机事项{number}"}
        if rng.random() < 0.85:
            item["legal_limit"] = _limit(rng, 12)
        if rng.random() < 0.7:
            item["promised_limit"] = _limit(rng, 10)
        if rng.random() < 0.7:
            item["supplement_limit"] = rng.randint(1, 6)
        if rng.random() < 0.6:
            item["delivery_limit"] = rng.randint(1, 6)
        if rng.random() < 0.7:
            item["stages"] = {stage: _limit(rng, 4) for stage in rng.sample(["review", "survey", "sign"], 2)}
        items.append(item)
    return {
        "centre": {
            "id": "530502",
            "name": "隆阳区政务服务中心",
            "timezone": zone,
            "office_hours": rng.choice(OFFICE_HOURS),
        },
        "calendar": {
            "base": base,
            "holidays": sorted(str(day) for day in closed),
            "workdays": sorted(str(day) for day in working),
        },
        "rules": {
            "time_limit": {
                "notice_before": rng.randint(1, 4),
                "deadline_at": rng.choice(["close", "midnight"]),
            }
        },
        "items": items,
        "windows": [{"id": f"A{number:02}", "name": f"{number}号窗口"} for number in range(1, 4)],
    }


@dataclass
class Maker:
    """Draws the events of one case."""

    rng: random.Random
    centre: Json
    calendar: Calendar
    case: str
    first: date
    sharp: datetime | None = None
    count: int = 0

    def __post_init__(self) -> None:
        self.item = self.rng.choice(self.centre["items"])["code"]
        self.item_everywhere = self.rng.random() < 0.9

    @property
    def zone(self) -> ZoneInfo:
        return self.calendar.zone

    def clock(self, day: date) -> datetime:
        """A time of that day, by preference one at which something happens."""
        close = self.calendar.deadline_moment(day)
        opening = self.calendar.opening(day)
        start = self.calendar.midnight_before(day)
        anywhere = start + timedelta(seconds=self.rng.randint(0, 86399))
        within = opening + timedelta(
            seconds=self.rng.randint(0, max(1, int((close - opening).total_seconds())))
        )
        sharp = self.rng.choice(
            [start, start + timedelta(seconds=1), start - timedelta(seconds=1), close, close - timedelta(seconds=1),
             close + timedelta(seconds=1), opening, close + timedelta(microseconds=1), within]
        )  # fmt: skip
        return self.rng.choices([within, anywhere, sharp], [5, 2, 3])[0]

    def later(self, moment: datetime, longest: int) -> datetime:
        if self.rng.random() < 0.12:
            return moment
        if self.rng.random() < 0.1:
            return moment + timedelta(seconds=self.rng.choice([1, 60, 3600, 7200]))
        day = moment.astimezone(self.zone).date() + timedelta(days=self.rng.randint(0, longest))
        return max(moment, self.clock(day))

    def text(self, moment: datetime) -> str:
        where = self.rng.choices([self.zone, UTC, ZoneInfo("Asia/Tokyo")], [8, 1, 1])[0]
        text = moment.astimezone(where).isoformat()
        return text.replace("+00:00", "Z") if self.rng.random() < 0.5 else text

    def event(self, kind: str, at: datetime, **data: Any) -> Json:
        self.count += 1
        event_id = (
            f"{self.case}-{self.count}"
            if self.rng.random() < 0.7
            else f"{self.rng.randint(0, 10**6)}-{self.case}"
        )
        made = {
            "event_id": event_id,
            "kind": kind,
            "occurred_at": self.text(at),
            "source": self.rng.choice(["approval", "approval", "approval", "backup"]),
            "centre": self.centre["centre"]["id"],
            "window": self.rng.choice(["A01", "A02", "A03"]),
            "case": self.case,
            "data": data,
        }
        if self.item_everywhere or kind in ("case.received", "case.accepted", "case.supplement_received"):
            made["item"] = self.item
        return made

    def explicit(self, start: datetime) -> Json:
        found: Json = {}
        for name in ("legal_deadline", "promised_deadline"):
            if self.rng.random() < 0.7:
                continue
            day = start.astimezone(self.zone).date() + timedelta(
                days=self.rng.choice([-3, 0, 0, 1, 2, 3, 5, 8, 9, 14, 25])
            )
            moment = self.rng.choices(
                [
                    self.clock(day),
                    self.calendar.midnight_before(day),
                    self.calendar.deadline_moment(day),
                    datetime.combine(day, time(23, 59, 59), self.zone),
                    datetime.combine(
                        day, time(self.rng.randint(0, 23), self.rng.choice([0, 0, 30])), self.zone
                    ),
                    start,
                ],
                [3, 3, 2, 1, 2, 1],
            )[0]
            found[name] = self.text(moment)
        return found

    def suspended(self, at: datetime) -> Json:
        data: Json = {"ground": self.rng.choice(GROUNDS)}
        if self.rng.random() < 0.65:
            data["days"] = self.rng.choice([1, 1, 2, 3, 5, 8])
        return self.event("case.suspended", at, **data)

    def extended(self, at: datetime) -> Json:
        days: Any = self.rng.choice([1, 1, 2, 3, 5, 10])
        if self.rng.random() < 0.04:
            days = self.rng.choice([0, -2, "3", 2.5, True])
        return self.event("case.extended", at, days=days, approver="王某", reason="情况复杂")

    def any_of(self, kind: str, at: datetime) -> Json:
        if kind == "case.accepted":
            return self.event(kind, at, **self.explicit(at))
        if kind == "case.suspended":
            return self.suspended(at)
        if kind == "case.extended":
            return self.extended(at)
        if kind == "case.decided":
            return self.event(kind, at, result=self.rng.choice(["granted", "granted", "denied"]))
        if kind == "case.refused":
            return self.event(kind, at, reason="不属本机关职权")
        if kind == "case.supplement_requested":
            return self.event(kind, at, materials=["身份证明"])
        if kind.startswith("case.stage_"):
            return self.event(kind, at, stage=self.rng.choice(["review", "survey", "sign"]))
        return self.event(kind, at)

    # -- stories

    def orderly(self) -> list[Json]:
        rng = self.rng
        now = self.clock(self.first)
        story: list[Json] = []
        if rng.random() < 0.6:
            story.append(self.event("case.received", now))
            for _ in range(rng.choice([0, 0, 1, 1, 2])):
                now = self.later(now, 7)
                story.append(self.any_of("case.supplement_requested", now))
                now = self.later(now, 9)
                story.append(self.event("case.supplement_received", now))
                if rng.random() < 0.2:
                    story.append(self.event("case.supplement_received", self.later(now, 4)))
            now = self.later(now, 9)
        if rng.random() < 0.1:
            story.append(self.suspended(self.later(now - timedelta(days=3), 3)))
        if rng.random() < 0.93:
            story.append(self.any_of("case.accepted", now))
        for _ in range(rng.choice([0, 1, 2, 3, 5])):
            now = self.later(now, 6)
            what = rng.random()
            if what < 0.5:
                story.append(self.suspended(now))
                if rng.random() < 0.3:
                    story.append(self.suspended(self.later(now, 3)))
                if rng.random() < 0.75:
                    now = self.later(now, 10)
                    story.append(self.event("case.resumed", now))
            elif what < 0.75:
                story.append(self.extended(now))
            else:
                stage = rng.choice(["review", "survey", "sign"])
                story.append(self.event("case.stage_started", now, stage=stage))
                if rng.random() < 0.8:
                    story.append(self.event("case.stage_finished", self.later(now, 8), stage=stage))
        if rng.random() < 0.8:
            now = self.later(now, rng.choice([2, 10, 30]))
            story.append(
                self.any_of(
                    rng.choice([*["case.decided"] * 5, "case.closed", "case.refused", "case.withdrawn"]), now
                )
            )
            if rng.random() < 0.25:
                story.append(
                    self.any_of(
                        rng.choice(
                            [
                                "case.closed",
                                "case.suspended",
                                "case.extended",
                                "case.accepted",
                                "case.resumed",
                            ]
                        ),
                        self.later(now, 5),
                    )
                )
            if rng.random() < 0.6:
                story.append(self.event("case.delivered", self.later(now, 14)))
        return story

    def heap(self) -> list[Json]:
        kinds = [
            *oracle.ORDER,
            "case.suspended",
            "case.suspended",
            "case.resumed",
            "case.extended",
            "case.received",
        ]
        span = self.rng.choice([3, 12, 30, 50])
        made = []
        if self.rng.random() < 0.7:
            made.append(self.any_of("case.accepted", self.clock(self.first)))
        moment = self.clock(self.first)
        for _ in range(self.rng.randint(2, 11)):
            kind = self.rng.choice(kinds)
            if kind in oracle.STOPS and self.rng.random() < 0.6:
                continue
            if self.rng.random() < 0.75:
                moment = self.clock(self.first + timedelta(days=self.rng.randint(0, span)))
            made.append(self.any_of(kind, moment))
        return made

    def sharpen(self, story: list[Json]) -> list[Json]:
        """Add events exactly at, or a moment beside, the deadlines that the referee finds."""
        kinds = ["case.suspended", "case.suspended", "case.extended", "case.extended", "case.resumed", "case.resumed",
                 "case.decided", "case.accepted", "case.supplement_requested", "case.delivered", "case.withdrawn",
                 "case.supplement_received"]  # fmt: skip
        for _ in range(self.rng.randint(1, 3)):
            rows = oracle.judge(
                self.centre, [json.dumps(event) for event in story], datetime(2031, 1, 1, tzinfo=UTC)
            )
            moments = sorted({row["due_at"] for row in rows})
            if not moments:
                break
            beside = self.rng.choice([0, 0, 0, 1, -1, 3600, -7200])
            self.sharp = self.rng.choice(moments)
            at = self.sharp + timedelta(seconds=beside)
            elsewhere = self.rng.random()
            if elsewhere < 0.25:
                # The same time of day on a date before: where an explicit deadline divides days.
                at -= timedelta(days=self.rng.randint(1, 6))
            elif elsewhere < 0.4:
                at = datetime.fromisoformat(self.rng.choice(story)["occurred_at"])
            kind = self.rng.choice(kinds)
            if self.rng.random() < 0.5:
                # What ends a case comes later than everything else otherwise: move it rather than add it.
                stops = [event for event in story if event["kind"] in oracle.STOPS]
                if stops:
                    self.rng.choice(stops)["occurred_at"] = self.text(at)
                    continue
            story.append(self.any_of(kind, at))
        return story


def _spoil(rng: random.Random, lines: list[str]) -> list[str]:
    """Repeat lines, contradict them, and put lines between them that are no events at all."""
    spoilt = list(lines)
    for line in lines:
        event = json.loads(line)
        draw = rng.random()
        if draw < 0.04:
            spoilt.insert(rng.randint(0, len(spoilt)), line)
        elif draw < 0.06:
            event["occurred_at"] = (
                datetime.fromisoformat(event["occurred_at"]) + timedelta(days=rng.randint(-3, 3), seconds=1)
            ).isoformat()
            spoilt.insert(rng.randint(0, len(spoilt)), json.dumps(event, ensure_ascii=False))
        elif draw < 0.07:
            event["source"] = "mirror"
            spoilt.insert(rng.randint(0, len(spoilt)), json.dumps(event, ensure_ascii=False))
    if rng.random() < 0.1:
        spoilt.insert(rng.randint(0, len(spoilt)), '{"event_id": "broken", "kind":')
    return spoilt


def make(seed: int, cases: int = 30) -> tuple[Json, list[str], datetime | None]:
    """One centre (plain dict), the lines of its event file, and `until`."""
    rng = random.Random(seed)
    centre = make_centre(rng)
    calendar = Calendar(centre)
    seasons = NL_SEASONS if calendar.base == "NL" else CN_SEASONS
    season = rng.choice(seasons)
    if calendar.base == "CN" and rng.random() < 0.2:
        season = date(2003, 11, 20) + timedelta(days=rng.randint(0, 8800))
        if date(2005, 8, 1) < season < date(2006, 1, 10):
            # Around 2005-12-31, the one date on which the two published calendars disagree (see README.md).
            season += timedelta(days=200)
    lines: list[str] = []
    sharp: list[datetime] = []
    for number in range(cases):
        first = season + timedelta(days=rng.randint(0, 14))
        maker = Maker(rng, centre, calendar, f"case-{seed}-{number}", first)
        story = maker.orderly() if rng.random() < 0.6 else maker.heap()
        if rng.random() < 0.5:
            story = maker.sharpen(story)
        if maker.sharp is not None:
            sharp.append(maker.sharp)
        lines += [json.dumps(event, ensure_ascii=False) for event in story]
    if rng.random() < 0.6:
        rng.shuffle(lines)
    lines = _spoil(rng, lines)
    until: datetime | None = None
    draw = rng.random()
    if draw < 0.25:
        until = calendar.deadline_moment(season + timedelta(days=rng.randint(5, 60)))
    elif draw < 0.45 and sharp:
        until = rng.choice(sharp) + timedelta(seconds=rng.choice([0, 0, 1]))
    elif draw < 0.8:
        until = datetime(season.year + 1, 12, 30, 4, tzinfo=UTC)
    return centre, lines, until
