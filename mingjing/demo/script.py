"""What happens before the simulated cameras of the demo: who is at a window, which camera fails or is covered."""

from __future__ import annotations

import random
from datetime import datetime

from camera_adapters.simulated import Trouble
from domain.centre import Centre
from mingjing.demo.incidents import AWAY, TROUBLES

#: Hours at which clerks take and leave their posts: a little around the opening hours of nine to five.
ARRIVES, LEAVES = 8.9, 17.05
#: Short breaks: their share of half hours, and minutes. Shorter than the first threshold of absence.
BREAK_SHARE, BREAK_MINUTES = 0.2, (2.0, 6.0)


class DemoScript:
    """A :class:`camera_adapters.simulated.Script`: the day's incidents, and short breaks by chance.

    The same moment always has the same answer, in every process and after every restart.
    """

    def __init__(self, centre: Centre) -> None:
        self._zone = centre.zone
        self._desks = {window.id: number for number, window in enumerate(centre.windows)}
        self._cameras = {camera.id: number for number, camera in enumerate(centre.cameras)}

    def present(self, window: str, at: datetime) -> bool:
        hour = self._hour(at)
        if not ARRIVES <= hour < LEAVES:
            return False
        desk = self._desks.get(window, -1)
        if any(away.desk == desk and away.leaves <= hour < away.returns for away in AWAY):
            return False
        return not self._on_a_break(window, at, hour)

    def trouble(self, camera: str, at: datetime) -> Trouble | None:
        hour, number = self._hour(at), self._cameras.get(camera, -1)
        for trouble in TROUBLES:
            if trouble.camera == number and trouble.begins <= hour < trouble.ends:
                return trouble.kind
        return None

    def _hour(self, at: datetime) -> float:
        local = at.astimezone(self._zone)
        return local.hour + local.minute / 60 + local.second / 3600

    def _on_a_break(self, window: str, at: datetime, hour: float) -> bool:
        half = int(hour * 2)
        # Not in the first half hour: the wall should be green when a visitor first looks.
        if half <= 18:
            return False
        day = at.astimezone(self._zone).date()
        rng = random.Random(f"{window}:{day.isoformat()}:{half}")  # noqa: S311 - a drawn picture, not a secret
        if rng.random() >= BREAK_SHARE:
            return False
        begins = half / 2 + rng.uniform(5, 20) / 60
        return begins <= hour < begins + rng.uniform(*BREAK_MINUTES) / 60
