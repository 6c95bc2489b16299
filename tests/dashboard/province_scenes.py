"""Invented provinces for tests and pictures: 145 centres on a morning."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from benchmarks.province import divisions, make_centre
from dashboard.demo_snapshot import BEATS, absence_finding, case_finding
from dashboard.facts import Totals
from dashboard.province import CentreFacts, ProvinceSnapshot
from dashboard.province_view import blank_facts
from domain.centre import Centre
from domain.centres import Centres

Scene = Callable[[Centres, datetime], ProvinceSnapshot]


def province(count: int = 145, windows: int = 62) -> Centres:
    rows = list(divisions())[:count]
    return Centres(Centre.model_validate(make_centre(code, name, windows=windows)) for code, name in rows)


def well(centres: Centres, now: datetime) -> ProvinceSnapshot:
    """Nothing is wrong anywhere."""
    facts = tuple(
        replace(each, rules_silent=1.0, heard_at=now - timedelta(seconds=2 + index % 9))
        for index, each in enumerate(blank_facts(centres))
    )
    return ProvinceSnapshot(
        now, time.time(), facts, Totals(received=18240, accepted=17011, closed=12377, open=401233), BEATS
    )


def morning(centres: Centres, now: datetime) -> ProvinceSnapshot:
    """Some of everything: 5 red, 18 yellow, 25 with notices, a few that cannot be known."""
    rng = random.Random(7)
    calm = well(centres, now)
    facts = list(calm.centres)
    places = list(range(len(facts)))
    rng.shuffle(places)

    def at(kind: int) -> int:
        return places[kind % len(places)]

    for n in range(5):
        i = at(n)
        late = now - timedelta(hours=3 + n)
        worst = (
            absence_finding("C21", "red", now - timedelta(minutes=4 + n), 30)
            if n % 2
            else case_finding(
                "B09", f"{facts[i].code}-2026-{110023 + n}", "time_limit.legal", "red", late, now
            )
        )
        facts[i] = replace(
            facts[i],
            red=5 - n,
            yellow=rng.randint(0, 9),
            notice=rng.randint(0, 9),
            unknown=rng.randint(0, 3),
            worst=worst,
        )
    for n in range(5, 23):
        i = at(n)
        due = now - timedelta(hours=20 + n)
        worst = case_finding(
            "A03", f"{facts[i].code}-2026-{220023 + n}", "time_limit.promised", "yellow", due, now
        )
        facts[i] = replace(facts[i], yellow=rng.randint(1, 9), notice=rng.randint(0, 9), worst=worst)
    for n in range(23, 48):
        i = at(n)
        worst = case_finding("D31", f"{n}", "time_limit.notice", "notice", now + timedelta(hours=9), now)
        facts[i] = replace(facts[i], notice=rng.randint(1, 9), worst=worst)
    facts[at(48)] = replace(facts[at(48)], rules_silent=412.0)
    facts[at(49)] = replace(facts[at(49)], unknown=40)
    facts[at(50)] = replace(facts[at(50)], heard_at=None)
    facts[at(51)] = replace(facts[at(51)], silent_feeds=2, heard_at=now - timedelta(hours=2))
    facts[at(0)] = replace(facts[at(0)], rules_silent=65.0)
    for n in range(52, 55):
        facts[at(n)] = replace(facts[at(n)], open_now=False)
    totals = replace(calm.totals, overdue=71, red=15, yellow=97, notice=188, messages=1290, dead=4)
    return replace(calm, centres=tuple(facts), totals=totals)


class FakeProvince:
    """A source whose next snapshot a test says."""

    def __init__(self, make: Callable[[datetime], ProvinceSnapshot]) -> None:
        self.make, self.reads = make, 0

    def wait(self, seconds: float) -> bool:
        time.sleep(0.05)
        return True

    def read(self, now: datetime) -> ProvinceSnapshot:
        self.reads += 1
        return self.make(now)

    def close(self) -> None:
        pass


def changed(facts: CentreFacts, **values: object) -> CentreFacts:
    return replace(facts, **values)  # type: ignore[arg-type]
