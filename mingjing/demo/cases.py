"""Whole lives of invented cases, as a pure function of the day they begin.

The history and the live day are the same events: the history is what happened before the demo began, the live day is
what happens from then on. So a restart needs to remember nothing but how far it got, and every event keeps its id.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from domain.centre import Centre, Item
from domain.events import Event
from domain.working_time import Calendar
from mingjing.demo.incidents import SOURCE, late_case_events

SEED = 530502
#: A case's last event comes at most this many calendar days after its first (the longest item plus its suspensions).
LONGEST_LIFE = 90
#: Share of a day's cases that arrive in each hour from nine: two peaks, a quiet noon.
ARRIVALS = (14, 22, 17, 5, 6, 14, 15, 7)
OPENS = 9
#: Cases a day at each window of the first twelve, and the items it handles. Together about a hundred.
DESKS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (11, ("SC-001",)),
    (14, ("SC-002",)),
    (5, ("SC-003", "SC-003", "SC-004")),
    (14, ("ZR-001",)),
    (7, ("ZR-002",)),
    (4, ("ZR-003",)),
    (9, ("ZJ-001", "ZJ-001", "ZJ-001", "ZJ-003")),
    (4, ("ZJ-002",)),
    (16, ("RS-001", "RS-001", "RS-002")),
    (4, ("RS-003", "RS-004")),
    (5, ("WJ-002",)),
    (8, ("WJ-001", "WJ-001", "WJ-003")),
)
GROUNDS = (("expert_review", "专家评审"), ("inspection", "检验"), ("testing", "检测"), ("hearing", "听证"))
MATERIALS = ("身份证明", "场所使用证明", "平面布置图", "法定代表人签字页", "授权委托书")


class World:
    """The invented centre: everything about one day follows from the centre file, the day and the seed.

    Args:
        centre: its windows are served in their order, twelve kinds of desk in turn.
    """

    def __init__(self, centre: Centre, seed: int = SEED) -> None:
        self.centre, self.seed = centre, seed
        self.calendar: Calendar = centre.working_time
        self.zone = centre.zone
        self.items = {item.code: item for item in centre.items}
        self.cases_of = lru_cache(maxsize=200)(self._cases_of)
        self.late_cases_of = lru_cache(maxsize=200)(self._late_cases_of)

    # -- working days ----------------------------------------------------------------------------------------------

    def is_working(self, day: date) -> bool:
        return self.calendar.is_working(day.toordinal())

    def after(self, day: date, count: int) -> date:
        """The working day ``count`` working days after (or before, if negative) a day."""
        step = timedelta(days=1 if count > 0 else -1)
        while count:
            day += step
            if self.is_working(day):
                count -= 1 if count > 0 else -1
        return day

    def moment(self, day: date, hour: float) -> datetime:
        """A moment of a day, in hours since midnight."""
        return datetime.combine(day, datetime.min.time(), self.zone) + timedelta(hours=hour)

    # -- events ----------------------------------------------------------------------------------------------------

    def _cases_of(self, day: date) -> tuple[Event, ...]:
        """All events of the cases that begin on a day, whenever they happen, in order."""
        if not self.is_working(day):
            return ()
        rng = random.Random(f"{self.seed}:{day.isoformat()}")  # noqa: S311 - a believable day, not a secret
        events: list[Event] = []
        serial = 0
        for number, window in enumerate(self.centre.windows):
            busy, codes = DESKS[number % len(DESKS)]
            known = [code for code in codes if code in self.items]
            if not known:
                continue
            for _ in range(max(1, round(rng.gauss(busy, busy**0.5 / 2)))):
                serial += 1
                case = f"{self.centre.centre.id}-{day:%Y%m%d}-{serial:04d}"
                life = _Life(self, rng, case, window.id, rng.choice(window.staff or [""]))
                events += life.events(self.items[rng.choice(known)], day)
        return tuple(sorted(events, key=_when))

    def _late_cases_of(self, day: date) -> tuple[Event, ...]:
        """The cases accepted on a day for the incidents of the next; of days that were played, not of the history."""
        if not self.is_working(day):
            return ()
        return tuple(sorted(late_case_events(self.centre, day, self.after(day, 1), DESKS), key=_when))

    def between(self, after: datetime, until: datetime) -> list[Event]:
        """Events of all cases with ``after < occurred_at <= until``, in order."""
        day, last = (
            (after - timedelta(days=LONGEST_LIFE)).astimezone(self.zone).date(),
            until.astimezone(self.zone).date(),
        )
        found: list[Event] = []
        while day <= last:
            for events in (self.cases_of(day), self.late_cases_of(day)):
                low = bisect_right(events, after, key=_when)
                high = bisect_right(events, until, key=_when)
                found += events[low:high]
            day += timedelta(days=1)
        return sorted(found, key=_when)

    def history(self, until: datetime, days: int) -> Iterator[list[Event]]:
        """The cases that began on each of the last ``days`` working days before that of ``until``, newest day first:
        what has happened to them up to ``until``."""
        day = until.astimezone(self.zone).date()
        for number in range(days):
            day = self.after(day, -1)
            events = self.cases_of(day) + (self.late_cases_of(day) if number == 0 else ())
            yield [event for event in events if event.occurred_at <= until]


def _when(event: Event) -> datetime:
    return event.occurred_at


class _Life:
    """Tells the life of one case."""

    def __init__(self, world: World, rng: random.Random, case: str, window: str, staff: str) -> None:
        self.world, self.rng, self.case, self.window, self.staff = world, rng, case, window, staff
        self.told: list[Event] = []
        self.item = ""

    def tell(self, kind: str, at: datetime, **data: Any) -> None:
        self.told.append(
            Event(
                event_id=f"{self.case}-{len(self.told):02d}",
                kind=kind,
                occurred_at=at.astimezone(UTC),
                source=SOURCE,
                centre=self.world.centre.centre.id,
                window=self.window,
                case=self.case,
                item=self.item,
                staff=self.staff or None,
                data=data,
            )
        )

    def events(self, item: Item, day: date) -> list[Event]:
        self.item = item.code
        hour = OPENS + self.rng.choices(range(len(ARRIVALS)), ARRIVALS)[0] + self.rng.random()
        at = self.world.moment(day, min(hour, 16.1))
        self.tell("case.received", at)
        if item.promised_limit is None:
            return self.on_the_spot(at)
        return self.promised(item, item.promised_limit.days, at)

    def on_the_spot(self, at: datetime) -> list[Event]:
        """即办件: in and out within the hour."""
        at += timedelta(minutes=self.rng.uniform(1, 5))
        self.tell("case.accepted", at, type="immediate", receipt_no=f"SL-{self.case}")
        at += timedelta(minutes=self.rng.uniform(6, 40))
        self.tell("case.decided", at, result="granted")
        self.tell("case.closed", at + timedelta(seconds=40))
        self.tell("case.delivered", at + timedelta(minutes=2))
        self.rated(at + timedelta(minutes=3))
        return self.told

    def promised(self, item: Item, limit: int, at: datetime) -> list[Event]:
        """承诺件: days to weeks, most of them well inside the promise."""
        at = self.supplemented(at)
        at += timedelta(minutes=self.rng.uniform(10, 50))
        if self.rng.random() < 0.01:
            self.tell("case.refused", at, reason="不属于本机关职权范围", receipt_no=f"BY-{self.case}")
            return self.told
        self.tell("case.accepted", at, type="commitment", receipt_no=f"SL-{self.case}")
        start = at.astimezone(self.world.zone).date()

        luck = self.rng.random()
        if luck < 0.975:
            days = self.rng.randint(1, max(1, limit - 3))
        elif luck < 0.992:
            days = self.rng.randint(limit - 1, limit)
        else:
            days = limit + 1  # late, and closed the next morning
        pause = self.suspended(start, days) if luck < 0.975 and self.rng.random() < 0.08 else 0
        more = self.extended(start, days, pause) if luck < 0.975 and self.rng.random() < 0.04 else 0
        last = self.world.after(start, days + pause + more)

        self.stages(item, at, start, days, pause + more)
        hour = self.rng.uniform(9.2, 11.5) if days > limit else self.rng.uniform(9.5, 16.0)
        at = self.world.moment(last, hour)
        if self.rng.random() < 0.03:
            self.tell("case.withdrawn", at)
            return self.told
        granted = self.rng.random() < 0.96
        if granted:
            self.tell("case.decided", at, result="granted")
        else:
            self.tell("case.decided", at, result="denied", reason="不符合法定条件")
        self.tell("case.closed", at + timedelta(minutes=1))
        if granted:
            after = self.world.after(last, self.rng.randint(1, 4))
            self.tell("case.delivered", self.world.moment(after, self.rng.uniform(9.3, 16.4)))
        self.rated(at + timedelta(minutes=20))
        return self.told

    def supplemented(self, at: datetime) -> datetime:
        """One-time notice of everything missing (补正), and the applicant's answer days later."""
        if self.rng.random() >= 0.08:
            return at
        at += timedelta(minutes=self.rng.uniform(8, 25))
        self.tell(
            "case.supplement_requested", at, materials=self.rng.sample(MATERIALS, self.rng.randint(1, 3))
        )
        day = self.world.after(at.astimezone(self.world.zone).date(), self.rng.randint(1, 4))
        at = self.world.moment(day, self.rng.uniform(9.2, 16.0))
        self.tell("case.supplement_received", at)
        return at

    def suspended(self, start: date, days: int) -> int:
        """Special procedure (特别程序) with its written notice; the days it takes off the clock."""
        ground, _ = self.rng.choice(GROUNDS)
        announced = self.rng.randint(3, 6)
        # A notice whose announced days are used up without a resumption is rare, and a finding.
        taken = announced if self.rng.random() < 0.9 else announced + 1
        first = self.world.after(start, min(days, self.rng.randint(1, 2)))
        number = f"特程〔{first.year}〕{self.rng.randint(1, 999)}号"
        self.tell(
            "case.suspended", self.world.moment(first, self.rng.uniform(9.2, 16)), ground=ground, days=announced, notice_no=number
        )  # fmt: skip
        end = self.world.after(first, taken - 1)
        hour = 9.5 if taken > announced else 16.5
        self.tell("case.resumed", self.world.moment(end, hour))
        return taken

    def extended(self, start: date, days: int, pause: int) -> int:
        """An extension (延期) in good time, approved and told to the applicant."""
        more = self.rng.randint(2, 4)
        at = self.world.moment(self.world.after(start, days + pause), 9.1)
        self.tell("case.extended", at, days=more, approver=f"h-{self.window}", reason="案情复杂，经批准延长")
        return more

    def stages(self, item: Item, accepted: datetime, start: date, days: int, paused: int) -> None:
        """Steps one after the other, each inside its own limit."""
        names = list(item.stages)
        if not names or days < len(names):
            return
        at, share = accepted + timedelta(minutes=5), days // len(names)
        done = 0
        for number, name in enumerate(names):
            self.tell("case.stage_started", at, stage=name)
            done += share
            # The special procedure and an extension lie in the last step.
            rest = paused if number == len(names) - 1 else 0
            end = self.world.moment(self.world.after(start, min(done, days) + rest), 9.15)
            self.tell("case.stage_finished", max(at, end), stage=name)
            at = max(at, end) + timedelta(minutes=5)

    def rated(self, at: datetime) -> None:
        if self.rng.random() < 0.3:
            level = self.rng.choices((1, 2, 3, 4, 5), (70, 22, 6, 1.5, 0.5))[0]
            self.tell("rating.given", at, level=level, channel="counter")
            if level >= 4:
                self.made_good(at)

    def made_good(self, at: datetime) -> None:
        """差评整改: spoken to the same or the next day, put right within days."""
        day = self.world.after(at.astimezone(self.world.zone).date(), 1)
        self.tell("rating.contacted", self.world.moment(day, 9.2 + len(self.told) / 100))
        day = self.world.after(day, self.rng.randint(1, 6))
        self.tell("rating.fixed", self.world.moment(day, 15.5 + len(self.told) / 100))
