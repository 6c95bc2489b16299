"""One fault of a site told from many faults of cameras.

When a switch loses its power, fifty cameras fail within seconds; fifty findings about cameras would be fifty times wrong.
And when this very process was stopped for a while (a machine out of memory, a moved virtual machine), all connections are
broken when it wakes, and no camera is to blame at all. Both are one incident; what fails in it is not spoken of apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from camera_adapters.reader import Link

TOGETHER = 10.0
"""Seconds within which cameras fail by one cause: reading gives up after five, and not all had their picture at once."""
SPREADING = 60.0
"""Seconds back from there for which a fault that spread without a pause of :data:`TOGETHER` is the same one: floor by floor, as the
batteries of a building run out."""
STARTING = 60.0
"""The same for cameras that never delivered: opened a few at a time, they come to their failures over a longer while."""
STARTED = 20.0
"""Seconds after which a process no longer counts as starting."""
OVERSLEPT = 5.0
"""Seconds without a turn of the looking loop after which what broke meanwhile proves nothing about cameras."""
SETTLES = 3.0
"""Seconds for which most have to deliver again before an incident is over."""

IncidentReason = Literal["together", "overslept"]


@dataclass(frozen=True)
class Incident:
    """What a site has in common. Moments are seconds of the clock the guard is told.

    Args:
        failed: cameras that failed in it. watched: how many of the site are watched here.
        back: those of ``failed`` that deliver again. ended: None while it goes on.
    """

    site: str
    reason: IncidentReason
    began: float
    failed: frozenset[str]
    watched: int
    back: int = 0
    ended: float | None = None


@dataclass
class _Known:
    """What is remembered of one camera."""

    delivered: bool = False
    failed_at: float | None = None


class SiteGuard:
    """Watches how the cameras of one site stand. Pure: told of the time and of the links."""

    def __init__(self, site: str, cameras: Sequence[str]) -> None:
        self.site = site
        self.incident: Incident | None = None
        """The one that goes on."""
        self.incidents = 0
        """How many there were."""
        self._cameras = {camera: _Known() for camera in cameras}
        self._first: float | None = None
        self._last: float | None = None
        self._back_since: float | None = None
        self._woke = float("-inf")

    def concerns(self, camera: str) -> bool:
        """Whether what is wrong with a camera now belongs to an incident."""
        return self.incident is not None and camera in self.incident.failed

    def step(self, t: float, links: Mapping[str, Link]) -> Incident | None:
        """Takes how all cameras stand at ``t``; returns an incident that has begun, grown or ended.

        The first step of a process that was slow to start follows no other: that is no incident.
        """
        if self._first is None:
            self._first = t
        # Models are loaded and threads begun while the first looks are made: slow, and nothing is lost by it.
        started = self._last is not None and self._last - self._first >= STARTED
        slept = self._last is not None and started and t - self._last > OVERSLEPT
        before, self._last = self._last, t
        if slept:
            self._woke = t
        for camera, known in self._cameras.items():
            link = links[camera]
            if link.up:
                known.delivered, known.failed_at = True, None
            elif link.reason is not None and known.failed_at is None:
                known.failed_at = t
        if self.incident is not None:
            return self._go_on(t, links)
        failed = frozenset(camera for camera, known in self._cameras.items() if self._just_failed(known, t))
        if slept and before is not None:
            return self._begin("overslept", before, failed, t)
        able = sum(known.failed_at is None for known in self._cameras.values()) + len(failed)
        if len(failed) >= 2 and 2 * len(failed) > able:
            began = min(known.failed_at or t for camera, known in self._cameras.items() if camera in failed)
            return self._begin("together", *self._spread(began, failed), t)
        return None

    def _spread(self, began: float, failed: frozenset[str]) -> tuple[float, frozenset[str]]:
        """When it really began, with the cameras that failed first: too few then to be told from faults of their own."""
        limit = began - SPREADING
        earlier = [
            (known.failed_at, camera)
            for camera, known in self._cameras.items()
            if known.failed_at is not None and limit <= known.failed_at < began and camera not in failed
        ]
        for failed_at, camera in sorted(earlier, reverse=True):
            if began - failed_at >= TOGETHER:
                break
            began, failed = failed_at, failed | {camera}
        return began, failed

    def _just_failed(self, known: _Known, t: float) -> bool:
        within = TOGETHER if known.delivered else STARTING
        return known.failed_at is not None and t - known.failed_at < within

    def _begin(self, reason: IncidentReason, began: float, failed: frozenset[str], t: float) -> Incident:
        self.incidents += 1
        self._back_since = None
        self.incident = Incident(self.site, reason, began, failed, len(self._cameras))
        return self.incident

    def _go_on(self, t: float, links: Mapping[str, Link]) -> Incident | None:
        assert self.incident is not None
        joined = {
            camera
            for camera, known in self._cameras.items()
            if known.failed_at is not None
            and known.failed_at >= self.incident.began
            and camera not in self.incident.failed
        }
        failed = self.incident.failed | joined
        back = sum(links[camera].up for camera in failed)
        grown = Incident(
            self.site, self.incident.reason, self.incident.began, failed, len(self._cameras), back
        )
        self.incident, news = grown, bool(joined)
        if not self._most_are_back(grown, t):
            self._back_since = None
        elif self._back_since is None:
            self._back_since = t
        elif t - self._back_since >= SETTLES:
            self.incident = None
            return Incident(
                self.site, grown.reason, grown.began, failed, grown.watched, back, ended=self._back_since
            )
        return grown if news else None

    def _most_are_back(self, incident: Incident, t: float) -> bool:
        still = len(incident.failed) - incident.back
        if incident.reason == "together":
            return still < incident.back
        # Connections break while the process wakes: that nobody has failed yet proves nothing.
        return t - self._woke >= TOGETHER and 2 * still <= incident.watched
