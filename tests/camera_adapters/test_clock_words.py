"""What is published of a camera's clock: with its state, and again when it has moved; kept, and a finding of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from camera_adapters.reader import Link
from camera_adapters.slot import Slot
from camera_adapters.source import Frame
from camera_adapters.station import Station, Timebase
from detectors.presence.watcher import PostWatcher
from domain.centre import Camera
from domain.clock import FakeClock
from domain.observations import Observation, observation_from_json, observation_to_json
from store.blindness import camera_words
from store.connection import connect
from store.observations import write_observations
from tests.detectors.presence.scenes import POST, noisy, room

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class Watched:
    def __init__(self):
        self.looked = 0
        self.clock, self.slot, self.link, self.offset = FakeClock(START), Slot(), Link(up=True), None
        post = {"name": POST.name, "window": "A01", "polygon": [[0, 0], [1, 0], [1, 1]]}
        camera = Camera.model_validate({"id": "C1", "url": "rtsp://h/x", "posts": [post]})
        self.station = Station(
            "c",
            camera,
            PostWatcher([POST], None, window=10, period=2),
            self.slot,
            self.clock,
            timebase=Timebase(self.clock.monotonic),
            link=lambda: self.link,
            period=2.0,
            fresh=10.0,
            clock_offset=lambda: self.offset,
        )

    def words(self):
        self.looked += 1
        image = noisy(room(), self.looked)
        self.slot.put(Frame(image, self.clock.monotonic(), self.clock.now()))
        found = [each for each in self.station.step() if each.kind == "camera.state"]
        self.clock.advance(2.0)
        return [(each.state, each.clock_offset) for each in found]


def test_a_clock_is_spoken_of_when_it_is_known_and_when_it_has_moved():
    watched = Watched()
    watched.words()
    watched.words()
    for offset, words in [
        (None, []),
        (0.31, [("present", 0.3)]),
        (0.9, []),
        (4.9, []),
        (5.4, [("present", 5.4)]),
        (None, []),
        (-3600.0, [("present", -3600.0)]),
    ]:
        watched.offset = offset
        assert watched.words() == words, offset
    # Between two openings it is not known; what was said last is said on.
    watched.link, watched.offset = Link(up=False, reason="refused"), None
    (down,) = [each for each in watched.station.step() if each.kind == "camera.state"]
    assert (down.state, down.reason, down.clock_offset) == ("unknown", "refused", -3600.0)


def word(minute, offset, state="present"):
    at = START + timedelta(minutes=minute)
    return Observation(f"w{minute}", "camera.state", "c", "C1", at, state, clock_offset=offset)


def test_it_travels_and_nonsense_is_refused():
    row = observation_to_json(word(0, 12.5))
    assert row["clock_offset"] == 12.5
    assert observation_from_json(row) == word(0, 12.5)
    for wrong in ("12", True, 1e11, float("nan")):
        with pytest.raises(ValueError, match="clock_offset"):
            observation_from_json(row | {"clock_offset": wrong})


@pytest.mark.postgres
def test_it_is_kept_and_the_newest_known_one_is_the_cameras(database):
    words = [word(0, None), word(1, 95.0), word(2, None, "unknown")]
    with connect(database) as connection:
        write_observations(connection, words, now=START + timedelta(minutes=3))
        row = connection.execute(
            "select state, clock_offset from camera_state where camera = 'C1'"
        ).fetchone()
        told = camera_words(connection, "c", {"C1": START})["C1"]
    assert tuple(row) == ("unknown", 95.0)
    assert [each[3] for each in told] == [None, 95.0, None]
