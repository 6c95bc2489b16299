"""The sites of a runner's cameras: their incidents, published as they begin, grow and end."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from camera_adapters.guard import Incident, SiteGuard
from camera_adapters.reader import Reader
from domain.centre import Camera
from domain.clock import Clock
from domain.observations import Observation

log = logging.getLogger(__name__)

SiteKey = tuple[str, str]
"""(centre, site)"""


def site_of(centre: str, camera: Camera) -> SiteKey:
    """The site a camera stands at: cameras that name none are those of their centre."""
    return centre, camera.site or centre


@dataclass(frozen=True)
class Member:
    """One camera of a site: its code and what reads it."""

    site: SiteKey
    camera: str
    reader: Reader


class Sites:
    """Guards of all sites. One thread steps it; whether a camera is part of an incident may be asked from any."""

    def __init__(
        self,
        members: Iterable[Member],
        clock: Clock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._monotonic = clock, monotonic
        self._readers: dict[SiteKey, dict[str, Reader]] = {}
        for each in members:
            self._readers.setdefault(each.site, {})[each.camera] = each.reader
        self.guards = {key: SiteGuard(key[1], list(readers)) for key, readers in self._readers.items()}
        self._greeted = False
        self._began: dict[SiteKey, datetime] = {}

    def concerns(self, site: SiteKey, camera: str) -> bool:
        """Whether what is wrong with a camera now belongs to an incident of its site."""
        guard = self.guards.get(site)
        return guard is not None and guard.concerns(camera)

    def step(self) -> list[Observation]:
        t, at = self._monotonic(), self._clock.now()
        found = [] if self._greeted else [self._greeting(key, at) for key in self.guards]
        self._greeted = True
        for key, guard in self.guards.items():
            readers = self._readers[key]
            incident = guard.step(t, {camera: reader.link for camera, reader in readers.items()})
            if incident is not None:
                self._began.setdefault(key, at - timedelta(seconds=(t - incident.began) * self._clock.speed))
                self._log(key, incident)
                found.append(self._observation(key, incident, t, at))
                if incident.ended is not None:
                    del self._began[key]
                    # What kept most of them from delivering is over: the rest need not wait out their minute.
                    for camera in incident.failed:
                        readers[camera].hurry()
        return found

    def _log(self, key: SiteKey, incident: Incident) -> None:
        place, number = "/".join(dict.fromkeys(key)), len(incident.failed)
        if incident.ended is not None:
            log.info("site %s: the incident is over, %d of %d cameras are back", place, incident.back, number)
        elif incident.reason == "overslept":
            log.warning("site %s: this process did not run; %d cameras have failed since", place, number)
        else:
            log.warning("site %s: %d of %d cameras have failed together", place, number, incident.watched)

    def _greeting(self, key: SiteKey, at: datetime) -> Observation:
        """A process that begins knows of no incident; the one before it may have died in the middle of one."""
        cameras = tuple(sorted(self._readers[key]))
        return self._site_state(key, at, "restart", at, at, cameras, len(cameras))

    def _observation(self, key: SiteKey, incident: Incident, t: float, at: datetime) -> Observation:
        began, until = self._began[key], None
        if incident.ended is not None:
            until = max(began, at - timedelta(seconds=(t - incident.ended) * self._clock.speed))
        cameras = tuple(sorted(incident.failed))
        well = incident.watched - len(cameras) + incident.back
        return self._site_state(key, at, incident.reason, began, until, cameras, well)

    def _site_state(
        self,
        key: SiteKey,
        at: datetime,
        reason: str,
        since: datetime,
        until: datetime | None,
        cameras: tuple[str, ...],
        well: int,
    ) -> Observation:
        centre, site = key
        return Observation(
            observation_id=f"{centre}:{site}:site:{cameras[0] if cameras else ''}:{at.timestamp():.6f}",
            kind="site.state",
            centre=centre,
            camera=site,
            at=at,
            state="unknown" if until is None else "present",
            reason=reason,
            since=since.astimezone(UTC),
            until=until,
            looks_expected=len(self._readers[key]),
            looks_valid=well,
            cameras=cameras,
        )
