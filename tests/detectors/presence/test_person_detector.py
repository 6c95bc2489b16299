from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from detectors.presence.departure import DepartureCheck
from detectors.presence.nets.darknet import DarknetNet
from detectors.presence.nets.net import Person
from detectors.presence.passing import PassingFilter
from detectors.presence.person_detector import PersonDetector, blockiness_of, noise_of
from detectors.presence.picture import Picture
from detectors.presence.posts import Post, PostMap
from detectors.presence.watcher import PostWatcher
from domain.errors import ModelError
from tests.detectors.presence.scenes import POST, clip, gain, jpeg, noisy, room, with_somebody

HERE = (0.4, 0.25, 0.2, 0.6)


class FakeNet:
    """Answers with the people it was told, in turn; the second opinion gets the next of them."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def fit(self, image):
        return image

    def find(self, images):
        found = []
        for _ in images:
            self.asked += 1
            answer = self.answers[min(self.asked, len(self.answers)) - 1]
            found.append([Person(HERE, answer)] if answer else [])
        return found


def look(*scores, image=None):
    return PersonDetector(PostMap([POST]), FakeNet(*scores)).look(
        Picture(image if image is not None else room(), 0.0)
    )[0]


@pytest.mark.parametrize(
    ("first", "second", "seen", "reason"),
    [
        (0.9, None, True, None),
        (0.2, None, True, None),
        (0.0, 0.0, False, None),
        (0.0, 0.9, True, None),  # noise hid him from the first
        (0.1, 0.0, None, "low_score"),
        (0.0, 0.27, None, "low_score"),  # the second opinion counts for less
        (0.0, 0.10, None, "low_score"),
        (0.0, 0.07, False, None),
        (0.03, 0.03, False, None),
    ],
)
def test_weak_boxes_are_neither_somebody_nor_nobody(first, second, seen, reason):
    found = look(first, second)
    assert (found.seen, found.reason) == (seen, reason)


def test_a_second_opinion_is_asked_only_when_needed():
    net = FakeNet(0.9)
    PersonDetector(PostMap([POST]), net).look(Picture(room(), 0.0))
    assert net.asked == 1


def test_a_second_opinion_is_asked_less_often_where_nobody_has_been_for_long():
    net = FakeNet(0.0)
    eyes = PersonDetector(PostMap([POST]), net)
    for t in range(30):
        eyes.look(Picture(room(), float(t)))
    assert 38 <= net.asked <= 44
    net.answers, net.asked = [0.1], 0
    for t in range(30, 40):  # a doubt, and it is asked every time again
        eyes.look(Picture(room(), float(t)))
    assert net.asked == 20


def test_whoever_was_there_and_has_not_left_is_not_gone():
    net = FakeNet(0.9, 0.0)
    eyes = PersonDetector(PostMap([POST]), net)
    there = with_somebody(room())
    assert eyes.look(Picture(noisy(there, 1), 0.0))[0].seen is True
    for i in range(5):
        lost = eyes.look(Picture(noisy(there, 2 + i), 1.0 + i))[0]
        assert (lost.seen, lost.reason) == (None, "low_score")
    assert eyes.look(Picture(noisy(room(), 9), 9.0))[0].seen is False
    assert eyes.look(Picture(noisy(there, 10), 10.0))[0].seen is False  # forgotten once he has left


def test_a_weak_sighting_and_an_old_one_prove_nothing():
    check = DepartureCheck()
    check.saw(Picture(room(), 0.0), HERE, 0.3, (0.0, 0.0))
    assert not check.still_there(Picture(room(), 1.0), (0.0, 0.0))
    check.saw(Picture(room(), 0.0), HERE, 0.9, (0.0, 0.0))
    assert check.still_there(Picture(room(), 100.0), (0.0, 0.0))
    assert not check.still_there(Picture(room(), 200.0), (0.0, 0.0))


def walk(boxes, every=0.2):
    filter_ = PassingFilter()
    return [filter_.step(i * every, box) for i, box in enumerate(boxes)]


def box(x):
    return (x, 0.2, 0.2, 0.7)


def test_who_walks_through_is_passing_and_who_stops_is_not():
    walking = [box(0.3 + 0.04 * i) for i in range(5)]
    assert walk(walking) == [False, True, True, True, True]
    stopped = walk(walking + [box(0.47)] * 6)
    assert stopped[-2:] == [False, False]


def test_who_has_been_there_a_while_may_walk_about():
    assert not any(walk([box(0.3)] * 10 + [box(0.3 + 0.04 * i) for i in range(5)])[10:])


def test_slow_looks_never_call_anybody_passing():
    assert not any(walk([box(0.3), box(0.5), box(0.7)], every=2.0))


# -- the real net and real pictures --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net(shared_data: Path) -> DarknetNet:
    folder = shared_data / "models"
    return DarknetNet(folder / "yolo-fastest-1.1_body.cfg", folder / "yolo-fastest-1.1_body.weights")


def footage_posts(path: Path) -> list[Post]:
    row = json.loads(path.read_text())
    return [
        Post(p["name"], tuple((x / row["width"], y / row["height"]) for x, y in p["polygon"]))
        for p in row["posts"]
    ]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda im: im,
        lambda im: gain(im, 0.25),
        lambda im: gain(im, 1.6),
        lambda im: (im * 0.4 + 100).astype(np.uint8),
        lambda im: jpeg(im, 20),
        lambda im: np.clip(im + np.random.default_rng(1).normal(0, 15, im.shape), 0, 255).astype(np.uint8),
    ],
    ids=["as it is", "dark", "bright", "washed out", "jpeg 20", "noisy"],
)
@pytest.mark.parametrize(("name", "people"), [("two-people", 2), ("walk-and-pause", 3)])
def test_it_finds_everybody_in_the_close_ups(shared_data, net, name, people, spoil):
    posts = footage_posts(shared_data / "footage" / f"{name}.json")
    eyes = PersonDetector(PostMap(posts), net)
    for picture in clip(shared_data / "footage" / f"{name}.gif", every=1.0):
        found = eyes.look(Picture(spoil(picture.image), picture.t))
        assert [look.seen for look in found[:people]] == [True] * people
        assert not any(look.seen for look in found[people:])


@pytest.mark.parametrize(
    "spoil",
    [lambda im: noisy(im, int(im[::9].sum()) % 997, 30), lambda im: jpeg(im, 5)],
    ids=["noise 30", "jpeg 5"],
)
@pytest.mark.parametrize(("name", "people"), [("two-people", 2), ("walk-and-pause", 3)])
def test_nobody_is_called_absent_because_the_picture_is_bad(shared_data, net, name, people, spoil):
    posts = footage_posts(shared_data / "footage" / f"{name}.json")
    eyes = PostWatcher(posts, net, window=1.0, period=0.2)
    said = set()
    for picture in clip(shared_data / "footage" / f"{name}.gif", every=0.2):
        spoilt = Picture(spoil(picture.image), picture.t, picture.keyframe)
        said |= {state.state for state in eyes.look(spoilt)[:people]}
    assert "absent" not in said
    assert "present" in said


@pytest.mark.parametrize(("sigma", "least", "most"), [(0, 0.0, 1.5), (15, 8, 20), (30, 18, 40)])
def test_noise_is_measured_through_edges(sigma, least, most):
    assert least <= noise_of(noisy(room(), 3, sigma)) <= most


@pytest.mark.parametrize(("quality", "least", "most"), [(None, 0.5, 1.2), (20, 1.3, 2.0), (8, 2.0, 4.0)])
def test_coarse_jpeg_blocks_are_noticed(shared_data, quality, least, most):
    image = next(clip(shared_data / "footage" / "table.mp4")).image
    spoilt = jpeg(image, quality) if quality else image
    assert least <= blockiness_of(Picture(spoilt, 0.0).grey) <= most


def test_an_empty_view_has_nobody_by_a_wide_margin(shared_data, net):
    posts = footage_posts(shared_data / "footage" / "table.json")
    eyes = PersonDetector(PostMap(posts), net)
    for picture in clip(shared_data / "footage" / "table.mp4", every=1.0, end=5.5):
        for found in eyes.look(picture):
            assert found.seen is False
            assert found.score < 0.03


def test_files_that_are_no_net_are_refused(tmp_path):
    cfg, weights = tmp_path / "a.cfg", tmp_path / "a.weights"
    cfg.write_text("[net]\nwidth=1\n")
    weights.write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"a\.weights and a\.cfg are not a net"):
        DarknetNet(cfg, weights)
    with pytest.raises(ModelError):
        DarknetNet(tmp_path / "no.cfg", weights)
