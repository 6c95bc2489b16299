"""Cameras of one looking thread ask one net together, and only as often as their posts need it."""

from __future__ import annotations

from datetime import UTC, datetime

from camera_adapters.reader import Link
from camera_adapters.runner import CameraRunner, cameras_of
from camera_adapters.source import Frame
from detectors.presence.nets.net import Person
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import Clock
from tests.detectors.presence.scenes import POST, noisy, room, with_somebody

BEGIN = datetime(2026, 3, 2, 1, tzinfo=UTC)
HERE = (0.4, 0.25, 0.2, 0.6)


class Net:
    """Sees whoever wears the coat of the drawn person; ``broken`` fails."""

    def __init__(self):
        self.batches = []
        self.broken = False

    def fit(self, image):
        return image

    def find(self, images):
        self.batches.append(len(images))
        if self.broken:
            raise RuntimeError("out of memory")
        spots = [image[250:270, 315:325].reshape(-1, 3).mean(axis=0) for image in images]
        return [[Person(HERE, 0.9)] if spot[2] < 125 and spot[1] < 60 else [] for spot in spots]


class Hall:
    """Three cameras, of which the second is spoilt when told to be; looks once a second."""

    def __init__(self):
        self.real, self.net, self.published, self.spoilt = 1000.0, Net(), [], False
        posts = [{"name": "p", "window": "A01", "polygon": [list(c) for c in POST.polygon]}]
        cameras = [{"id": f"C{i}", "url": f"/{i}.mp4", "every": 1.0, "posts": posts} for i in range(3)]
        centre = Centre.model_validate(
            {"centre": {"id": "X"}, "cameras": cameras, "windows": [{"id": "A01"}]}
        )
        self.clock = Clock(lambda: self.real, sim_start=BEGIN.timestamp(), speed=1.0)
        self.runner = CameraRunner(
            cameras_of(Centres.of(centre)), self.clock, self.published.extend, wait=lambda _: True,
            monotonic=lambda: self.real, make_net=lambda: self.net, open_source=lambda _: None, workers=1,
        )  # fmt: skip
        for posting in self.runner.postings:
            posting.reader.link = Link(True)

    def play(self, seconds, image):
        for _ in range(seconds):
            for number, posting in enumerate(self.runner.postings):
                shown = noisy(image, int(self.real) * 3 + number)
                # The pictures do not come at the very same moment.
                posting.slot.put(Frame(shown, self.real - 0.01 * number, self.clock.now()))
            self.runner.step(self.runner.shares[0])
            self.real += 1.0
        told = [(o.camera, o.state) for o in self.published if o.kind == "post.state"]
        self.published.clear()
        return told


def test_three_cameras_are_one_batch_and_unchanged_posts_are_not_asked_about():
    hall = Hall()
    there = with_somebody(room())
    assert sorted(hall.play(30, there)) == [(f"C{i}", "present") for i in range(3)]
    assert hall.net.batches == [3, 3, 3]  # at 0, 10 and 20 s
    hall.net.batches.clear()
    assert sorted(hall.play(15, room()))[:3] == [("C0", "absent"), ("C0", "unknown"), ("C1", "absent")]
    # The change at once, and a second opinion where nobody is found; not one ask a look.
    assert hall.net.batches[0] == 3
    assert sum(hall.net.batches) <= 3 * 6


def test_a_net_that_fails_makes_posts_unknown_and_stops_nothing():
    hall = Hall()
    hall.net.broken = True
    told = hall.play(12, with_somebody(room()))
    assert {state for _, state in told} == {"unknown"}
    hall.net.broken = False
    assert {state for _, state in hall.play(12, with_somebody(room()))} == {"present"}
