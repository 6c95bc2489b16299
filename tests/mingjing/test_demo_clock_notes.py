"""The demo's time goes on where it stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from domain.working_time import Calendar
from mingjing.demo.command import CLOCK_NOTED_EVERY, ClockNotes, demo_children
from mingjing.processes import PROCESSES
from mingjing.supervisor import Supervisor

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar("CN", [], [], ZONE, {0: [(540, 1020)]})
SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=ZONE).timestamp()


def notes(folder: Path, real: float) -> ClockNotes:
    return ClockNotes(folder / "demo.json", CALENDAR, real=lambda: real)


def test_the_first_start_is_the_morning_of_the_last_working_day(tmp_path):
    assert notes(tmp_path, SUNDAY).go_on(60).now() == datetime(2026, 11, 20, 8, 50, tzinfo=ZONE)


def test_no_simulated_time_passes_while_the_demo_is_off(tmp_path):
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=ZONE)
    first = notes(tmp_path, SUNDAY)
    first.go_on(60)
    first.save(noon, clean=True)
    assert notes(tmp_path, SUNDAY + 86400).go_on(60).now() == noon


def test_after_a_crash_it_goes_on_later_than_it_can_have_been(tmp_path):
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=ZONE)
    first = notes(tmp_path, SUNDAY)
    first.go_on(60)
    first.save(noon)
    assert notes(tmp_path, SUNDAY + 60).go_on(60).now() == noon + timedelta(seconds=60 * CLOCK_NOTED_EVERY)


def test_another_speed_goes_on_from_the_same_moment(tmp_path):
    noon = datetime(2026, 11, 20, 12, 0, tzinfo=ZONE)
    first = notes(tmp_path, SUNDAY)
    first.go_on(60)
    first.save(noon, clean=True)
    clock = notes(tmp_path, SUNDAY).go_on(5)
    assert (clock.now(), clock.speed) == (noon, 5)


def test_a_damaged_note_is_a_first_start(tmp_path):
    (tmp_path / "demo.json").write_text("{")
    assert notes(tmp_path, SUNDAY).go_on(60).now() == datetime(2026, 11, 20, 8, 50, tzinfo=ZONE)


def test_the_demo_runs_every_process_there_is():
    names = {child.name for child in demo_children()}
    assert names == set(PROCESSES) | {"migrate"}
    Supervisor(demo_children(), spawn=lambda child: None)
