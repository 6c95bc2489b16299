"""Nobody leaves without the view changing.

A net that found a person a moment ago and finds none now, in a picture that has not changed where the person was, has
lost him, not seen him go. Such a look has no answer.
"""

from __future__ import annotations

from dataclasses import dataclass

from detectors.presence.picture import Picture, Plane, Shift, alike, shifted
from detectors.presence.posts import UPPER_PART, Box

SURE_SCORE = 0.5
"""Only sightings this sure are remembered: a jacket taken for a person once must not haunt the post."""
UNCHANGED = 0.10
"""Share of the person's upper part that differs; below it the person is still there."""
REMEMBERED = 120.0
"""Seconds after which a sighting proves nothing any more."""


@dataclass(frozen=True)
class _Sighting:
    relief: Plane
    window: tuple[slice, slice]
    t: float


class DepartureCheck:
    """Remembers the last sure sighting at one post."""

    def __init__(self) -> None:
        self._last: _Sighting | None = None

    def saw(self, picture: Picture, box: Box, score: float, shift: Shift) -> None:
        """Notes a person seen in ``box``."""
        if score < SURE_SCORE:
            return
        height, width = picture.small.shape
        rows = slice(
            max(0, int(box[1] * height)), min(height, int((box[1] + UPPER_PART * box[3]) * height) + 1)
        )
        columns = slice(max(0, int(box[0] * width)), min(width, int((box[0] + box[2]) * width) + 1))
        if rows.stop - rows.start < 8 or columns.stop - columns.start < 8:
            return
        self._last = _Sighting(shifted(picture.relief, shift), (rows, columns), picture.t)

    def still_there(self, picture: Picture, shift: Shift) -> bool:
        """True if the view of the last sighting has not changed; forgets the sighting once it has."""
        last = self._last
        if last is None or picture.t - last.t > REMEMBERED or last.relief.shape != picture.relief.shape:
            self._last = None
            return False
        now = shifted(picture.relief, shift)
        changed = float((~alike(last.relief[last.window], now[last.window], 0.5)).mean())
        if changed >= UNCHANGED:
            self._last = None
            return False
        return True
