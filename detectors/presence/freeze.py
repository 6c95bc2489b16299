"""Noticing a source that repeats one picture.

A quiet stream is not a frozen one. Between two keyframes an encoder leaves still areas untouched, so pictures of a
quiet scene may be equal for seconds; at a keyframe everything is coded anew, and the sensor's noise comes through
(recorded clip: mean difference of 1 s old keyframes at 320 pixels of width ≥ 0.88 levels; a frozen picture coded
again by four encoders: mostly 0, at most 0.43). And around a keyframe the coding of one and the same picture
differs (up to 1.2), so keyframes are compared with keyframes and the rest with the rest.
"""

from __future__ import annotations

from detectors.presence.picture import Picture, Plane

AFTER = 8.5
"""Seconds without any change after which a source is frozen; the contract allows ten."""
KEYFRAMES = 3
KEY_LEVELS = 0.3
GOP_LEVELS = 0.3
STILL_LEVELS = 0.06
"""Mean differences in grey levels (0 … 255): of keyframes, inside one group, and of a stream without keyframes."""


class FreezeWatch:
    """Takes every look and every keyframe of one source, in order."""

    def __init__(self, after: float = AFTER) -> None:
        self._after = after
        self._since: float | None = None
        self._keys = 0
        self._first_key: Plane | None = None
        self._group: Plane | None = None
        self._run_start: Plane | None = None
        self._largest = 0.0

    def step(self, picture: Picture) -> bool:
        """True if the source has been repeating one picture for ``after`` seconds up to this one."""
        small, t = picture.small, picture.t
        if self._since is None or t < self._since or self._changed(small, picture.keyframe):
            self._restart(small, t, picture.keyframe)
            return False
        if picture.keyframe:
            self._keys += 1
            self._group = None
        if t - self._since < self._after:
            return False
        return self._keys >= KEYFRAMES or (self._keys == 0 and self._largest < STILL_LEVELS)

    def _changed(self, small: Plane, keyframe: bool) -> bool:
        if keyframe:
            if self._first_key is None:
                self._first_key = small
                return False
            return difference(self._first_key, small) > KEY_LEVELS
        if self._group is None:
            self._group = small
        if self._run_start is None:
            self._run_start = small
        self._largest = max(self._largest, difference(self._run_start, small))
        return difference(self._group, small) > GOP_LEVELS

    def _restart(self, small: Plane, t: float, keyframe: bool) -> None:
        self._since = t
        self._keys = int(keyframe)
        self._first_key = small if keyframe else None
        self._group = None if keyframe else small
        self._run_start = None if keyframe else small
        self._largest = 0.0


def difference(a: Plane, b: Plane) -> float:
    """Mean absolute difference in grey levels; infinite where the sizes differ."""
    if a.shape != b.shape:
        return float("inf")
    return float(abs(a - b).mean())
