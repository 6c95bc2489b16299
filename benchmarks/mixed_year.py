"""A year of a centre, drawn: what every system sends, mixed as it arrives. The same for one seed.

Of a hundred cases some thirty are rated, twenty-five sent back for a supplement, two complained of, one sent to an
intermediary; half begin with a ticket. Staff, clocks, windows and tenders are as many as that number of cases needs. A part of it
is not as it should be: one event in five is late, two cases in a hundred are made up in the evening after (all at one
terminal, stages of no length), one line in a hundred comes twice, some lines are broken or contradict an earlier one.
"""

from __future__ import annotations

import heapq
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

CODE = "530502"
BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
ZONE = timezone(timedelta(hours=8))
#: As late as a source may deliver.
LATE = timedelta(days=7)
CENTRE: dict[str, Any] = {
    "centre": {"id": CODE},
    "items": [
        {"code": "A-001", "legal_limit": {"days": 20}, "promised_limit": {"days": 7},
         "stages": {"review": {"days": 3}, "sign": {"days": 2}}, "fees": []},
        {"code": "A-002", "legal_limit": {"days": 45, "unit": "calendar_day"}, "promised_limit": {"days": 15},
         "supplement_limit": 15, "delivery_limit": 10, "stages": {"review": {"days": 5}, "survey": {"days": 10}}},
        {"code": "A-003", "promised_limit": {"days": 1}, "case_type": "immediate"},
    ],
    "windows": [{"id": f"A{number:02}"} for number in range(1, 13)],
}  # fmt: skip
FAMILIES = (
    "time", "procedure", "fees", "both_doors", "truthfulness", "ratings", "complaints", "intermediaries", "trading",
    "attendance",
)  # fmt: skip
#: Cases that one person handles in a year.
A_PERSON = 2_500

#: When it arrives, and what it says.
Told = tuple[datetime, dict[str, Any]]


@dataclass(slots=True)
class Story:
    """Draws the events of one case, tender or day."""

    rng: random.Random
    name: str
    now: datetime
    source: str = "approval"
    case: str | None = None
    window: str | None = None
    item: str | None = None
    staff: str | None = None
    #: When all of it was keyed in, where it was made up afterwards.
    entered: datetime | None = None
    count: int = 0

    def later(self, hours: float) -> None:
        self.now += timedelta(hours=self.rng.uniform(0.1, hours))

    def event(self, kind: str, **data: Any) -> Told:
        self.count += 1
        late = self.rng.random()
        # Most come at once, some with the nightly feed, some days later.
        delay = timedelta(minutes=1) if late < 0.8 else late * LATE if late > 0.95 else timedelta(hours=12)
        entered = self.entered or self.now + timedelta(minutes=self.rng.randint(0, 9))
        row = {
            "event_id": f"{self.name}-{self.count}", "kind": kind, "occurred_at": text(self.now), "entered_at": text(entered),
            "source": self.source, "centre": CODE, "window": self.window, "case": self.case, "item": self.item,
            "staff": self.staff, "data": data,
        }  # fmt: skip
        return max(self.now, entered) + delay, {key: value for key, value in row.items() if value is not None}


def tell_case(story: Story) -> Iterator[Told]:
    rng = story.rng
    if rng.random() < 0.02:
        yield from _made_up(story)
        return
    if rng.random() < 0.5:
        ticket = rng.randint(1, 400)
        yield story.event("queue.ticket_issued", ticket=ticket)
        story.later(0.5)
        yield story.event("queue.called", ticket=ticket)
        yield story.event("queue.served", ticket=ticket)
    yield story.event(
        "case.received", materials=["申请表", "身份证明"], channel=rng.choice(("window", "online"))
    )
    if rng.random() < 0.25:
        story.later(150)
        yield story.event("case.supplement_requested", materials=["场地证明"])
        story.later(200)
        yield story.event("case.supplement_received", materials=["场地证明"])
    story.later(60)
    if rng.random() < 0.05:
        yield story.event("case.refused", reason="不属本机关职权", receipt_no=f"B{story.case}")
        return
    deadlines = {}
    if rng.random() < 0.1:
        deadlines = {"legal_deadline": text(story.now + timedelta(days=rng.randint(5, 40)))}
    yield story.event("case.accepted", receipt_no=f"R{story.case}", **deadlines)
    if rng.random() < 0.01:
        yield from _commission(story)
    for stage in ("review", "sign" if story.item == "A-001" else "survey"):
        story.later(50)
        yield story.event("case.stage_started", stage=stage)
        if rng.random() < 0.1:
            story.later(40)
            yield story.event(
                "case.suspended", ground=rng.choice(("hearing", "inspection")), days=10, notice_no="N1"
            )
            story.later(300)
            yield story.event("case.resumed")
        story.later(120)
        yield story.event("case.stage_finished", stage=stage)
    if rng.random() < 0.06:
        yield story.event("case.extended", days=10, approver="王某", reason="情况复杂", notice_no="N2")
    if rng.random() < 0.03:
        return  # never decided
    story.later(100)
    if rng.random() < 0.08:
        yield story.event("case.decided", result="denied", reason="不符合法定条件")
    else:
        yield story.event("case.decided", result="granted")
        if rng.random() < 0.3:
            yield story.event("fee.charged", amount="80.00", basis="发改价格〔2017〕1", name="工本费")
        story.later(120)
        yield story.event("certificate.issued", certificate_no=f"Z{story.case}")
        yield story.event("case.delivered")
    story.later(2)
    yield story.event("case.closed")
    if rng.random() < 0.3:
        yield from _rating(story)
    if rng.random() < 0.02:
        yield from _complaint(story)


def _made_up(story: Story) -> Iterator[Told]:
    """Entered on one evening, weeks after it is said to have happened."""
    evening = (story.now.astimezone(ZONE) + timedelta(days=21)).replace(hour=20, minute=0, second=0)
    story.entered = evening + timedelta(minutes=story.rng.randint(0, 9))
    story.staff = "S1"
    yield story.event("case.received", materials=["申请表"], channel="window")
    yield story.event("case.accepted", receipt_no=f"R{story.case}")
    for stage in ("review", "sign" if story.item == "A-001" else "survey"):
        yield story.event("case.stage_started", stage=stage)
        yield story.event("case.stage_finished", stage=stage)
    story.later(40)
    yield story.event("case.decided", result="granted")
    yield story.event("case.closed")


def _rating(story: Story) -> Iterator[Told]:
    story.later(40)
    level = story.rng.choice((1, 1, 1, 2, 2, 3, 4, 5))
    yield story.event("rating.given", level=level, channel="window")
    if level > 3 and story.rng.random() < 0.7:
        story.later(30)
        yield story.event("rating.contacted")
        story.later(200)
        yield story.event("rating.fixed")


def _complaint(story: Story) -> Iterator[Told]:
    story.later(200)
    yield story.event("complaint.opened", complaint=f"H{story.case}", type="slow")
    story.later(40)
    yield story.event("complaint.assigned", complaint=f"H{story.case}", unit="审批科")
    if story.rng.random() < 0.1:
        yield story.event("complaint.extended", complaint=f"H{story.case}", days=5, approver="王某")
    if story.rng.random() < 0.95:
        story.later(220)
        yield story.event("complaint.answered", complaint=f"H{story.case}")
        yield story.event("complaint.closed", complaint=f"H{story.case}")


def _commission(story: Story) -> Iterator[Told]:
    name = f"M{story.case}"
    yield story.event(
        "commission.started", commission=name, intermediary="某测绘公司", service="测绘", days=10,
        ordered_by="applicant", paid_by="applicant", designated=story.rng.random() < 0.05,
    )  # fmt: skip
    begun = story.now
    story.later(400)
    yield story.event("commission.delivered", commission=name)
    story.now = begun


def tell_day(rng: random.Random, day: datetime, staff: int) -> Iterator[Told]:
    """Clocks and windows of one date: 08:50 to 17:05, now and then late or forgotten; some are on leave."""
    local = day.astimezone(ZONE).replace(hour=0, minute=0, second=0)
    if local.weekday() > 4:
        return
    for number in range(1, staff + 1):
        name = f"S{number}"
        story = Story(rng, f"{local:%m%d}-{name}", local, "attendance", staff=name)
        if rng.random() < 0.02:
            date = local.date().isoformat()
            yield story.event("leave.granted", **{"from": date, "to": date})
            continue
        for kind, hour, minute in (("in", 8, 50), ("out", 12, 3), ("in", 13, 25), ("out", 17, 5)):
            if rng.random() > 0.01:
                story.now = local + timedelta(
                    hours=hour, minutes=minute + rng.randint(-3, 3) + 12 * (rng.random() < 0.02)
                )
                yield story.event(f"attendance.clock_{kind}")
    for number in range(1, min(staff, 12) + 1):
        window = f"A{number:02}"
        story = Story(rng, f"{local:%m%d}-{window}", local + timedelta(hours=9), "queue", window=window)
        yield story.event("window.opened")
        story.now = local + timedelta(hours=17)
        yield story.event("window.closed")


def tell_tender(story: Story) -> Iterator[Told]:
    """A few bids, in one tender of ten two of them from one machine."""
    bidders = story.rng.randint(3, 6)
    same = story.rng.random() < 0.1
    for number in range(bidders):
        story.later(20)
        machine = 0 if same and number < 2 else number
        yield story.event(
            "bid.submitted", tender=story.name, bidder=f"投标人{story.rng.randint(1, 500)}", ip=f"39.130.{len(story.name)}.{machine + 1}",
            mac=f"{story.name}-{machine}", price=str(1_000_000 + story.rng.randint(0, 90_000)),
        )  # fmt: skip


def _spoil(rng: random.Random, line: str) -> str | None:
    """What also arrives: a line that cannot be read, or one that says something else under a name already used."""
    drawn = rng.random()
    if drawn > 0.004:
        return None
    if drawn < 0.001:
        return line[: len(line) // 2]
    if drawn < 0.002:
        return line.replace("+08:00", "")
    return line.replace('"A-001"', '"A-002"')


def draw_year(cases: int, seed: int) -> Iterator[str]:
    """The lines of a year in order of arrival."""
    rng = random.Random(seed)
    waiting: list[tuple[datetime, int, str]] = []
    number = 0
    staff = max(3, cases // A_PERSON)
    day = BEGIN
    for case in range(cases):
        begun = BEGIN + YEAR * case / cases
        while waiting and waiting[0][0] < begun:
            yield heapq.heappop(waiting)[2]
        name = f"2025{case:07}"
        told = [
            *tell_case(
                Story(
                    rng, name, begun, case=name, window=f"A{rng.randint(1, 12):02}",
                    item=rng.choice(("A-001", "A-001", "A-002", "A-003")), staff=f"S{rng.randint(1, staff)}",
                )
            )
        ]  # fmt: skip
        if not case % 500:
            told += tell_tender(Story(rng, f"T{case}", begun, "trading"))
        if begun >= day:
            told += tell_day(rng, day, staff)
            day += timedelta(days=1)
        for arrival, row in told:
            line = json.dumps(row, ensure_ascii=False)
            spoilt = _spoil(rng, line)
            for again, each in enumerate((line, *([line] if rng.random() < 0.01 else []), spoilt)):
                if each is not None:
                    number += 1
                    heapq.heappush(waiting, (arrival + bool(again) * LATE * rng.random(), number, each))
    while waiting:
        yield heapq.heappop(waiting)[2]


def text(moment: datetime) -> str:
    return moment.astimezone(ZONE).replace(microsecond=0).isoformat()


__all__ = ["CENTRE", "CODE", "FAMILIES", "draw_year"]
