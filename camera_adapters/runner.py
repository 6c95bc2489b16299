"""Many cameras in one process: a thread that reads for each, a few threads that look, one way out for what is found."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import cv2

from camera_adapters import factory
from camera_adapters.backoff import Backoff
from camera_adapters.reader import Reader
from camera_adapters.simulated import Script
from camera_adapters.slot import Slot
from camera_adapters.source import Source
from camera_adapters.station import Station, Timebase
from detectors.presence.person_detector import PersonNet
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from detectors.presence.watcher import PostWatcher
from domain.centre import Camera, Centre
from domain.clock import Clock
from domain.observations import Observation

log = logging.getLogger(__name__)

Publish = Callable[[list[Observation]], object]
Spawn = Callable[[str, Callable[[], None]], object]
LEAST_LOOKS = 5
"""A state rests on at least as many looks, however slow they come."""
KEPT = 20_000
"""Observations kept while the log cannot take them; after that the oldest are given up, counted and logged."""
_PAUSE = 0.25
_DWELL = 60.0
"""Seconds of stillness, on two visits, that make a scene the empty one where nobody has said what empty looks like."""


class Outlet:
    """Hands observations over in order; keeps them while that fails."""

    def __init__(self, publish: Publish, kept: int = KEPT) -> None:
        self._publish = publish
        self._kept = kept
        self._waiting: list[Observation] = []
        self._lock = threading.Lock()
        self._failing = False
        self.given_up = 0

    def put(self, found: Sequence[Observation]) -> None:
        with self._lock:
            self._waiting.extend(found)
            if not self._waiting:
                return
            try:
                self._publish(list(self._waiting))
            except Exception as error:
                # Whatever it is, the looks go on, and what they find waits for the log to come back.
                if not self._failing:
                    log.warning("observations cannot be published, they are kept: %s", error)
                self._failing = True
                surplus = len(self._waiting) - self._kept
                if surplus > 0:
                    del self._waiting[:surplus]
                    self.given_up += surplus
                    log.error("%d observations were given up in all: too many wait", self.given_up)
                return
            if self._failing:
                log.info("observations are published again")
            self._failing = False
            self._waiting.clear()


@dataclass(frozen=True)
class Posting:
    """A camera with all that belongs to it."""

    camera: Camera
    reader: Reader
    station: Station
    slot: Slot


class CameraRunner:
    """The cameras of one centre.

    Args:
        publish: takes a list of observations; returns when they are safe, raises when they are not.
        make_net: makes a person net, one for each looking thread; None where no model is installed.
        script: what the drawn cameras show.
        open_source: makes a camera's source.
        turn: called at each turn of a looking thread, with its name.
    """

    def __init__(
        self,
        centre: Centre,
        clock: Clock,
        publish: Publish,
        *,
        wait: Callable[[float], bool],
        make_net: Callable[[], PersonNet | None] = lambda: None,
        script: Script | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        open_source: Callable[[Camera], Source] | None = None,
        workers: int | None = None,
        make_backoff: Callable[[], Backoff] = Backoff,
        turn: Callable[[str], None] = lambda part: None,
    ) -> None:
        self._centre = centre
        self._clock = clock
        self._wait = wait
        self._monotonic = monotonic
        self._make_backoff = make_backoff
        self._turn = turn
        self._open_source = open_source or (
            lambda camera: factory.open_source(camera, clock, script=script, wait=wait, monotonic=monotonic)
        )
        self.outlet = Outlet(publish)
        count = max(1, min(workers or os.cpu_count() or 1, len(centre.cameras)))
        shares = [centre.cameras[number::count] for number in range(count)]
        self.shares = [self._share(share, make_net) for share in shares]

    @property
    def postings(self) -> list[Posting]:
        return [posting for share in self.shares for posting in share]

    def run(self, spawn: Spawn) -> None:
        """Starts the readers and all looking threads but one, and looks in this one until ``wait`` says to end."""
        for posting in self.postings:
            spawn(f"camera-{posting.camera.id}", posting.reader.run)
        for number, share in enumerate(self.shares[1:], start=1):
            spawn(f"look-{number}", partial(self._look_on, share, f"looks-{number}"))
        self._look_on(self.shares[0])

    def step(self, share: Sequence[Posting]) -> float:
        """Does what is due for a share of the cameras; returns the real seconds until something is due again."""
        found: list[Observation] = []
        for posting in share:
            try:
                found += posting.station.step()
            except Exception:
                # One camera's picture must not stop the looks at all others; its posts become unknown by themselves.
                log.exception("camera %s: the look failed", posting.camera.id)
        self.outlet.put(found)
        return min([_PAUSE, *(posting.station.wait() for posting in share)])

    def _look_on(self, share: Sequence[Posting], name: str = "looks") -> None:
        self._turn(name)
        while not self._wait(max(0.005, self.step(share))):
            self._turn(name)

    def _share(self, cameras: Sequence[Camera], make_net: Callable[[], PersonNet | None]) -> list[Posting]:
        real = any(not factory.is_simulated(camera) for camera in cameras)
        net = make_net() if real else None
        return [self._posting(camera, net) for camera in cameras]

    def _posting(self, camera: Camera, net: PersonNet | None) -> Posting:
        presence = self._centre.presence
        simulated = factory.is_simulated(camera)
        period = factory.look_period(camera, self._clock)
        fresh = max(presence.fresh, 4 * period) if simulated else presence.fresh
        posts = [Post(post.name, tuple(post.polygon)) for post in camera.posts]
        watcher = PostWatcher(
            posts,
            # A net trained on people finds no one in a drawing.
            None if simulated else net,
            window=max(presence.window, LEAST_LOOKS * period),
            period=period,
            dwell=_DWELL,
        )
        slot = Slot()
        reader = Reader(
            camera.id,
            lambda: self._open_source(camera),
            slot,
            wait=self._wait,
            monotonic=self._monotonic,
            backoff=self._make_backoff(),
            slowest=float("inf") if simulated else fresh,
        )
        speed = self._clock.speed
        if simulated:
            timebase = Timebase(self._clock.monotonic, house=1.0, real=1.0 / speed)
            self._show_empty(camera, watcher)
        else:
            timebase = Timebase(self._monotonic, house=speed, real=1.0)
        station = Station(
            self._centre.centre.id,
            camera,
            watcher,
            slot,
            self._clock,
            timebase=timebase,
            link=lambda: reader.link,
            period=period,
            fresh=fresh,
            interval=lambda: reader.interval,
        )
        return Posting(camera, reader, station, slot)

    def _show_empty(self, camera: Camera, watcher: PostWatcher) -> None:
        """A drawn camera can say what its posts look like when nobody is there."""
        empty_view = getattr(self._open_source(camera), "empty_view", None)
        if empty_view is not None:
            picture = Picture(empty_view(), self._clock.monotonic())
            for index in range(len(camera.posts)):
                watcher.learn_empty(picture, index)


def run_cameras(
    centre: Centre,
    clock: Clock,
    publish: Publish,
    stop_event: threading.Event,
    *,
    make_net: Callable[[], PersonNet | None] = lambda: None,
    script: Script | None = None,
    turn: Callable[[str], None] = lambda part: None,
    on_start: Callable[[CameraRunner], object] = lambda runner: None,
) -> None:
    """Watches all cameras of a centre until ``stop_event`` is set.

    Returns within a second of that; readers that hang in a silent camera are daemons and end with the process.
    """
    if not centre.cameras:
        log.warning("the centre file names no camera; waiting")
        while not stop_event.wait(1.0):
            turn("looks")
        return
    cv2.setNumThreads(1)  # the threads here are the parallelism
    runner = CameraRunner(
        centre, clock, publish, wait=stop_event.wait, make_net=make_net, script=script, turn=turn
    )
    on_start(runner)
    runner.run(lambda name, target: threading.Thread(target=target, name=name, daemon=True).start())
