"""The demo's clock: working days only, the same in every process."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from domain.errors import SettingsError
from domain.working_time import Calendar
from mingjing.clocks import WorkdayClock, latest_working_morning, make_clock
from mingjing.settings import load_settings

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar("CN", [], [], ZONE, {0: [(540, 1020)]})


def local(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZONE)


class Seconds:
    at = 5000.0

    def __call__(self) -> float:
        return self.at


def clock_from(start: datetime, seconds: Seconds, speed: float = 60) -> WorkdayClock:
    return WorkdayClock(
        seconds, real_start=5000.0, sim_start=start.timestamp(), speed=speed, calendar=CALENDAR
    )


def test_a_real_second_is_a_minute():
    seconds = Seconds()
    clock = clock_from(local(2026, 11, 20, 8, 50), seconds)
    seconds.at += 70
    assert clock.now() == local(2026, 11, 20, 10, 0)


def test_after_friday_evening_comes_monday_morning():
    seconds = Seconds()
    clock = clock_from(local(2026, 11, 20, 17, 9), seconds)
    seconds.at += 1.5
    assert clock.now() == local(2026, 11, 23, 8, 50, 30)


def test_a_holiday_is_passed_over_and_a_make_up_saturday_is_not():
    seconds = Seconds()
    clock = clock_from(local(2026, 9, 30, 17, 9), seconds)
    seconds.at += 1
    assert clock.now() == local(2026, 10, 8, 8, 50)
    seconds.at += 1 + 500 / 60 * 60 * 2
    assert clock.now().astimezone(ZONE).date() == date(2026, 10, 10)


def test_two_clocks_with_one_spec_agree_whenever_they_are_asked():
    early, late = Seconds(), Seconds()
    often, once = clock_from(local(2026, 11, 20, 8, 50), early), clock_from(local(2026, 11, 20, 8, 50), late)
    moments = []
    for _ in range(200):
        early.at += 97.3
        moments.append(often.now())
    late.at = early.at
    assert once.now() == moments[-1]
    assert moments == sorted(moments)


def test_a_start_at_night_is_the_next_morning():
    assert clock_from(local(2026, 11, 21, 3, 0), Seconds()).now() == local(2026, 11, 23, 8, 50)


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2026, 11, 22), (2026, 11, 20)),
        (date(2026, 10, 10), (2026, 10, 10)),
        (date(2028, 5, 5), (2026, 12, 31)),
    ],
)
def test_the_demo_begins_on_the_last_published_working_day(today, expected):
    assert latest_working_morning(CALENDAR, today) == local(*expected, 8, 50)


def test_its_text_form_gives_the_same_clock(tmp_path: Path):
    (tmp_path / "centre.yaml").write_text("centre: {id: '1', name: x}\nwindows: [{id: A01}]\n")
    seconds = Seconds()
    first = clock_from(local(2026, 11, 20, 16, 0), seconds)
    second = make_clock(load_settings(data=tmp_path, clock=first.spec), seconds)
    seconds.at += 600
    assert second.now() == first.now()


@pytest.mark.parametrize("spec", ["workdays:1:2", "workdays:a:b:c", "lunar:1:2:3"])
def test_a_wrong_text_form_is_refused(spec, tmp_path):
    with pytest.raises(SettingsError):
        make_clock(load_settings(data=tmp_path, clock=spec))
