"""Hours that come again on the legal calendar, make-up working days and midnight included."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from domain.recurring import Recurring, parse_span
from domain.working_time import Calendar, parse_week

ZONE = ZoneInfo("Asia/Shanghai")
CALENDAR = Calendar("CN", [], [], ZONE, parse_week(["09:00-17:00"]))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZONE).astimezone(UTC)


def test_hours_over_midnight_belong_to_the_date_on_which_they_begin() -> None:
    nights = Recurring(days=("fri",), hours=("18:00-08:00",))
    assert nights.covers(at("2026-11-20 18:00"), CALENDAR)
    assert nights.covers(at("2026-11-21 07:59"), CALENDAR)
    assert not nights.covers(at("2026-11-21 08:00"), CALENDAR), "an end is outside"
    assert not nights.covers(at("2026-11-20 07:00"), CALENDAR), "that night began on Thursday"


def test_working_and_rest_are_the_legal_calendars_not_the_weeks() -> None:
    rest, working = Recurring(days=("rest",)), Recurring(days=("working",))
    holiday, made_up = at("2026-10-01 10:00"), at("2026-10-10 10:00")  # Thursday off; Saturday worked
    assert rest.covers(holiday, CALENDAR)
    assert not working.covers(holiday, CALENDAR)
    assert working.covers(made_up, CALENDAR)
    assert not rest.covers(made_up, CALENDAR)
    assert Recurring(days=("sat",)).covers(made_up, CALENDAR), "a Saturday all the same"


def test_a_run_ends_where_nothing_covers_any_more() -> None:
    quiet = Recurring(days=("working", "rest"), hours=("18:00-08:00", "00:00-08:00"))
    assert quiet.until(at("2026-11-20 20:00"), CALENDAR) == at("2026-11-21 08:00")
    weekend = Recurring(days=("sat", "sun"))
    assert weekend.until(at("2026-11-21 12:00"), CALENDAR) == at("2026-11-23 00:00")
    assert weekend.until(at("2026-11-23 12:00"), CALENDAR) == at("2026-11-23 12:00"), "outside: at once"
    assert Recurring().until(at("2026-11-23 12:00"), CALENDAR) is None, "always"


def test_the_next_run() -> None:
    noon = Recurring(days=("working",), hours=("12:00-13:30",))
    assert noon.next(at("2026-11-20 14:00"), CALENDAR) == at("2026-11-23 12:00")
    assert noon.next(at("2026-11-20 12:30"), CALENDAR) == at("2026-11-20 12:30")
    nights = Recurring(days=("fri",), hours=("22:00-06:00",))
    assert nights.next(at("2026-11-21 05:00"), CALENDAR) == at("2026-11-21 05:00"), "began the day before"


def test_the_centres_own_days_win() -> None:
    closed = Calendar("CN", [date(2026, 11, 23)], [], ZONE, parse_week(["09:00-17:00"]))
    assert Recurring(days=("rest",)).covers(at("2026-11-23 10:00"), closed)


@pytest.mark.parametrize("text", ["18-08", "25:00-26:00", "08:00-08:00", "08:61-09:00", ""])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Recurring(hours=(text,))


def test_midnight_itself() -> None:
    assert parse_span("18:00-00:00") == (1080, 1440)
    assert parse_span("00:00-24:00") == (0, 1440)
