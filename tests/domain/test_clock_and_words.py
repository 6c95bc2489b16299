"""The clock handed in; findings and observations as JSON."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.clock import Clock, FakeClock
from domain.errors import CentreFileError, EventError, SettingsError
from domain.findings import SEVERITIES, Finding, finding_id, finding_to_json
from domain.observations import Observation, observation_from_json, observation_to_json

MOMENT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_simulated_clock_runs_faster_from_its_own_start():
    real = [1000.0]
    clock = Clock.from_spec(f"sim:1000:{MOMENT.timestamp()}:60", lambda: real[0])
    assert clock.now() == MOMENT
    real[0] += 2
    assert clock.now() == MOMENT + timedelta(minutes=2)
    assert clock.real_seconds(timedelta(minutes=1)) == 1.0
    assert Clock.from_spec(clock.spec, lambda: real[0]).now() == clock.now()


def test_the_real_clock_is_the_default():
    assert Clock.from_spec("real", lambda: MOMENT.timestamp()).now() == MOMENT
    assert Clock.from_spec("").spec == "real"


@pytest.mark.parametrize("spec", ["fast", "sim:1:2", "sim:a:b:c", "sim:1:2:0", "sim:1:2:-1"])
def test_a_clock_that_cannot_be(spec):
    with pytest.raises(SettingsError):
        Clock.from_spec(spec)


def test_a_fake_clock_moves_when_told():
    clock = FakeClock(MOMENT)
    clock.advance(90)
    assert clock.now() == MOMENT + timedelta(seconds=90)
    clock.set(MOMENT)
    assert clock.now() == MOMENT


def test_a_finding_id_names_its_grounds():
    one = finding_id("c", "case:1", "time_limit.legal", "", MOMENT, MOMENT)
    china = MOMENT.astimezone(ZoneInfo("Asia/Shanghai"))
    assert finding_id("c", "case:1", "time_limit.legal", "", china, china) == one
    later = MOMENT + timedelta(seconds=1)
    others = {
        finding_id("d", "case:1", "time_limit.legal", "", MOMENT, MOMENT),
        finding_id("c", "case:2", "time_limit.legal", "", MOMENT, MOMENT),
        finding_id("c", "case:1", "time_limit.promised", "", MOMENT, MOMENT),
        finding_id("c", "case:1", "time_limit.legal", "x", MOMENT, MOMENT),
        finding_id("c", "case:1", "time_limit.legal", "", later, MOMENT),
        finding_id("c", "case:1", "time_limit.legal", "", MOMENT, later),
    }
    assert len(others - {one}) == 6


def test_a_finding_is_written_with_the_centres_offset():
    finding = Finding("f", "time_limit.legal", "red", "c", MOMENT, due_at=MOMENT, explain={"a": 1})
    row = finding_to_json(finding, ZoneInfo("Asia/Shanghai"))
    assert (row["opened_at"], row["closed_at"]) == ("2026-03-02T17:00:00+08:00", None)
    assert "revoked_at" not in row
    assert max(SEVERITIES, key=SEVERITIES.index) == "red"


def test_an_observation_survives_its_json():
    seen = Observation(
        "o1",
        "post.state",
        "c",
        "k",
        MOMENT,
        "absent",
        window="A",
        post="p",
        since=MOMENT,
        people=0,
        waiting=False,
    )
    assert observation_from_json(observation_to_json(seen)) == seen


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "x"},
        {"state": "maybe"},
        {"at": "2026-03-02T09:00:00"},
        {"at": None},
        {"at": "0001-01-01T00:00:00+23:59"},
        {"colour": 1},
        {"camera": {"a": "b"}},
        {"camera": ["k"]},
        {"camera": ""},
        {"camera": "长" * 129},
        {"window": 7},
        {"post": "p" * 1_000_000},
        {"looks_seen": -1},
        {"looks_seen": True},
        {"looks_seen": 10**12},
        {"people": -1},
        {"people": True},
        {"people": 1.5},
        {"waiting": 1},
        {"waiting": "no"},
        {"score": "much"},
        {"score": float("nan")},
        {"score": 10**400},
    ],
)
def test_what_is_no_observation(change):
    row = observation_to_json(Observation("o1", "post.state", "c", "k", MOMENT, "absent"))
    with pytest.raises((ValueError, TypeError, EventError)):
        observation_from_json({**row, **change})


def test_an_error_names_its_place():
    assert str(CentreFileError("c.yaml", 4, "unknown key 'itms'", "items")) == (
        "c.yaml:4: unknown key 'itms' (did you mean 'items'?)"
    )
    assert str(CentreFileError("c.yaml", None, "cannot be read")) == "c.yaml: cannot be read"
