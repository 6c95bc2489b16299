"""Bad reviews: spoken about within a working day, put right within 15 (or 5); default ratings apart."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.ratings import FAMILY, count_ratings, judge_rating, name_of
from domain.rules.ratings import RatingSettings
from tests.detectors.making import CENTRE, at, centre
from tests.detectors.subjects import check_look_at, check_set_only, found, said

ON = centre(rules={"ratings": {}})
STRICT = centre(rules={"ratings": {"fix": 5}})


def judge(*events, now="12-31 23:00", rules=ON):
    return judge_rating("c1", events, rules, at(now))


def bad(when="03-02 10:00", level=5, **more):
    return said("rating.given", when, case="c1", level=level, channel="window", **more)


def test_a_bad_review_is_spoken_about_by_the_end_of_the_next_working_day():
    assert found(judge(bad(), now="03-03 17:00")) == []
    verdict = judge(bad(), now="03-03 17:00:01")
    assert found(verdict) == [("rating.contact_overdue", "03-03 17:00", None)]
    assert verdict.findings[0].severity == "yellow"
    assert "art. 52" in verdict.findings[0].explain["articles"]
    assert verdict.findings[0].explain["counted_days"] == ["2026-03-03"]
    assert verdict.findings[0].case == "c1"


@pytest.mark.parametrize(("rules", "due"), [(ON, "03-23 17:00"), (STRICT, "03-09 17:00")])
def test_it_is_put_right_in_15_working_days_or_in_5(rules, due):
    done = said("rating.contacted", "03-02 16:00", case="c1")
    assert found(judge(bad(), done, rules=rules)) == [("rating.fix_overdue", due, None)]
    fixed = said("rating.fixed", at(due), case="c1")
    assert found(judge(bad(), done, fixed, rules=rules)) == [], "at the very moment is in time"
    late = said("rating.fixed", at(due) + timedelta(hours=1), case="c1")
    assert [row[0] for row in found(judge(bad(), done, late, rules=rules))] == ["rating.fix_overdue"]
    assert judge(bad(), done, late, rules=rules).findings[0].state == "closed"


def test_whoever_put_it_right_has_been_in_contact():
    assert found(judge(bad(), said("rating.fixed", "03-03 11:00", case="c1"))) == []


def test_an_excluded_review_asks_for_nothing_more():
    excluded = said("rating.excluded", "03-05 10:00", case="c1")
    assert found(judge(bad(), excluded)) == [("rating.contact_overdue", "03-03 17:00", "03-05 10:00")]
    assert judge(bad(), excluded).status["state"] == "excluded"


def test_an_appeal_stops_nothing_and_is_told_of():
    appealed = said("rating.appealed", "03-03 10:00", case="c1")
    verdict = judge(bad(), appealed)
    assert [row[0] for row in found(verdict)] == ["rating.contact_overdue", "rating.fix_overdue"]
    assert all("appealed_at" in f.explain for f in verdict.findings)


@pytest.mark.parametrize(
    ("rating", "judged"),
    [
        ({"level": 3}, False),
        ({"level": 4}, True),
        ({"level": 5, "real_name": False}, False),
        ({"level": 5, "default": True}, False),
    ],
)
def test_which_reviews_are_followed(rating, judged):
    assert bool(found(judge(bad(**rating)))) is judged


def test_anonymous_ones_where_a_centre_wants_it():
    anonymous = said("rating.given", "03-02 10:00", level=5)
    assert found(judge(anonymous)) == []
    assert found(judge(anonymous, rules=centre(rules={"ratings": {"anonymous": True}})))


def test_which_rating_an_event_speaks_of():
    assert name_of(bad(rating="r7"), ON) == "r7"
    assert name_of(bad(), ON) == "c1"
    assert name_of(said("rating.given", "03-02 10:00", level=5, id="x1"), ON) == "x1"
    assert not FAMILY.wanted(CENTRE)
    assert FAMILY.wanted(ON)


# ---- counts --------------------------------------------------------------------------------------------------------


def test_default_ratings_are_apart_and_never_satisfied():
    closed, now = at("03-02 10:00"), at("03-20 10:00")
    rules = RatingSettings()
    counts = count_ratings(
        [
            (closed, [bad(level=1)]),
            (closed, [bad(level=3)]),
            (closed, [bad(level=5)]),
            (closed, [said("rating.given", "03-09 10:00", case="c2", level=3, channel="default")]),
            (closed, []),
            (at("03-18 10:00"), []),
            (closed, [bad(level=5), said("rating.excluded", "03-04 10:00", case="c1")]),
        ],
        now,
        rules,
    )
    assert counts.by_level == {1: 1, 3: 1, 5: 1}
    assert (counts.default, counts.unrated, counts.pending, counts.excluded) == (1, 1, 1, 1)
    assert counts.satisfied_share == pytest.approx(2 / 3)
    assert counts.coverage == pytest.approx(3 / 5)


def test_nothing_rated_is_no_figure():
    counts = count_ratings([(at("03-18 10:00"), [])], at("03-20 10:00"), RatingSettings())
    assert (counts.satisfied_share, counts.coverage, counts.pending) == (None, None, 1)


def test_a_persons_word_wins_over_the_default_before_or_after_it():
    default = said("rating.given", "03-09 10:00", case="c1", level=3, channel="default")
    for own in (bad("03-08 10:00"), bad("03-10 10:00")):
        counts = count_ratings([(at("03-02 10:00"), [default, own])], at("03-20 10:00"), RatingSettings())
        assert (counts.by_level, counts.default) == ({5: 1}, 0)


# ---- properties ----------------------------------------------------------------------------------------------------

days = st.integers(0, 24 * 40).map(lambda hours: at("03-01 00:00") + timedelta(hours=hours))
events = st.lists(
    st.one_of(
        st.builds(lambda when, level: bad(when, level), days, st.integers(1, 5)),
        st.builds(
            lambda kind, when: said(f"rating.{kind}", when, case="c1"),
            st.sampled_from(("contacted", "fixed", "appealed", "excluded")),
            days,
        ),
    ),
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(events, days, st.integers(0, 999), st.floats(0, 1))
def test_only_the_set_of_events_counts_and_nothing_changes_before_look_at(some, now, seed, share):
    check_set_only(FAMILY, "c1", some, ON, now, seed)
    check_look_at(FAMILY, "c1", some, ON, now, share)
