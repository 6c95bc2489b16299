"""Telling somebody who walks through a post from somebody who comes to stay."""

from __future__ import annotations

from collections import deque

from detectors.presence.posts import Box

SPAN = 0.5
"""Seconds over which the pace is measured."""
PACE = 0.25
"""Sideways movement in SPAN, in widths of the person's box, that is a walk (recorded leavers: 0.4 … 0.7)."""
SETTLED = 1.5
"""After this many seconds at a post whoever moves about there is at work, not passing."""


class PassingFilter:
    """Says of a person at one post whether he is only walking through.

    It needs looks at least every half second; on slower looks it never speaks.
    """

    def __init__(self) -> None:
        self._trail: deque[tuple[float, Box]] = deque()
        self._since: float | None = None

    def step(self, t: float, box: Box | None) -> bool:
        """True if the person in ``box`` (None: nobody) at time ``t`` is passing."""
        if box is None:
            self._trail.clear()
            self._since = None
            return False
        if self._since is None or (self._trail and t - self._trail[-1][0] > SPAN + 0.05):
            self._trail.clear()
            self._since = t
        self._trail.append((t, box))
        while len(self._trail) > 1 and t - self._trail[0][0] > SPAN + 0.05:
            self._trail.popleft()
        if t - self._since >= SETTLED:
            return False
        began, first = self._trail[0]
        if t - began < 1e-3:
            return False
        moved = abs((box[0] + box[2] / 2) - (first[0] + first[2] / 2))
        width = max(box[2], first[2])
        return moved / width > PACE * (t - began) / SPAN

    def stay(self, t: float) -> None:
        """Notes that whoever is there has not moved, at ``t``, when nobody looked for him."""
        if self._trail:
            self.step(t, self._trail[-1][1])
