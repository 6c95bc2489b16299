"""Which pictures show a finding's beginning and end: the same pictures give the same selection, and what is missing has a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from domain.pictures import Gap, Kept, Want, reach_of, select

NINE = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NINE + timedelta(minutes=minutes)


def line(*spans: tuple[float, float, str], step: float = 1 / 6) -> list[Kept]:
    """A picture every ten seconds of each span (from, to, state)."""
    found = []
    for first, last, state in spans:
        for n in range(round((last - first) / step)):
            moment = at(first + n * step)
            found.append(Kept(f"{moment:%H%M%S}", moment, 10, {"desk": state}))
    return found


def want(part="begin", since=20.0, opened=30.0, until=None, over=None, ended_by=None) -> Want:
    return Want(
        "f1", "X", "C1", "desk", part, at(since), at(opened), until and at(until), over and at(over), ended_by
    )  # fmt: skip


def told(selection) -> list[tuple[str, float]]:
    return [(role, round((kept.at - NINE).total_seconds() / 60, 2)) for kept, role in selection.chosen]


DAY = line((0, 20, "present"), (20, 60, "absent"), (60, 80, "present"))


def test_the_beginning_last_seen_first_empty_samples_and_the_opening():
    found = select(DAY, (), want())
    assert told(found) == [
        ("before", 19.83),
        ("first", 20.0),
        ("sample", 21.67),
        ("sample", 25.0),
        ("sample", 28.33),
        ("opened", 30.0),
    ]
    assert found.missing == ()


def test_the_end_samples_last_empty_and_first_back():
    found = select(DAY, (), want("end", until=59.9, over=60, ended_by="present"))
    assert told(found) == [
        ("sample", 35.0),
        ("sample", 45.0),
        ("sample", 54.83),
        ("last", 59.83),
        ("back", 60.0),
    ]


def test_at_the_end_of_office_hours_nobody_has_to_come_back():
    found = select(DAY, (), want("end", until=60, over=60, ended_by="closed"))
    assert [role for role, _ in told(found)] == ["sample", "sample", "sample", "last"]
    assert found.missing == ()


def test_somebody_seen_weighs_more_than_the_nearest_moment():
    doubtful = line((0, 19, "present"), (19, 20, "unknown"), (20, 40, "absent"))
    assert told(select(doubtful, (), want()))[0] == ("before", 18.83)
    nobody = line((15, 20, "unknown"), (20, 40, "absent"))
    assert told(select(nobody, (), want()))[0] == ("before", 19.83), "another post may have seen him"


def test_too_far_away_proves_nothing():
    found = select(line((0, 5, "present"), (20, 40, "absent")), (), want())
    assert found.missing == (("before", "no_loop"),)


def test_what_is_missing_has_the_reason_of_that_time():
    gaps = (Gap(at(5), "not_kept"), Gap(at(8), "unreachable"), Gap(at(25), "disk"))
    found = select((), gaps, want())
    assert found.missing == (("before", "unreachable"), ("first", "unreachable"), ("opened", "disk"))
    ended = select((), gaps, want("end", until=40, over=40, ended_by="present"))
    assert ended.missing == (("last", "disk"), ("back", "disk"))


def test_one_picture_is_enough_for_first_and_opening():
    found = select(line((20, 20.1, "absent"), step=0.1), (), want())
    assert [role for role, _ in told(found)] == ["first"]


def test_an_end_at_once_after_the_opening_takes_the_picture_before_it():
    found = select(DAY, (), want("end", opened=59.95, until=59.99, over=60, ended_by="present"))
    assert told(found) == [("last", 59.83), ("back", 60.0)]


def test_an_end_that_nobody_saw_is_not_beyond_what_is_certain():
    found = select(DAY, (), want("end", until=40, over=60, ended_by="unknown_between"))
    assert max(minute for _, minute in told(found)) == 40


def test_what_speaks_against_the_finding_is_shown_with_it():
    """Somebody who was seen for a moment in between: the person accused must not have to ask for that picture."""
    short = line((0, 20, "present"), (20, 26, "absent"), (26, 26.2, "present"), (26.2, 40, "absent"))
    found = select(short, (), want())
    assert [role for role, _ in told(found)].count("sample") == 4
    assert ("sample", 26.0) in told(found)
    assert told(found) == sorted(told(found), key=lambda each: each[1])


def test_the_last_of_the_empty_seat_is_empty():
    early = line((20, 59.5, "absent"), (59.5, 70, "present"))
    found = select(early, (), want("end", until=60, over=60, ended_by="present"))
    assert ("last", 59.33) in told(found)
    assert told(found)[-1] == ("back", 60.0)


def test_another_posts_pictures_are_not_this_ones():
    other = [replace(kept, post="next", sha256=f"x{kept.sha256}") for kept in DAY]
    mine = [replace(kept, post="desk") for kept in DAY]
    assert select([*other, *mine], (), want()) == select(mine, (), want())
    assert select(other, (), want()).chosen == ()


@given(
    st.lists(st.tuples(st.integers(0, 5400), st.sampled_from(("present", "absent", "unknown"))), unique=True),
    st.permutations(range(6)),
    st.integers(0, 5),
)
def test_order_does_not_matter_and_nothing_lies_outside(found, order, samples):
    pictures = [Kept(f"{s}{state}", NINE + timedelta(seconds=s), 1, {"desk": state}) for s, state in found]
    for each in (
        want(),
        want("end", until=50, over=55, ended_by="present"),
        want("end", until=40, over=40, ended_by="closed"),
    ):
        made = select(pictures, (), each, samples)
        shuffled = sorted(pictures, key=lambda kept: (order[hash(kept.sha256) % 6], kept.sha256))
        assert select(shuffled, (), each, samples) == made
        since, until = reach_of(each)
        assert all(since <= kept.at <= until for kept, _ in made.chosen)
        assert sum(role == "sample" for _, role in made.chosen) <= 2 * samples
        roles = [role for _, role in made.chosen if role != "sample"] + [role for role, _ in made.missing]
        assert len(roles) == len(set(roles)), "each role once: a picture, or a reason"
