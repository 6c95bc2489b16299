"""A camera's clock that is wrong: when it is said, when no more, and that nothing is dated by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from detectors.blind import judge_camera
from detectors.camera_clock import CLOCK, ClockSpan, clock_spans, said_before
from domain.centre import Centre

MONDAY = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # 09:00 in China
MINUTE = timedelta(minutes=1)


def centre(**blind):
    post = {"name": "p", "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}
    return Centre.model_validate(
        {
            "centre": {"id": "c"},
            "rules": {"blind": blind},
            "windows": [{"id": "A01"}],
            "cameras": [{"id": "C1", "url": "rtsp://h/x", "posts": [post]}],
        }
    )


def at(minutes):
    return MONDAY + minutes * MINUTE


def found(words, now, **blind):
    spans = clock_spans([(at(m), offset) for m, offset in words], blind.get("camera_clock", 30))
    return judge_camera("C1", [], centre(**blind), at(now), spans).findings


@pytest.mark.parametrize(
    ("words", "spans"),
    [
        ([(0, 1.0), (1, None), (2, 29.9), (3, -29.9)], []),
        ([(0, 0.0), (5, 30.0)], [(5, None, 30.0)]),
        ([(5, -3600.0), (9, 2.0)], [(5, 9, -3600.0)]),
        # One at the limit does not open and close all day.
        ([(1, 31.0), (2, 29.0), (3, 31.0), (4, 23.9)], [(1, 4, 31.0)]),
        # That it is not known ends nothing; and the order in which words come is no matter.
        ([(9, 3.0), (2, None), (1, 40.0)], [(1, 9, 40.0)]),
        ([(1, 40.0), (2, -40.0), (3, 0.0)], [(1, 3, 40.0)]),
    ],
)
def test_stretches_in_which_a_clock_is_wrong(words, spans):
    expected = [ClockSpan(at(a), None if b is None else at(b), offset) for a, b, offset in spans]
    assert clock_spans([(at(m), offset) for m, offset in words], 30) == expected


def test_it_is_said_after_three_minutes_of_office_hours_and_ends_when_the_clock_is_set():
    assert found([(0, 95.4)], 3) == ()
    (finding,) = found([(0, 95.4)], 10)
    assert (finding.rule, finding.severity, finding.state) == (CLOCK, "notice", "open")
    assert finding.opened_at == at(3)
    assert finding.explain["offset"] == 95.4
    assert finding.explain["windows"] == ["A01"]
    (closed,) = found([(0, 95.4), (30, 1.0)], 40)
    assert (closed.state, closed.closed_at) == ("closed", at(30))
    assert closed.finding_id == finding.finding_id
    # Set right within the three minutes: nothing.
    assert found([(0, 95.4), (2, 1.0)], 40) == ()


def test_the_limit_is_a_setting():
    assert found([(0, 20.0)], 10) == ()
    assert len(found([(0, 20.0)], 10, camera_clock=15)) == 1


def test_at_night_nobody_has_to_run():
    night = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    spans = [ClockSpan(night, None, 100.0)]
    assert judge_camera("C1", [], centre(), night + timedelta(hours=2), spans).findings == ()
    (finding,) = judge_camera("C1", [], centre(), night + timedelta(hours=14), spans).findings
    assert finding.opened_at == datetime(2026, 11, 24, 1, 3, tzinfo=UTC)


def test_an_open_finding_stands_when_the_words_are_kept_no_longer():
    (finding,) = found([(0, 95.4)], 10)
    spans = clock_spans(said_before([finding]), 30)
    (again,) = judge_camera("C1", [], centre(), at(5000), spans).findings
    assert again == finding
