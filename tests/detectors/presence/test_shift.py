"""How far a view lies from another: as OpenCV says it, for every size of picture, and said only where it is clear."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detectors.presence.shift import shift_between, spectrum

RNG = np.random.default_rng(7)


def scene(height: int) -> np.ndarray:
    return cv2.GaussianBlur(RNG.normal(0, 40, (height, 320)).astype(np.float32), (0, 0), 1.5)


def moved(plane: np.ndarray, right: float, down: float) -> np.ndarray:
    move = np.asarray([[1, 0, right], [0, 1, down]], np.float32)
    noise = RNG.normal(0, 1, plane.shape).astype(np.float32)
    return cv2.warpAffine(plane, move, (plane.shape[1], plane.shape[0])) + noise


@pytest.mark.parametrize("height", [180, 182, 213, 225, 240])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -5.0), (7.5, 2.25), (-40.0, 30.0)])
def test_a_shift_is_found_in_pictures_of_any_height(height, shift):
    plane = scene(height)
    found = shift_between(spectrum(plane), spectrum(moved(plane, *shift)))
    assert found == pytest.approx(shift, abs=0.4)


@pytest.mark.parametrize("height", [180, 240])
def test_it_is_what_opencv_says(height):
    plane = scene(height)
    other = moved(plane, 6.3, -2.6)
    window = cv2.createHanningWindow((320, height), cv2.CV_32F)
    expected, _ = cv2.phaseCorrelate(np.clip(plane, -30, 30), np.clip(other, -30, 30), window)
    assert shift_between(spectrum(plane), spectrum(other)) == pytest.approx(expected, abs=1e-3)


def test_of_views_that_have_nothing_in_common_nothing_is_said():
    assert shift_between(spectrum(scene(180)), spectrum(scene(180))) == (0.0, 0.0)
    assert shift_between(spectrum(scene(180)), spectrum(np.zeros((180, 320), np.float32))) == (0.0, 0.0)
