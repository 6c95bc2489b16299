"""Noticing a source that repeats one picture.

A quiet stream is not a frozen one. Between two keyframes an encoder leaves still areas untouched, so pictures of a
quiet scene may be equal for seconds; at a keyframe everything is coded anew, and the sensor's noise comes through
(recorded clip: mean difference of keyframes 1 s apart, at 320 pixels of width, ≥ 0.88 levels; a frozen picture coded
again by four encoders: mostly 0, at most 0.43). And around a keyframe the coding of one and the same picture
differs (up to 1.2), so keyframes are compared with keyframes and the rest with the rest.
"""

from __future__ import annotations

from detectors.presence.picture import Picture, Plane

AFTER = 8.5
"""Seconds without any change after which a source is frozen; the contract allows ten."""
SURE_AFTER = 3.0
"""The same where the source's own noise is known and has vanished."""
KEYFRAMES = 3
KEY_LEVELS = 0.3
GOP_LEVELS = 0.3
STILL_LEVELS = 0.06
"""Mean differences in grey levels (0 … 255): of keyframes, inside one group, and of a stream without keyframes."""
QUIETER = 0.25
"""A run whose keyframes differ by less than this share of the least the live source ever did is no quiet scene."""
_LIVE_PAIRS = 5
_LAG = 0.9


class FreezeWatch:
    """Takes every look and every keyframe of one source, in order."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._keys = 0
        self._first_key: Plane | None = None
        self._group: Plane | None = None
        self._run_start: Plane | None = None
        self._largest = 0.0
        self._largest_key = 0.0
        self._noise = _KeyNoise()

    def step(self, picture: Picture) -> bool:
        """True if the source has been repeating one picture up to this one, for so long that it cannot be chance."""
        small, t = picture.small, picture.t
        if picture.keyframe:
            self._noise.step(small, t)
        if self._since is None or t < self._since or self._changed(small, picture.keyframe):
            self._restart(small, t, picture.keyframe)
            return False
        if picture.keyframe:
            self._keys += 1
            self._group = None
        return self._frozen(t - self._since)

    def _frozen(self, run: float) -> bool:
        if self._keys >= KEYFRAMES:
            usual = self._noise.least(before=run)
            if usual is not None and run >= SURE_AFTER and self._largest_key < QUIETER * usual:
                return True
            return run >= AFTER
        return run >= AFTER and self._keys == 0 and self._largest < STILL_LEVELS

    def _changed(self, small: Plane, keyframe: bool) -> bool:
        if keyframe:
            if self._first_key is None:
                self._first_key = small
                return False
            self._largest_key = max(self._largest_key, difference(self._first_key, small))
            return self._largest_key > KEY_LEVELS
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
        self._largest = self._largest_key = 0.0


class _KeyNoise:
    """The least that keyframes about a second apart ever differed on this source while it was alive."""

    def __init__(self) -> None:
        self._last: tuple[float, Plane] | None = None
        self._pairs: list[tuple[float, float]] = []
        self._least: float | None = None
        self._settled = 0

    def step(self, small: Plane, t: float) -> None:
        if self._last is not None and t - self._last[0] < _LAG and t >= self._last[0]:
            return
        if self._last is not None:
            self._pairs.append((t, difference(self._last[1], small)))
        self._last = (t, small)

    def least(self, before: float) -> float | None:
        """The least difference over the pairs that lie more than ``before`` seconds back; None with too few of them."""
        if not self._pairs:
            return None
        until = self._pairs[-1][0] - before - _LAG
        while self._pairs and self._pairs[0][0] <= until:
            _, level = self._pairs.pop(0)
            self._least = level if self._least is None else min(self._least, level)
            self._settled += 1
        return self._least if self._settled >= _LIVE_PAIRS else None


def difference(a: Plane, b: Plane) -> float:
    """Mean absolute difference in grey levels; infinite where the sizes differ."""
    if a.shape != b.shape:
        return float("inf")
    return float(abs(a - b).mean())
