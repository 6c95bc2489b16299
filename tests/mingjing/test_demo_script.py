"""The script before the simulated cameras."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.centre import Centre
from mingjing.demo.centre import make_centre
from mingjing.demo.incidents import AWAY, TROUBLES
from mingjing.demo.script import DemoScript

ZONE = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> DemoScript:
    return DemoScript(Centre.model_validate(make_centre(12, (), tmp_path_factory.mktemp("demo"))))


def at(hour: float) -> datetime:
    return datetime(2026, 11, 20, tzinfo=ZONE) + timedelta(hours=hour)


def absences(script: DemoScript, window: str, day: date = date(2026, 11, 20)) -> list[int]:
    """Lengths in minutes of the window's absences between half past nine and five."""
    start = datetime(day.year, day.month, day.day, 9, 30, tzinfo=ZONE)
    lengths, run = [], 0
    for minute in range(450):
        if script.present(window, start + timedelta(minutes=minute)):
            if run:
                lengths.append(run)
            run = 0
        else:
            run += 1
    return lengths


def test_the_incidents_are_long_enough_for_their_lights(script):
    assert max(absences(script, "A02")) >= 40
    assert 15 <= max(absences(script, "A10")) < 30
    assert 10 <= max(absences(script, "A12")) < 15


def test_everybody_else_is_away_for_less_than_the_first_threshold(script):
    desks = {away.desk for away in AWAY}
    quiet = [f"A{number + 1:02d}" for number in range(12) if number not in desks]
    breaks = [length for window in quiet for length in absences(script, window)]
    assert breaks
    assert max(breaks) < 10


def test_the_wall_is_quiet_when_a_visitor_first_looks(script):
    assert all(script.present(f"A{number:02d}", at(9.25)) for number in range(1, 13))


def test_nobody_is_there_before_and_after_hours(script):
    assert not any(script.present("A01", at(hour)) for hour in (7, 8.5, 17.2, 22))


def test_one_camera_fails_and_another_is_covered_and_both_come_back(script):
    seen = {
        camera: {script.trouble(camera, at(9.5 + minute / 60)) for minute in range(120)}
        for camera in ("C01", "C04", "C06")
    }
    assert seen == {"C01": {None}, "C04": {None, "fail"}, "C06": {None, "cover"}}


def test_the_answer_is_the_same_in_another_time_zone(script):
    moment = at(AWAY[0].leaves + 0.1)
    assert script.present("A02", moment) is script.present("A02", moment.astimezone(ZoneInfo("UTC"))) is False


def test_every_camera_of_the_incidents_exists(script):
    assert {trouble.camera for trouble in TROUBLES} <= set(range(6))
