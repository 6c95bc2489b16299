"""Many cameras in one process: a thread that reads for each, a few threads that look, one way out for what is found."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2

from camera_adapters import factory
from camera_adapters.backoff import Backoff
from camera_adapters.gate import Gate
from camera_adapters.knock import Knock, knock_for
from camera_adapters.quiet_hours import quiet_hours
from camera_adapters.reader import Reader
from camera_adapters.references import CameraMemory, show_operator_pictures
from camera_adapters.simulated import Script
from camera_adapters.sites import Member, Sites, site_of
from camera_adapters.slot import Slot
from camera_adapters.source import Source
from camera_adapters.station import OnLook, Station, Timebase
from detectors.presence.asking import run_together
from detectors.presence.nets.net import PersonNet
from detectors.presence.picture import Picture
from detectors.presence.posts import Post
from detectors.presence.watcher import PostWatcher
from domain.centre import Camera, Centre
from domain.centres import Centres
from domain.clock import Clock
from domain.observations import Observation
from domain.shares import WHOLE, Share

log = logging.getLogger(__name__)

Publish = Callable[[list[Observation]], object]
Spawn = Callable[[str, Callable[[], None]], object]
LEAST_LOOKS = 5
"""A state rests on at least as many looks, however slow they come."""
KEPT_ANSWER = 10.0
"""Seconds for which an answer of the person detector holds at most while the post looks the same."""
KEPT = 20_000
"""Observations kept while the log cannot take them; after that the oldest are given up, counted and logged."""
_PAUSE = 0.25


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
class Watched:
    """A camera and its centre. ``name`` tells it from every other camera of the system."""

    centre: Centre
    camera: Camera
    name: str


MakeKeeper = Callable[[Watched, Reader], OnLook]


def cameras_of(centres: Centres, share: Share = WHOLE) -> list[Watched]:
    """All cameras of all centres, or those of a share. Shares go by centre and camera code: each camera has one machine."""
    found = []
    for code, centre in centres.items():
        for camera in centre.cameras:
            key = f"{code}/{camera.id}"
            if share.has(key):
                found.append(Watched(centre, camera, key if centres.several else camera.id))
    return found


@dataclass(frozen=True)
class Posting:
    """A camera with all that belongs to it."""

    name: str
    camera: Camera
    reader: Reader
    station: Station
    slot: Slot
    site: tuple[str, str]


class CameraRunner:
    """Cameras of one centre or of many.

    Args:
        publish: takes a list of observations; returns when they are safe, raises when they are not.
        make_net: makes a person net, one for each looking thread; None where no model is installed.
        make_script: makes what the drawn cameras of a centre show.
        open_source: makes a camera's source.
        make_knock: makes what asks whether the camera at an address could be opened.
        turn: called at each turn of a looking thread, with its name.
        make_keeper: makes what is told of each look of a camera; it keeps pictures (camera_adapters.pictures).
        learned: folder of what cameras have learned of their empty posts; None keeps nothing over a restart.
    """

    def __init__(
        self,
        cameras: Sequence[Watched],
        clock: Clock,
        publish: Publish,
        *,
        wait: Callable[[float], bool],
        make_net: Callable[[], PersonNet | None] = lambda: None,
        make_script: Callable[[Centre], Script] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        open_source: Callable[[Camera], Source] | None = None,
        workers: int | None = None,
        make_backoff: Callable[[], Backoff] = Backoff,
        make_knock: Callable[[str], Knock | None] = knock_for,
        turn: Callable[[str], None] = lambda part: None,
        make_keeper: MakeKeeper | None = None,
        learned: Path | None = None,
    ) -> None:
        self._clock = clock
        self._make_keeper = make_keeper
        self._learned = learned
        self._wait = wait
        self.monotonic = monotonic
        self._make_backoff, self._make_knock = make_backoff, make_knock
        self._turn = turn
        self.gate = Gate(monotonic=monotonic)
        centres = {each.centre.centre.id: each.centre for each in cameras}
        self._scripts = {code: make_script(centre) for code, centre in centres.items()} if make_script else {}
        self._given_source = open_source
        self.outlet = Outlet(publish)
        count = max(1, min(workers or os.cpu_count() or 1, len(cameras)))
        shares = [cameras[number::count] for number in range(count)]
        self.shares = [self._share(share, make_net) for share in shares]
        self.sites = Sites(
            # What a drawn camera shows, faults and all, is played by its script.
            (
                Member(each.site, each.camera.id, each.reader)
                for each in self.postings
                if not factory.is_simulated(each.camera)
            ),
            clock,
            monotonic=monotonic,
        )

    @property
    def postings(self) -> list[Posting]:
        return [posting for share in self.shares for posting in share]

    def run(self, spawn: Spawn) -> None:
        """Starts the readers and all looking threads but one, and looks in this one until ``wait`` says to end."""
        for posting in self.postings:
            spawn(f"camera-{posting.name}", posting.reader.run)
        for number, share in enumerate(self.shares[1:], start=1):
            spawn(f"look-{number}", partial(self._look_on, share, f"looks-{number}"))
        self._look_on(self.shares[0])

    def step(self, share: Sequence[Posting]) -> float:
        """Does what is due for a share of the cameras; returns the real seconds until something is due again."""
        found: list[Observation] = self.sites.step() if share is self.shares[0] else []
        results = run_together([posting.station.stepping() for posting in share])
        for posting, result in zip(share, results, strict=True):
            if isinstance(result, Exception):
                # One camera's picture must not stop the looks at all others; its posts become unknown by themselves.
                log.error("camera %s: the look failed", posting.name, exc_info=result)
            else:
                found += result
        self.outlet.put(found)
        return min([_PAUSE, *(posting.station.wait() for posting in share)])

    def _look_on(self, share: Sequence[Posting], name: str = "looks") -> None:
        self._turn(name)
        while not self._wait(max(0.005, self.step(share))):
            self._turn(name)

    def _source(self, watched: Watched) -> Source:
        if self._given_source is not None:
            return self._given_source(watched.camera)
        script = self._scripts.get(watched.centre.centre.id)
        return factory.open_source(
            watched.camera,
            self._clock,
            script=script,
            wait=self._wait,
            monotonic=self.monotonic,
            zone=watched.centre.zone,
        )

    def _share(self, cameras: Sequence[Watched], make_net: Callable[[], PersonNet | None]) -> list[Posting]:
        # One net for a thread, whatever the centres: it is the largest thing here.
        net = make_net() if any(map(_wants_net, cameras)) else None
        return [self._posting(each, net if _wants_net(each) else None) for each in cameras]

    def _posting(self, watched: Watched, net: PersonNet | None) -> Posting:
        centre, camera = watched.centre, watched.camera
        presence = centre.presence
        simulated = factory.is_simulated(camera)
        period = factory.look_period(camera, self._clock)
        fresh = max(presence.fresh, 4 * period) if simulated else presence.fresh
        posts = [
            Post(
                post.name,
                tuple(post.polygon),
                public=tuple(post.public) if post.public else None,
                required=post.required,
            )
            for post in camera.posts
        ]
        # What the person detector said is kept as long as a picture is, but a clerk at work is looked at every 10 s.
        longest = min(presence.fresh, KEPT_ANSWER)
        watcher = PostWatcher(
            posts,
            net,
            window=max(presence.window, LEAST_LOOKS * period),
            period=period,
            nobody=quiet_hours(centre, (post.window for post in camera.posts), self._clock),
            keeper=self._memory(watched, posts),
            hidden=[*camera.blackout, *(post.public for post in camera.posts if post.public)],
            longest=longest,
            settled=longest,
        )
        show_operator_pictures(camera, watcher, self._learned.parent if self._learned else None)
        slot, site = Slot(), site_of(centre.centre.id, camera)
        reader = Reader(
            watched.name,
            lambda: self._source(watched),
            slot,
            wait=self._wait,
            monotonic=self.monotonic,
            backoff=self._make_backoff(),
            slowest=float("inf") if simulated else fresh,
            # Without a way out nobody is knocked at: a source that a test plays is behind no door.
            knock=self._make_knock(camera.url) if self._given_source is None else None,
            gate=self.gate,
            site=":".join(site),
        )
        speed = self._clock.speed
        if simulated:
            timebase = Timebase(self._clock.monotonic, house=1.0, real=1.0 / speed)
            self._show_empty(watched, watcher)
        else:
            timebase = Timebase(self.monotonic, house=speed, real=1.0)
        station = Station(
            centre.centre.id,
            camera,
            watcher,
            slot,
            self._clock,
            timebase=timebase,
            link=lambda: reader.link,
            period=period,
            fresh=fresh,
            interval=lambda: reader.interval,
            in_incident=lambda: self.sites.concerns(site, camera.id),
            too_slow=lambda: reader.too_slow,
            # A demo's clock runs as it likes; no camera's can be compared with it.
            clock_offset=lambda: reader.clock_offset if self._clock.spec == "real" else None,
            on_look=self._make_keeper(watched, reader) if self._make_keeper else None,
        )
        return Posting(watched.name, camera, reader, station, slot, site)

    def _memory(self, watched: Watched, posts: Sequence[Post]) -> CameraMemory | None:
        if self._learned is None or factory.is_simulated(watched.camera):
            return None
        code = watched.centre.centre.id
        return CameraMemory(self._learned, code, watched.camera.id, posts, self._clock)

    def _show_empty(self, watched: Watched, watcher: PostWatcher) -> None:
        """A drawn camera can say what its posts look like when nobody is there."""
        empty_view = getattr(self._source(watched), "empty_view", None)
        if empty_view is not None:
            picture = Picture(empty_view(), self._clock.monotonic())
            for index in range(len(watched.camera.posts)):
                watcher.learn_empty(picture, index)
                watcher.learn_nobody_waiting(picture, index)


def _wants_net(watched: Watched) -> bool:
    """A net trained on people finds no one in a drawing; and a centre may want none."""
    return watched.centre.presence.method != "correlation" and not factory.is_simulated(watched.camera)


def run_cameras(
    cameras: Sequence[Watched],
    clock: Clock,
    publish: Publish,
    stop_event: threading.Event,
    *,
    make_net: Callable[[], PersonNet | None] = lambda: None,
    make_script: Callable[[Centre], Script] | None = None,
    turn: Callable[[str], None] = lambda part: None,
    make_keeper: MakeKeeper | None = None,
    learned: Path | None = None,
    on_start: Callable[[CameraRunner], object] = lambda runner: None,
) -> None:
    """Watches cameras until ``stop_event`` is set.

    Returns within a second of that; readers that hang in a silent camera are daemons and end with the process.
    """
    if not cameras:
        log.warning("there is no camera to watch; waiting")
        while not stop_event.wait(1.0):
            turn("looks")
        return
    cv2.setNumThreads(1)  # the threads here are the parallelism
    runner = CameraRunner(
        cameras,
        clock,
        publish,
        wait=stop_event.wait,
        make_net=make_net,
        make_script=make_script,
        turn=turn,
        make_keeper=make_keeper,
        learned=learned,
    )
    on_start(runner)
    runner.run(lambda name, target: threading.Thread(target=target, name=name, daemon=True).start())
