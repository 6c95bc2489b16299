from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.presence.assignment import best_assignment
from detectors.presence.posts import Post, PostMap

LEFT = Post("left", ((0.1, 0.2), (0.4, 0.2), (0.4, 0.8), (0.1, 0.8)))
RIGHT = Post("right", ((0.4, 0.2), (0.7, 0.2), (0.7, 0.8), (0.4, 0.8)))
TIGHT = Post("tight", ((0.18, 0.25), (0.32, 0.25), (0.32, 0.5), (0.18, 0.5)))


@pytest.mark.parametrize(
    ("box", "posts"),
    [
        ((0.15, 0.2, 0.2, 0.6), (0,)),
        ((0.45, 0.2, 0.2, 0.6), (1,)),
        ((0.33, 0.2, 0.2, 0.6), (1,)),  # over the border: only where more of him is
        ((0.28, 0.2, 0.2, 0.6), (0,)),
        ((0.75, 0.2, 0.2, 0.6), ()),
        ((0.15, 0.74, 0.2, 0.5), ()),  # the upper part is before the desk: somebody else's head
        ((0.0, 0.0, 1.0, 1.0), (0,)),  # closer than the post: covers it, but one person is at one post
    ],
)
def test_a_person_is_at_one_post_by_the_upper_part(box, posts):
    assert PostMap([LEFT, RIGHT]).assign([box]) == [posts]


def test_posts_drawn_over_each_other_are_one_place():
    assert PostMap([LEFT, TIGHT, RIGHT]).assign([(0.15, 0.2, 0.2, 0.6)]) == [(0, 1)]


def test_a_wide_post_sees_a_person_who_fills_little_of_it():
    wide = Post("wide", ((0.05, 0.0), (0.95, 0.0), (0.95, 1.0), (0.05, 1.0)))
    assert PostMap([wide]).assign([(0.4, 0.3, 0.1, 0.5)]) == [(0,)]


def test_two_people_can_be_at_two_posts():
    boxes = [(0.15, 0.2, 0.2, 0.6), (0.45, 0.2, 0.2, 0.6)]
    assert PostMap([LEFT, RIGHT]).assign(boxes) == [(0,), (1,)]


def test_a_concave_post_counts_only_its_inside():
    corner = Post("corner", ((0.0, 0.0), (0.6, 0.0), (0.6, 0.15), (0.15, 0.15), (0.15, 0.9), (0.0, 0.9)))
    assert PostMap([corner]).assign([(0.25, 0.3, 0.2, 0.4)]) == [()]


@pytest.mark.parametrize(
    ("polygon", "empty", "says"),
    [
        (((0, 0), (1, 1)), (), "at least 3 corners"),
        (((0, 0), (1, 1), (0.5, 0.5)), (), "encloses no part"),
        (((2, 2), (3, 2), (3, 3)), (), "encloses no part"),
        (((0, 0), (1, 0), (float("nan"), 1)), (), "not a number"),
        (((0, 0), (1, 0), (1, 1)), ((5.0, 5.0),), "no length"),
    ],
)
def test_an_impossible_post_is_refused(polygon, empty, says):
    with pytest.raises(ValueError, match=says):
        Post("p", polygon, empty)


def test_two_posts_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two posts"):
        PostMap([LEFT, LEFT])


def test_the_mask_scales_with_the_picture():
    for width, height in ((100, 50), (640, 360)):
        share = LEFT.mask(width, height).mean()
        assert share == pytest.approx(0.3 * 0.6, rel=0.1)


# -- several people, several posts -----------------------------------------------------------------------------------

NEAR = Post("near", ((0.1, 0.2), (0.5, 0.2), (0.5, 0.8), (0.1, 0.8)))
NEXT = Post("next", ((0.42, 0.2), (0.8, 0.2), (0.8, 0.8), (0.42, 0.8)))
#: One sits at NEAR, one leans over from NEXT: more of each is at NEAR.
SITS, LEANS = (0.2, 0.25, 0.15, 0.5), (0.36, 0.25, 0.17, 0.5)


def test_two_clerks_who_lean_to_one_post_fill_both():
    posts = PostMap([NEAR, NEXT])
    assert posts.overlap(LEANS, 0) > posts.overlap(LEANS, 1) >= 0.4
    assert posts.assign([LEANS]) == [(0,)]
    assert posts.assign([SITS, LEANS]) == [(0,), (1,)]
    assert posts.assign([LEANS, SITS]) == [(1,), (0,)]


def test_a_post_for_two_keeps_both():
    pair = Post("near", NEAR.polygon, required=2)
    assert PostMap([pair, NEXT]).assign([SITS, LEANS]) == [(0,), (0,)]


def test_a_shadow_of_a_doubt_displaces_nobody():
    places = PostMap([NEAR, NEXT]).places([LEANS, SITS], [0.9, 0.03])
    assert [place.posts for place in places] == [(0,), (0,)]


def test_the_half_of_a_person_does_not_fill_the_next_post():
    half = (LEANS[0], LEANS[1], LEANS[2], 0.25)
    places = PostMap([NEAR, NEXT]).places([LEANS, half], [0.9, 0.5])
    assert [(place.posts, place.counts) for place in places] == [((0,), True), ((0,), False)]


def test_whoever_stands_on_the_public_side_is_at_no_post():
    floor = ((0.1, 0.55), (0.5, 0.55), (0.5, 1.0), (0.1, 1.0))
    posts = PostMap([Post("near", (*NEAR.polygon[:2], (0.5, 0.6), (0.1, 0.6)), public=floor), NEXT])
    citizen = (0.2, 0.5, 0.2, 0.45)
    (place,) = posts.places([citizen])
    assert (place.posts, place.public) == ((), (0,))
    (clerk,) = posts.places([SITS])
    assert (clerk.posts, clerk.public) == ((0,), ())


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=3, max_size=3), min_size=1, max_size=4),
)
def test_the_assignment_is_the_best_there_is(gains):
    found = best_assignment(gains)
    taken = [place for place in found if place is not None]
    assert len(taken) == len(set(taken))
    total = sum(row[place] for row, place in zip(gains, found, strict=True) if place is not None)
    free = [None] * len(gains)
    tries = set(permutations([0, 1, 2, *free], len(gains)))
    best = max(sum(row[p] for row, p in zip(gains, way, strict=True) if p is not None) for way in tries)
    assert total == pytest.approx(best)


def test_nobody_is_put_where_he_is_not():
    assert best_assignment([[0.0, 0.0], [0.5, 0.0], [0.9, 0.0]]) == [None, None, 0]
    assert best_assignment([]) == []
    assert best_assignment([[], []]) == [None, None]
