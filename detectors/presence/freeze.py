"""Noticing a source that repeats one picture.

A quiet stream is not a frozen one. Between two keyframes an encoder leaves still areas untouched, so pictures of a
quiet scene may be equal for seconds; at a keyframe everything is coded anew, and the sensor's noise comes through
(recorded clip: mean difference of keyframes 1 s apart, at 320 pixels of width, ≥ 0.88 levels; a frozen picture coded
again by four encoders: mostly 0, at most 0.43). And around a keyframe the coding of one and the same picture
differs (up to 1.2), so keyframes are compared with keyframes and the rest with the rest.
"""

from __future__ import annotations

from collections import deque
from statistics import median

import cv2

from detectors.presence.picture import Picture, Plane

AFTER = 8.5
"""Seconds without any change after which a source is frozen; the contract allows ten."""
KEYFRAMES = 3
KEY_LEVELS = 0.3
GOP_LEVELS = 0.3
STILL_LEVELS = 0.06
"""Mean differences in grey levels (0 … 255): of keyframes, inside one group, and in groups too long for three keyframes."""
PULSE_SPAN = 5.0
"""Seconds over which a source's trembling is weighed against its usual self."""
_LAG = 0.9
_LEAST_PAIRS = 8


class FreezeWatch:
    """Takes every look and every keyframe of one source, in order."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._keys = 0
        self._first_key: Plane | None = None
        self._group: Plane | None = None
        self._largest = 0.0
        self._pulse = _Pulse()

    def step(self, picture: Picture) -> bool:
        """True if the source has been repeating one picture up to this one, for so long that it cannot be chance."""
        small, t = picture.small, picture.t
        stopped = self._pulse.stopped(small, t)
        if self._since is None or t < self._since or self._changed(small, picture.keyframe):
            self._restart(small, t, picture.keyframe)
            return stopped
        if picture.keyframe:
            self._keys += 1
            self._group = None
        return stopped or self._frozen(t - self._since)

    def _frozen(self, run: float) -> bool:
        if run < AFTER:
            return False
        # Long groups: too few keyframes to compare, but inside them nothing at all has moved for all this time.
        return self._keys >= KEYFRAMES or self._largest < STILL_LEVELS

    def _changed(self, small: Plane, keyframe: bool) -> bool:
        if keyframe:
            if self._first_key is None:
                self._first_key = small
                return False
            return difference(self._first_key, small) > KEY_LEVELS
        if self._group is None:
            self._group = small
        change = difference(self._group, small)
        self._largest = max(self._largest, change)
        return change > GOP_LEVELS

    def _restart(self, small: Plane, t: float, keyframe: bool) -> None:
        self._since = t
        self._keys = int(keyframe)
        self._first_key = small if keyframe else None
        self._group = None if keyframe else small
        self._largest = 0.0


class _Pulse:
    """The everyday trembling of a live picture, and whether it has stopped.

    Coded again, a frozen picture is not equal from frame to frame: encoders go on refining it for seconds, and at every
    keyframe. But most pairs of looks are then nearly so. How much a source trembles is learned from itself: one that was
    always quiet proves nothing. Changes are relative to the contrast, so that dusk does not look like a freeze.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Plane]] = deque()
        self._recent: deque[tuple[float, float, float]] = deque()
        self._usual: deque[tuple[float, float]] = deque(maxlen=500)

    def stopped(self, small: Plane, t: float) -> bool:
        looks = self._looks
        if looks and t < looks[-1][0]:
            looks.clear()
            self._recent.clear()
        looks.append((t, small))
        while len(looks) > 1 and looks[1][0] <= t - _LAG:
            looks.popleft()
        if len(looks) < 2 or not _LAG <= t - looks[0][0] <= 2 * _LAG:
            return False
        contrast = (float(cv2.meanStdDev(small)[1][0, 0]) + 1) / 50
        self._recent.append(
            (t, difference(looks[0][1], small) / contrast, difference(looks[-2][1], small) / contrast)
        )
        while self._recent[0][0] < t - PULSE_SPAN:
            self._usual.append(self._recent.popleft()[1:])
        if len(self._recent) < _LEAST_PAIRS or len(self._usual) < _LEAST_PAIRS:
            return False
        second, look = (median(row[i] for row in self._recent) for i in (1, 2))
        usual_second, usual_look = (median(row[i] for row in self._usual) for i in (0, 1))
        return second < min(0.06, usual_second / 8) or (
            second < usual_second / 4 and look < min(0.02, usual_look / 10)
        )


def difference(a: Plane, b: Plane) -> float:
    """Mean absolute difference in grey levels; infinite where the sizes differ."""
    if a.shape != b.shape:
        return float("inf")
    return float(cv2.norm(a, b, cv2.NORM_L1)) / a.size
