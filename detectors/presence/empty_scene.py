"""Learning what a post looks like when it is empty, from hours when nobody can be there.

A scene that comes back unchanged is no proof: somebody who sits still and is hidden twice by others looks just like that.
So nothing is learned while somebody might be at work. When the calendar says that nobody can be, whatever stands there
unmoved for a minute is the empty post, a bag left on the chair included.

A recording that somebody looks through has no such hours and accuses nobody. There, and only there, a scene that came back
unmoved may be taken for the empty one (:class:`ReturningScene`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from detectors.presence.picture import Plane
from detectors.presence.region import Cut

STILL = 60.0
"""Seconds for which nothing may have moved."""
_UNCHANGED = 0.04
_MOVES = 0.05
"""Share of the looks that may have moved for all that: a curtain, a flickering lamp."""
_LONGEST_GAP = 30.0
_LEAST_LOOKS = 10


class StillScene:
    """Watches one post through such hours."""

    def __init__(self, still: float = STILL) -> None:
        self._still = still
        self._first: Plane | None = None
        self._began = self._last = 0.0
        self._looks = self._moves = 0

    def step(self, cut: Cut, moved: bool, nobody: bool, t: float) -> bool:
        """True once the post has stood unmoved for long enough while nobody could be there; then it begins anew."""
        if not nobody:
            self._first = None
            return False
        gone = self._first is None or not 0 <= t - self._last <= _LONGEST_GAP
        self._last = t
        difference = None if gone or self._first is None else cut.differs(self._first)
        if difference is None or difference.share > _UNCHANGED:
            self._first, self._began = cut.relief, t
            self._looks = self._moves = 0
            return False
        self._looks += 1
        self._moves += moved
        if self._moves > max(1.0, _MOVES * self._looks):
            self._first = None
            return False
        if t - self._began < self._still or self._looks < _LEAST_LOOKS:
            return False
        self._first = None
        return True


SAME, OTHER = 0.06, 0.20
"""Share of the post that differs: up to SAME it is the same scene, from OTHER on clearly another one."""
AWAY = 3.0
"""Seconds of another view that make the next visit a new one."""
DWELL = 8.0
"""Seconds without motion a scene must have been there in all."""
_MOST_SCENES = 6
_MOTION_LEVELS, _MOTION_SHARE = 10.0, 0.015


@dataclass(eq=False)
class _Scene:
    relief: Plane
    dwell: float = 0.0
    visits: int = 1
    away: float = 0.0
    moved: int = 0
    looks: int = 0


class ReturningScene:
    """Remembers the scenes of one post in a recording and names the empty one when it is as sure as it can be.

    People do not come back to the very same picture, empty chairs do: a scene that was there on two visits, with something
    clearly different in between, unmoved and for long enough in all.
    """

    def __init__(self, dwell: float = DWELL) -> None:
        self._dwell = dwell
        self._scenes: list[_Scene] = []
        self._last: float | None = None
        self._before: Plane | None = None

    def step(self, cut: Cut, t: float) -> bool:
        """True when this look shows the empty post."""
        moved, self._before = self._moved(cut), cut.grey
        lapse = 0.0 if self._last is None else min(1.0, max(0.0, t - self._last))
        self._last = t
        here: tuple[float, _Scene] | None = None
        for scene in self._scenes:
            difference = cut.differs(scene.relief)
            if difference is None:
                continue
            if difference.share >= OTHER:
                scene.away += lapse
            elif difference.share <= SAME and (here is None or difference.share < here[0]):
                here = (difference.share, scene)
        if here is None:
            if not moved:
                self._scenes.append(_Scene(cut.relief))
                del self._scenes[:-_MOST_SCENES]
            return False
        scene = here[1]
        if scene.away >= AWAY:
            scene.visits += 1
        scene.away = 0.0
        scene.looks += 1
        if moved:
            scene.moved += 1
        else:
            scene.dwell += lapse
        if scene.visits < 2 or scene.dwell < self._dwell or scene.moved > _MOVES * scene.looks:
            return False
        self._scenes.remove(scene)
        return True

    def _moved(self, cut: Cut) -> bool:
        """Whether a person has moved; flicker and noise, which are finer, are no person."""
        if self._before is None or self._before.shape != cut.grey.shape:
            return False
        change = (cut.grey - self._before)[cut.frame.inside]
        return float((np.abs(change - np.median(change)) > _MOTION_LEVELS).mean()) > _MOTION_SHARE
