"""Sleeping between packets: only where the kernel's buffer has room for what comes meanwhile."""

from __future__ import annotations

import pytest

from camera_adapters.nap import LONGEST, Nap


def naps(bytes_per_second: float, waited: float = 0.03) -> list[float]:
    """What is slept after each packet of ten seconds, 25 of them a second."""
    now = [0.0]
    nap, found = Nap(lambda: now[0]), []
    for _ in range(250):
        now[0] += 0.04
        found.append(nap.after(round(bytes_per_second / 25), waited=waited))
    return found


def test_a_small_stream_is_slept_on_once_its_rate_is_known():
    found = naps(60_000)
    assert set(found[:90]) == {0.0}
    assert set(found[110:]) == {LONGEST}


def test_the_larger_the_stream_the_shorter_and_of_a_large_one_none():
    assert naps(480_000)[-1] == pytest.approx(0.1, rel=0.05)
    assert set(naps(1_500_000)) == {0.0}


def test_what_lies_ready_is_taken_first():
    assert set(naps(60_000, waited=0.0)) == {0.0}
