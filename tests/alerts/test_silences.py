"""Silences: what they cover and what never, who may have one, and that every act is in the chain."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts import silences
from alerts.rounds.release import Release
from alerts.silence import MOST_DAYS, Silence, Wanted, check, recurring_of
from domain.errors import InputError, StepRefusedError
from domain.recurring import Recurring
from tests.alerts.conftest import NOW, Desk, make_centre, make_finding

CENTRE = make_centre()
FRIDAY = NOW  # 2026-11-20, 17:30 in Shanghai, a working day
HOUR = timedelta(hours=1)


def silence(**changes: Any) -> Silence:
    given: dict[str, Any] = {
        "silence_id": 1,
        "centre": "530502",
        "match": {"rule": ("time_limit.*",)},
        "author": "p4",
        "reason": "系统割接",
        "starts_at": NOW - HOUR,
        "ends_at": NOW + HOUR,
    }
    return Silence(**(given | changes))


def wanted(**changes: Any) -> Wanted:
    given: dict[str, Any] = {
        "match": {"rule": ("absence.*",), "window": ("A10",)},
        "reason": "摄像机检修",
        "starts_at": NOW,
        "ends_at": NOW + 2 * HOUR,
    }
    return Wanted(**(given | changes))


# ---- what it covers


@pytest.mark.parametrize(
    ("match", "covered"),
    [
        ({"rule": ("time_limit.*",)}, True),
        ({"rule": ("absence.*", "time_limit.promised")}, True),
        ({"rule": ("absence.*",)}, False),
        ({"severity": ("yellow", "red")}, True),
        ({"severity": ("red",)}, False),
        ({"window": ("A07",), "item": ("I-1",), "case": ("LY-0001",)}, True),
        ({"window": ("A07",), "item": ("I-2",)}, False),
        ({"department": ("d1",)}, False),
        ({"person": ("p1",)}, True),
        ({"person": ("p2",)}, False),
    ],
)
def test_every_key_must_fit_and_of_its_values_one(match: dict[str, tuple[str, ...]], covered: bool) -> None:
    assert silence(match=match).covers(make_finding(), "p1", CENTRE, NOW) is covered


def test_it_holds_from_its_begin_until_before_its_end() -> None:
    one, finding = silence(), make_finding()
    assert one.covers(finding, "p1", CENTRE, NOW - HOUR)
    assert not one.covers(finding, "p1", CENTRE, NOW + HOUR)
    assert not one.covers(finding, "p1", CENTRE, NOW - HOUR - timedelta(seconds=1))
    ended = replace(one, ended_at=NOW, ended_by="p4")
    assert ended.until == NOW
    assert not ended.covers(finding, "p1", CENTRE, NOW)


def test_another_centres_findings_are_not_covered() -> None:
    assert not silence().covers(make_finding(centre="530503"), "p1", CENTRE, NOW)


def test_the_authors_own_cards_are_never_covered() -> None:
    own = silence(author="p1")
    assert not own.covers(make_finding(window="A07"), "p2", CENTRE, NOW), "handler of A07"
    assert own.covers(make_finding(window="A10"), "p2", CENTRE, NOW)
    day = make_finding(window=None, case=None, explain={"staff": "p4"})
    assert not silence().covers(day, "p2", CENTRE, NOW), "about the author's own day"


def test_nights_and_rest_days_by_the_legal_calendar() -> None:
    nights = silence(
        ends_at=NOW + timedelta(days=10), recurring=Recurring(days=("working",), hours=("17:00-08:00",))
    )
    finding = make_finding()
    assert nights.covers(finding, "p1", CENTRE, FRIDAY)
    assert nights.run_ends(CENTRE, FRIDAY) == datetime(2026, 11, 21, 0, 0, tzinfo=UTC), "08:00 on Saturday"
    assert not nights.covers(finding, "p1", CENTRE, FRIDAY + timedelta(days=1)), "Saturday is no working day"
    short = replace(nights, ends_at=NOW + HOUR)
    assert short.run_ends(CENTRE, FRIDAY) == NOW + HOUR, "it ends before the night does"


# ---- who may have which


def test_a_party_does_not_silence_his_own_cards() -> None:
    with pytest.raises(StepRefusedError, match="A07") as refused:
        check(wanted(match={"rule": ("absence.*",)}), "p3", CENTRE, NOW)
    assert refused.value.code == "own_cause"
    check(wanted(match={"rule": ("absence.*",), "window": ("A10",)}), "p3", CENTRE, NOW)
    check(wanted(match={"rule": ("absence.*",)}), "p4", CENTRE, NOW)  # an inspector, at no window


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"reason": " "}, "reason"),
        ({"reason": "x" * 4001}, "reason"),
        ({"match": {}}, "match"),
        ({"match": {"colour": ("red",)}}, "colour"),
        ({"match": {"window": ()}}, "window"),
        ({"match": {"window": ("A99",)}}, "A99"),
        ({"match": {"rule": ("absense.*",)}}, "absense"),
        ({"match": {"severity": ("purple",)}}, "purple"),
        ({"match": {"person": ("p404",)}}, "p404"),
        ({"ends_at": NOW}, "end"),
        ({"starts_at": NOW - 3 * HOUR, "ends_at": NOW - HOUR}, "end"),
        ({"ends_at": NOW + timedelta(days=MOST_DAYS, minutes=1)}, f"at most {MOST_DAYS} days"),
    ],
)
def test_what_is_refused_names_its_field(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check(wanted(**changes), "p4", CENTRE, NOW)


def test_hours_as_somebody_types_them() -> None:
    assert recurring_of((), ()) is None
    assert recurring_of(("working",), ("18:00-08:00",)) == Recurring(
        days=("working",), hours=("18:00-08:00",)
    )
    with pytest.raises(InputError, match="days: 'weekend'"):
        recurring_of(("weekend",), ())
    with pytest.raises(InputError, match="hours: '25:00-26:00'"):
        recurring_of((), ("25:00-26:00",))


# ---- the table


def _chain(desk: Desk) -> list[tuple[str, dict[str, Any]]]:
    rows = desk.connection.execute("select kind, body from evidence where kind like 'silence.%' order by seq")
    return [(kind, json.loads(body)["payload"]) for kind, body in rows]


def test_begun_edited_and_ended_each_with_its_person_in_the_chain(desk: Desk) -> None:
    db, centre = desk.connection, desk.centre
    first = silences.create(
        db,
        centre,
        wanted(recurring=Recurring(days=("working",), hours=("18:00-08:00",))),
        author="p4",
        now=NOW,
    )
    later = silences.create(
        db, centre, wanted(starts_at=NOW + HOUR, ends_at=NOW + 3 * HOUR), author="p4", now=NOW
    )
    assert silences.active(db, "530502", NOW) == [first]
    assert silences.active(db, "530503", NOW) == []
    assert [each.silence_id for each in silences.every(db, "530502")] == [later.silence_id, first.silence_id]
    assert first.recurring == Recurring(days=("working",), hours=("18:00-08:00",))

    second = silences.replace(
        db, centre, first.silence_id, wanted(reason="换一台"), author="p4", now=NOW + HOUR
    )
    assert silences.active(db, "530502", NOW + HOUR) == [later, second]
    ended = silences.end(db, centre, second.silence_id, by="p1", now=NOW + timedelta(minutes=90))
    assert (ended.ended_by, ended.until) == ("p1", NOW + timedelta(minutes=90))
    with pytest.raises(InputError, match="over since"):
        silences.end(db, centre, second.silence_id, by="p1", now=NOW + timedelta(minutes=91))
    with pytest.raises(InputError, match="no silence 99"):
        silences.end(db, centre, 99, by="p1", now=NOW)

    kinds = [(kind, payload["silence"], payload["person"]) for kind, payload in _chain(desk)]
    one, two, three = first.silence_id, later.silence_id, second.silence_id
    assert kinds == [
        ("silence.began", one, "p4"),
        ("silence.began", two, "p4"),
        ("silence.ended", one, "p4"),
        ("silence.began", three, "p4"),
        ("silence.ended", three, "p1"),
    ]
    assert _chain(desk)[3][1]["replaces"] == one
    assert _chain(desk)[0][1]["recurring"] == {"days": ["working"], "hours": ["18:00-08:00"]}


def test_a_refused_edit_ends_nothing(desk: Desk) -> None:
    one = silences.create(desk.connection, desk.centre, wanted(), author="p4", now=NOW)
    with pytest.raises(InputError, match="reason"):
        silences.replace(
            desk.connection, desk.centre, one.silence_id, wanted(reason=""), author="p4", now=NOW
        )
    assert silences.active(desk.connection, "530502", NOW) == [one]


def test_what_an_ended_silence_kept_is_due_at_once(desk: Desk) -> None:
    one = silences.create(desk.connection, desk.centre, wanted(), author="p4", now=NOW)
    desk.issue(make_finding())
    mine, other = desk.rows("idempotency_key")
    for key, number in ((mine, one.silence_id), (other, 999)):
        desk.connection.execute(
            "update outbox set state = 'held', reason = 'silenced', held_until = %s, detail = %s"
            " where idempotency_key = %s",
            (NOW + 2 * HOUR, json.dumps({"silence": number}), key),
        )
    assert silences.kept(desk.connection, "530502") == {one.silence_id: 1, 999: 1}
    desk.issue(make_finding(2))
    third = desk.rows("idempotency_key", "state <> 'held'")[0]
    desk.connection.execute(
        "update outbox set state = 'held', reason = 'group', held_until = %s, detail = %s where idempotency_key = %s",
        (NOW + 2 * HOUR, json.dumps({"silenced": {"silence": one.silence_id}}), third),
    )
    assert silences.kept(desk.connection, "530502") == {one.silence_id: 2, 999: 1}
    silences.end(desk.connection, desk.centre, one.silence_id, by="p4", now=NOW + HOUR)
    held = dict(desk.rows("idempotency_key, held_until", "state = 'held'"))
    assert held[mine] == held[third] == NOW + HOUR
    assert held[other] == NOW + 2 * HOUR
    assert _chain(desk)[-1][1]["held"] == 2


def test_what_waits_goes_over_to_the_silence_that_takes_its_place_and_leaves_with_its_end(desk: Desk) -> None:
    """With the real planner and the real release, not with rows made by hand."""
    db, centre, release = desk.connection, desk.centre, Release(desk.centre)
    match = {"rule": ("time_limit.*",), "window": ("A07",)}
    first = silences.create(db, centre, wanted(match=match), author="p4", now=NOW)
    desk.issue(make_finding())
    assert desk.states() == {"held:silenced": 2}
    longer = wanted(match=match, ends_at=NOW + 5 * HOUR)
    second = silences.replace(db, centre, first.silence_id, longer, author="p4", now=NOW + HOUR)
    release(db, NOW + HOUR)
    assert desk.states() == {"held:silenced": 2}
    assert silences.kept(db, "530502") == {second.silence_id: 2}
    silences.end(db, centre, second.silence_id, by="p4", now=NOW + 2 * HOUR)
    release(db, NOW + 2 * HOUR)
    assert desk.states() == {"ready": 2}
