from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from camera_adapters.backoff import Backoff
from camera_adapters.counter_scene import CounterScene, Moment, post_polygons, public_polygons
from camera_adapters.reader import Link, Reader
from camera_adapters.runner import CameraRunner, Outlet, cameras_of
from camera_adapters.slot import Slot
from camera_adapters.source import Frame, SourceError
from camera_adapters.station import Station, Timebase
from detectors.presence.look import Look
from detectors.presence.state import StateMachine
from detectors.presence.watcher import PostWatcher
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import Clock, FakeClock
from domain.observations import Observation
from tests.detectors.presence.scenes import POST, noisy, room

BEGIN = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


class Time:
    """The machine's seconds and the house's clock, moved by hand."""

    def __init__(self):
        self.now = 1000.0
        self.clock = FakeClock(BEGIN)

    def __call__(self):
        return self.now

    def advance(self, seconds):
        self.now += seconds
        self.clock.advance(seconds)


# -- slot and waits ------------------------------------------------------------------------------------------------


def frame(t=0.0, seed=0):
    return Frame(noisy(room(), seed), t, BEGIN)


def test_the_slot_holds_the_newest_and_counts_what_it_overwrites():
    slot = Slot()
    first, second = frame(1), frame(2)
    slot.put(first)
    slot.put(second)
    assert slot.take() is second
    assert slot.take() is None
    assert (slot.received, slot.overwritten) == (2, 1)


def test_waits_grow_vary_and_are_forgotten_after_a_good_minute():
    exact = Backoff(spread=lambda: 0.5)
    assert [exact.failed(0) for _ in range(6)] == [1, 5, 10, 60, 60, 60]
    assert exact.failed(59) == 60
    assert exact.failed(61) == 1
    assert Backoff(spread=lambda: 1.0).failed(0) == pytest.approx(1.2)
    assert Backoff(spread=lambda: 0.0).failed(0) == pytest.approx(0.8)


# -- the reader ----------------------------------------------------------------------------------------------------


class FakeSource:
    """Plays a list: frames are yielded, numbers advance the time, errors are raised."""

    def __init__(self, time, steps, opening=None):
        self.time, self.steps, self.opening, self.closed = time, steps, opening, 0

    def open(self):
        if self.opening:
            raise self.opening

    def frames(self):
        for step in self.steps:
            if isinstance(step, BaseException):
                raise step
            self.time.advance(step)
            yield frame(self.time.now)

    def close(self):
        self.closed += 1


def read(time, sources, attempts):
    """Runs a reader over the sources in turn; returns it, its slot, and the waits between attempts."""
    waits, links, left = [], [], iter(sources)
    slot = Slot()

    def wait(seconds):
        if seconds:  # 0 only asks whether to end
            waits.append(seconds)
            links.append(reader.link)
            time.advance(seconds)
        return len(waits) >= attempts

    reader = Reader(
        "C1", lambda: next(left), slot, wait=wait, monotonic=time, backoff=Backoff(lambda: 0.5), slowest=10
    )
    reader.run()
    return reader, slot, waits, links


def test_it_opens_again_after_any_failure_with_growing_waits():
    time = Time()
    silent = SourceError("no_frame", "rtsp://cam: sends nothing")
    sources = [
        FakeSource(time, [], opening=SourceError("unreachable", "nobody")),
        FakeSource(time, [1, 1, silent]),
        FakeSource(time, [1, RuntimeError("a decoder's whim")]),
        FakeSource(time, [1] * 70 + [silent]),
        FakeSource(time, []),
    ]
    reader, slot, waits, links = read(time, sources, 5)
    assert waits == [1, 5, 10, 1, 5]  # after a good minute it begins anew
    assert [link.reason for link in links] == [
        "unreachable",
        "no_frame",
        "undecodable",
        "no_frame",
        "no_frame",
    ]
    assert slot.received == 2 + 1 + 70
    assert [source.closed for source in sources] == [1] * 5
    assert reader.reopened == 4


def test_an_error_text_never_shows_a_password(caplog):
    time = Time()
    read(time, [FakeSource(time, [ValueError("bad url rtsp://admin:hush@10.0.0.8/x")])], 1)
    assert "10.0.0.8" in caplog.text
    assert "hush" not in caplog.text


def test_it_measures_the_keyframe_interval_and_says_when_it_is_too_long(caplog):
    time = Time()
    reader, *_ = read(time, [FakeSource(time, [12.0] * 8)], 1)
    assert reader.interval == pytest.approx(12)
    assert caplog.text.count("shorten its keyframe interval") == 1


def test_a_source_that_cannot_even_be_made_is_tried_again():
    time = Time()

    def broken():
        raise SourceError("unauthorised", "PW is not set")

    waits = []
    reader = Reader("C1", broken, Slot(), wait=lambda s: waits.append(s) or len(waits) == 3, monotonic=time)
    reader.run()
    assert reader.link == Link(False, "unauthorised")


# -- the station ---------------------------------------------------------------------------------------------------


class FakeWatcher(PostWatcher):
    """Sees what it is told instead of looking."""

    sees = True

    people = waiting = None

    def looking(self, picture):
        yield from ()
        self.looks = [Look(self.sees, 0.9 if self.sees else 0.0, None, self.people, self.waiting)]
        return self._weigh(picture.t)


def centre(required=1, **camera):
    post = {"name": "desk", "window": "A01", "polygon": [list(c) for c in POST.polygon], "required": required}
    return Centre.model_validate(
        {
            "centre": {"id": "X"},
            "cameras": [{"id": "C1", "url": "/x.mp4", "every": 1.0, "posts": [post], **camera}],
        }
    )


class Desk:
    """A station with everything about it in the hand of the test."""

    def __init__(self, interval=None, fresh=10.0, house=1.0, required=1):
        self.time = Time()
        self.link = Link(True)
        self.slot = Slot()
        self.watcher = FakeWatcher([POST], None, window=10, period=1)
        self.house = house
        self.station = Station(
            "X", centre(required).cameras[0], self.watcher, self.slot, self.time.clock,
            timebase=Timebase(self.time, house=house), link=lambda: self.link, period=1.0, fresh=fresh,
            interval=lambda: interval,
        )  # fmt: skip

    def seconds(self, count, pictures=True, sees=True):
        """One look each second; returns what was published, with the second in which it was."""
        self.watcher.sees = sees
        found: list[tuple[int, Observation]] = []
        for second in range(count):
            if pictures:
                self.slot.put(frame(self.time.now))
            found += [(second, o) for o in self.station.step()]
            self.time.now += 1.0
            self.time.clock.advance(self.house)
        return found


def states(found):
    return [(o.state, o.reason) for _, o in found if o.kind == "post.state"]


def test_how_many_there_are_is_news_only_as_far_as_the_post_needs_them():
    desk = Desk()
    desk.watcher.people = 1
    told = [o for _, o in desk.seconds(12) if o.kind == "post.state"]
    desk.watcher.people = 3
    assert not [o for _, o in desk.seconds(12) if o.kind == "post.state"]
    assert [o.people for o in told] == [1]
    pair = Desk(required=2)
    pair.watcher.people = 1
    first = [o for _, o in pair.seconds(12) if o.kind == "post.state"]
    pair.watcher.people = 3
    later = pair.seconds(20)
    (change,) = [o for _, o in later if o.kind == "post.state"]
    assert ([o.people for o in first], change.people, change.state) == ([1], 2, "present")
    # The answer is old, the count is not: it is vouched for from now on only.
    assert change.since == change.at
    assert [o.people for _, o in later if o.kind == "post.summary"][-1] == 2


def test_who_waits_is_told_only_of_an_empty_post():
    desk = Desk()
    desk.watcher.waiting = True
    assert [o.waiting for _, o in desk.seconds(12) if o.kind == "post.state"] == [None]
    empty = [o for _, o in desk.seconds(30, sees=False) if o.state == "absent"]
    assert {o.waiting for o in empty} == {True}


def test_changes_are_published_at_once_and_looks_are_not():
    desk = Desk()
    assert states(desk.seconds(30)) == [("present", None)]
    away = desk.seconds(30, sees=False)
    assert states(away) == [("unknown", "few_looks"), ("absent", None)]
    assert len(away) < 8


def test_a_state_is_vouched_for_from_the_first_look_that_showed_it():
    desk = Desk()
    desk.seconds(20)
    left = desk.time.clock.now()
    absent = next(o for _, o in desk.seconds(20, sees=False) if o.state == "absent")
    assert absent.since == left
    assert absent.at > left + timedelta(seconds=7)


def test_a_summary_every_fifteen_seconds_counts_the_looks():
    desk = Desk()
    desk.seconds(15)
    found = [o for _, o in desk.seconds(30) if o.kind == "post.summary"]
    assert len(found) == 2
    for o in found:
        assert (o.looks_expected, o.looks_valid, o.looks_seen) == (15, 15, 15)
        assert o.until - o.since == timedelta(seconds=15)
        assert (o.window, o.post, o.state, o.method) == ("A01", "desk", "present", "correlation")


def test_no_picture_is_unknown_with_the_reason_and_never_absent():
    desk = Desk()
    desk.seconds(15, sees=False)
    silent = desk.seconds(40, pictures=False)
    assert states(silent)[0] == ("unknown", "no_frame")
    assert states(silent)[-1] == ("unknown", "stale")
    assert all(state == "unknown" for state, _ in states(silent))
    summary = [o for _, o in silent if o.kind == "post.summary"][-1]
    assert (summary.looks_expected, summary.looks_valid) == (15, 0)


def test_a_camera_that_is_down_gives_its_own_reason():
    desk = Desk()
    desk.seconds(15)
    desk.link = Link(False, "unauthorised")
    found = desk.seconds(15, pictures=False)
    assert states(found)[-1] == ("unknown", "unauthorised")
    camera = [o for _, o in found if o.kind == "camera.state"]
    assert [(o.state, o.reason) for o in camera] == [("unknown", "unauthorised")]
    desk.link = Link(True)
    back = desk.seconds(15)
    assert [(o.state, o.reason) for _, o in back if o.kind == "camera.state"] == [("present", None)]
    assert states(back) == [("present", None)]


def test_between_two_pictures_of_a_slow_camera_the_last_one_stands():
    desk = Desk(interval=4.0)
    found = []
    for _ in range(8):
        found += desk.seconds(1)
        found += desk.seconds(3, pictures=False)
    assert states(found) == [("present", None)]


def test_an_old_picture_from_a_buffer_is_not_looked_at():
    desk = Desk(fresh=5.0)
    desk.seconds(3)
    for _ in range(20):
        desk.slot.put(frame(desk.time.now - 30))
        desk.seconds(1, pictures=False)
    assert desk.seconds(1, pictures=False) == []
    assert desk.watcher.looks[0].reason == "stale"


def test_posts_are_unknown_when_the_picture_is_too_old_whatever_the_window_says():
    desk = Desk(fresh=5.0)
    desk.watcher._states = [StateMachine(100.0, 1.0)]
    desk.seconds(60)
    silent = desk.seconds(10, pictures=False)
    # A look late by a quarter of its period is still in time.
    assert [(second, o.state, o.reason) for second, o in silent if o.kind == "post.state"] == [
        (3, "unknown", "stale")
    ]
    # And what came before proves nothing any more: not even an absence.
    back = desk.seconds(1, sees=False)
    assert not states(back)


def test_an_overslept_loop_does_not_make_up_looks():
    desk = Desk()
    desk.seconds(20, sees=False)
    desk.time.advance(30)
    found = desk.seconds(1, sees=False)
    assert states(found) == [("unknown", "few_looks")]
    assert desk.station.overslept == 1


def test_times_published_are_those_of_the_house_clock():
    desk = Desk(house=60.0)
    desk.seconds(20)
    absent = next(o for _, o in desk.seconds(20, sees=False) if o.state == "absent")
    assert absent.at - absent.since == timedelta(minutes=8)


def test_ids_are_unique():
    desk = Desk()
    found = desk.seconds(40) + desk.seconds(40, sees=False) + desk.seconds(40, pictures=False)
    ids = [o.observation_id for _, o in found]
    assert len(set(ids)) == len(ids)


# -- the outlet and the whole runner ---------------------------------------------------------------------------------


def observation(number):
    return Observation(str(number), "camera.state", "X", "C1", BEGIN, "present")


def test_what_cannot_be_published_waits_in_order_and_the_oldest_gives_way():
    taken, away = [], [True]

    def publish(rows):
        if away[0]:
            raise OSError("the log is away")
        taken.extend(row.observation_id for row in rows)

    outlet = Outlet(publish, kept=3)
    for number in range(5):
        outlet.put([observation(number)])
    away[0] = False
    outlet.put([observation(5)])
    assert taken == ["2", "3", "4", "5"]
    assert outlet.given_up == 2


class DrawnSource:
    """A drawn counter for the tests of the whole: shows what ``hall`` says."""

    def __init__(self, hall):
        self.hall = hall
        self.scene = CounterScene(["A01", "A02"], seed=3)

    def empty_view(self):
        return self.scene.empty

    def open(self):
        if self.hall.down:
            raise SourceError("unreachable", "nobody answers")

    def frames(self):
        return iter(())

    def close(self):
        pass


class Hall:
    def __init__(self):
        self.clerks, self.down, self.covered = [True, True], False, False
        self.citizens = (1, 0)


def run_hall(hall, clock_speed=60.0):
    """A runner at 60-fold speed whose readers are played by the test."""
    real = [0.0]
    clock = Clock(lambda: real[0], sim_start=BEGIN.timestamp(), speed=clock_speed)
    polygons = post_polygons(2)
    posts = [
        {"name": w, "window": w, "polygon": [list(c) for c in p], "public": [list(c) for c in before]}
        for w, p, before in zip(("A01", "A02"), polygons, public_polygons(2), strict=True)
    ]
    hall_centre = Centre.model_validate(
        {"centre": {"id": "X"}, "cameras": [{"id": "C1", "url": "sim://counter", "posts": posts}]}
    )
    published = []
    source = DrawnSource(hall)
    runner = CameraRunner(
        cameras_of(Centres.of(hall_centre)),
        clock,
        published.extend,
        wait=lambda _: True,
        monotonic=lambda: real[0],
        open_source=lambda _: source,
    )
    (posting,) = runner.postings
    posting.reader.link = Link(True)

    def play(seconds):
        for _ in range(round(seconds / 0.25)):
            if not hall.down:
                t = clock.monotonic()
                image = (
                    source.scene.covered(t)
                    if hall.covered
                    else source.scene.render(t, Moment(hall.clerks, hall.citizens))
                )
                posting.slot.put(Frame(image, t, clock.now()))
            runner.step(runner.shares[0])
            real[0] += 0.25
        found = list(published)
        published.clear()
        return found

    return play, posting


def last_states(found):
    return {o.post: (o.state, o.reason) for o in found if o.kind == "post.state"}


def test_the_demo_hall_at_sixty_fold_speed_is_seen_as_it_is():
    hall = Hall()
    play, _ = run_hall(hall)
    assert last_states(play(5)) == {"A01": ("present", None), "A02": ("present", None)}
    hall.clerks = [False, True]
    left = play(5)
    assert last_states(left) == {"A01": ("absent", None)}
    absent = next(o for o in left if o.state == "absent")
    assert absent.at - absent.since <= timedelta(seconds=90)
    hall.covered = True
    assert last_states(play(5)) == {"A01": ("unknown", "covered"), "A02": ("unknown", "covered")}
    hall.covered, hall.clerks = False, [True, True]
    assert last_states(play(6)) == {"A01": ("present", None), "A02": ("present", None)}


def test_who_waits_before_an_empty_desk_is_seen_without_a_net():
    hall = Hall()
    hall.clerks = [False, False]
    play, _ = run_hall(hall)
    told = {o.post: o.waiting for o in play(5) if o.kind == "post.state"}
    assert told == {"A01": True, "A02": False}
    hall.citizens = (0, 2)
    changed = [o for o in play(5) if o.kind == "post.state"]
    assert {o.post: (o.state, o.waiting) for o in changed} == {
        "A01": ("absent", False),
        "A02": ("absent", True),
    }
    hall.clerks = [True, True]
    assert {o.waiting for o in play(5) if o.kind == "post.state"} == {None}


def test_a_camera_that_fails_makes_its_posts_unknown_within_two_seconds_of_the_demo():
    hall = Hall()
    play, posting = run_hall(hall)
    play(4)
    hall.down = True
    posting.reader.link = Link(False, "unreachable")
    found = play(2)
    assert last_states(found) == {"A01": ("unknown", "unreachable"), "A02": ("unknown", "unreachable")}


def test_one_broken_station_does_not_stop_the_others(caplog):
    hall = Hall()
    play, posting = run_hall(hall)

    def broken():
        yield from ()
        raise RuntimeError("no such thing")

    posting.station.stepping = broken
    play(0.5)
    assert "the look failed" in caplog.text


# -- cameras that come back -----------------------------------------------------------------------------------------


def read_knocking(knock, sources, attempts, hurry_at=None):
    """As ``read``, with a door that is knocked at; the moments at which sources were made."""
    time, opened = Time(), []
    left = iter(sources)

    def make():
        opened.append(time.now - 1000)
        source = next(left)
        source.time = time
        return source

    def wait(seconds):
        time.advance(seconds)
        if hurry_at is not None and time.now - 1000 >= hurry_at:
            reader.hurry()
        return len(opened) >= attempts

    reader = Reader(
        "C1", make, Slot(), wait=wait, monotonic=time, backoff=Backoff(lambda: 0.5),
        knock=lambda: knock(time.now - 1000),
    )  # fmt: skip
    reader.run()
    return opened


def dead(count):
    return [FakeSource(None, [], opening=SourceError("unreachable", "nobody")) for _ in range(count)]


def test_a_door_that_stays_shut_is_tried_with_growing_waits():
    assert read_knocking(lambda t: None, dead(6), 6) == [0, 1, 6, 16, 76, 136]


def test_a_door_that_opens_again_is_gone_through_within_seconds():
    opened = read_knocking(lambda t: "200" if t > 30 else None, dead(6), 6)
    assert opened[:4] == [0, 1, 6, 16]
    assert 30 < opened[4] < 34  # not at 76
    assert opened[5] == opened[4] + 1  # and the waits begin anew


def test_a_door_that_says_the_same_as_when_opening_failed_says_nothing():
    assert read_knocking(lambda t: "401", dead(5), 5) == [0, 1, 6, 16, 76]
    opened = read_knocking(lambda t: "200" if t > 40 else "404", dead(5), 5)
    assert 40 < opened[4] < 44


def test_who_would_let_anybody_in_is_asked_again_soon_for_ten_minutes():
    opened = read_knocking(lambda t: "200", dead(260), 240)
    gaps = [b - a for a, b in pairwise(opened)]
    assert max(gap for at, gap in zip(opened, gaps, strict=False) if at < 590) == 3
    assert gaps[-1] == 60


def test_one_that_came_back_during_an_attempt_that_began_too_early_is_opened_a_second_later():
    sources = dead(6)
    sources[3] = Slowly(
        SourceError("no_frame", "does not answer in time"), 5
    )  # opened at 16, its door is back at 18
    opened = read_knocking(lambda t: "401" if t > 18 else None, sources, 6)
    assert opened == [0, 1, 6, 16, 22, 27]


class Slowly(FakeSource):
    """Fails to open after a while."""

    def __init__(self, error, seconds):
        super().__init__(None, [])
        self.error, self.seconds = error, seconds

    def open(self):
        self.time.advance(self.seconds)
        raise self.error


def test_after_ten_minutes_the_knocks_come_more_seldom():
    asked = []
    read_knocking(lambda t: asked.append(t), dead(20), 16)
    gaps = [b - a for a, b in pairwise(asked)]
    assert max(gap for at, gap in zip(asked, gaps, strict=False) if 16 < at < 590) == 2
    assert max(gap for at, gap in zip(asked, gaps, strict=False) if at > 620) == 10


def test_the_end_of_an_incident_ends_the_wait():
    opened = read_knocking(lambda t: "401", dead(6), 6, hurry_at=30)
    assert opened[:4] == [0, 1, 6, 16]
    assert 30 <= opened[4] < 34
