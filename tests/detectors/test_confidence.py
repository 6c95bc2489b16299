"""Intervals against the worked examples of Newcombe (1998), table I."""

from __future__ import annotations

import pytest

from detectors.confidence import clopper_pearson, wilson

PUBLISHED = [
    (81, 263, (0.2553, 0.3662), (0.2527, 0.3676)),
    (15, 148, (0.0624, 0.1605), (0.0578, 0.1617)),
    (0, 20, (0.0, 0.1611), (0.0, 0.1684)),
    (1, 29, (0.0061, 0.1718), (0.0009, 0.1776)),
]


@pytest.mark.parametrize(("good", "sample", "score", "exact"), PUBLISHED)
def test_published_examples(good, sample, score, exact):
    assert wilson(good / sample, sample) == pytest.approx(score, abs=5e-5)
    assert clopper_pearson(good, sample) == pytest.approx(exact, abs=5e-5)


def test_all_or_nothing_and_no_sample():
    assert clopper_pearson(20, 20) == pytest.approx((1 - 0.1684, 1.0), abs=5e-5)
    assert wilson(1.0, 20) == pytest.approx((1 - 0.1611, 1.0), abs=5e-5)
    assert clopper_pearson(0, 0) is None
    assert wilson(0.5, 0) is None


def test_a_large_sample_is_no_trouble():
    low, high = clopper_pearson(9_000, 10_000)
    assert (low, high) == pytest.approx(wilson(0.9, 10_000), abs=1e-3)
