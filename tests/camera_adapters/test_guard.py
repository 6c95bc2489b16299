"""One fault of a site is one incident, and after it not all cameras are opened in the same second."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime

import pytest

from camera_adapters.backoff import Backoff
from camera_adapters.guard import OVERSLEPT, SETTLES, STARTED, STARTING, TOGETHER, SiteGuard
from camera_adapters.reader import Link
from camera_adapters.runner import CameraRunner, cameras_of
from domain.centre import Centre
from domain.centres import Centres
from domain.clock import FakeClock

UP, DOWN, UNTRIED = Link(True), Link(False, "unreachable"), Link(False)


class Site:
    """Cameras whose links a test sets, looked at four times a second."""

    def __init__(self, count=10, link=UP):
        self.links = {f"C{number:02d}": link for number in range(count)}
        self.guard = SiteGuard("hall", list(self.links))
        self.t = 100.0
        self.news = []
        self.seconds(1)

    def set(self, count, link, first=0):
        for camera in list(self.links)[first : first + count]:
            self.links[camera] = link

    def seconds(self, seconds):
        """What the guard said meanwhile."""
        found = []
        for _ in range(round(seconds * 4)):
            incident = self.guard.step(self.t, self.links)
            if incident is not None:
                found.append(incident)
            self.t += 0.25
        self.news += found
        return found

    def sleep(self, seconds):
        self.t += seconds


def test_more_than_half_within_seconds_are_one_incident_with_how_many_of_how_many():
    site = Site()
    began = site.t
    site.set(3, DOWN)
    assert site.seconds(2) == []
    site.set(6, DOWN)
    (incident,) = site.seconds(5)
    assert (incident.reason, incident.began, incident.ended) == ("together", began, None)
    assert (len(incident.failed), incident.watched) == (6, 10)
    assert site.guard.concerns("C00")
    assert not site.guard.concerns("C09")


def test_half_is_not_more_than_half_and_one_alone_is_nothing():
    site = Site()
    site.set(5, DOWN)
    assert site.seconds(60) == []
    alone = Site(count=1)
    alone.set(1, DOWN)
    assert alone.seconds(60) == []


def test_cameras_that_fail_one_after_the_other_have_a_fault_each():
    site = Site()
    for number in range(10):
        site.set(1, DOWN, first=number)
        assert not [each for each in site.seconds(TOGETHER + 1) if len(each.failed) > 2]
    assert site.guard.incidents <= 1  # the last two of which one is half


def test_it_ends_once_when_most_are_back_for_a_while():
    site = Site()
    site.set(10, DOWN)
    site.seconds(30)
    for _ in range(5):  # comes and goes while everything starts
        site.set(7, UP)
        site.seconds(1)
        site.set(7, DOWN)
        site.seconds(1)
    site.set(6, UP)
    back = site.t
    site.seconds(SETTLES + 1)
    assert [each.ended for each in site.news if each.ended is not None] == [back]
    assert site.guard.incidents == 1
    assert not site.guard.concerns("C09")  # what is still down has a fault of its own
    site.seconds(60)
    assert site.guard.incidents == 1


def test_who_fails_later_joins():
    site = Site()
    site.set(6, DOWN)
    site.seconds(2)
    site.set(8, DOWN)
    (grown,) = site.seconds(2)
    assert len(grown.failed) == 8


def test_a_camera_that_was_broken_before_is_not_part_of_it():
    site = Site()
    site.set(1, DOWN)
    site.seconds(60)
    site.set(10, DOWN)
    (incident,) = site.seconds(2)
    assert "C00" not in incident.failed
    assert (len(incident.failed), incident.watched) == (9, 10)


def test_a_fault_that_spreads_is_one_from_its_first_camera_on():
    site = Site(60)
    first = site.t
    for number in range(60):  # one a second: ten of sixty are not most of them
        site.set(1, DOWN, first=number)
        site.seconds(1)
    site.seconds(2)
    assert site.guard.incidents == 1
    incident = site.guard.incident
    assert incident is not None
    assert len(incident.failed) == 60
    assert incident.began == first


def test_what_failed_before_a_pause_is_not_part_of_what_spreads():
    site = Site(60)
    site.set(1, DOWN)
    site.seconds(TOGETHER + 1)
    for number in range(1, 60):
        site.set(1, DOWN, first=number)
        site.seconds(0.75)
    incident = site.guard.incident
    assert incident is not None
    assert not site.guard.concerns("C00")
    assert len(incident.failed) == 59


def test_a_slow_start_is_none_but_starting_into_an_outage_is():
    site = Site(link=UNTRIED)
    assert site.seconds(120) == []
    site.set(10, UP)
    assert site.seconds(20) == []
    site = Site(link=UNTRIED)
    site.sleep(30)  # models are loaded
    site.set(10, UP)
    assert site.seconds(20) == []
    cold = Site(link=UNTRIED)
    for number in range(10):  # opened a few at a time, each takes its five seconds
        cold.set(1, DOWN, first=number)
        cold.seconds(4)
    assert cold.guard.incidents == 1
    assert STARTING > 40


def test_a_dead_camera_since_the_start_adds_nothing_a_day_later():
    site = Site(link=UNTRIED)
    site.set(5, UP)
    site.set(5, DOWN, first=5)
    site.seconds(100)
    site.set(2, DOWN)
    assert site.seconds(10) == []


def test_an_overslept_process_blames_no_camera():
    site = Site()
    site.seconds(STARTED)
    began = site.t - 0.25
    site.sleep(OVERSLEPT + 25)
    site.set(10, DOWN)  # all connections broke meanwhile
    (incident,) = site.seconds(1)
    assert (incident.reason, incident.began) == ("overslept", began)
    assert site.guard.concerns("C03")
    site.set(10, UP)
    site.seconds(TOGETHER + SETTLES + 1)
    assert site.guard.incident is None
    assert site.guard.incidents == 1


def test_overslept_while_nothing_failed_ends_by_itself_and_one_dead_camera_does_not_keep_it_open():
    for dead in (0, 1):
        site = Site()
        site.seconds(STARTED)
        site.sleep(20)
        site.set(dead, DOWN)
        site.seconds(TOGETHER + SETTLES + 1)
        assert [each.ended is not None for each in site.news if not each.failed or each.ended][-1] is True
        assert site.guard.incident is None


# -- opening a few at a time ----------------------------------------------------------------------------------------


def open_at_once(gate, sites):
    """All threads through the gate; most inside at once, in all and per site."""
    inside, most, lock = Counter(), Counter(), threading.Lock()
    full = threading.Event()

    def one(site):
        with gate.turn(site) as admitted:
            assert admitted
            with lock:
                for name in (site, "all"):
                    inside[name] += 1
                    most[name] = max(most[name], inside[name])
            full.wait(0.02)
            with lock:
                inside.subtract((site, "all"))

    threads = [threading.Thread(target=one, args=(site,)) for site in sites]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    return most


def test_fifty_cameras_of_two_sites_are_opened_a_few_at_a_time():
    from camera_adapters.gate import Gate

    most = open_at_once(Gate(per_site=4, in_all=6), ["A"] * 40 + ["B"] * 10)
    assert most["A"] == 4
    assert most["all"] <= 6


def test_who_hangs_in_opening_does_not_keep_the_others_out():
    from camera_adapters.gate import LEASE, Gate

    now = [0.0]
    gate = Gate(per_site=1, monotonic=lambda: now[0])
    with gate.turn("A") as first:
        assert first
        with gate.turn("A", lambda: True) as second:
            assert not second
        now[0] = LEASE + 1
        with gate.turn("A", lambda: True) as third:
            assert third


# -- knocking -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["/x.mp4", "file:///x.mp4", "sim://counter", "rtsp://:99999/", "v4l2:///dev/video0"]
)
def test_where_there_is_no_door_nobody_knocks(address):
    from camera_adapters.knock import knock_for

    assert knock_for(address) is None


class Door:
    """Listens on loopback and answers once."""

    def __init__(self, answer):
        import socket

        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.heard = b""
        self.answer = answer
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        caller, _ = self.socket.accept()
        with caller:
            self.heard = caller.recv(4096)
            if self.answer:
                caller.sendall(self.answer)


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (b"RTSP/1.0 404 Not Found\r\n\r\n", "404"),
        (b"RTSP/1.0 401 Unauthorized\r\n", "401"),
        (b"HTTP?", "connects"),
        (b"", None),
    ],
)
def test_the_answer_at_the_door_is_the_status_and_no_login_is_shown(answer, wanted):
    from camera_adapters.knock import knock_for

    door = Door(answer)
    assert knock_for(f"rtsp://admin:hush@127.0.0.1:{door.port}/ch/1?x=2")() == wanted
    assert door.heard.startswith(b"DESCRIBE rtsp://127.0.0.1:%d/ch/1?x=2 RTSP/1.0\r\n" % door.port)
    assert b"hush" not in door.heard
    door.socket.close()
    assert knock_for(f"rtsp://127.0.0.1:{door.port}/", seconds=0.2)() is None


# -- the whole runner: fifty cameras that restart at once -----------------------------------------------------------


class Switchboard:
    """Fifty cameras behind one switch, on a clock of their own: each reader is played as a generator would be."""

    def __init__(self, count=50):
        self.now = 1000.0
        self.clock = FakeClock(datetime(2026, 11, 23, 1, tzinfo=UTC))
        self.power = True
        self.opened = []
        self.published = []
        posts = [{"name": "desk", "window": "A01", "polygon": [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]}]
        cameras = [
            {"id": f"C{n:02d}", "url": f"rtsp://10.9.9.{n}/", "site": "hall", "every": 1.0, "posts": posts}
            for n in range(count)
        ]
        centre = Centre.model_validate({"centre": {"id": "X"}, "cameras": cameras})
        self.spread = iter(range(10**9))
        self.runner = CameraRunner(
            cameras_of(Centres.of(centre)),
            self.clock,
            self.published.extend,
            wait=lambda _: True,
            monotonic=lambda: self.now,
            open_source=lambda _: None,
            make_backoff=lambda: Backoff(lambda: (next(self.spread) * 0.37) % 1),
            workers=1,
        )
        self.readers = [posting.reader for posting in self.runner.postings]
        self.waits = dict.fromkeys(range(count), 0.0)

    def seconds(self, seconds):
        """Readers that wait are tried when their wait is over, as their threads would."""
        for _ in range(round(seconds * 4)):
            for number, reader in enumerate(self.readers):
                if reader.link.up and not self.power:
                    reader.link = Link(False, "no_frame")
                    self.waits[number] = self.now + reader._backoff.failed(0)
                elif not reader.link.up and (self.now >= self.waits[number] or reader._hurried):
                    reader._hurried = False
                    self.opened.append(self.now)
                    reader.link = Link(True) if self.power else Link(False, "unreachable")
                    self.waits[number] = self.now + (0 if self.power else reader._backoff.failed(0))
            self.runner.step(self.runner.shares[0])
            self.now += 0.25
            self.clock.advance(0.25)

    def said(self, kind):
        return [each for each in self.published if each.kind == kind]


def test_fifty_cameras_restarting_at_once_are_one_incident_and_no_storm():
    board = Switchboard()
    board.seconds(10)
    board.published.clear()
    board.opened.clear()
    board.power = False
    board.seconds(40)
    (begun,) = board.said("site.state")
    assert (begun.camera, begun.state, begun.reason) == ("hall", "unknown", "together")
    assert (begun.looks_expected, begun.looks_valid, len(begun.cameras)) == (50, 0, 50)
    words = {each.camera: each.reason for each in board.said("camera.state")}
    assert set(words.values()) == {"incident"}  # none is spoken of apart
    # Tried again after 1, 5, 10 s, each a little sooner or later than the others.
    assert len(board.opened) == 50 * 3
    assert max(Counter(board.opened).values()) < 50
    board.published.clear()
    board.power = True
    board.seconds(60)
    (ended,) = board.said("site.state")
    assert (ended.state, ended.since, ended.until > ended.since) == ("present", begun.since, True)
    assert {each.state for each in board.said("camera.state")} == {"present"}
    assert all(reader.link.up for reader in board.readers)


def test_a_new_process_ends_what_the_one_before_it_said():
    board = Switchboard(count=3)
    board.seconds(1)
    greeting = board.said("site.state")
    assert [(each.state, each.reason, each.cameras) for each in greeting] == [
        ("present", "restart", ("C00", "C01", "C02"))
    ]


def test_pictures_that_come_too_seldom_are_said_of_the_camera():
    board = Switchboard(count=1)
    board.seconds(2)
    board.readers[0].interval = 12.0
    board.seconds(2)
    assert [(each.state, each.reason) for each in board.said("camera.state")][-1] == ("present", "too_slow")
