"""``mingjing watch`` on a camera: it reconnects for ever, and says unknown with the reason meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from camera_adapters.factory import kind_of, open_source
from camera_adapters.reader import Reader
from camera_adapters.slot import Slot
from camera_adapters.source import Frame, Source
from detectors.presence.picture import Picture
from detectors.presence.state import PostState
from detectors.presence.watcher import PostWatcher
from domain.centre import Camera
from domain.clock import Clock

LONGEST_GAP = 2.0
"""Seconds for which a picture of a stream that still delivers is taken for now."""


@dataclass(frozen=True, slots=True)
class Tick:
    """The states at ``t`` seconds after the first picture."""

    t: float
    states: Sequence[PostState]


def camera_at(address: str) -> Camera:
    """A camera of no centre, for its address alone."""
    everywhere = {"name": "post", "window": "-", "polygon": [[0, 0], [1, 0], [1, 1]]}
    return Camera.model_validate({"id": "camera", "url": address, "every": 0.2, "posts": [everywhere]})


def is_live(address: str) -> bool:
    """Whether it is a camera, or something that stands for one and has no end; a recording has one.

    Raises:
        SourceError: it is of no kind that can be opened.
    """
    return kind_of(camera_at(address)) != "recording"


def watch_live(
    address: str,
    watcher: PostWatcher,
    *,
    period: float,
    stop: threading.Event,
    monotonic: Callable[[], float] = time.monotonic,
    make_source: Callable[[], Source] | None = None,
) -> Iterator[Tick]:
    """Looks every ``period`` seconds until ``stop`` is set.

    The first opening has to succeed: an address that is mistyped is an error and not something to wait for.

    Raises:
        SourceError: it cannot be opened at all.
    """
    make = make_source or (lambda: open_source(camera_at(address), Clock(), wait=stop.wait, every_frame=True))
    first: list[Source] = [_Opened(make())]
    slot = Slot()
    reader = Reader(
        "watch", lambda: first.pop() if first else make(), slot, wait=stop.wait, monotonic=monotonic
    )
    threading.Thread(target=reader.run, name="watch", daemon=True).start()
    while (frame := slot.take()) is None and (reader.link.up or reader.link.reason is None):
        if stop.wait(0.02):
            return
    began = due = newest = monotonic()
    while not stop.is_set():
        t = due - began
        if frame is not None:
            newest = frame.t
            states = watcher.look(Picture(frame.image, t, frame.keyframe))
        elif not reader.link.up:
            states = watcher.miss(t, reader.link.reason or "restart")
        elif monotonic() - newest > LONGEST_GAP:
            states = watcher.miss(t, "stale")
        else:
            states = watcher.repeat(t)
        yield Tick(t, states)
        # Overslept: the looks that were missed stay missing.
        due = max(due + period, monotonic() - period)
        if stop.wait(max(0.0, due - monotonic())):
            return
        frame = slot.take()


class _Opened:
    """A source that is open already, for a reader that opens what it is given."""

    def __init__(self, source: Source) -> None:
        source.open()
        self._source = source

    def open(self) -> None:
        pass

    def frames(self) -> Iterator[Frame]:
        return self._source.frames()

    def close(self) -> None:
        self._source.close()
