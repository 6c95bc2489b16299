"""When what is sent next: the page and the loop ask the same function. Complaint groups 1, 12, 13, 15, 18; rows 10, 11 of the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.reasons import Reason, Why
from alerts.roster import Roster
from alerts.rounds.schedule import (
    Course,
    Held,
    Planned,
    Timetable,
    digest_moments,
    last_digest_moment,
    next_sends,
    over,
)
from domain.centre import Centre
from domain.messages import DigestSettings, Route
from tests.alerts.conftest import make_centre, make_finding

#: Friday 2026-11-20, 9:00 in Shanghai.
FRIDAY = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
STEPS = [{"after": 30, "to": ["leader"]}, {"after": 120, "to": ["inspectors"], "channels": ["voice"]}]


def route_of(**given: Any) -> Route:
    return Route.model_validate({"id": "r", "to": ["handler", "superior"], **given})


def minutes(moments: list[datetime], since: datetime = FRIDAY) -> list[float]:
    return [(each - since).total_seconds() / 60 for each in moments]


def sends(route: Route, centre: Centre | None = None, **given: Any) -> list[Planned]:
    centre = centre or make_centre()
    values: dict[str, Any] = {"course": Course(FRIDAY)} | given
    now = values.pop("now", FRIDAY)
    finding = values.pop("finding", make_finding(severity="yellow"))
    life = values.pop("life", "open")
    return next_sends(finding, life, route, centre, Roster(centre), now, **values)


def test_the_next_five_sends_of_a_route_with_reminders_and_steps() -> None:
    found = sends(route_of(remind_every=30, most_reminders=5, escalate=STEPS, channels=["sms"]))
    assert [(minutes([each.at])[0], each.why.value, each.number, each.of, each.person) for each in found] == [
        (30, "reminder", 1, 5, "p1"), (30, "reminder", 1, 5, "p2"), (30, "escalation", 1, 2, "p3"),
        (60, "reminder", 2, 5, "p1"), (60, "reminder", 2, 5, "p2"), (60, "reminder", 2, 5, "p3"),
        (90, "reminder", 3, 5, "p1"), (90, "reminder", 3, 5, "p2"), (90, "reminder", 3, 5, "p3"),
        (120, "reminder", 4, 5, "p1"), (120, "reminder", 4, 5, "p2"), (120, "reminder", 4, 5, "p3"),
        (120, "escalation", 2, 2, "p4"),
        (150, "reminder", 5, 5, "p1"), (150, "reminder", 5, 5, "p2"), (150, "reminder", 5, 5, "p3"),
        (150, "reminder", 5, 5, "p4"),
    ]  # fmt: skip
    assert {each.unless for each in found} == {"acknowledged"}
    assert [each.channel for each in found if each.person == "p4"] == ["voice", "sms"]


def test_nobody_hears_twice_within_one_interval() -> None:
    """The leader is told at 45; the reminder at 60 is not for him yet, that at 90 is."""
    found = sends(route_of(remind_every=30, escalate=[{"after": 45, "to": ["leader"]}]))
    assert minutes([each.at for each in found if each.person == "p3"]) == [45, 90, 120]


def test_most_reminders_is_the_end() -> None:
    found = sends(route_of(remind_every=10, most_reminders=2, to=["handler"]), count=50)
    assert minutes([each.at for each in found]) == [10, 20]


def test_without_reminders_or_steps_nothing_is_to_come() -> None:
    assert sends(route_of()) == []
    assert Timetable(route_of(), "yellow", make_centre()).next_at(Course(FRIDAY)) is None


@pytest.mark.parametrize(
    ("state", "life", "until", "reason"),
    [
        ("open", "open", "acknowledged", None),
        ("open", "acknowledged", "acknowledged", Reason.ACKNOWLEDGED),
        ("open", "acknowledged", "answered", None),
        ("open", "answered", "answered", Reason.ACKNOWLEDGED),
        ("open", "appealed", "answered", Reason.ACKNOWLEDGED),
        ("closed", "open", "acknowledged", Reason.OVER),
        ("closed", "acknowledged", "answered", None),
        ("closed", "answered", "answered", Reason.ACKNOWLEDGED),
        ("revoked", "open", "acknowledged", Reason.REVOKED),
        ("open", "closed", "acknowledged", Reason.OVER),
    ],
)
def test_what_ends_it(state: Any, life: Any, until: Any, reason: Reason | None) -> None:
    assert over(state, life, until, "yellow") is reason
    route = route_of(remind_every=10, until=until)
    found = sends(route, finding=make_finding(state=state), life=life)
    assert (found == []) is (reason is not None)


def test_working_minutes_count_over_lunch_night_and_the_weekend() -> None:
    """Friday 16:30 with every 60 working minutes: half an hour is left of Friday, the other half is Monday's."""
    begin = FRIDAY + timedelta(hours=7.5)
    found = sends(route_of(remind_every=60, hours="working", to=["handler"]), course=Course(begin), now=begin)
    local = [each.at.astimezone(make_centre().zone).strftime("%a %H:%M") for each in found]
    assert local == ["Mon 09:30", "Mon 10:30", "Mon 11:30", "Mon 14:00", "Mon 15:00"]


def test_a_make_up_saturday_is_a_working_day() -> None:
    """2026-02-14 is a working Saturday before the Spring Festival."""
    friday = datetime(2026, 2, 13, 8, 30, tzinfo=UTC)  # 16:30
    found = sends(
        route_of(remind_every=60, hours="working", to=["handler"]), course=Course(friday), now=friday
    )
    assert found[0].at == datetime(2026, 2, 14, 1, 30, tzinfo=UTC)


def test_nobody_is_reminded_at_night_and_the_night_is_not_made_up_for() -> None:
    centre = make_centre(quiet={"hours": ["21:00-07:00"], "rest_days": True})
    evening = FRIDAY + timedelta(hours=11)  # 20:00
    found = sends(route_of(remind_every=45, to=["handler"]), centre, course=Course(evening), now=evening)
    local = [each.at.astimezone(centre.zone).strftime("%a %H:%M") for each in found]
    assert local == ["Fri 20:45", "Mon 07:00", "Mon 07:45", "Mon 08:30", "Mon 09:15"]


def test_what_quiet_hours_spare_goes_on_at_night() -> None:
    centre = make_centre(quiet={"hours": ["21:00-07:00"], "rest_days": True})
    evening = FRIDAY + timedelta(hours=11)
    red = make_finding(severity="red")
    found = sends(
        route_of(remind_every=45, to=["handler"]), centre, course=Course(evening), now=evening, finding=red
    )
    assert minutes([each.at for each in found], evening) == [45, 90, 135, 180, 225]


def test_after_a_long_pause_one_of_each_is_due_and_the_missed_are_counted() -> None:
    times = Timetable(route_of(remind_every=30, escalate=STEPS), "yellow", make_centre())
    course = Course(FRIDAY)
    late = FRIDAY + timedelta(minutes=125)
    due = times.due(course, late)
    assert [(each.why, each.number, each.missed, each.roles) for each in due] == [
        (Why.REMINDER, 1, 3, ("handler", "superior")),
        (Why.ESCALATION, 1, 0, ("leader",)),
        (Why.ESCALATION, 2, 0, ("inspectors",)),
    ]
    course = times.advanced(course, due, late)
    assert (course.level, course.reminders) == (2, 1)
    assert times.next_at(course) == late + timedelta(minutes=30)


def test_who_missed_two_steps_hears_once() -> None:
    steps = [{"after": 30, "to": ["leader"]}, {"after": 60, "to": ["leader", "inspectors"]}]
    due = Timetable(route_of(escalate=steps), "yellow", make_centre()).due(
        Course(FRIDAY), FRIDAY + timedelta(hours=3)
    )
    assert [each.roles for each in due] == [("leader",), ("inspectors",)]


def test_the_next_step_comes_at_once_where_nobody_can_be_reached() -> None:
    times = Timetable(route_of(escalate=STEPS), "yellow", make_centre())
    due = times.due(Course(FRIDAY), FRIDAY + timedelta(minutes=3), unreached=True)
    assert [(each.why, each.level, each.early) for each in due] == [(Why.ESCALATION, 1, True)]
    assert times.due(Course(FRIDAY), FRIDAY + timedelta(minutes=3)) == []


def test_what_waits_stands_among_the_next_sends_with_its_reason() -> None:
    until = FRIDAY + timedelta(minutes=3)
    held = [Held(until, "p3", "sms", Reason.HOLD_FOR, Why.OPENED)]
    found = sends(route_of(remind_every=30, to=["handler"]), held=held)
    assert (found[0].at, found[0].reason, found[0].unless) == (until, Reason.HOLD_FOR, "closed")
    assert found[1].at == FRIDAY + timedelta(minutes=30)


def test_the_daily_digest_stands_there_too_also_when_somebody_has_acknowledged() -> None:
    centre = make_centre(digest={"at": "17:30"})
    found = sends(route_of(remind_every=30), centre, life="acknowledged")
    assert [(each.why, each.person, minutes([each.at])[0]) for each in found] == [(Why.DIGEST, "p3", 510)]
    assert sends(route_of(), make_centre(digest={"at": "17:30", "rules": ["absence.*"]})) == []


def test_a_role_that_nobody_fills_is_named() -> None:
    found = sends(route_of(remind_every=30, to=["handler"]), finding=make_finding(window=None), count=1)
    assert [each.person for each in found] == ["role:handler"]


def test_days_of_the_digest() -> None:
    calendar = make_centre().working_time
    evening = FRIDAY + timedelta(hours=8, minutes=30)
    digest = DigestSettings(at="17:30")
    first = list(digest_moments(digest, calendar, FRIDAY))[:2]
    assert first == [evening, evening + timedelta(days=3)]
    assert last_digest_moment(digest, calendar, evening) == evening
    assert last_digest_moment(digest, calendar, evening + timedelta(days=2)) == evening
    every_day = DigestSettings(at="17:30", days=("working", "rest"))
    assert next(iter(digest_moments(every_day, calendar, evening))) == evening + timedelta(days=1)


# -- what holds for every route -----------------------------------------------------------------------------------------

STEP = st.tuples(st.integers(1, 600), st.sampled_from(["leader", "inspectors", "p4", "staff"]))


@st.composite
def routes(draw: st.DrawFn) -> Route:
    after = sorted(draw(st.sets(st.integers(1, 900), max_size=4)))
    given: dict[str, Any] = {
        "hours": draw(st.sampled_from(["always", "working"])),
        "most_reminders": draw(st.integers(1, 6)),
        "escalate": [{"after": each, "to": [draw(STEP)[1]]} for each in after],
    }
    if draw(st.booleans()):
        given["remind_every"] = draw(st.integers(1, 500))
    return route_of(**given)


QUIET = st.sampled_from(
    [
        None,
        {"hours": ["21:00-07:00"], "rest_days": True},
        {"hours": ["12:00-13:30", "20:00-08:00"]},
        {"rest_days": True, "except": []},
    ]
)
MOMENT = st.integers(0, 60 * 24 * 400).map(lambda each: FRIDAY + timedelta(minutes=each))


@settings(max_examples=60, deadline=None)
@given(routes(), QUIET, MOMENT)
def test_moments_increase_keep_their_distance_and_are_never_quiet(
    route: Route, quiet: Any, since: datetime
) -> None:
    centre = make_centre(quiet=quiet)
    found = sends(route, centre, course=Course(since), now=since, count=20)
    moments = [each.at for each in found]
    assert moments == sorted(moments)
    times = Timetable(route, "yellow", centre)
    assert all(times.allowed(each) == each for each in moments)
    reminders = sorted({each.at for each in found if each.why is Why.REMINDER})
    assert len(reminders) <= route.most_reminders
    for one, other in zip([since, *reminders], reminders, strict=False):
        assert other - one >= timedelta(minutes=route.remind_every or 0)
    for person in {each.person for each in found}:
        told = [each for each in found if each.person == person]
        for each, later in pairwise(told):
            if later.why is Why.REMINDER:
                assert later.at - each.at >= timedelta(minutes=route.remind_every or 0)


@settings(max_examples=60, deadline=None)
@given(routes(), QUIET, MOMENT)
def test_the_loop_sends_what_the_page_showed(route: Route, quiet: Any, since: datetime) -> None:
    """Woken at ``next_at`` each time, the loop does exactly what was to be seen at the begin."""
    centre = make_centre(quiet=quiet)
    shown = sends(route, centre, course=Course(since), now=since, count=20)
    times, course, done = Timetable(route, "yellow", centre), Course(since), []
    while (at := times.next_at(course)) is not None:
        due = times.due(course, at)
        assert due
        assert not any(each.missed for each in due)
        done += [(at, each.why, each.number) for each in due if each.roles]
        course = times.advanced(course, due, at)
    seen = list(dict.fromkeys((each.at, each.why, each.number) for each in shown))
    # A step all of whose people were told in another role tells nobody.
    assert set(seen) <= set(done)
    upto = max((each[0] for each in seen), default=since)
    assert [each for each in done if each[1] is Why.REMINDER and each[0] <= upto] == [
        each for each in seen if each[1] is Why.REMINDER
    ]
