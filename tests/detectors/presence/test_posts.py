from __future__ import annotations

import pytest

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
