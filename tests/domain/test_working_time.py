"""The calendar: published days, own days, unpublished years, moments across summer time."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.working_time import Calendar, base_year, known_bases, parse_hours, parse_week

HOURS = parse_week(["09:00-12:00", "13:30-17:00"])


def calendar(base="CN", holidays=(), workdays=(), zone="Asia/Shanghai", hours=HOURS, deadline_at="close"):
    return Calendar(base, holidays, workdays, ZoneInfo(zone), hours, deadline_at)


CN = calendar()


def o(text):
    return date.fromisoformat(text).toordinal()


def nth(cal, after, n, excluded=()):
    found = cal.nth_working(o(after), n, excluded)
    return None if found is None else date.fromordinal(found).isoformat()


@pytest.mark.parametrize(
    "day", ["2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"]
)
def test_make_up_weekends_are_working_days(day):
    assert CN.is_working(o(day))


@pytest.mark.parametrize("day", ["2026-02-16", "2026-02-23", "2026-06-19", "2026-10-07", "2026-03-01"])
def test_holidays_and_weekends_are_not(day):
    assert not CN.is_working(o(day))


def test_own_dates_win_over_the_base():
    own = calendar(holidays=[date(2026, 3, 3)], workdays=[date(2026, 2, 17)])
    assert not own.is_working(o("2026-03-03"))
    assert own.is_working(o("2026-02-17"))


def test_the_publishers_agree_on_the_years_that_matter():
    for year in range(2020, 2027):
        assert base_year("CN", year).published
        assert not base_year("CN", year).disputed


def test_a_disputed_day_is_provisional_until_the_centre_decides_it():
    assert base_year("CN", 2005).disputed == {o("2005-12-31")}
    assert CN.provisional(o("2005-12-20"), o("2005-12-31"))
    assert not CN.provisional(o("2005-12-20"), o("2005-12-30"))
    assert not calendar(workdays=[date(2005, 12, 31)]).provisional(o("2005-12-20"), o("2005-12-31"))


def test_an_unpublished_year_is_never_invented():
    year = date(max(d.year for d in _published()) + 1, 1, 1).year
    assert not base_year("CN", year).published
    # Weekends and the listed dates only: National Day counts as a working day if it is no weekend.
    day = next(date(year, 10, d) for d in range(1, 8) if date(year, 10, d).weekday() < 5)
    assert CN.is_working(day.toordinal())
    assert CN.provisional(date(year - 1, 12, 31).toordinal(), date(year, 1, 1).toordinal())
    assert not CN.provisional(date(year - 1, 12, 1).toordinal(), date(year - 1, 12, 31).toordinal())
    assert CN.unpublished_years(date(year - 1, 12, 1).toordinal(), date(year, 1, 5).toordinal()) == [year]
    assert not calendar(holidays=[day]).is_working(day.toordinal())


def _published():
    from chinese_calendar import constants

    return constants.holidays


def test_other_countries_are_published_by_the_holidays_library():
    nl = calendar("NL", zone="Europe/Amsterdam")
    assert not nl.is_working(o("2012-04-30"))
    assert nl.is_working(o("2012-05-01"))
    assert not nl.provisional(o("2012-01-01"), o("2012-12-31"))
    assert "NL" in known_bases()


def test_base_none_knows_weekends_and_needs_no_publication():
    none = calendar("none", holidays=[date(2030, 1, 1)])
    assert not none.is_working(o("2030-01-01"))
    assert none.is_working(o("2030-01-02"))
    assert not none.provisional(o("2030-01-01"), o("2030-12-31"))


@pytest.mark.parametrize(
    ("after", "n", "excluded", "expected"),
    [
        ("2026-03-02", 1, (), "2026-03-03"),
        ("2026-02-13", 2, (), "2026-02-24"),
        ("2026-03-02", 5, [(o("2026-03-04"), o("2026-03-05"))], "2026-03-11"),
        ("2026-03-02", 1, [(o("2026-03-01"), o("2026-03-03"))], "2026-03-04"),
        ("2026-03-02", 1, [(o("2026-02-01"), o("2026-03-02"))], "2026-03-03"),
        ("2026-03-02", 2, [(o("2026-03-04"), None)], None),
        ("2026-03-02", 1, [(o("2026-03-04"), None)], "2026-03-03"),
        (
            "2026-03-02",
            3,
            [(o("2026-03-03"), o("2026-03-03")), (o("2026-03-05"), o("2026-03-05"))],
            "2026-03-09",
        ),
    ],
)
def test_nth_working_date(after, n, excluded, expected):
    assert nth(CN, after, n, excluded) == expected


runs = st.lists(st.tuples(st.integers(0, 120), st.integers(0, 15)), max_size=4)


@given(st.integers(0, 400), st.integers(1, 60), runs)
def test_counting_by_tables_is_counting_day_by_day(offset, n, gaps):
    after = o("2026-01-01") + offset
    excluded, last = [], -5
    for first, length in sorted(gaps):
        if first > last + 1:  # sorted, disjoint
            excluded.append((after + first, after + first + length))
            last = first + length
    for working, found in (
        (True, CN.nth_working(after, n, excluded)),
        (False, CN.nth_date(after, n, excluded)),
    ):
        day, left = after, n
        while left:
            day += 1
            if (not working or CN.is_working(day)) and not any(a <= day <= b for a, b in excluded):
                left -= 1
        assert found == day


def test_no_date_beyond_the_calendar():
    assert CN.nth_working(o("2099-01-01"), 3660 * 10) is None
    assert CN.nth_date(o("2099-01-01"), 3660 * 10) is None


def test_moments_of_a_day():
    day = o("2026-03-03")
    assert CN.deadline(day) == datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
    assert CN.opening(day) == datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
    assert calendar(deadline_at="midnight").deadline(day) == datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
    assert calendar(hours=parse_week(["09:00-24:00"])).deadline(day) == datetime(
        2026, 3, 3, 16, 0, tzinfo=UTC
    )


def test_a_weekday_of_its_own_and_the_others_like_monday():
    cal = calendar(hours=parse_week({"mon": ["08:00-18:00"], "fri": ["08:00-11:00"], "sun": ["10:00-11:00"]}))

    def hour(text):
        return cal.deadline(o(text)).astimezone(cal.zone).hour

    assert hour("2026-03-03") == 18
    assert hour("2026-03-06") == 11
    assert hour("2026-02-28") == 18  # a make-up Saturday
    assert hour("2026-03-07") == 18  # a rest day
    assert hour("2026-03-08") == 11  # its own day is given


def test_days_of_23_and_25_hours():
    nl = calendar("NL", zone="Europe/Amsterdam", deadline_at="midnight")
    spring, autumn = o("2012-03-25"), o("2012-10-28")
    assert nl.deadline(spring) - nl.day_start(spring) == timedelta(hours=23)
    assert nl.deadline(autumn) - nl.day_start(autumn) == timedelta(hours=25)
    assert nl.deadline(spring) == datetime(2012, 3, 25, 22, 0, tzinfo=UTC)
    assert nl.local_date(datetime(2012, 3, 25, 22, 0, tzinfo=UTC)) == spring + 1


def test_office_time_skips_lunch_nights_and_rest_days():
    def after(text, minutes):
        moment = datetime.fromisoformat(text).replace(tzinfo=CN.zone)
        return CN.after_office_time(moment, timedelta(minutes=minutes)).astimezone(CN.zone).isoformat()[:16]

    assert after("2026-03-03T11:30", 60) == "2026-03-03T14:00"
    assert after("2026-03-03T11:30", 30) == "2026-03-03T12:00"
    assert after("2026-03-06T16:30", 60) == "2026-03-09T09:30"
    assert after("2026-03-03T20:00", 1) == "2026-03-04T09:01"


def test_the_version_names_libraries_and_own_dates():
    assert CN.version.startswith("CN; chinesecalendar ")
    assert CN.version == calendar().version
    assert CN.version != calendar(holidays=[date(2026, 3, 3)]).version
    assert calendar("none").version.startswith("none; own ")


@pytest.mark.parametrize(
    "bad", ["9-12", "09:00", "12:00-09:00", "09:00-09:00", "09:61-10:00", "09:00-24:01", "24:00-24:00", ""]
)
def test_hours_that_cannot_be(bad):
    with pytest.raises(ValueError):
        parse_hours([bad])


def test_overlapping_hours_are_refused_and_others_sorted():
    with pytest.raises(ValueError, match="overlaps"):
        parse_hours(["09:00-12:00", "11:00-13:00"])
    assert parse_hours(["13:30-17:00", "09:00-12:00"]) == [(540, 720), (810, 1020)]
