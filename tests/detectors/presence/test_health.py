from __future__ import annotations

import cv2
import numpy as np
import pytest

from detectors.presence.freeze import FreezeWatch
from detectors.presence.health import CameraHealth
from detectors.presence.picture import Picture
from tests.detectors.presence.scenes import POST, gain, jpeg, moved, noisy, room, with_somebody


def reasons(images, every=0.5, keyframe=True):
    health = CameraHealth([POST])
    return [health.check(Picture(image, i * every, keyframe)).reason for i, image in enumerate(images)]


def after(change, first=6, then=9):
    """The reasons after a change of the live, noisy view."""
    images = [noisy(room(), i) for i in range(first)] + [noisy(change(room()), 100 + i) for i in range(then)]
    return reasons(images)[first:]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda im: np.zeros_like(im), "dark"),
        (lambda im: np.full_like(im, 90), "covered"),
        (lambda im: (cv2.GaussianBlur(im, (0, 0), 45) * 0.5).astype(np.uint8), "covered"),
        (lambda im: cv2.GaussianBlur(im, (0, 0), 5), "blurred"),
        (lambda im: moved(im, 110), "moved"),
        (lambda im: moved(im, 0, 70), "moved"),
        (lambda im: room(seed=77), "moved"),
    ],
)
def test_a_spoiled_view_is_noticed_and_stays_so(change, reason):
    found = after(change)
    assert found[-1] == reason
    assert found[5:] == [reason] * (len(found) - 5)


@pytest.mark.parametrize(
    "change",
    [
        lambda im: im,
        lambda im: gain(im, 0.25),
        lambda im: gain(im, 1.6),
        lambda im: moved(im, 8),
        lambda im: moved(im, -6, 5),
        lambda im: noisy(im, 5, 12),
        lambda im: jpeg(im, 20),
        with_somebody,
        lambda im: np.where(np.arange(im.shape[1])[None, :, None] > 300, im, im // 2),  # a hard shadow
    ],
)
def test_a_view_that_can_be_judged_is_let_through(change):
    # A jump of the light may be reported for a second; after that the picture is as good as before.
    assert set(after(change)[4:]) == {None}


def test_a_jump_of_the_light_is_unknown_for_a_second_only():
    found = after(lambda im: gain(im, 0.4))
    assert found[0] == "light_change"
    assert set(found[4:]) == {None}


def test_people_before_the_camera_do_not_move_it():
    images = [noisy(room(), i) for i in range(10)]
    images += [noisy(with_somebody(with_somebody(room(), 0.2, i), 0.85, i), 50 + i) for i in range(20)]
    assert set(reasons(images)) == {None}


def test_a_trembling_camera_is_followed():
    health = CameraHealth([POST])
    rng = np.random.default_rng(3)
    health.check(Picture(noisy(room(), 0), 0.0))
    for i in range(1, 20):
        right, down = (int(v) for v in rng.integers(-9, 10, 2))
        found = health.check(Picture(noisy(moved(room(), right, down), i), i * 0.2))
        assert found.reason is None
        if max(abs(right), abs(down)) >= 6:  # half of it in the reduced picture
            assert found.shift == pytest.approx((right / 2, down / 2), abs=1.2)


def test_a_grey_picture_from_the_start_is_flat():
    assert set(reasons([noisy(np.full((360, 640, 3), 128, np.uint8), i) for i in range(5)])) == {"flat"}


# -- frozen ------------------------------------------------------------------------------------------------------------


def frozen_from(pictures):
    watch = FreezeWatch()
    return next((p.t for p in pictures if watch.step(p)), None)


def test_one_picture_over_and_over_is_frozen_within_ten_seconds():
    live = [Picture(noisy(room(), i), i * 0.2, i % 5 == 0) for i in range(15)]
    held = live[-1].image
    still = [Picture(held, 3 + i * 0.2, i % 5 == 0) for i in range(60)]
    at = frozen_from(live + still)
    assert at is not None
    assert 3 < at - 3 <= 9.5


def test_a_freeze_is_noticed_sooner_where_the_noise_is_known():
    live = [Picture(noisy(room(), i), i * 0.5) for i in range(40)]
    still = [Picture(live[-1].image, 20 + i * 0.5) for i in range(20)]
    at = frozen_from(live + still)
    assert at is not None
    assert at - 20 <= 4.0


def test_a_quiet_noisy_scene_is_not_frozen():
    assert frozen_from([Picture(noisy(room(), i, 1.5), i * 0.5) for i in range(120)]) is None


def test_equal_pictures_between_two_keyframes_are_not_frozen():
    # An encoder leaves a quiet scene untouched inside a group of pictures; only its keyframes tell.
    pictures = [Picture(noisy(room(), i // 15), i * 0.2, keyframe=i % 15 == 0) for i in range(200)]
    assert frozen_from(pictures) is None


def test_coding_noise_around_keyframes_does_not_hide_a_freeze():
    key, rest = jpeg(room(), 60), jpeg(room(), 75)
    pictures = [Picture(key if i % 10 == 0 else rest, i * 0.2, i % 10 == 0) for i in range(80)]
    assert frozen_from(pictures) is not None


def test_four_seconds_of_a_still_gif_are_not_frozen():
    assert frozen_from([Picture(room(), i * 0.08, i == 0) for i in range(50)]) is None


def test_a_source_that_comes_back_is_live_again():
    watch = FreezeWatch()
    for i in range(30):
        frozen = watch.step(Picture(room(), i * 0.5))
    assert frozen
    assert not watch.step(Picture(noisy(room(), 1), 15.0))
