"""When the detector is asked: at every change towards an empty post, never later than its answer holds, and else seldom."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from detectors.presence.asking import NoAnswerError, Question, run_alone, run_together
from detectors.presence.nets.darknet import DarknetNet
from detectors.presence.nets.net import Person
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from detectors.presence.watcher import PostWatcher
from tests.detectors.presence.scenes import POST, clip, noisy, room, with_somebody

HERE = (0.4, 0.25, 0.2, 0.6)


class Net:
    """Sees the somebody of :func:`with_somebody` by the colour of his coat; ``fails`` makes it raise."""

    def __init__(self):
        self.asked = 0
        self.batches = []
        self.fails = False
        self.score = 0.9

    def fit(self, image):
        return image

    def find(self, images):
        self.batches.append(len(images))
        if self.fails:
            raise RuntimeError("out of memory")
        self.asked += len(images)
        return [[Person(HERE, self.score)] if self.coat(image) else [] for image in images]

    @staticmethod
    def coat(image):
        spot = image[250:270, 315:325].reshape(-1, 3).mean(axis=0)
        return bool(spot[2] < 125 and spot[1] < 60)


EMPTY = room()


def film(watcher, scenes, every=1.0, start=0.0):
    """Shows scenes [(seconds, image of a step)] and returns, of every look, (t, seen, asked)."""
    t, number, told = start, int(start * 7), []
    for seconds, scene in scenes:
        for _ in range(round(seconds / every)):
            before = watcher.asked[0]
            watcher.look(Picture(noisy(scene(number), number), t))
            told.append((t, watcher.looks[0].seen, watcher.asked[0] - before))
            t, number = t + every, number + 1
    return told


def empty(number):
    return EMPTY


def sitting(number):
    return with_somebody(EMPTY)


def working(number):
    return with_somebody(EMPTY, 0.5 + 0.01 * (number % 3), number)


def eyes(net, **options):
    return PostWatcher([POST], net, window=5, period=1, **({"longest": 10, "settled": 10} | options))


def test_a_post_that_looks_the_same_is_asked_about_only_when_the_answer_grows_old():
    net = Net()
    told = film(eyes(net), [(40, empty), (40, sitting)])
    assert [seen for _, seen, _ in told] == [False] * 40 + [True] * 40
    asked = [t for t, _, asked in told if asked]
    assert asked == [0, 10, 20, 30, 40, 50, 60, 70]


def test_whoever_works_at_his_post_is_asked_about_only_now_and_then_and_his_leaving_at_once():
    net = Net()
    told = film(eyes(net), [(10, empty), (40, working), (10, empty)])
    assert [seen for _, seen, _ in told] == [False] * 10 + [True] * 40 + [False] * 10
    while_there = sum(asked for t, _, asked in told if 10 <= t < 50)
    assert 4 <= while_there <= 6
    assert told[50][2] == 1  # the first look without him


def test_without_an_empty_picture_every_change_is_asked_about():
    told = film(eyes(Net(), settled=0), [(10, empty), (20, working)])
    assert sum(asked for t, _, asked in told if t >= 10) >= 12


def test_the_answer_never_outlives_its_limit():
    told = film(eyes(Net(), longest=3, settled=3), [(30, sitting)])
    assert [t for t, _, asked in told if asked] == list(range(0, 30, 3))


def test_a_doubt_is_not_kept():
    net = Net()
    net.score = 0.1
    watcher = eyes(net)
    told = film(watcher, [(5, sitting)])
    assert [(seen, asked) for _, seen, asked in told] == [(None, 1)] * 5
    assert watcher.looks[0].reason == "low_score"


def test_nothing_is_kept_over_a_time_in_which_nothing_could_be_seen():
    watcher = eyes(Net())
    film(watcher, [(3, sitting)])
    watcher.miss(3.0, "no_frame")
    assert film(watcher, [(1, sitting)], start=4.0)[0][2] == 1


def test_a_net_that_fails_leaves_the_word_to_the_other_method_or_to_nobody():
    net = Net()
    watcher = eyes(net)
    film(watcher, [(12, empty)])
    net.fails = True
    told = film(watcher, [(8, working)], start=12.0)
    assert [seen for _, seen, _ in told[1:]] == [True] * 7  # unlike its empty picture, and moving
    stranger = eyes(net)
    film(stranger, [(1, sitting)])
    assert (stranger.looks[0].seen, stranger.looks[0].reason) == (None, "late_detector")


def test_people_of_both_sides_are_told_apart_and_counted():
    pair = Post("pair", ((0.0, 0.1), (0.45, 0.1), (0.45, 0.5), (0.0, 0.5)), required=2,
                public=((0.0, 0.55), (0.45, 0.55), (0.45, 1.0), (0.0, 1.0)))  # fmt: skip

    class Crowd(Net):
        people: list = []

        def find(self, images):
            return [[Person(box, 0.4) for box in self.people] for _ in images]

    net = Crowd()
    watcher = PostWatcher([pair], net, window=3, period=1, longest=0.5)
    first, second, citizen = (0.05, 0.12, 0.1, 0.4), (0.25, 0.12, 0.1, 0.4), (0.1, 0.6, 0.15, 0.4)

    def state(*people, start):
        net.people = list(people)
        for i in range(3):
            (last,) = watcher.look(Picture(noisy(EMPTY, int(start) + i), start + i))
        return last.state, last.people, last.waiting

    assert state(first, second, start=0.0) == ("present", 2, False)
    assert state(first, citizen, start=3.0) == ("present", 1, True)
    assert state(citizen, start=6.0) == ("absent", None, True)
    # The upper half of one person is not a second one.
    assert state(first, (0.06, 0.13, 0.08, 0.2), start=9.0) == ("present", 1, False)
    assert state(start=12.0) == ("absent", None, False)


# -- asking together -----------------------------------------------------------------------------------------------


def looking(net, image, rounds, fail=False):
    people = []
    for _ in range(rounds):
        people.append(len((yield Question(net, image))))
    if fail:
        raise ValueError("a bad picture")
    return people


def test_looks_ask_in_batches_and_a_broken_one_harms_no_other():
    net, other = Net(), Net()
    there, nobody = with_somebody(EMPTY), EMPTY
    results = run_together(
        [
            looking(net, there, 1),
            looking(net, nobody, 2),
            looking(other, there, 1),
            looking(net, there, 0),
            looking(net, there, 1, fail=True),
        ]
    )
    assert results[:4] == [[1], [0, 0], [1], []]
    assert isinstance(results[4], ValueError)
    assert (sorted(net.batches), other.batches) == ([1, 3], [1])


def test_a_batch_is_bounded():
    net = Net()
    run_together([looking(net, EMPTY, 1) for _ in range(40)])
    assert net.batches == [16, 16, 8]


def test_a_net_that_fails_is_told_to_each_look():
    net = Net()
    net.fails = True
    assert all(isinstance(r, NoAnswerError) for r in run_together([looking(net, EMPTY, 1)] * 1))
    with pytest.raises(NoAnswerError, match="out of memory"):
        run_alone(looking(net, EMPTY, 1))


# -- the real net and the real clip --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def net(shared_data: Path) -> DarknetNet:
    folder = shared_data / "models"
    return DarknetNet(folder / "yolo-fastest-1.1_body.cfg", folder / "yolo-fastest-1.1_body.weights")


def test_cameras_in_one_batch_see_what_each_sees_alone(shared_data, net):
    pictures = [p.image for p in clip(shared_data / "footage" / "table.mp4", every=8.0, end=25.0)]
    together = net.find([net.fit(image) for image in pictures])
    for image, people in zip(pictures, together, strict=True):
        (alone,) = net.find([net.fit(image)])
        assert [p.score for p in people] == pytest.approx([p.score for p in alone], abs=1e-4)
    assert Counter(len(people) > 0 for people in together)[True] >= 2


def test_the_cadence_costs_a_third_of_the_asking_and_no_answer(shared_data, net):
    post = Post("table", tuple((x / 768, y / 432) for x, y in ((382, 15), (530, 15), (524, 398), (388, 398))))
    there = ((7.1, 18.5), (23.8, 43.5), (51.4, 68.6))
    watcher = PostWatcher([post], net, window=5, period=1, longest=10, settled=10)
    said: Counter[tuple[bool, object]] = Counter()
    for picture in clip(shared_data / "footage" / "table.mp4", every=1.0):
        watcher.look(picture)
        if all(abs(picture.t - edge) > 1 for span in there for edge in span):
            present = any(begin < picture.t < end for begin, end in there)
            said[present, watcher.looks[0].seen] += 1
    assert said[True, False] == 0, "a false absence"
    assert said[True, True] + said[False, False] >= 0.97 * sum(said.values())
    asked, looks = watcher.asked
    assert asked <= looks / 3


def test_a_person_who_arrives_in_a_wide_post_is_a_change():
    wide = Post("wide", ((0.02, 0.02), (0.98, 0.02), (0.98, 0.98), (0.02, 0.98)))
    net = Net()
    watcher = PostWatcher([wide], net, window=5, period=1, longest=100, settled=100)
    small = EMPTY.copy()
    small[120:170, 300:318] = np.random.default_rng(3).integers(0, 255, (50, 18, 3), dtype=np.uint8)
    told = film(watcher, [(3, empty), (2, lambda number: small)])
    assert [asked for _, _, asked in told] == [1, 0, 0, 1, 0]
