from __future__ import annotations

import cv2
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


def night(eyes, images, every=2.0, start=0.0, nobody=True):
    return [eyes.look(Picture(image, start + i * every), nobody=nobody)[0] for i, image in enumerate(images)]


def test_it_learns_the_empty_post_when_nobody_can_be_there():
    eyes = EmptyPostCorrelation([POST])
    before = night(eyes, [noisy(room(), i) for i in range(30)])
    assert {look.reason for look in before} == {"learning"}
    assert night(eyes, [noisy(room(), 50 + i) for i in range(5)], start=60.0)[-1].seen is False
    there = looks(eyes, [noisy(with_somebody(room(), 0.5, i), i) for i in range(6)], start=100.0)
    assert there[-1].seen is True


def test_a_bag_left_overnight_belongs_to_the_empty_post():
    eyes = EmptyPostCorrelation([POST])
    night(eyes, [noisy(room(), i) for i in range(40)])
    bag = with_somebody(room())
    assert looks(eyes, [noisy(bag, 3)], start=90.0)[0].seen is True
    night(eyes, [noisy(bag, 100 + i) for i in range(40)], start=100.0)
    assert looks(eyes, [noisy(bag, 5)], start=200.0)[0].seen is False
    assert looks(eyes, [noisy(room(), 6)], start=201.0)[0].seen is False  # and without it still


def test_a_motionless_clerk_is_never_learned_however_often_he_is_hidden():
    # The clerk sits there all day and does not stir; now and then somebody stands before him for a while.
    eyes = EmptyPostCorrelation([POST], still=4.0)
    t = 0.0
    for visit in range(8):
        for i in range(40):
            image = with_somebody(room(), 0.5) if visit % 2 == 0 else room(seed=5 + visit)
            (look,) = eyes.look(Picture(noisy(image, i), t), nobody=False)
            assert (look.seen, look.reason) == (None, "learning")
            t += 0.5


def test_of_a_recording_only_a_scene_that_came_back_unmoved_is_taken_for_the_empty_post():
    empty = [noisy(room(), i) for i in range(24)]
    there = [noisy(with_somebody(room(), 0.5, i), i) for i in range(12)]
    for returns, learned in ((True, False), (False, None)):
        eyes = EmptyPostCorrelation([POST], returns=returns)
        first = looks(eyes, empty + there, every=0.5)
        assert {look.reason for look in first} == {"learning"}
        again = looks(eyes, empty, start=30.0)
        assert again[-1].seen is learned
    # Somebody vouches for a span: nothing is guessed.
    named = EmptyPostCorrelation([Post("desk", POST.polygon, ((500.0, 501.0),))], returns=True)
    assert {look.reason for look in looks(named, empty + there + empty)} == {"learning"}


def test_who_works_at_night_is_not_learned():
    eyes = EmptyPostCorrelation([POST])
    found = night(eyes, [noisy(with_somebody(room(), 0.5, i), i) for i in range(120)])
    assert {look.reason for look in found} == {"learning"}


def test_a_minute_that_begins_in_office_hours_does_not_count():
    eyes = EmptyPostCorrelation([POST])
    night(eyes, [noisy(room(), i) for i in range(60)], nobody=False)
    found = night(eyes, [noisy(room(), i) for i in range(25)], start=120.0)
    assert {look.reason for look in found} == {"learning"}


def test_a_reference_learned_follows_the_view_and_a_given_one_does_not():
    for given in (False, True):
        eyes = EmptyPostCorrelation([POST])
        if given:
            eyes.learn_empty(Picture(room(), 0.0), 0)
        else:
            night(eyes, [noisy(room(), i) for i in range(40)])
        before = eyes.references(0).kept[0].grey.copy()
        faded = room().copy()
        faded[140:160, 300:330] = 120
        night(eyes, [noisy(faded, i) for i in range(100)], start=100.0, nobody=False)
        after = eyes.references(0).kept[0].grey
        changed = float(np.abs(after - before).max())
        assert (changed < 1e-3) if given else (changed > 20)


def test_the_edge_of_a_shadow_is_neither_somebody_nor_nobody_for_long():
    eyes = knowing()
    edge = np.where(np.arange(640)[None, :, None] > 330, room(), room() // 3).astype(np.uint8)
    found = looks(eyes, [noisy(edge, i) for i in range(20)])
    assert not any(look.seen for look in found)


def test_a_given_reference_sends_away_learned_ones():
    eyes = EmptyPostCorrelation([POST])
    night(eyes, [noisy(room(), i) for i in range(40)])
    eyes.learn_empty(Picture(noisy(with_somebody(room()), 1), 90.0), 0)
    assert looks(eyes, [noisy(room(), 2)], start=92.0)[0].seen is True


def test_six_references_at_most_and_given_ones_stay():
    eyes = EmptyPostCorrelation([POST])
    for seed in range(9):
        eyes.learn_empty(Picture(room(seed), 0.0), 0)
    assert len(eyes.references(0).kept) == 6
    night(eyes, [noisy(room(30), i) for i in range(40)])
    assert [kept.why for kept in eyes.references(0).kept] == ["operator"] * 6


def test_nothing_outside_the_polygon_is_kept_or_has_a_say():
    slanted = Post("slanted", ((0.4, 0.2), (0.7, 0.3), (0.6, 0.8), (0.3, 0.7)))
    eyes = EmptyPostCorrelation([slanted])
    eyes.learn_empty(Picture(room(), 0.0), 0)
    (kept,) = eyes.references(0).kept
    outside = ~slanted.mask(320, 180)[
        tuple(slice(round(a), round(a) + n) for a, n in zip((36, 96), kept.grey.shape, strict=True))
    ]
    assert kept.grey[outside].max() == 0
    other = room(seed=9)
    inside = slanted.mask(640, 360)
    # A margin, for the picture is reduced by averaging.
    grown = np.asarray(cv2.dilate(inside.astype(np.uint8), np.ones((7, 7))), bool)
    other[grown] = room()[grown]
    (look,) = eyes.look(Picture(other, 1.0))
    assert (look.seen, look.score) == (False, 0.0)


def test_a_named_empty_span_is_learned_as_it_passes():
    eyes = EmptyPostCorrelation([Post("desk", POST.polygon, ((2.0, 3.0),))])
    found = looks(eyes, [noisy(room(), i) for i in range(10)])
    assert [look.reason for look in found[:4]] == ["learning"] * 4
    assert [look.seen for look in found[4:]] == [False] * 6


def test_a_thing_left_on_the_post_becomes_an_object_not_a_person():
    eyes = knowing()
    found = looks(eyes, [noisy(with_somebody(room(), 0.5), i, 1.0) for i in range(60)], every=2.0)
    assert found[3].seen is True
    assert (found[-1].seen, found[-1].reason) == (None, "object")


def test_slow_looks_do_not_make_a_thing_of_somebody_at_once():
    images = [noisy(with_somebody(room(), 0.5, (0, 0, 0, 2)[i % 4]), i, 1.0) for i in range(24)]
    assert {look.seen for look in looks(knowing(), images, every=15.0)} == {True}


def test_what_stirs_a_little_is_not_called_empty():
    eyes = knowing()
    looks(eyes, [noisy(room(), i, 1.0) for i in range(4)])
    sleeve = [room() for _ in range(8)]
    for i, image in enumerate(sleeve):
        cv2.circle(image, (250 + 6 * (i % 4), 200 + 9 * (i % 3)), 30, (90, 140, 60), -1)
    found = looks(eyes, [noisy(image, i, 1.0) for i, image in enumerate(sleeve)], start=2.0)
    assert [look.reason for look in found].count("low_score") >= 7
    assert max(look.score for look in found) < 0.08  # unmoved it would be nothing


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
