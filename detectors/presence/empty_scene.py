"""Learning what a post looks like when it is empty, from hours when nobody can be there.

A scene that comes back unchanged is no proof: somebody who sits still and is hidden twice by others looks just like that.
So nothing is learned while somebody might be at work. When the calendar says that nobody can be, whatever stands there
unmoved for a minute is the empty post, a bag left on the chair included.
"""

from __future__ import annotations

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
