from __future__ import annotations

import numpy as np
import pytest

from detectors.presence.correlation import EmptyPostCorrelation
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from tests.detectors.presence.scenes import POST, gain, jpeg, moved, noisy, room, with_somebody


def knowing() -> EmptyPostCorrelation:
    eyes = EmptyPostCorrelation([POST])
    eyes.learn_empty(Picture(noisy(room(), 1), 0.0), 0)
    return eyes


def looks(eyes, images, every=0.5, start=0.0):
    return [eyes.look(Picture(image, start + i * every))[0] for i, image in enumerate(images)]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda im: im,
        lambda im: gain(im, 0.4),
        lambda im: gain(im, 1.3),
        lambda im: jpeg(im, 15),
        lambda im: noisy(im, 77, 10),
        lambda im: moved(im, 2, 1),
    ],
)
def test_it_sees_through_light_noise_and_compression(spoil):
    eyes = knowing()
    empty = looks(eyes, [spoil(noisy(room(), 10 + i)) for i in range(6)])
    there = looks(eyes, [spoil(noisy(with_somebody(room(), 0.5, i), 20 + i)) for i in range(8)], start=3.0)
    assert {look.seen for look in empty} == {False}
    assert [look.seen for look in there[3:]] == [True] * 5
    assert max(look.score for look in empty) < 0.1 < 0.3 < min(look.score for look in there)


def test_a_known_shift_of_the_camera_is_taken_out():
    eyes = knowing()
    shifted = Picture(noisy(moved(room(), 10, -8), 3), 1.0)
    assert eyes.look(shifted, (5.0, -4.0))[0].seen is False
    assert knowing().look(shifted)[0].score > 0.3


def test_without_an_empty_picture_it_says_learning():
    eyes = EmptyPostCorrelation([POST])
    found = looks(eyes, [noisy(room(), i) for i in range(40)])
    assert {(look.seen, look.reason) for look in found} == {(None, "learning")}


def test_it_learns_the_empty_post_when_the_scene_comes_back_unmoved():
    eyes = EmptyPostCorrelation([POST], dwell=4.0)
    first = looks(eyes, [noisy(room(), i) for i in range(12)])
    middle = looks(eyes, [noisy(with_somebody(room(), 0.5, i), i) for i in range(12)], start=6)
    assert {look.reason for look in first + middle} == {"learning"}
    looks(eyes, [noisy(room(), 50 + i) for i in range(12)], start=12)
    assert eyes.look(Picture(noisy(room(), 90), 19.0))[0].seen is False
    there = looks(eyes, [noisy(with_somebody(room(), 0.5, i), i) for i in range(6)], start=19.5)
    assert there[-1].seen is True


def test_somebody_who_moves_in_place_is_never_learned_as_the_empty_post():
    # The clerk sits there all day; now and then somebody walks before him.
    eyes = EmptyPostCorrelation([POST], dwell=4.0)
    t = 0.0
    for visit in range(6):
        for i in range(16):
            image = with_somebody(room(), 0.5, i) if visit % 2 == 0 else room(seed=5 + visit)
            (look,) = eyes.look(Picture(noisy(image, i), t))
            assert look.seen is not False
            t += 0.5


def test_a_given_reference_wins_over_learned_ones():
    eyes = EmptyPostCorrelation([POST], dwell=2.0)
    for t in range(30):
        image = room() if (t // 5) % 2 == 0 else with_somebody(room())
        eyes.look(Picture(noisy(image, t), float(t)))
    eyes.learn_empty(Picture(noisy(with_somebody(room()), 1), 30.0), 0)
    assert eyes.look(Picture(noisy(room(), 2), 32.0))[0].seen is True


def test_a_named_empty_span_is_learned_as_it_passes():
    eyes = EmptyPostCorrelation([Post("desk", POST.polygon, ((2.0, 3.0),))])
    found = looks(eyes, [noisy(room(), i) for i in range(10)])
    assert [look.reason for look in found[:4]] == ["learning"] * 4
    assert [look.seen for look in found[4:]] == [False] * 6


def test_a_thing_left_on_the_post_becomes_an_object_not_a_person():
    eyes = knowing()
    found = looks(eyes, [noisy(with_somebody(room(), 0.5), i, 1.0) for i in range(60)], every=2.0)
    assert found[10].seen is True
    assert (found[-1].seen, found[-1].reason) == (None, "object")


def test_somebody_who_moves_stays_a_person():
    found = looks(knowing(), [noisy(with_somebody(room(), 0.5, i), i, 1.0) for i in range(60)], every=2.0)
    assert {look.seen for look in found} == {True}


def test_a_walker_is_not_seen_before_he_has_stayed():
    eyes = knowing()
    looks(eyes, [noisy(room(), 1)] * 3, every=0.2)
    found = looks(eyes, [noisy(with_somebody(room(), 0.5, i), i) for i in range(6)], every=0.2, start=0.6)
    assert [look.reason for look in found[:3]] == ["passing"] * 3
    assert found[-1].seen is True


def test_a_clipped_post_has_no_answer():
    eyes = knowing()
    (look,) = eyes.look(Picture(np.full((360, 640, 3), 255, np.uint8), 1.0))
    assert (look.seen, look.reason) == (None, "low_score")


def test_a_post_of_a_few_pixels_is_refused():
    eyes = EmptyPostCorrelation([Post("speck", ((0.5, 0.5), (0.505, 0.5), (0.505, 0.505), (0.5, 0.505)))])
    (look,) = eyes.look(Picture(room(), 0.0))
    assert look.reason == "too_small"
