"""Observations: spans of presence, windows with several posts, cameras; in order, late and twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from store.connection import Connection, connect
from store.judging import presence_spans
from store.observations import write_observations
from tests.store.making import CENTRE, at, look

pytestmark = pytest.mark.postgres


@pytest.fixture
def db(database: str) -> Iterator[Connection]:
    with connect(database, autocommit=True) as connection:
        yield connection


def spans(db: Connection) -> list[tuple[Any, ...]]:
    """(state, reason, minute from, minute to) of every span."""
    rows = db.execute(
        "select state, reason, since, until from presence_span order by camera, post, since, until"
    ).fetchall()
    return [
        (
            state,
            reason,
            (since - at(0)).total_seconds() / 60,
            None if until is None else (until - at(0)).total_seconds() / 60,
        )
        for state, reason, since, until in rows
    ]


def window(db: Connection) -> tuple[Any, ...]:
    row = db.execute("select presence, reason, look_at::text from window_state").fetchone()
    assert row is not None
    return row


DAY = [
    look("present", 0.0, name="a"),
    look("present", 0.5, name="b"),
    look("absent", 1.0, since=0.9, kind="post.state", name="c"),
    look("absent", 1.5, name="d"),
    look("absent", 2.0, name="e"),
    # Nothing for three minutes: unknown between, though the answer after it is the same.
    look("absent", 5.0, name="f"),
    look("unknown", 5.5, reason="dark", name="g"),
    look("present", 6.0, name="h"),
]
EXPECTED = [
    ("present", None, -0.25, 0.9),
    ("absent", None, 0.9, 2.0),
    ("unknown", "stale", 2.0, 4.75),
    ("absent", None, 4.75, 5.25),
    ("unknown", "dark", 5.25, 5.75),
    ("present", None, 5.75, None),
]


def test_observations_in_order_make_spans(db: Connection) -> None:
    for observation in DAY:
        write_observations(db, [observation], now=at(6))
    assert spans(db) == EXPECTED
    assert window(db)[:2] == ("present", None)


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_arrival_changes_no_span(db: Connection, seed: int) -> None:
    dice = random.Random(seed)
    arriving = DAY * 2
    dice.shuffle(arriving)
    while arriving:
        size = dice.randint(1, 4)
        write_observations(db, arriving[:size], now=at(6))
        arriving = arriving[size:]
    assert spans(db) == EXPECTED
    assert db.execute("select count(*) from observation").fetchone() == (len(DAY),)


PEOPLE = [
    replace(look("present", 0.0, name="a"), people=1),
    replace(look("present", 1.0, since=1.0, kind="post.state", name="b"), people=2),
    replace(look("present", 1.5, name="c"), people=2),
    replace(look("absent", 2.0, since=1.9, kind="post.state", name="d"), waiting=False),
    replace(look("absent", 2.5, since=2.5, kind="post.state", name="e"), waiting=True),
    replace(look("absent", 3.0, name="f"), waiting=True),
    replace(look("absent", 3.5, since=3.5, kind="post.state", name="g"), waiting=False),
]


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_counts_and_who_waits_divide_a_span_but_not_its_answer(db: Connection, seed: int | None) -> None:
    arriving = list(PEOPLE)
    if seed is not None:
        random.Random(seed).shuffle(arriving)
    for observation in arriving:
        write_observations(db, [observation], now=at(4))
    kept = presence_spans(db, CENTRE, {"A01": at(-5)})["A01"]
    assert [(each.state, each.people, each.waiting, each.since) for each in kept] == [
        ("present", 1, None, at(-0.25)),
        ("present", 2, None, at(1.0)),
        ("absent", None, False, at(1.9)),
        ("absent", None, True, at(2.5)),
        ("absent", None, False, at(3.5)),
    ]
    row = db.execute("select presence, since from window_state").fetchone()
    assert row == ("absent", at(1.9))


def test_the_same_observation_twice_changes_nothing(db: Connection) -> None:
    assert write_observations(db, DAY, now=at(6)).new == len(DAY)
    again = write_observations(db, DAY, now=at(6))
    assert (again.new, again.duplicates) == (0, len(DAY))
    assert spans(db) == EXPECTED


def test_a_window_is_present_if_any_post_is(db: Connection) -> None:
    write_observations(db, [look("absent", 1, post="p1"), look("present", 1, post="p2")], now=at(1))
    assert window(db)[0] == "present"


def test_a_window_is_absent_only_if_all_its_posts_are(db: Connection) -> None:
    posts = {(CENTRE, "A01"): [("K1", "p1"), ("K1", "p2")]}
    write_observations(db, [look("absent", 1, post="p1")], now=at(1), posts=posts)
    assert window(db)[:2] == ("unknown", "no_frame")
    write_observations(db, [look("unknown", 2, post="p2", reason="covered")], now=at(2), posts=posts)
    assert window(db)[:2] == ("unknown", "covered")
    write_observations(
        db, [look("absent", 2.5, post="p1"), look("absent", 2.5, post="p2")], now=at(3), posts=posts
    )
    assert window(db)[:2] == ("absent", None)


def test_a_window_is_judged_when_its_answer_changes_and_while_nobody_is_seen(db: Connection) -> None:
    write_observations(db, [look("present", 1)], now=at(1))
    assert window(db)[2] == "-infinity"
    db.execute("update window_state set look_at = null, judged_at = now()")
    write_observations(db, [look("present", 1.5)], now=at(1.5))
    assert window(db)[2] is None
    write_observations(db, [look("absent", 2)], now=at(2))
    assert window(db)[2] == "-infinity"
    db.execute("update window_state set look_at = null")
    write_observations(db, [look("absent", 2.5)], now=at(2.5))
    assert window(db)[2] == "-infinity"


def test_the_newest_word_of_a_camera_counts(db: Connection) -> None:
    down = look("unknown", 5, kind="camera.state", reason="unreachable", since=4)
    write_observations(db, [down, look("present", 3, kind="camera.state")], now=at(5))
    write_observations(
        db, [look("unknown", 6, kind="camera.state", reason="unreachable", since=6)], now=at(6)
    )
    row = db.execute("select state, reason, since, seen_at from camera_state").fetchone()
    assert row == ("unknown", "unreachable", at(4), at(6))


def test_what_comes_days_late_is_kept_but_changes_no_span(db: Connection) -> None:
    write_observations(db, [look("present", 0)], now=at(60 * 24 * 3))
    assert spans(db) == []
    assert db.execute("select count(*) from observation").fetchone() == (1,)


def test_summaries_add_up_by_minute_hour_and_day(db: Connection) -> None:
    write_observations(db, [look("present", minutes / 4) for minutes in range(8)], now=at(2))
    for name, rows in (("minute", 2), ("hour", 1), ("day", 1)):
        found = db.execute(
            f"select bucket, expected, valid, seen from presence_{name} where centre = %s", [CENTRE]
        )
        found = found.fetchall()
        assert len(found) == rows
        assert sum(row[1] for row in found) == 56
    assert found[0][0] == at(-9 * 60)  # the day begins at midnight in China
