"""Cameras that are drawn instead of filmed, for the demo and for tests: ``sim://counter``."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

from camera_adapters.counter_scene import CounterScene, Moment
from camera_adapters.source import Frame, SourceError
from detectors.presence.picture import Image
from domain.clock import Clock

Trouble = Literal["fail", "cover"]
Wait = Callable[[float], object]


class Script(Protocol):
    """What happens before the simulated cameras. Both are asked for the house's time."""

    def present(self, window: str, at: datetime) -> bool:
        """Is a clerk at the window?"""
        ...

    def trouble(self, camera: str, at: datetime) -> Trouble | None:
        """Does the camera fail, or is it covered?"""
        ...


class ShortBreaks:
    """The script for want of a better one: everybody leaves now and then for a few minutes; no camera fails."""

    def present(self, window: str, at: datetime) -> bool:
        slot = int(at.timestamp() // 300)
        return _chance(f"{window}:{slot}") >= 0.08

    def trouble(self, camera: str, at: datetime) -> Trouble | None:
        return None


class SimulatedSource:
    """A drawn counter. Its time is the house's clock, however fast that runs.

    Args:
        camera: its name; gives it its own people and clutter.
        windows: the window behind each post, from left to right.
        every: seconds of the house's clock between pictures.
    """

    def __init__(
        self,
        camera: str,
        windows: Sequence[str],
        clock: Clock,
        script: Script | None = None,
        *,
        every: float = 1.0,
        wait: Wait = time.sleep,
    ) -> None:
        self._camera = camera
        self._windows = tuple(windows)
        self._clock = clock
        self._script: Script = script or ShortBreaks()
        self._every = every
        self._wait = wait
        seed = int.from_bytes(hashlib.sha256(camera.encode()).digest()[:4])
        self._scene = CounterScene(self._windows, seed)
        self._open = False

    def empty_view(self) -> Image:
        """The view with nobody there: the operator's own reference."""
        return self._scene.empty

    def open(self) -> None:
        if self._script.trouble(self._camera, self._clock.now()) == "fail":
            raise SourceError("unreachable", f"sim://{self._camera}: does not answer (simulated)")
        self._open = True

    def frames(self) -> Iterator[Frame]:
        if not self._open:
            self.open()
        while self._open:
            at, t = self._clock.now(), self._clock.monotonic()
            trouble = self._script.trouble(self._camera, at)
            if trouble == "fail":
                raise SourceError("no_frame", f"sim://{self._camera}: sends nothing any more (simulated)")
            yield Frame(self._picture(at, t, trouble), t, at)
            if self._wait(self._every / self._clock.speed):
                return

    def close(self) -> None:
        self._open = False

    def _picture(self, at: datetime, t: float, trouble: Trouble | None) -> Image:
        if trouble == "cover":
            return self._scene.covered(t)
        clerks = [self._script.present(window, at) for window in self._windows]
        citizens = [
            min(2, int(3 * _chance(f"{window}:{int(t // 240)}"))) if there else 0
            for window, there in zip(self._windows, clerks, strict=True)
        ]
        return self._scene.render(t, Moment(clerks, citizens))


def _chance(text: str) -> float:
    """A number in 0 … 1 that is always the same for the same text."""
    return random.Random(text).random()  # noqa: S311 - a drawn picture, not a secret
